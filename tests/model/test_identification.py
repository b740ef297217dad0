"""What a table cannot tell: terms that are merged, notes, references that no cohort has; the posterior is exact."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.errors import SpecError
from alkbayes.estimates.rates import heterogeneity_draws, pooled_draws, posterior_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.importance.target import Target
from alkbayes.inference.nuts.pymc_model import build_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design, parameters
from alkbayes.model.identification import NO_VARIANCE
from alkbayes.model.identification import ONE_TRIAL as ONE_TRIAL_NOTE
from alkbayes.model.parametrisation import positive_from_score, score_scale
from alkbayes.spec.schema import model_path, read_spec

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
HALF = {"dist": "half_normal", "sd": 0.5}
TRIAL = {"column": "trial", "distribution": "normal", "sd_prior": HALF}
PROBS = (0.025, 0.5, 0.975)
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": HALF}
HEAVY = COHORT | {"distribution": "student_t", "nu": 4.0}
ONE_EACH = "a A naive first 30 20\nb B naive first 40 31\nc C naive first 25 11"
ONE_TRIAL = "a A naive first 30 20\nb A naive first 40 31"
FIXED = {"column": "drug", "kind": "fixed", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}


def exact(responders: np.ndarray, n: np.ndarray, *, sd: float) -> dict[str, tuple[float, ...]]:
    """Return 2.5, 50 and 97.5 % quantiles by sums over a grid; two half-normal taus are not merged but binned."""
    mu, edges = np.linspace(-7.5, 7.5, 251), np.linspace(0.0, 7.0 * sd, 176)
    total = (edges[1:] + edges[:-1]) / 2
    tau = (np.arange(2000) + 0.5) * 0.0025 * sd
    each = stats.halfnorm(scale=sd).pdf(tau)
    prior, _ = np.histogram(np.hypot(tau[:, None], tau), edges, weights=each[:, None] * each)
    x, w = np.polynomial.hermite_e.hermegauss(60)
    theta = mu[:, None, None] + total[:, None] * x
    log_p, log_q = -np.logaddexp(0.0, -theta), -np.logaddexp(0.0, theta)
    each_l = (np.exp(y * log_p + (m - y) * log_q) @ w for y, m in zip(responders, n, strict=True))
    log_l = sum(np.log(value + 1e-300) for value in each_l)
    density = np.exp(log_l - log_l.max()) * prior * stats.norm(0.0, 1.5).pdf(mu)[:, None]
    density /= density.sum()
    grid = np.linspace(-12.0, 12.0, 401)
    following = [(density * stats.norm.cdf((at - mu[:, None]) / total)).sum() for at in grid]

    def quantiles(values: np.ndarray, mass: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.interp(PROBS, np.cumsum(mass) - mass / 2, values)
        return found

    return {
        "typical": tuple(expit(quantiles(mu, density.sum(axis=1)))),
        "tau_total": tuple(quantiles(total, density.sum(axis=0))),
        "next_cohort": tuple(expit(np.interp(PROBS, following, grid))),
    }


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("pritz1997", Engine.QUADRATURE),
        ("two", Engine.QUADRATURE),
        ("one", Engine.QUADRATURE),
        pytest.param("two", Engine.NUTS, marks=pytest.mark.slow),
    ],
)
def test_one_term_for_two_has_the_posterior_of_the_two(name: str, engine: Engine) -> None:
    spec = read_spec(model_path("overall"))
    evidence = read_evidence(STRANGERS / f"{name}.csv", needed=spec.columns)
    fit = fit_model(spec, evidence, engine=engine, settings=SamplerSettings(draws=2000))
    assert fit.diagnostics.converged
    assert [parameter.name for parameter in parameters(fit.design)] == ["tau_total", "alpha", "z_total"]
    posterior = posterior_of(fit)
    found = {
        "typical": expit(posterior.draws["alpha"]),
        "tau_total": dict(heterogeneity_draws(posterior))["tau_total"],
        "next_cohort": next(draws for row, draws in pooled_draws(posterior) if row["estimand"] == "next_cohort"),
    }
    frame = evidence.frame
    for number, quantiles in exact(frame["responders"].to_numpy(), frame["n"].to_numpy(), sd=1.0).items():
        # As probabilities: of 8,000 draws, of which NUTS's are worth 1,500 or more, an error of 0.013 at the median;
        # four of these there, and in proportion at the ends.
        below = [(found[number] < at).mean() for at in quantiles]
        np.testing.assert_allclose(below, PROBS, atol=0.05 if engine is Engine.NUTS else 0.025, err_msg=number)
        np.testing.assert_allclose(np.array(below)[[0, 2]], [0.025, 0.975], atol=0.016, err_msg=number)


def test_the_density_of_one_term_is_the_same_in_either_engine(spec_of: Any, table_of: Any) -> None:
    cauchy = TRIAL | {"sd_prior": {"dist": "half_student_t", "nu": 1.0, "sd": 0.3}}
    design = build_design(spec_of(heterogeneity=[cauchy, COHORT]), table_of(ONE_EACH))
    model = build_model(design)
    prior = model.compile_logp(vars=[model["tau_total"]], jacobian=False)
    point = model.initial_point()
    (key,) = (name for name in point if name.startswith("tau_total"))
    for score in (-3.0, 0.0, 2.5):
        value = positive_from_score(np.array(score), score_scale(design.heterogeneity[0].sd_prior))
        expected = Target(design).log_scale_prior(value.reshape(1, 1))[0]
        # PyTensor holds a round nu in single precision.
        assert prior(point | {key: np.array(score)}) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("terms", "table", "labels", "said"),
    [
        (
            [TRIAL, COHORT],
            ONE_EACH,
            ["total"],
            "Every trial gives one cohort, so that tau_trial and tau_cohort are not",
        ),
        (
            [COHORT, TRIAL],
            ONE_EACH,
            ["total"],
            "Every trial gives one cohort, so that tau_trial and tau_cohort are not",
        ),
        (
            [TRIAL, HEAVY],
            ONE_EACH,
            ["trial", "cohort"],
            "Every trial gives one cohort, so that tau_trial and tau_cohort",
        ),
        ([TRIAL, COHORT], ONE_TRIAL, ["trial", "cohort"], "All cohorts are of one trial: tau_trial rests on its prior"),
        ([TRIAL], ONE_TRIAL, ["trial"], "All cohorts are of one trial: tau_trial rests on its prior"),
        ([TRIAL, COHORT], "a A naive first 30 20", ["total"], "The table has one cohort: tau_total, the one"),
        ([COHORT], "a A naive first 30 20", ["cohort"], "The table has one cohort: tau_cohort rests on its prior"),
        ([COHORT], ONE_EACH, ["cohort"], ""),
        ([TRIAL], ONE_EACH, ["trial"], ""),
        ([TRIAL, COHORT], f"{ONE_EACH}\nd C naive first 9 4", ["trial", "cohort"], ""),
        ([], ONE_EACH, [], NO_VARIANCE),
        ([COHORT], ONE_TRIAL, ["cohort"], ONE_TRIAL_NOTE),
    ],
)
def test_what_a_table_cannot_tell_of_heterogeneity_is_said_once(
    terms: list[Any], table: str, labels: list[str], said: str, spec_of: Any, table_of: Any
) -> None:
    design = build_design(spec_of(heterogeneity=terms), table_of(table))
    assert [term.label for term in design.heterogeneity] == labels
    assert [note[: len(said)] for note in design.notes] == ([said] if said else [])


def test_levels_of_one_cohort_are_named(spec_of: Any, table_of: Any) -> None:
    effect = FIXED | {"column": "line", "reference": "naive"}
    table = f"{ONE_EACH}\nd C mixed first 9 4"
    (note,) = build_design(spec_of(effect=[effect], heterogeneity=[COHORT]), table_of(table)).notes
    assert note.startswith("line: mixed has one cohort, whose deviation is not separable from the level's effect")
    assert build_design(spec_of(effect=[effect]), table_of(table)).notes == (
        "line: mixed has one cohort: nothing shows how cohorts of that level differ.",
        NO_VARIANCE,
    )
    assert build_design(spec_of(effect=[effect]), table_of(ONE_TRIAL.replace("b A naive", "b A mixed"))).notes[1:] == (
        NO_VARIANCE,
        ONE_TRIAL_NOTE,
    )
    note, of_trials = build_design(
        spec_of(effect=[effect], heterogeneity=[COHORT]), table_of("a A naive first 9 4\nb A mixed first 9 4")
    ).notes
    assert note.startswith("line: every level has one cohort")
    assert of_trials == ONE_TRIAL_NOTE


@pytest.mark.parametrize(
    ("reference", "guess"),
    [
        ("nosuch", " Rename a level of the table, or the reference in the model."),
        ("crizotinb", ' Did you mean "crizotinib"?'),
    ],
)
def test_a_reference_that_no_cohort_has_is_an_error(
    reference: str, guess: str, spec_of: Any, table_of: Callable[..., Any]
) -> None:
    table = table_of(ONE_EACH, drug=["crizotinib", "alectinib", "alectinib"])
    with pytest.raises(SpecError) as caught:
        build_design(spec_of(effect=[FIXED | {"reference": reference}]), table)
    assert str(caught.value).endswith(
        f'effect[0].reference (of "drug"): found "{reference}", which no cohort of the table has; allowed: alectinib '
        f"and crizotinib.{guess}"
    )


def test_a_model_without_heterogeneity_has_no_shares_of_variance(spec_of: Any, table_of: Any) -> None:
    effect = {"column": "line", "kind": "exchangeable", "sd_prior": HALF}
    table = table_of(f"{ONE_EACH}\nd C mixed first 9 4\ne C mixed first 9 5")
    fit = fit_model(spec_of(effect=[effect]), table, engine=Engine.QUADRATURE, settings=SamplerSettings(draws=500))
    assert list(dict(heterogeneity_draws(posterior_of(fit)))) == ["sd_line"]
