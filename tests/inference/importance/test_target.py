"""The target against plain integration with SciPy, and its approximation against the normal algebra written out."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from alkbayes.inference.importance import target as target_module
from alkbayes.inference.importance.approximation import Approximation
from alkbayes.inference.importance.target import MOST_SCALES, Target, unsupported
from alkbayes.inference.importance.weights import Component
from alkbayes.model.design import build_design
from alkbayes.model.draws import cohort_taus, complete
from alkbayes.model.parametrisation import empirical_predictors

Z = np.linspace(-8.5, 8.5, 341)
LOG_WEIGHTS = stats.norm.logpdf(Z) + np.log(Z[1] - Z[0])
COVERED = ("no-heterogeneity", "group-only", "cohort-only", "half-student-t", "exponential", "student-t-locations")
COVERED += ("student-t-group", "student-t-both", "beta-binomial-alone", "beta-binomial-trials")
COVERED += ("by-level", "cohorts-by-level", "student-t-by-level")
COVERED += ("number", "number-by-level", "levels-by-levels", "number-by-number")
COVERED += ("interaction", "line-generation", "agent", "sequence")


def points(target: Target, count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.02, 1.2, (count, len(target.scales))), rng.normal(0, 0.7, (count, target.matrix.shape[1]))


def integrated(case: Any, draw: dict[str, Any], eta: np.ndarray) -> float:
    """Return the log-likelihood with the deviations integrated out on a dense grid, trial by trial."""
    design = case.design
    (of_trial, tau_trial), (of_cohort, tau_cohort) = (
        (deviations(term), taus_of(term, draw, len(eta))) for term in (design.group, design.cohort)
    )
    trials = case.evidence.frame["trial"].to_numpy()
    total = 0.0
    for trial in np.unique(trials):
        given_v = np.zeros(len(Z))
        for i in np.flatnonzero(trials == trial):
            theta = eta[i] + tau_trial[i] * of_trial[:, None] + tau_cohort[i] * of_cohort
            given_v += logsumexp(log_probability(case, i, draw, theta) + LOG_WEIGHTS, axis=1)
        total += float(logsumexp(given_v + LOG_WEIGHTS))
    return total


def taus_of(term: Any, draw: dict[str, Any], cohorts: int) -> np.ndarray:
    """Return the tau of each cohort, by level the geometric mean times the exponential of its own deviation."""
    if term is None:
        return np.zeros(cohorts)
    tau = np.full(cohorts, draw[f"tau_{term.label}"])
    if term.by is None:
        return tau
    logs = draw[f"spread_{term.label}"] * (term.by.basis @ draw[f"raw_tau_{term.label}"])
    return tau * np.exp(logs[term.by.of_unit[term.index]])


def deviations(term: Any) -> np.ndarray:
    """Return the deviations whose normal scores are `Z`, by SciPy's quantiles."""
    if term is None or term.unit_prior.dist == "normal":
        return Z
    return np.sign(Z) * stats.t(term.unit_prior.nu).isf(stats.norm.sf(np.abs(Z)))


def log_probability(case: Any, i: int, draw: dict[str, Any], theta: np.ndarray) -> np.ndarray:
    design = case.design
    if "rho" not in draw:
        return stats.binom.logpmf(design.responders[i], design.n[i], expit(theta))
    size = (1 - draw["rho"]) / draw["rho"]
    return stats.betabinom.logpmf(design.responders[i], design.n[i], expit(theta) * size, expit(-theta) * size)


@pytest.mark.parametrize("name", [name for name in COVERED if name not in {"line-generation", "agent", "sequence"}])
def test_the_density_is_priors_times_the_integrated_likelihood(name: str, case_of: Any, scipy_of: Any) -> None:
    case = case_of(name)
    target = Target(case.design)
    psi, b = points(target, 3)
    found = target.log_density(psi, b)
    named, eta = target.named(psi, b), target.logits(psi, b)
    for s in range(3):
        draw = {key: values[s] for key, values in named.items()}
        expected = integrated(case, draw, eta[s])
        for item in (*target.scales, *target.coefficients):
            expected += float(np.sum(scipy_of(item.prior).logpdf(draw[item.name])))
        if "rho" in draw:
            # From rho's density to that of sqrt(rho / (1 - rho)), by a difference.
            up, down = (float(target_module.rho_of(psi[s, -1] + step)) for step in (1e-6, -1e-6))
            expected += np.log((up - down) / 2e-6)
        assert found[s] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", COVERED)
def test_names_and_logits_are_those_of_the_draws(name: str, case_of: Any) -> None:
    design = case_of(name).design
    target = Target(design)
    psi, b = points(target, 4)
    deviations = target.draw_deviations(psi, b, np.random.default_rng(2))
    draws = complete(design, {key: values[None] for key, values in (target.named(psi, b) | deviations).items()})
    theta = target.logits(psi, b)
    for term in design.heterogeneity:
        named = {name: values[0] for name, values in draws.items()}
        theta = theta + cohort_taus(term, named) * deviations[f"z_{term.label}"][:, term.index]
    np.testing.assert_allclose(draws["theta"][0], theta, atol=1e-12)


def test_pieces_do_not_change_the_numbers(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(case_of("interaction").design)
    psi, b = points(target, 57)
    approximation = Approximation(target)
    whole, conditional = target.log_density(psi, b), approximation.conditional(psi)
    monkeypatch.setattr(target_module, "PIECE", 80)
    assert len(list(target.pieces(57))) > 5
    np.testing.assert_allclose(target.log_density(psi, b), whole, rtol=1e-12)
    again = approximation.conditional(psi)
    np.testing.assert_allclose(again.log_evidence, conditional.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(again.mean, conditional.mean, rtol=1e-9)
    drawn = target.draw_deviations(psi, b, np.random.default_rng(1))
    assert drawn["z_cohort"].shape == (57, 10)
    assert drawn["z_trial"].shape == (57, 6)


@pytest.mark.parametrize("name", COVERED)
def test_the_approximation_is_the_normal_algebra(name: str, case_of: Any) -> None:
    """With normal likelihoods the logits are jointly normal: mean, precision and evidence the long way."""
    design = case_of(name).design
    target = Target(design)
    approximation = Approximation(target)
    psi, _ = points(target, 3)
    found = approximation.conditional(psi)
    logit, variance = empirical_predictors(design)
    sds = np.concatenate(
        [
            np.full(item.size, item.prior.sd * (1.5 if item.prior.dist == "student_t" else 1.0))
            for item in target.coefficients
        ]
    )
    means = np.concatenate([np.full(item.size, item.prior.mean) for item in target.coefficients])
    evidence = []
    for s in range(3):
        x = target.matrix * target.factors(psi[s : s + 1])
        # A Student t is matched by the information on its location, (nu + 1) / (nu + 3) per squared scale; responders
        # that are correlated have their variance inflated by the design effect.
        tau_group, tau_cohort = (
            float(tau[0]) * (np.sqrt(6.5 / 4.5) if term is not None and term.unit_prior.dist == "student_t" else 1.0)
            for tau, term in zip(target.taus(psi[s : s + 1]), (design.group, design.cohort), strict=True)
        )
        effect = 1.0 if design.rho_prior is None else 1 + (design.n - 1) * target.rho(psi[s : s + 1])
        covariance = np.diag(effect * variance + tau_cohort**2)
        if design.group is not None:
            covariance += tau_group**2 * (design.group.index[:, None] == design.group.index)
        evidence.append(
            stats.multivariate_normal.logpdf(logit, x @ means, covariance + x @ np.diag(sds**2) @ x.T)
            + float(target.log_scale_prior(psi[s : s + 1])[0])
        )
        precision = x.T @ np.linalg.solve(covariance, x) + np.diag(1 / sds**2)
        mean = np.linalg.solve(precision, x.T @ np.linalg.solve(covariance, logit) + means / sds**2)
        np.testing.assert_allclose(found.factor[s] @ found.factor[s].T, precision, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.mean[s], mean, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.diff(found.log_evidence), np.diff(evidence), atol=1e-7)


def test_coefficients_are_drawn_with_the_density_that_they_are_said_to_have(case_of: Any) -> None:
    target = Target(case_of("interaction").design)
    psi = np.repeat(points(target, 1)[0], 20_000, axis=0)
    d = target.matrix.shape[1]
    conditional = Approximation(target).conditional(psi)
    standard = Component(1.0, np.zeros(d), np.eye(d), 20.0, folded=False)
    b, u, log_density = conditional.draw(np.random.default_rng(3), (standard,))
    mean, factor = conditional.mean[0], conditional.factor[0]
    np.testing.assert_allclose((b - mean) @ factor, u, atol=1e-8)
    covariance = np.linalg.inv(factor @ factor.T)
    scipys = stats.multivariate_t(mean, covariance, df=20.0)
    np.testing.assert_allclose(log_density[:50], scipys.logpdf(b[:50]), rtol=1e-8)
    spread = np.sqrt(np.diag(covariance) * 20 / 18)
    assert (np.abs(b.mean(axis=0) - mean) < 4.5 * spread / np.sqrt(20_000)).all()
    scaled = covariance * 20 / 18 / np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(b.T) / np.outer(spread, spread), scaled, atol=0.05)


def test_reworked_stand_ins_linearise_the_likelihood_at_the_logits_they_lead_to(case_of: Any) -> None:
    """A fixed point: at the logits' means, the long way, the stand-ins have the likelihood's slope and curvature.

    The likelihood is that of half a patient more of either kind.
    """
    design = case_of("interaction").design
    target, psi = Target(design), np.array([[0.5, 0.4, 0.6, 0.3]])
    found = Approximation(target).reworked(psi[0]).reworked(psi[0])
    tau_group, tau_cohort = (float(tau[0]) for tau in target.taus(psi))
    differences = tau_group**2 * (design.group.index[:, None] == design.group.index) + tau_cohort**2 * np.eye(10)
    residual = found.logit - target.logits(psi, found.conditional(psi).mean)[0]
    theta = found.logit - found.variance * np.linalg.solve(np.diag(found.variance) + differences, residual)
    p = expit(theta)
    np.testing.assert_allclose(1 / found.variance, (design.n + 1) * p * (1 - p), rtol=1e-4)
    slope = design.responders + 0.5 - (design.n + 1) * p
    np.testing.assert_allclose((found.logit - theta) / found.variance, slope, atol=1e-3)


def test_reworking_stays_finite_where_every_cohort_has_none_or_all(table_of: Any, spec_of: Any) -> None:
    rows = "\n".join(f"c{i} T{i // 2} naive first {n} {n * (i % 2)}" for i, n in enumerate((1, 5, 1000, 10_000_000)))
    heterogeneity = [
        {"column": column, "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 3.0}}
        for column in ("trial", "cohort_id")
    ]
    target = Target(build_design(spec_of(heterogeneity=heterogeneity), table_of(rows)))
    approximation = Approximation(target).reworked(np.array([3.0, 3.0]))
    assert np.isfinite(approximation.logit).all()
    assert (approximation.variance > 0).all()
    assert np.isfinite(approximation.conditional(np.array([[1e-6, 5.0], [9.0, 1e-6]])).log_evidence).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("beta-binomial", ""),
        ("beta-binomial-alone", ""),
        ("student-t-both", ""),
        ("robust", ""),
        ("line-generation", ""),
        ("probit", ""),
        ("cloglog", ""),
    ],
)
def test_families_and_distributions_are_covered(name: str, words: str, case_of: Any) -> None:
    assert unsupported(case_of(name).design) == words


def test_too_few_and_too_many_scales_are_not_covered(case_of: Any, spec_of: Any, table_of: Any) -> None:
    assert unsupported(build_design(spec_of(), table_of())) == "neither heterogeneity nor exchangeable effects"
    letters = [chr(ord("a") + number) for number in range(MOST_SCALES + 1)]
    effects = [
        {"column": letter, "kind": "exchangeable", "sd_prior": {"dist": "half_normal", "sd": 0.5}} for letter in letters
    ]
    table = table_of(**{letter: ["x", "y"] * 5 for letter in letters})
    assert unsupported(build_design(spec_of(effect=effects), table)).startswith(
        f"{MOST_SCALES + 1} standard deviations"
    )
    assert unsupported(build_design(spec_of(effect=effects[1:]), table)) == ""
