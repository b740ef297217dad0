"""What is said of columns that a model leaves out, held against brute force, exact integration and SciPy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from alkbayes.criticism import confounding
from alkbayes.criticism.confounding import Reason, Unexamined, unexamined_columns, unnamed_columns
from alkbayes.criticism.loo_cohorts import leave_one_cohort_out
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.spec.schema import Spec, model_path, parse_spec, read_spec

SETTINGS = SamplerSettings(seed=11, chains=4, draws=250)


def quick(spec: Spec) -> Fit:
    return fit_model(spec, read_evidence(needed=spec.columns), engine=Engine.QUADRATURE, settings=SETTINGS)


@pytest.fixture(scope="module")
def without() -> Fit:
    return quick(read_spec(model_path("line-generation")))


def with_column(fit: Fit, name: str, values: list[Any]) -> Fit:
    return replace(fit, evidence=replace(fit.evidence, frame=fit.evidence.frame.assign(**{name: values})))


def told(fit: Fit) -> dict[str, confounding.Unnamed]:
    return {each.column: each for each in unnamed_columns(fit)}


@pytest.mark.slow
def test_the_gain_is_that_of_exact_integration(without: Fit) -> None:
    found = told(without)
    assert list(found) == ["prior_alk_tki"]
    data = without.spec.model_dump(by_alias=True, exclude_none=True)
    sd = {"dist": "half_normal", "sd": 0.5}
    data["effect"] = [
        *data["effect"],
        {"column": "prior_alk_tki", "kind": "exchangeable", "sd_prior": sd, "why": "that of the approximation"},
    ]
    named = quick(parse_spec(data, source="a test"))
    one, other = (leave_one_cohort_out(fit, workers=1).loo for fit in (named, without))
    gain = (one.elpd_i - other.elpd_i).to_numpy()
    # The normal approximation leaves out the skewness of the cohorts' likelihoods, and 500 draws of the standard
    # deviations have a Monte Carlo error: a tenth of the gain, far less than the two standard errors of 9 that decide.
    assert found["prior_alk_tki"].gain == pytest.approx(gain.sum(), abs=2.5)
    assert found["prior_alk_tki"].se == pytest.approx(np.sqrt(len(gain) * gain.var(ddof=1)), abs=1.0)


def test_densities_given_the_others_are_those_of_deleted_rows() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    covariance, y = root @ root.T + np.eye(6), rng.normal(size=6)
    precision = np.linalg.inv(covariance)
    found = confounding._left_out((precision @ y)[None], np.diag(precision)[None], np.zeros(1))
    for cohort in range(6):
        others = np.delete(np.arange(6), cohort)
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, cohort])
        mean, variance = weights @ y[others], covariance[cohort, cohort] - weights @ covariance[others, cohort]
        expected = stats.norm.logpdf(y[cohort], mean, np.sqrt(variance)) + 0.5 * np.log(2 * np.pi)
        assert found[cohort] == pytest.approx(expected, abs=1e-10)


def test_an_added_effect_is_that_of_the_larger_covariance(without: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Woodbury's identity and the determinant lemma against matrices inverted whole."""
    monkeypatch.setattr(confounding, "MOST_POINTS", 1)
    residual, variance = confounding._stand_ins(without)
    sds, (added,) = confounding._standard_deviations(without.design, 1)
    basis = np.random.default_rng(1).normal(size=(len(residual), 3))
    (found,) = confounding._gains(without, {"x": basis}).values()

    def left_out(covariance: np.ndarray) -> np.ndarray:
        precision = np.linalg.inv(covariance)
        return confounding._left_out((precision @ residual)[None], np.diag(precision)[None], np.zeros(1))

    covariance = confounding._covariance(without.design, sds, 0) + np.diag(variance)
    expected = left_out(covariance + added**2 * basis @ basis.T) - left_out(covariance)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_a_column_of_chance_is_passed_over_in_silence(without: Fit) -> None:
    rng = np.random.default_rng(5)
    fit = with_column(without, "coin", rng.choice(["heads", "tails"], size=66).tolist())
    fit = with_column(fit, "height", rng.normal(170, 10, size=66).round(1).astype(str).tolist())
    assert list(told(fit)) == ["prior_alk_tki"]


def test_a_number_that_drives_response_is_told_with_its_unevenness(without: Fit) -> None:
    """Age is made of the residuals of the model and of the line, so that it confounds by construction."""
    frame = without.evidence.frame
    theta = without.draws["theta"].mean(axis=(0, 1))
    noise = np.random.default_rng(2).normal(size=66)
    age = 60 + 4 * theta + 3 * noise
    found = told(with_column(without, "age", [f"{value:.1f}" for value in age]))["age"]
    assert (found.numeric, found.gain > 4) == (True, True)
    rounded = np.round(age, 1)
    for label, column in (("line", "line"), ("generation", "regimen_class")):
        groups = [rounded[(frame[column] == level).to_numpy()] for level in set(frame[column])]
        f = stats.f_oneway(*groups).statistic
        # Of a one-way analysis of variance: eta² = f (k - 1) / (f (k - 1) + n - k).
        eta = np.sqrt(f * (len(groups) - 1) / (f * (len(groups) - 1) + 66 - len(groups)))
        (measure,) = [each.measure for each in found.uneven if each.factor == label]
        assert measure == pytest.approx(eta)
    assert [each.measure for each in found.uneven] == sorted((each.measure for each in found.uneven), reverse=True)


def test_unevenness_over_a_factor_is_cramers_v(without: Fit) -> None:
    frame, found = without.evidence.frame, told(without)["prior_alk_tki"]
    measured = {}
    for label, column in (("line", "line"), ("generation", "regimen_class")):
        counts = frame.groupby(["prior_alk_tki", column]).size().unstack(fill_value=0).to_numpy()
        measured[label] = float(stats.contingency.association(counts, method="cramer"))
    assert [each.factor for each in found.uneven] == sorted(measured, key=measured.__getitem__, reverse=True)
    assert {each.factor: each.measure for each in found.uneven} == pytest.approx(measured)


def test_a_blank_is_no_level(without: Fit) -> None:
    """A coin tells nothing of cohorts; nor does it when the cohorts that the model misses most lack a value."""
    residual, _ = confounding._stand_ins(without)
    coin = np.random.default_rng(5).choice(["heads", "tails"], size=66)
    worst = np.isin(np.arange(66), np.argsort(residual)[:6])
    frame = without.evidence.frame.assign(blank=np.where(worst, "", coin), named=np.where(worst, "edge", coin))
    bases = {}
    for name in ("blank", "named"):
        basis = confounding._basis(frame, name)
        assert basis is not None
        bases[name] = basis[0]
    assert (bases["blank"] == 0).all(axis=1).tolist() == worst.tolist()
    gains = {name: gain.sum() for name, gain in confounding._gains(without, bases).items()}
    assert gains["blank"] < 0
    assert gains["named"] > confounding.SMALL, "as a level of their own they would"
    measured = confounding._unevenness(frame, "blank", without.design, numeric=False)
    counts = frame[~worst].groupby(["blank", "line"]).size().unstack(fill_value=0).to_numpy()
    expected = stats.contingency.association(counts, method="cramer")
    assert {each.factor: each.measure for each in measured}["line"] == pytest.approx(float(expected))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(lambda frame: (100 * frame["responders"] / frame["n"]).round(1).astype(str), id="the rate itself"),
        pytest.param(lambda frame: frame["cohort_id"] + "x", id="a level each"),
        pytest.param(lambda _: ["x"] * 66, id="one level"),
        pytest.param(lambda _: ["x"] * 20 + [""] * 46, id="mostly empty"),
        pytest.param(lambda _: ["inf"] * 10 + ["nan"] * 10 + ["1e400"] * 46, id="no finite numbers"),
    ],
)
def test_a_column_that_can_have_no_effect_is_never_told_and_never_fails(
    without: Fit, values: Callable[..., Any]
) -> None:
    assert "made_up" not in told(with_column(without, "made_up", list(values(without.evidence.frame))))


def test_who_did_not_respond_is_no_covariate(without: Fit) -> None:
    frame = without.evidence.frame
    assert confounding._basis(frame.assign(failures=(frame["n"] - frame["responders"]).astype(str)), "failures") is None
    assert confounding._basis(frame.assign(size=frame["n"].astype(str)), "size") is not None


def test_the_outcome_in_other_words_is_neither_told_nor_missed(without: Fit) -> None:
    """A copy of the responders, and five classes of the observed rate, which are too few values for a number."""
    frame = without.evidence.frame
    rates = (frame["responders"] / frame["n"]).to_numpy()
    percents = [str(round(100 * rate)) for rate in rates]
    classes = [str(place) for place in np.digitize(rates, np.quantile(rates, [0.2, 0.4, 0.6, 0.8]))]
    assert stats.spearmanr([int(each) for each in classes], rates).statistic > 0.95
    for name, values in {
        "events": [str(count) for count in frame["responders"]],
        "percent": percents,
        "classes": classes,
    }.items():
        fit = with_column(without, name, values)
        assert name not in told(fit)
        assert name not in [each.column for each in unexamined_columns(fit)]


@pytest.mark.parametrize(("name", "is_told"), [("rob_overall", False), ("overall", True)])
def test_judgements_of_the_risk_of_bias_are_no_covariates(without: Fit, name: str, is_told: bool) -> None:
    assert (name in told(with_column(without, name, list(without.evidence.frame["prior_alk_tki"])))) == is_told


def test_tables_too_small_or_too_large_are_not_looked_at(without: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confounding, "MOST_COHORTS", 62)
    assert unnamed_columns(without) == ()
    passed_over = {each.column: each for each in unexamined_columns(without)}
    assert passed_over["prior_alk_tki"] == Unexamined("prior_alk_tki", Reason.SIZE, 66, 66)
    assert not {"line", "regimen_class", "trial", "note", "orr_printed"} & set(passed_over)


def test_columns_that_group_cohorts_and_were_not_looked_at_are_named(without: Fit) -> None:
    """All of the bundled table that groups cohorts was: ids, sources and notes tell them apart."""
    assert unexamined_columns(without) == ()
    trials = without.evidence.frame["trial"]
    rng = np.random.default_rng(4)
    made = {
        # One level too many for 66 cohorts, at three a level.
        "tumour": [f"t{number % 23}" for number in range(66)],
        "continent": ["Asia" if number % 2 else "Europe" if number % 3 else "" for number in range(66)],
        "age": ["" if number % 5 == 0 else f"{value:.1f}" for number, value in enumerate(rng.normal(60, 5, size=66))],
        "site": [f"site of {trial}" for trial in trials],
        "constant": ["x"] * 66,
        "rate": (without.evidence.frame["responders"] / without.evidence.frame["n"]).astype(str).tolist(),
    }
    fit = without
    for name, values in made.items():
        fit = with_column(fit, name, values)
    assert unexamined_columns(fit) == (
        Unexamined("tumour", Reason.LEVELS, 23, 66),
        Unexamined("continent", Reason.MISSING, 11, 66),
        Unexamined("age", Reason.MISSING, 14, 66),
    )
