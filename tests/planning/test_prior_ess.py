"""Effective sample sizes against RBesT's numbers, analytic results, and the definitions integrated as they stand."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from alkbayes.planning.beta_mixture import VAGUE, BetaMixture
from alkbayes.planning.prior_ess import effective_sample_sizes, elir, moment, morita

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "rbest_planning.json").read_text(encoding="utf-8"))


def mixture_of(weights, a, b) -> BetaMixture:
    return BetaMixture(*(np.array(values, dtype=float) for values in (weights, a, b)))


GIVEN = mixture_of(*(REFERENCE["mixture"][name] for name in ("weights", "a", "b")))


def test_a_given_mixture_has_rbests_sizes() -> None:
    expected = REFERENCE["mixture"]["ess"]
    # Printed to four decimals.
    assert elir(GIVEN) == pytest.approx(expected["elir"], abs=6e-5)
    assert moment(GIVEN) == pytest.approx(expected["moment"], abs=6e-5)


@pytest.mark.parametrize(("a", "b"), [(5, 15), (1.5, 1.2), (200, 3), (1.02, 30), (2000, 3000)])
def test_one_beta_is_worth_the_sum_of_its_shapes(a: float, b: float) -> None:
    one = mixture_of([1], [a], [b])
    assert elir(one) == pytest.approx(a + b, rel=1e-6)
    assert moment(one) == pytest.approx(a + b, rel=1e-9)
    if min(a, b) > 1.1:
        # What Morita's vague prior knows, a hundredth of a patient, comes off: RBesT's own test rounds it away.
        assert morita(one) == pytest.approx(a + b, abs=0.011)


def test_elir_is_the_ratio_of_informations() -> None:
    def ratio(x: float) -> float:
        # By SciPy's densities and differences, not by our derivatives.
        step = 1e-4 * x * (1 - x)
        log = [
            np.log(sum(w * stats.beta.pdf(at, a, b) for w, a, b in zip(GIVEN.weights, GIVEN.a, GIVEN.b, strict=True)))
            for at in (x - step, x, x + step)
        ]
        return -(log[0] - 2 * log[1] + log[2]) / step**2 * x * (1 - x)

    expected = quad(lambda x: ratio(x) * float(GIVEN.density(x)), 0.005, 0.6, points=(0.1, 0.15, 0.2), limit=200)[0]
    # Central differences, with steps of a ten-thousandth, and what lies outside of the range.
    assert elir(GIVEN) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "mixture", [GIVEN, mixture_of([0.5, 0.3, 0.2], [12, 3.5, 1.6], [4, 9, 2.5])], ids=["given", "three"]
)
def test_elir_is_predictively_consistent(mixture: BetaMixture) -> None:
    """Neuenschwander et al. 2020: after n patients it is n more, on average over what the prior predicts."""
    n = 12
    after = [elir(mixture.posterior(responders, n)) for responders in range(n + 1)]
    assert mixture.responders(n) @ np.array(after, dtype=float) - n == pytest.approx(elir(mixture), abs=1e-5)


def test_morita_is_the_information_at_the_mode() -> None:
    sizes = effective_sample_sizes(GIVEN)
    (mode,) = GIVEN.modes()
    step = 1e-4

    def information(log_density) -> float:
        values = [log_density(mode + shift * step) for shift in (-1, 0, 1)]
        return -float(values[0] - 2 * values[1] + values[2]) / step**2

    vague = stats.beta(mode / 100, (1 - mode) / 100)
    patient = GIVEN.mean / mode**2 + (1 - GIVEN.mean) / (1 - mode) ** 2
    expected = (information(GIVEN.log_density) - information(vague.logpdf)) / patient
    assert sizes.morita == pytest.approx(expected, rel=1e-4)
    assert sizes.modes == 1


def test_mixtures_that_differ_by_nothing_are_worth_the_same() -> None:
    split = mixture_of([0.3, 0.7], [7, 7], [11, 11])
    sizes = effective_sample_sizes(split)
    assert (sizes.elir, sizes.moment) == pytest.approx((18, 18), rel=1e-7)
    empty = effective_sample_sizes(mixture_of([1, 0], [7, 90], [11, 2]))
    assert (empty.elir, empty.morita) == pytest.approx((18, sizes.morita), rel=1e-7)


def test_the_uniform_distribution() -> None:
    sizes = effective_sample_sizes(VAGUE)
    # Its log density is flat, so that it has no information; the beta with its moments is Beta(1, 1).
    assert sizes.elir == pytest.approx(0.0, abs=1e-12)
    assert sizes.moment == pytest.approx(2.0)
    assert (sizes.morita, sizes.modes) == (None, 0)


def test_a_shape_of_one_counts_as_it_stands() -> None:
    # E[(b - 1) x / (1 - x)] under Beta(1, b).
    assert elir(mixture_of([1], [1], [6])) == pytest.approx(1.0, rel=1e-6)
    assert morita(mixture_of([1], [1], [6])) is None


@pytest.mark.parametrize(("a", "b"), [([10, 0.9], [5, 2]), ([10, 2], [5, 0.9])])
def test_elir_diverges_with_a_shape_below_one(a, b) -> None:
    sizes = effective_sample_sizes(mixture_of([0.95, 0.05], a, b))
    assert sizes.elir is None
    assert sizes.moment > 0


@pytest.mark.parametrize(
    ("weights", "a", "b"),
    [
        # What RBesT's issue 22 and its tests list as having given errors.
        ([0.48, 0.34, 0.18], [1, 6.9, 1.0], [11, 173, 1.13]),
        (
            [0.06429517, 0.03301215, 0.00269268, 0.9],
            [437.32302999, 64.04211307, 5.92543558, 1.0],
            [10.71709277, 2.14157953, 1.00000001, 1.0],
        ),
    ],
)
def test_mixtures_that_were_hard_elsewhere(weights, a, b) -> None:
    total = sum(weights)
    found = elir(mixture_of([weight / total for weight in weights], a, b))
    assert found is not None
    assert 0 < found < max(x + y for x, y in zip(a, b, strict=True))


def test_a_density_that_falls_from_the_edge_may_have_a_negative_ratio() -> None:
    """RBesT warns of this one, for which no integration is to blame: its log density is convex near 0."""
    mixture = mixture_of(
        [0.6092774, 0.2337629, 0.1569597], [1.0, 1.2672179, 3.3856153], [11.8465288, 1.2389927, 7.0191159]
    )

    def weighted(x: float) -> float:
        a, b = mixture.a, mixture.b
        parts = mixture.weights * stats.beta.pdf(x, a, b)
        slope = (a - 1) / x - (b - 1) / (1 - x)
        curve = slope**2 - (a - 1) / x**2 - (b - 1) / (1 - x) ** 2
        return x * (1 - x) * ((parts @ slope) ** 2 / parts.sum() - parts @ curve)

    expected = sum(quad(weighted, low, high, limit=500)[0] for low, high in ((0, 1e-6), (1e-6, 0.01), (0.01, 1)))
    assert elir(mixture) == pytest.approx(expected, abs=1e-3)
    assert expected < -1
