"""The posterior of log medians, against SciPy's multivariate normal, the project's REML, exact quadrature, and PyMC."""

import copy
import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from alkbayes.classical.maximum_likelihood.multilevel_likelihood import NestedNormal
from alkbayes.errors import SamplingError
from alkbayes.evidence.medians import Medians, medians_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.importance.medians import LogMedians, prior_medians, sample_medians
from alkbayes.model.design import Structure, build_structure
from alkbayes.spec.medians import MedianSpec, parse_median_spec, read_median_spec
from alkbayes.spec.schema import model_path

BUNDLED = tomllib.loads(model_path("pfs").read_text(encoding="utf-8"))
HEADER = (
    "cohort_id,trial,line,regimen_class,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_n,pfs_status,pfs_beyond\n"
)
ROWS = """\
a1,A,naive,first,60,30,10.5,8,14,60,,
a2,A,naive,second,60,30,,20,,50,not_reached,
b,B,pretreated,first,60,30,6,4.5,9,60,,
c1,C,pretreated,second,60,30,9,7,,60,,
c2,C,naive,second,60,30,24,15,33,60,,
d,D,naive,second,60,30,,,,40,not_reached,18
"""
type Laid = tuple[Structure, Medians]


def spec_of(*, effects: bool = True, tau: bool = True, **intercept: float) -> MedianSpec:
    data = copy.deepcopy(BUNDLED)
    data["intercept"]["prior"] |= intercept
    if not effects:
        data["effect"] = []
    if not tau:
        data["heterogeneity"] = []
    return parse_median_spec(data, source="test")


@pytest.fixture
def laid(tmp_path: Path) -> Callable[..., Laid]:
    def make(spec: MedianSpec, rows: str = ROWS) -> Laid:
        path = tmp_path / "own.csv"
        path.write_text(HEADER + rows)
        medians = medians_of(read_evidence(path))
        return build_structure(spec, medians.frame, medians.patients), medians

    return make


REACHED = "".join(line for line in ROWS.splitlines(keepends=True) if "not_reached" not in line)


def covariance_of(medians: Medians, psi: np.ndarray) -> np.ndarray:
    """Return the prior covariance of the log medians by the words of the model file: sd_generation, both taus."""
    frame = medians.frame
    levels = sorted(set(frame["regimen_class"]))
    # Zero-sum effects of L levels have variance 1 - 1/L and covariance -1/L.
    zero_sum = np.eye(len(levels)) - 1 / len(levels)
    index = [levels.index(level) for level in frame["regimen_class"]]
    pretreated = (frame["line"] == "pretreated").to_numpy(dtype=float)
    same_trial = frame["trial"].to_numpy()[:, None] == frame["trial"].to_numpy()
    covariance = 1.0 + 0.75**2 * np.outer(pretreated, pretreated) + psi[0] ** 2 * zero_sum[np.ix_(index, index)]
    return covariance + psi[1] ** 2 * same_trial + psi[2] ** 2 * np.eye(len(frame))


def test_the_likelihood_of_scales_is_scipy_s_multivariate_normal(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of(), REACHED)
    target = LogMedians(structure, medians)
    assert list(target.scales) == ["sd_generation", "tau_trial", "tau_cohort"]
    psi = np.array([[0.3, 0.2, 0.4], [1.0, 0.01, 0.1], [0.0, 0.0, 0.0]])
    value, y = target.log_likelihood(psi, np.random.default_rng(1))
    expected = [
        stats.multivariate_normal(np.full(4, 2.5), covariance_of(medians, row) + np.diag(medians.se**2)).logpdf(
            medians.log_median
        )
        for row in psi
    ]
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_array_equal(y, np.tile(medians.log_median, (3, 1)))


def test_numbers_and_products_have_the_covariance_of_their_slopes(laid: Callable[..., Laid]) -> None:
    data = copy.deepcopy(BUNDLED)
    prior = {"prior": {"dist": "normal", "mean": 0.0, "sd": 0.5}, "why": "a test"}
    data["effect"] = [
        data["effect"][0],
        {"kind": "numeric", "column": "pfs_n", "centre": 50.0, "scale": 10.0, "step": "per 10"} | prior,
        {"kind": "interaction", "column": ["line", "pfs_n"]} | prior,
    ]
    rows = REACHED.replace("14,60,,", "14,45,,").replace("9,60,,", "9,70,,")
    structure, medians = laid(parse_median_spec(data, source="test"), rows)
    psi = np.array([[0.2, 0.4]])
    value, _ = LogMedians(structure, medians).log_likelihood(psi, np.random.default_rng(1))
    frame = medians.frame
    pretreated = (frame["line"] == "pretreated").to_numpy(dtype=float)
    steps = (frame["pfs_n"].astype(float).to_numpy() - 50) / 10
    assert len(set(steps)) > 2
    same_trial = frame["trial"].to_numpy()[:, None] == frame["trial"].to_numpy()
    covariance = 1.0 + 0.75**2 * np.outer(pretreated, pretreated) + psi[0, 0] ** 2 * same_trial
    covariance += 0.5**2 * (np.outer(steps, steps) + np.outer(pretreated * steps, pretreated * steps))
    covariance += np.diag(psi[0, 1] ** 2 + medians.se**2)
    # Both are the same normal density: what differs is rounding.
    expected = stats.multivariate_normal(np.full(4, 2.5), covariance).logpdf(medians.log_median)
    np.testing.assert_allclose(value, [expected], rtol=1e-10)


def with_bounds(medians: Medians, psi: np.ndarray) -> float:
    """Return the likelihood of scales: the density of known medians times the probability of the bounds given these."""
    known, missed = medians.reached, ~medians.reached
    full = covariance_of(medians, psi) + np.diag(medians.se**2)
    rest, cross, own = full[np.ix_(known, known)], full[np.ix_(missed, known)], full[np.ix_(missed, missed)]
    residual = medians.log_median[known] - 2.5
    mean = 2.5 + cross @ np.linalg.solve(rest, residual)
    beyond = stats.multivariate_normal(mean=-mean, cov=own - cross @ np.linalg.solve(rest, cross.T))
    density = stats.multivariate_normal(np.full(known.sum(), 2.5), rest).pdf(medians.log_median[known])
    return float(density * beyond.cdf(-medians.log_bound[missed]))


@pytest.mark.parametrize("psi", [(0.3, 0.2, 0.4), (0.6, 0.5, 0.05)])
def test_bounds_add_their_joint_probability(laid: Callable[..., Laid], psi: tuple[float, ...]) -> None:
    structure, medians = laid(spec_of())
    target, count = LogMedians(structure, medians), 40_000
    value, y = target.log_likelihood(np.tile(psi, (count, 1)), np.random.default_rng(2))
    draws = np.exp(value)
    error = draws.std() / np.sqrt(count)
    # Unbiased: four standard errors fail once in 16,000.
    assert abs(draws.mean() - with_bounds(medians, np.array(psi))) < 4 * error
    assert (y[:, ~medians.reached] > medians.log_bound[~medians.reached]).all()


def test_without_bounds_the_taus_have_the_restricted_likelihood_of_the_classical_model(
    laid: Callable[..., Laid],
) -> None:
    # A flat intercept integrated out is what REML has; with an SD of 1,000 the prior is flat to 1e-7, and a covariance
    # that is mostly 1,000 squared loses eight of sixteen digits.
    structure, medians = laid(spec_of(effects=False, mean=0.0, sd=1e3), REACHED)
    trial = medians.frame["trial"]
    labels = np.array([sorted(set(trial)).index(name) for name in trial])
    reml = NestedNormal.of(medians.log_median, medians.se**2, np.ones((4, 1)), labels, restricted=True)
    psi = np.array(list(itertools.product((0.0, 0.2, 0.7), (0.05, 0.5))))
    value, _ = LogMedians(structure, medians).log_likelihood(psi, np.random.default_rng(1))
    difference = value - np.array([reml.value(row) for row in psi])
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)


@pytest.mark.slow
def test_the_posterior_is_that_of_exact_quadrature(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of())
    posterior = sample_medians(structure, medians, seed=3, draws=20_000)
    assert posterior.converged
    # The scales' half-normal priors in equal shares of probability: midpoints of 12 strata each.
    nodes = stats.halfnorm(scale=0.5).ppf((np.arange(12) + 0.5) / 12)
    grid = np.array(list(itertools.product(nodes, repeat=3)))
    weights = np.array([with_bounds(medians, row) for row in grid])
    weights /= weights.sum()
    for column, name in enumerate(("sd_generation", "tau_trial", "tau_cohort")):
        expected = weights @ grid[:, column]
        # The strata's error is below 0.005, found with 24 of them; the draws' Monte Carlo error is 0.003.
        assert posterior.draws[name].mean() == pytest.approx(expected, abs=0.015)


def test_everything_else_has_its_conditional_normal_distribution(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of(), REACHED)
    psi, count = np.array([0.4, 0.3, 0.2]), 60_000
    target = LogMedians(structure, medians)
    draws = target.draw(np.tile(psi, (count, 1)), np.tile(medians.log_median, (count, 1)), np.random.default_rng(4))
    prior = covariance_of(medians, psi)
    gain = prior @ np.linalg.inv(prior + np.diag(medians.se**2))
    mean, covariance = 2.5 + gain @ (medians.log_median - 2.5), prior - gain @ prior
    sd = np.sqrt(np.diag(covariance))
    # Five standard errors of a mean, and of a covariance of normals.
    np.testing.assert_array_less(np.abs(draws["theta"].mean(axis=0) - mean) / sd, 5 / np.sqrt(count))
    scaled = np.abs(np.cov(draws["theta"].T) - covariance) / np.outer(sd, sd)
    np.testing.assert_array_less(scaled, 5 * np.sqrt(2 / count))
    z = draws["z_trial"]
    again = draws["alpha"][:, None] + draws["sd_generation"][:, None] * (
        draws["raw_generation"] @ structure.effects[1].basis[structure.effects[1].index].T
    )
    again += draws["beta_line"] * (medians.frame["line"] == "pretreated").to_numpy()
    again += psi[1] * z[:, structure.group.index] + psi[2] * draws["z_cohort"]
    np.testing.assert_allclose(again, draws["theta"], atol=1e-12)


@pytest.mark.slow
def test_the_bundled_posterior_is_that_of_the_same_model_in_pymc() -> None:
    import pymc as pm

    spec = read_median_spec(model_path("pfs"))
    medians = medians_of(read_evidence(needed=spec.columns))
    structure = build_structure(spec, medians.frame, medians.patients)
    posterior = sample_medians(structure, medians, seed=5, draws=8000)
    line, generation = structure.effects
    known = medians.reached
    with pm.Model():
        alpha = pm.Normal("alpha", 2.5, 1.0)
        beta = pm.Normal("beta_line", 0.0, 0.75, shape=2)
        scales = {name: pm.HalfNormal(name, 0.5) for name in ("sd_generation", "tau_trial", "tau_cohort")}
        effect = pm.ZeroSumNormal("effect", sigma=1.0, shape=len(generation.levels))
        trial = pm.Normal("trial", shape=len(structure.group.units))
        cohort = pm.Normal("cohort", shape=len(structure.cohorts))
        theta = alpha + (pm.math.concatenate([np.zeros(1), beta]))[line.index]
        theta += scales["sd_generation"] * effect[generation.index]
        theta += scales["tau_trial"] * trial[structure.group.index] + scales["tau_cohort"] * cohort
        pm.Normal("y", theta[known], medians.se[known], observed=medians.log_median[known])
        short = (theta[~known] - medians.log_bound[~known]) / medians.se[~known]
        pm.Potential("beyond", pm.logcdf(pm.Normal.dist(), short).sum())
        tree = pm.sample(
            draws=400, tune=600, chains=4, cores=1, nuts_sampler="nutpie", random_seed=6, progressbar=False
        )
    for name in ("alpha", *scales):
        theirs, ours = tree.posterior[name].to_numpy().ravel(), posterior.draws[name]
        # 1,600 draws of chains are worth at least 200: a standard error of 0.07 SD; four of them.
        assert theirs.mean() == pytest.approx(ours.mean(), abs=0.28 * ours.std()), name
        assert theirs.std() == pytest.approx(ours.std(), rel=0.3), name
    np.testing.assert_allclose(
        tree.posterior["beta_line"].mean(("chain", "draw")),
        posterior.draws["beta_line"].mean(axis=0),
        atol=0.28 * posterior.draws["beta_line"].std(),
    )


def test_the_seed_decides_every_draw_and_the_rows_order_none(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of())
    one, two, other = (sample_medians(structure, medians, seed=seed, draws=500) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.draws["theta"], two.draws["theta"])
    assert not np.array_equal(one.draws["theta"], other.draws["theta"])
    turned = "".join(reversed(ROWS.splitlines(keepends=True)))
    again = sample_medians(*laid(spec_of(), turned), seed=1, draws=20_000)
    much = sample_medians(structure, medians, seed=9, draws=20_000)
    # Monte Carlo: 20,000 draws, half of them duplicates, know a mean to 0.01 SD; four of these, twice.
    assert again.draws["alpha"].mean() == pytest.approx(
        much.draws["alpha"].mean(), abs=0.06 * much.draws["alpha"].std()
    )


def test_no_effects_and_no_heterogeneity_is_an_inverse_variance_mean(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of(effects=False, tau=False, mean=0.0, sd=1e3), REACHED)
    posterior = sample_medians(structure, medians, seed=1, draws=40_000)
    weight = 1 / medians.se**2
    assert posterior.converged
    # Three standard errors of a mean of 40,000, and the prior's own pull of 1e-8.
    expected, sd = (weight @ medians.log_median) / weight.sum(), weight.sum() ** -0.5
    assert posterior.draws["alpha"].mean() == pytest.approx(expected, abs=4 * sd / 200)
    assert posterior.draws["alpha"].std() == pytest.approx(sd, rel=0.02)


def test_the_gate_fails_few_draws(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of())
    posterior = sample_medians(structure, medians, seed=1, draws=100)
    assert not posterior.converged
    assert "too few effective draws" in posterior.failures[0]
    strict = sample_medians(structure, medians, seed=1, draws=1000, limits=Thresholds(pareto_k_max=-5.0))
    assert any("Pareto k" in failure for failure in strict.failures)


def test_too_many_scales_are_refused(laid: Callable[..., Laid]) -> None:
    data = copy.deepcopy(BUNDLED)
    extra = [data["effect"][1] | {"column": f"column_{at}"} for at in range(7)]
    spec = parse_median_spec(data | {"effect": [*data["effect"], *extra]}, source="test")
    _, medians = laid(spec_of())
    frame = medians.frame.assign(**{f"column_{at}": ["x", "y"] * 3 for at in range(7)})
    with pytest.raises(SamplingError, match="the model has 10 standard deviations, more than 8"):
        sample_medians(build_structure(spec, frame, medians.patients), medians, seed=1, draws=500)


def test_draws_of_the_prior(laid: Callable[..., Laid]) -> None:
    structure, medians = laid(spec_of())
    prior = prior_medians(structure, medians, seed=1, draws=40_000)
    # Of 40,000 draws the mean is known to 0.005 SD, the SD to 0.4 %.
    assert prior.draws["alpha"].mean() == pytest.approx(2.5, abs=0.02)
    assert prior.draws["beta_line"].std() == pytest.approx(0.75, rel=0.02)
    assert np.median(prior.draws["tau_trial"]) == pytest.approx(stats.halfnorm(scale=0.5).median(), rel=0.03)
