"""Mixtures of betas against SciPy's distributions and against integrals."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from alkbayes.planning.beta_mixture import VAGUE, BetaMixture

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "rbest_planning.json").read_text(encoding="utf-8"))
WEIGHTS, A, B = (0.5, 0.3, 0.2), (12.0, 3.5, 1.0), (4.0, 9.0, 1.0)


def mixture_of(weights=WEIGHTS, a=A, b=B) -> BetaMixture:
    return BetaMixture(*(np.array(values, dtype=float) for values in (weights, a, b)))


def scipy_sum(of: str, x, mixture: BetaMixture) -> np.ndarray:
    parts = [getattr(stats.beta(a, b), of)(x) for a, b in zip(mixture.a, mixture.b, strict=True)]
    return np.tensordot(mixture.weights, np.array(parts), axes=1)


def test_density_and_probabilities_are_the_weighted_sums() -> None:
    mixture, x = mixture_of(), np.array([[0.0, 0.01, 0.3], [0.77, 0.999, 1.0]])
    np.testing.assert_allclose(mixture.density(x), scipy_sum("pdf", x, mixture), rtol=1e-12)
    np.testing.assert_allclose(mixture.below(x), scipy_sum("cdf", x, mixture), rtol=1e-12)
    np.testing.assert_allclose(mixture.above(x), scipy_sum("sf", x, mixture), rtol=1e-12)
    # Small upper probabilities keep their digits.
    steep = mixture_of((1.0,), (2.0,), (900.0,))
    assert steep.above(0.1) == pytest.approx(stats.beta(2, 900).sf(0.1), rel=1e-9, abs=0)
    assert steep.above(0.1) < 1e-38


def test_moments_are_the_integrals() -> None:
    mixture = mixture_of()
    mean = quad(lambda x: x * float(mixture.density(x)), 0, 1)[0]
    assert mixture.mean == pytest.approx(mean, abs=1e-9)
    variance = quad(lambda x: (x - mean) ** 2 * float(mixture.density(x)), 0, 1)[0]
    assert mixture.sd == pytest.approx(np.sqrt(variance), abs=1e-9)


@pytest.mark.parametrize("prob", [1e-6, 0.025, 0.5, 0.975])
def test_a_quantile_has_its_probability_below(prob: float) -> None:
    mixture = mixture_of()
    assert float(mixture.below(mixture.quantile(prob))) == pytest.approx(prob, rel=1e-6)


def test_the_quantile_of_one_component_is_scipys() -> None:
    for mixture in (mixture_of((1.0,), (3.0,), (8.0,)), mixture_of((0.4, 0.6), (3.0, 3.0), (8.0, 8.0))):
        assert mixture.quantile(0.3) == pytest.approx(stats.beta(3, 8).ppf(0.3), rel=1e-9)


def test_modes() -> None:
    assert mixture_of((1.0,), (5.0,), (15.0,)).modes() == pytest.approx([4 / 18], abs=1e-7)
    apart = mixture_of((0.6, 0.4), (40.0, 160.0), (160.0, 40.0)).modes()
    # The components hardly touch: each keeps its own mode, the heavier first.
    assert apart == pytest.approx([39 / 198, 159 / 198], abs=1e-5)
    assert VAGUE.modes() == []
    assert mixture_of((1.0,), (1.0,), (5.0,)).modes() == []


def test_the_posterior_is_bayes_rule() -> None:
    mixture, responders, n = mixture_of(), 9, 23
    posterior = mixture.posterior(responders, n)
    x = np.linspace(0.02, 0.98, 9)
    evidence = quad(lambda p: float(mixture.density(p)) * stats.binom.pmf(responders, n, p), 0, 1)[0]
    expected = mixture.density(x) * stats.binom.pmf(responders, n, x) / evidence
    np.testing.assert_allclose(posterior.density(x), expected, rtol=1e-8)
    assert mixture.posterior_above(0.4, n)[responders] == pytest.approx(float(posterior.above(0.4)), rel=1e-12)
    assert mixture.responders(n)[responders] == pytest.approx(evidence, rel=1e-8)


def test_responders_are_beta_binomial() -> None:
    mixture = mixture_of()
    found = mixture.responders(31)
    parts = [stats.betabinom(31, a, b).pmf(np.arange(32)) for a, b in zip(A, B, strict=True)]
    np.testing.assert_allclose(found, np.tensordot(WEIGHTS, np.array(parts), axes=1), rtol=1e-9)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(VAGUE.responders(9), np.full(10, 0.1), rtol=1e-12)


def test_the_posterior_mean_is_rbests() -> None:
    of = REFERENCE["mixture"]
    mixture = mixture_of(of["weights"], of["a"], of["b"])
    counts = of["posterior"]["responders"], of["posterior"]["n"]
    # Printed to five decimals.
    assert mixture.robust(of["robust_weight"]).posterior(*counts).mean == pytest.approx(
        of["posterior"]["mean"], abs=5e-6
    )
    predicted = [stats.betabinom.pmf(counts[0], counts[1], a, b) for a, b in zip(of["a"], of["b"], strict=True)]
    weights = np.array(of["weights"]) * predicted
    means = [(a + counts[0]) / (a + b + counts[1]) for a, b in zip(of["a"], of["b"], strict=True)]
    assert mixture.posterior(*counts).mean == pytest.approx(weights @ means / weights.sum(), rel=1e-10)


def test_a_robust_prior_has_its_vague_component() -> None:
    mixture = mixture_of((0.7, 0.3), (19.0, 8.0), (133.0, 40.0))
    robust = mixture.robust(0.2)
    assert robust.weights == pytest.approx([0.56, 0.24, 0.2])
    assert (robust.a[-1], robust.b[-1]) == (1.0, 1.0)
    assert mixture.robust(0.0) is mixture
    assert mixture.robust(1.0) is VAGUE
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="weight of the vague component"):
            mixture.robust(weight)


def test_the_text_is_a_mixture_again() -> None:
    assert mixture_of((0.7, 0.3), (19.0, 8.0), (133.0, 40.0)).as_text() == "0.700·Beta(19, 133) + 0.300·Beta(8, 40)"
    thirds = mixture_of((1 / 3, 1 / 3, 1 / 3), (1.23456, 2.0, 123456.7), (1.0, 2.0, 3.0)).as_text()
    # The weights that are printed sum to one.
    assert thirds == "0.334·Beta(1.235, 1) + 0.333·Beta(2, 2) + 0.333·Beta(123457, 3)"
    assert VAGUE.as_text() == "Beta(1, 1)"


@pytest.mark.parametrize(
    ("weights", "a", "b"),
    [
        ((0.5, 0.4), (1, 1), (1, 1)),
        ((1.5, -0.5), (1, 1), (1, 1)),
        ((0.5, 0.5), (1, 0), (1, 1)),
        ((0.5, 0.5), (1, 1), (1, float("inf"))),
        ((1.0,), (1, 1), (1, 1)),
    ],
)
def test_what_is_no_mixture_is_refused(weights, a, b) -> None:
    with pytest.raises(ValueError, match=r"weights|shapes"):
        mixture_of(weights, a, b)


def test_a_component_without_weight_changes_nothing() -> None:
    one, other = mixture_of((1.0, 0.0), (3.0, 50.0), (8.0, 2.0)), mixture_of((1.0,), (3.0,), (8.0,))
    assert one.quantile(0.2) == pytest.approx(other.quantile(0.2))
    assert one.modes() == pytest.approx(other.modes())
    np.testing.assert_allclose(one.density([0.1, 0.9]), other.density([0.1, 0.9]))
    assert one.posterior(3, 10).mean == pytest.approx(other.posterior(3, 10).mean)
