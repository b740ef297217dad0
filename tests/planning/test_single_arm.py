"""Operating characteristics against SciPy's binomial and beta-binomial, and against simulated trials."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from alkbayes.planning.beta_mixture import VAGUE, BetaMixture
from alkbayes.planning.single_arm import SingleArmDesign

INFORMATIVE = BetaMixture(np.array([0.6, 0.2, 0.2]), np.array([16.0, 8.0, 1.0]), np.array([4.5, 4.0, 1.0]))


@pytest.mark.parametrize(
    ("n", "null", "threshold"), [(25, 0.3, 0.975), (40, 0.6, 0.9), (1, 0.2, 0.5), (200, 0.05, 0.99)]
)
def test_the_rule_of_a_beta_prior_is_scipys(n: int, null: float, threshold: float) -> None:
    design = SingleArmDesign(BetaMixture(np.ones(1), np.array([2.0]), np.array([3.0])), n, null, threshold)
    success = stats.beta(2 + np.arange(n + 1), 3 + n - np.arange(n + 1)).sf(null) > threshold
    assert design.critical == int(np.flatnonzero(success)[0])
    assert success[design.critical :].all()
    rates = np.array([0.0, null, 0.7, 1.0])
    np.testing.assert_allclose(design.success(rates), stats.binom(n, rates).sf(design.critical - 1), rtol=1e-9)
    assert design.type_i_error == pytest.approx(stats.binom(n, null).sf(design.critical - 1))


def test_success_grows_with_responders_whatever_the_prior() -> None:
    apart = BetaMixture(np.array([0.5, 0.5]), np.array([2.0, 300.0]), np.array([300.0, 2.0]))
    for prior in (INFORMATIVE, apart, VAGUE):
        assert (np.diff(prior.posterior_above(0.5, 60)) >= 0).all()


def test_type_i_error_is_the_share_of_simulated_trials() -> None:
    design = SingleArmDesign(INFORMATIVE, 40, 0.6, 0.975)
    rng = np.random.default_rng(8)
    responders = rng.binomial(40, 0.6, 20_000)
    above = np.array([float(INFORMATIVE.posterior(count, 40).above(0.6)) for count in range(41)])
    share = (above[responders] > 0.975).mean()
    # Four standard errors of a share of 20,000 trials.
    assert design.type_i_error == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20_000))


def test_assurance_is_the_power_averaged_over_the_rates() -> None:
    design = SingleArmDesign(VAGUE, 30, 0.5, 0.95)
    predicted = INFORMATIVE.responders(30)
    x = (np.arange(100_000) + 0.5) / 100_000
    averaged = np.mean(INFORMATIVE.density(x) * design.success(x))
    assert design.assurance(predicted) == pytest.approx(averaged, abs=1e-6)


def test_the_rate_for_a_power() -> None:
    design = SingleArmDesign(INFORMATIVE, 40, 0.6, 0.975)
    for power in (0.8, 0.9):
        expected = brentq(lambda rate, power=power: float(design.success(rate)) - power, 0.01, 0.999, xtol=1e-12)
        assert design.orr_for(power) == pytest.approx(expected, abs=1e-9)


def test_a_vague_prior_holds_the_error_that_the_threshold_promises() -> None:
    errors = [SingleArmDesign(VAGUE, n, 0.6, 0.975).type_i_error for n in (20, 40, 80, 160)]
    # About 1 - threshold, by whole numbers of responders now above, now below.
    assert all(0.01 < error < 0.035 for error in errors)
    # A prior that expects more than the null gives some of that away.
    assert SingleArmDesign(INFORMATIVE, 40, 0.6, 0.975).type_i_error > 0.05


def test_a_design_without_success() -> None:
    design = SingleArmDesign(VAGUE, 3, 0.9, 0.999)
    assert design.critical is None
    assert design.success([0.1, 1.0]) == pytest.approx([0.0, 0.0])
    assert (design.type_i_error, design.assurance(VAGUE.responders(3)), design.orr_for(0.8)) == (0.0, 0.0, None)


def test_a_design_without_failure() -> None:
    design = SingleArmDesign(BetaMixture(np.ones(1), np.array([500.0]), np.array([5.0])), 3, 0.5, 0.9)
    assert design.critical == 0
    assert design.success([0.0, 0.4]) == pytest.approx([1.0, 1.0])
    assert (design.type_i_error, design.orr_for(0.8)) == (1.0, None)
    assert design.assurance(VAGUE.responders(3)) == pytest.approx(1.0)


def test_a_tie_with_the_threshold_is_no_success() -> None:
    # With 1 of 1 the posterior is Beta(2, 1): P(rate > 0.5) is 0.75.
    assert SingleArmDesign(VAGUE, 1, 0.5, 0.75).critical is None
    assert SingleArmDesign(VAGUE, 1, 0.5, 0.7499).critical == 1
