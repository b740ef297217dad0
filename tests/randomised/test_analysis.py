"""Randomised evidence of the bundled table as a whole: against Cochrane's pooled figures, and its own parts."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from alkbayes.estimates.rates import posterior_of
from alkbayes.evidence.randomised import read_randomised
from alkbayes.evidence.sources import TableSource
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.presentation.randomised import randomised_parts
from alkbayes.presentation.tables import ReaderTable, Sentence
from alkbayes.randomised.analysis import Randomised, RandomisedRecord, randomised_of
from alkbayes.randomised.single_arms import other_cohorts, response_contrasts
from alkbayes.spec.schema import model_path, read_spec

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "randomised.md"
Z = norm.ppf(0.975)


@pytest.fixture(scope="module")
def by_class() -> Randomised:
    return randomised_of(read_randomised())


@pytest.fixture(scope="module")
def by_agent() -> Randomised:
    return randomised_of(read_randomised(by="agent"))


def row(table: pd.DataFrame, first: str, second: str) -> dict:
    (found,) = table[(table["first"] == first) & (table["second"] == second)].to_dict("records")
    return found


def fixed_effect(ratios: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return the inverse-variance pooled ratio with its 95 % interval."""
    y = np.log([ratio for ratio, _, _ in ratios])
    weight = np.array([(2 * Z / math.log(high / low)) ** 2 for _, low, high in ratios])
    mean, se = weight @ y / weight.sum(), weight.sum() ** -0.5
    low, middle, high = np.exp([mean - Z * se, mean, mean + Z * se]).tolist()
    return middle, low, high


def mantel_haenszel(tables: list[tuple[int, int, int, int]]) -> tuple[float, float, float]:
    """Return the pooled risk ratio with its interval (Greenland and Robins 1985, doi:10.2307/2530643)."""
    a, n1, c, n0 = np.array(tables, dtype=float).T
    n = n1 + n0
    r, s = (a * n0 / n).sum(), (c * n1 / n).sum()
    se = math.sqrt(((n1 * n0 * (a + c) - a * c * n) / n**2).sum() / (r * s))
    low, middle, high = np.exp([math.log(r / s) - Z * se, math.log(r / s), math.log(r / s) + Z * se]).tolist()
    return middle, low, high


CHEMOTHERAPY = ("PROFILE 1007", "PROFILE 1014", "PROFILE 1029", "ASCEND-4", "ASCEND-5", "ALUR")
NEXT_GENERATION = ("ALEX", "ALESIA", "J-ALEX", "ALTA-1L", "CROWN")
ALUR_PRIMARY = {"counts": (27, 72, 1, 35), "hr": (0.15, 0.08, 0.29)}
"""The primary analysis: counts that reviews print (chemotherapy 1 of 35, derived), hazard ratio by investigators."""
ALEX_LATER = (0.43, 0.32, 0.58)
"""By investigators, at a later cut."""


def ratios(names: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    frame = read_randomised().frame
    frame = frame[frame["trial"].isin(names) & frame["hr"].notna()]
    return {each["trial"]: (each["hr"], each["hr_low"], each["hr_high"]) for each in frame.to_dict("records")}


def counts(names: tuple[str, ...]) -> dict[str, tuple[int, int, int, int]]:
    """Return responders and patients of the inhibitor, or the later one, and of the other arm, by trial."""
    frame = read_randomised().frame
    found = {}
    for name in names:
        one, other = frame[(frame["trial"] == name)].to_dict("records")
        if not math.isnan(one["n"]):
            found[name] = tuple(int(each[c]) for each in (other, one) for c in ("responders", "n"))
    return found


@pytest.mark.parametrize(
    ("pooled", "printed"),
    [
        # Cochrane CD013453.pub2 (2022) prints two decimals: 0.005 of rounding in what it prints, and as much in what it
        # read. Each tuple: what these trials give, and what the review prints.
        (lambda: fixed_effect([*ratios(CHEMOTHERAPY).values()]), (0.45, 0.40, 0.52)),
        (lambda: fixed_effect([*(ratios(NEXT_GENERATION) | {"ALEX": ALEX_LATER}).values()]), (0.39, 0.33, 0.46)),
        (
            lambda: mantel_haenszel(
                [*(counts(CHEMOTHERAPY) | {"ALUR": ALUR_PRIMARY["counts"], "ASCEND-5": (45, 115, 8, 116)}).values()]
            ),
            (2.43, 2.16, 2.75),
        ),
    ],
)
def test_cochranes_figures_follow_from_these_trials(pooled, printed: tuple[float, float, float]) -> None:
    assert pooled() == pytest.approx(printed, abs=0.011)


def test_what_differs_from_cochrane_is_said_with_its_size() -> None:
    """The page says how far the bundled cuts are from Cochrane's, and these are the numbers."""
    page = PAGE.read_text(encoding="utf-8")
    for found, digits in (
        (fixed_effect([*ratios(CHEMOTHERAPY).values()]), 2),
        (fixed_effect([*ratios(NEXT_GENERATION).values()]), 2),
        (mantel_haenszel([*counts(CHEMOTHERAPY).values()]), 2),
        (mantel_haenszel([*counts(NEXT_GENERATION).values()]), 2),
    ):
        middle, low, high = (f"{value:.{digits}f}" for value in found)
        assert f"{middle} ({low}–{high})" in page


def test_generations_are_compared_within_trials(by_class: Randomised) -> None:
    odds, hazards = by_class.outcomes
    assert by_class.failures == ()
    second = row(odds.contrasts, "second", "first")
    assert (second["trials"], second["patients"], second["evidence"]) == (4, 1055, "both")
    # Their own trials by the odds ratio of summed counts give 1.6 to 1.7: alike trials, so that pooling adds little.
    assert 1.4 < second["combined_median"] < 1.9
    assert second["new_low"] < second["combined_low"] < second["direct_median"] < second["combined_high"]
    third = row(odds.contrasts, "third", "first")
    # One trial: CROWN's own odds ratio, 113/149 against 85/147.
    own = (113 / 36) / (85 / 62)
    assert third["ml_combined_median"] == pytest.approx(own, rel=1e-3)
    assert third["combined_median"] == pytest.approx(own, rel=0.05)
    assert row(hazards.contrasts, "third", "first")["ml_combined_median"] == pytest.approx(0.28, rel=1e-6)


def test_classes_disagree_where_agents_do_not(by_class: Randomised, by_agent: Randomised) -> None:
    """Ceritinib and alectinib, both of the second generation, delay progression by different amounts."""
    inconsistent = row(by_class.outcomes[1].consistency, "second", "first")
    assert inconsistent["p"] < 0.05
    assert inconsistent["ml_p"] < 0.01
    loop = by_agent.outcomes[1].consistency
    assert set(zip(loop["first"], loop["second"], strict=True)) >= {
        ("brigatinib", "alectinib"),
        ("brigatinib", "crizotinib"),
        ("alectinib", "crizotinib"),
    }
    assert (loop["p"] > 0.3).all()
    (posterior, reml) = by_agent.outcomes[1].heterogeneity.to_dict("records")
    assert reml["median"] == 0.0
    assert posterior["median"] < 0.15


def test_a_loop_of_three_pairs_is_buchers_difference(by_agent: Randomised) -> None:
    """By hand with tau = 0: brigatinib vs alectinib, direct against what trials of either say (Bucher et al. 1997)."""
    found = ratios(
        ("ALTA-3", "ALTA-1L", "ALEX", "ALESIA", "J-ALEX", "ALUR", "PROFILE 1007", "PROFILE 1014", "PROFILE 1029")
    )

    def log(ratio: tuple[float, float, float]) -> tuple[float, float]:
        return math.log(ratio[0]), (math.log(ratio[2] / ratio[1]) / (2 * Z)) ** 2

    def pool(*values: tuple[float, float]) -> tuple[float, float]:
        weight = [1 / variance for _, variance in values]
        return sum(w * y for w, (y, _) in zip(weight, values, strict=True)) / sum(weight), 1 / sum(weight)

    crizotinib = pool(*(log(found[name]) for name in ("PROFILE 1007", "PROFILE 1014", "PROFILE 1029")))
    through_chemotherapy = (log(found["ALUR"])[0] - crizotinib[0], log(found["ALUR"])[1] + crizotinib[1])
    alectinib = pool(*(log(found[name]) for name in ("ALEX", "ALESIA", "J-ALEX")), through_chemotherapy)
    brigatinib, direct = log(found["ALTA-1L"]), log(found["ALTA-3"])
    difference = direct[0] - (brigatinib[0] - alectinib[0])
    se = math.sqrt(direct[1] + brigatinib[1] + alectinib[1])
    split = row(by_agent.outcomes[1].consistency, "brigatinib", "alectinib")
    assert split["ml_ratio"] == pytest.approx(math.exp(difference), rel=1e-6)
    assert split["ml_p"] == pytest.approx(2 * norm.sf(abs(difference) / se), rel=1e-6)


def test_single_arms_are_of_other_trials(by_class: Randomised) -> None:
    table = read_randomised()
    other = other_cohorts(read_evidence(), table)
    assert set(other.frame["trial"]).isdisjoint(table.frame["trial"])
    assert set(other.frame["registry_id"]).isdisjoint(set(table.frame["registry_id"]))
    single = by_class.outcomes[0].single_arms
    sizes = other.frame.groupby("regimen_class").size()
    second = row(single, "second", "first")
    assert (second["first_cohorts"], second["second_cohorts"]) == (sizes["second"], sizes["first"])
    # On the log scale the two are independent: the distance has the variance of both.
    widths = {
        name: math.log(second[f"{name}_high"] / second[f"{name}_low"]) for name in ("randomised", "single", "apart")
    }
    assert widths["apart"] == pytest.approx(math.hypot(widths["randomised"], widths["single"]), rel=0.05)
    assert second["apart_median"] == pytest.approx(second["single_median"] / second["randomised_median"], rel=0.05)


def test_an_agents_contrast_is_that_of_two_pretreated_cohorts() -> None:
    """With their classes: predictors of two profiles of the same line differ by it alone."""
    cohorts = other_cohorts(read_evidence(), read_randomised())
    settings = SamplerSettings()
    found = response_contrasts(cohorts, "agent", settings)
    fit = fit_model(read_spec(model_path("agent")), cohorts, engine=Engine.QUADRATURE, settings=settings)
    posterior = posterior_of(fit)

    def predictor(generation: str, agent: str) -> np.ndarray:
        wanted = {"line": "pretreated", "regimen_class": generation, "agent": agent}
        (at,) = np.flatnonzero(np.all([posterior.profiles[name] == level for name, level in wanted.items()], axis=0))
        return posterior.predictors[:, at]

    expected = predictor("third", "lorlatinib") - predictor("first", "crizotinib")
    assert found.contrasts["lorlatinib", "crizotinib"] == pytest.approx(expected, abs=1e-9)


def test_without_single_arms_a_table_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("trial,treatment,responders,n\nA,a,3,20\nA,b,9,20\nB,a,4,30\nB,b,11,30\n", encoding="utf-8")
    found = randomised_of(read_randomised(TableSource(path)))
    (odds,) = found.outcomes
    assert odds.single_arms.empty
    assert odds.consistency.empty
    assert found.to_dict()["outcomes"][0]["single_arms_model"] is None


def test_a_treatment_without_events_has_no_finite_estimate(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("trial,treatment,responders,n\nA,a,5,20\nA,b,0,20\nB,a,6,30\nB,b,0,30\n", encoding="utf-8")
    record = randomised_of(read_randomised(TableSource(path))).to_dict()
    (contrast,) = record["outcomes"][0]["contrasts"]
    assert contrast["ml_combined_median"] is None
    assert contrast["combined_high"] < 1
    parts = randomised_parts(record)
    notes = [note for part in parts if isinstance(part, ReaderTable) for note in part.notes]
    assert any(note.startswith("No finite estimate of b vs a: a treatment has no events") for note in notes)


def test_one_trial_leaves_heterogeneity_to_its_prior(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("trial,treatment,hr,hr_low,hr_high\nA,a,,,\nA,b,0.5,0.3,0.8\n", encoding="utf-8")
    record = randomised_of(read_randomised(TableSource(path))).to_dict()
    (outcome,) = record["outcomes"]
    assert not outcome["replicated"]
    said = [part.text for part in randomised_parts(record) if isinstance(part, Sentence)]
    assert "1 trial." in said
    assert "No comparison is made twice, so that the SD between trials rests on its prior alone." in said
    # Half-normal(0.5): its median is 0.337.
    assert outcome["heterogeneity"][0]["median"] == pytest.approx(0.337, abs=0.03)


def test_common_effects_have_no_heterogeneity() -> None:
    found = randomised_of(read_randomised(), common=True)
    for outcome in found.outcomes:
        assert (outcome.contrasts["new_low"] == outcome.contrasts["combined_low"]).all()
        # With as much data the posterior is the likelihood: 2 % of a ratio of 10 is its Monte Carlo error.
        ratio = outcome.contrasts["combined_median"] / outcome.contrasts["ml_combined_median"]
        assert ratio.to_numpy() == pytest.approx(np.ones(6), abs=0.05)
    notes = notes_of(found.to_dict())
    assert "*: one trial." in notes
    assert "95 % Wald confidence intervals." in notes
    assert not any("trials differ" in note or "SD between trials" in note for note in notes)
    titles = [part.title for part in randomised_parts(found.to_dict()) if isinstance(part, ReaderTable)]
    assert "Hazard ratios by inverse variance" in titles


@pytest.mark.parametrize(
    ("beside", "noted"), [("", False), ("B,a,1,20\nB,d,8,22\n", True)], ids=["alone", "beside another"]
)
def test_a_direct_ratio_of_several_arms_rests_on_other_trials(tmp_path: Path, beside: str, *, noted: bool) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"trial,treatment,responders,n\nA,a,3,30\nA,b,6,30\nA,d,12,30\n{beside}", encoding="utf-8")
    record = randomised_of(read_randomised(TableSource(path)), common=True).to_dict()
    of_b = record["outcomes"][0]["contrasts"][0]
    # Of A alone: 6 x 27 / (24 x 3). A likelihood within 1e-6 of its maximum leaves 0.0014 standard errors of 0.76.
    assert (of_b["ml_direct_median"] == pytest.approx(2.25, abs=0.003)) is not noted
    note = (
        "Trials of three arms or more (A): direct ratios of two arms rest on the network's effects of the other arms "
        "too, and may differ from the trial's own."
    )
    assert (note in notes_of(record)) is noted


def notes_of(record: RandomisedRecord) -> list[str]:
    """Return the notes below all tables."""
    return [note for part in randomised_parts(record) if isinstance(part, ReaderTable) for note in part.notes]


def test_the_page_has_the_recorded_coverage() -> None:
    """validation/network/coverage.json, by `study.py 300`; three standard errors below 95 % are 91 %."""
    path = Path(__file__).parents[2] / "validation" / "network" / "coverage.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    for outcome, method in (("odds ratio", "maximum likelihood"), ("hazard ratio", "REML")):
        for name, key in (("posterior", "bayes"), (method, "classical"), ("prediction of another trial", "prediction")):
            of = {
                tau: [row[key] for row in rows if (row["outcome"], row["tau"]) == (outcome, tau)] for tau in (0.0, 0.3)
            }
            cells = " | ".join(f"{min(values):.0f}–{max(values):.0f}" for values in of.values())
            assert f"| {outcome}, {name} | {cells} |" in page
    assert min(row["bayes"] for row in rows) > 91
    assert min(row["prediction"] for row in rows) > 91
