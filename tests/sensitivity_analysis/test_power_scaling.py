"""Power-scaling against ArviZ's own call, a posterior whose powers are known, and the integrated likelihood."""

from collections.abc import Callable

import arviz_stats as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.likelihood.binomial_normal.marginal import log_marginal
from alkbayes.sensitivity_analysis import power_scaling
from alkbayes.sensitivity_analysis.power_scaling import Diagnosis, integrated_log_likelihood, prior_names, scaled
from alkbayes.spec.schema import model_path, read_spec

SHAPE = (4, 5000)
POWERS = (0.99, 1.01)


def dataset(**variables: np.ndarray) -> xr.Dataset:
    return xr.Dataset({name: (("chain", "draw"), values.reshape(SHAPE)) for name, values in variables.items()})


def even(distribution: stats.rv_continuous) -> np.ndarray:
    """Draws that lie evenly in a distribution, in random order, so that what is compared has next to no noise."""
    count = SHAPE[0] * SHAPE[1]
    uniform = (np.arange(count) + 0.5) / count
    return np.random.default_rng(3).permutation(distribution.ppf(uniform))


def jensen_shannon(p: np.ndarray, q: np.ndarray, x: np.ndarray) -> float:
    """Cumulative Jensen-Shannon distance (Nguyen and Vreeken 2015) of two distribution functions on a grid."""
    integral = lambda values: float(np.trapezoid(values, x))  # noqa: E731
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(p > 0, p * np.log2(p / middle), 0.0)
        other = np.where(q > 0, q * np.log2(q / middle), 0.0)
    distance = integral(one) + integral(other)
    return float(np.sqrt(distance / (integral(p) + integral(q))))


def sensitivity(before: stats.rv_continuous, after: dict[float, stats.rv_continuous], draws: np.ndarray) -> float:
    """Return what `psense` estimates, from the distributions themselves, on the range of the draws."""
    gradients = []
    for power, scaled_ in after.items():
        x = np.linspace(draws.min(), draws.max(), 20_001)
        direct = jensen_shannon(before.cdf(x), scaled_.cdf(x), x)
        turned = jensen_shannon(before.sf(x)[::-1], scaled_.sf(x)[::-1], x)
        gradients.append(max(direct, turned) / abs(np.log2(power)))
    return float(np.mean(gradients))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior_mean", "prior_sd", "diagnosis"),
    [(0.0, 20.0, Diagnosis.NONE), (4.0, 0.5, Diagnosis.CONFLICT)],
)
def test_a_normal_posterior_has_the_sensitivity_of_its_known_powers(
    prior_mean: float, prior_sd: float, diagnosis: Diagnosis
) -> None:
    estimate, error = 1.0, 0.4

    def posterior(prior_power: float = 1.0, likelihood_power: float = 1.0) -> stats.rv_continuous:
        one, other = prior_power / prior_sd**2, likelihood_power / error**2
        return stats.norm((one * prior_mean + other * estimate) / (one + other), (one + other) ** -0.5)

    draws = even(posterior())
    prior = dataset(mu=stats.norm(prior_mean, prior_sd).logpdf(draws))
    likelihood = dataset(y=stats.norm(estimate, error).logpdf(draws))
    table, noise = scaled([draws], prior, likelihood, rng=np.random.default_rng(1))
    (row,) = table.to_dict(orient="records")
    by_prior = sensitivity(posterior(), {power: posterior(prior_power=power) for power in POWERS}, draws)
    by_likelihood = sensitivity(posterior(), {power: posterior(likelihood_power=power) for power in POWERS}, draws)
    # Permuted draws show how much noise is in the estimate; a percent is for the smoothing of the weights' tails.
    assert row["prior"] == pytest.approx(by_prior, rel=0.01, abs=noise[0] / 5)
    assert row["likelihood"] == pytest.approx(by_likelihood, rel=0.01, abs=noise[1] / 5)
    assert row["diagnosis"] == diagnosis
    assert row["mu"] == pytest.approx(row["prior"])


def test_a_beta_posterior_is_what_arviz_says() -> None:
    draws = even(stats.beta(2 + 30, 30 + 10))  # 30 responders of 40, and a prior that expects few
    prior = dataset(p=stats.beta(2, 30).logpdf(draws))
    likelihood = dataset(y=stats.binom(40, draws).logpmf(30))
    table, _ = scaled([draws], prior, likelihood, rng=np.random.default_rng(1))
    tree = xr.DataTree.from_dict({"posterior": dataset(p=draws), "log_prior": prior, "log_likelihood": likelihood})
    (row,) = table.to_dict(orient="records")
    assert row["prior"] == pytest.approx(float(az.psense(tree, group="prior")["p"]))
    assert row["likelihood"] == pytest.approx(float(az.psense(tree, group="likelihood")["p"]))
    assert row["diagnosis"] == Diagnosis.CONFLICT


def test_noise_alone_stays_below_the_noise_that_is_told() -> None:
    rng = np.random.default_rng(5)
    draws, unrelated = rng.normal(size=(2, SHAPE[0] * SHAPE[1]))
    table, (noise, _) = scaled(
        [unrelated], dataset(mu=stats.norm().logpdf(draws)), dataset(y=3 * draws), rng=np.random.default_rng(6)
    )
    assert float(table["prior"].iloc[0]) < 1.5 * noise  # the noise is a 95 % quantile
    assert 0 < noise < 0.05


@pytest.fixture(scope="module")
def fit() -> Fit:
    spec = read_spec(model_path("line-generation"))
    evidence = read_evidence(needed=spec.columns)
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(seed=3, draws=500))


def test_the_likelihood_is_the_integrated_one(fit: Fit) -> None:
    design, draws = fit.design, fit.draws
    found = integrated_log_likelihood(design, draws)
    few = {name: values.reshape(-1, *values.shape[2:])[:40] for name, values in draws.items()}
    eta = few["alpha"][:, None] + 0.0 * design.n
    for block in design.effects:
        levels = few["beta_line"] @ block.basis.T if block.label == "line" else few[f"effect_{block.slug}"]
        eta = eta + levels[:, block.index]
    assert design.group is not None
    expected = log_marginal(
        design.responders,
        design.n,
        eta=eta,
        group=design.group.index,
        tau_group=few["tau_trial"],
        tau_cohort=few["tau_cohort"],
    )
    # Up to the binomial coefficients, which every draw has in common.
    difference = found.ravel()[:40] - expected
    assert difference == pytest.approx(difference[0], abs=1e-8)


def test_the_bundled_fit_hangs_on_no_prior_but_that_of_line(fit: Fit) -> None:
    found = power_scaling.power_scaling(fit)
    assert found.likelihood == "integrated"
    assert found.threshold == 0.05
    assert found.likelihood_noise < 0.05
    for each in found.sensitivities:
        assert list(each.by_prior) == ["intercept", "line", "sd_generation", "tau_trial", "tau_cohort"]
        assert (each.diagnosis is Diagnosis.NONE) == (each.responsible == ())
        assert set(each.responsible) <= {"line"}
    record = found.as_record()
    assert record["numbers"][0]["number"] == "overall, mean"
    assert {type(row["diagnosis"]) for row in record["numbers"]} == {str}


@pytest.mark.slow
def test_without_an_integral_the_noisier_likelihood_is_used_and_named(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    integrated = power_scaling.power_scaling(fit)
    monkeypatch.setattr(power_scaling, "unsupported", lambda _: "something odd")
    found = power_scaling.power_scaling(fit)
    assert found.likelihood == "conditional"
    # 63 rates vary as a chi-squared of 63 degrees of freedom does, the nine global parameters as one of nine.
    assert found.likelihood_noise > 2 * integrated.likelihood_noise
    assert found.threshold == max(0.05, found.likelihood_noise)
    assert [each.prior for each in found.sensitivities] == [each.prior for each in integrated.sensitivities]


def test_a_prior_has_the_name_of_what_it_is_about(case_of: Callable[..., object]) -> None:
    names = prior_names(case_of("beta-binomial-trials").design)  # type: ignore[attr-defined]
    assert names == {"alpha": "intercept", "beta_line": "line", "rho": "rho", "tau_trial": "tau_trial"}
