"""What a reader is told of the patients that rows are averaged over."""

import re
from typing import Any

import pytest

from alkbayes.criticism.confounding import Reason
from alkbayes.estimates.results import results_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.presentation.fit import column_meanings, contrast_notes, contrast_rows, heterogeneity_rows, pooled_rows
from alkbayes.presentation.plain_language import summary
from alkbayes.presentation.standardisation import (
    OWN_PATIENTS,
    UNEXAMINED,
    averaging,
    contrast_patients,
    prediction_lines,
    standard_lines,
    unnamed_lines,
)
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import Standard

type Document = dict[str, Any]


def fitted(model: str, standard: Standard) -> Document:
    spec = read_spec(model_path(model))
    settings = SamplerSettings(seed=11, chains=4, draws=250)
    evidence = read_evidence(needed=spec.columns)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, standard=standard)
    return results_of(fit).document


@pytest.fixture(scope="module")
def compared() -> Document:
    return fitted("sequence", Standard.SAME)


def medians(document: Document, group: str, name: str = "median") -> list[float]:
    return [row[name] for row in document["pooled"] if (row["group"], row["estimand"]) == (group, "mean")]


def test_later_generations_are_not_made_to_look_worse_by_what_their_patients_had_before(compared: Document) -> None:
    """Randomised: alectinib, brigatinib and lorlatinib responded more often than crizotinib (ALEX, ALTA-1L, CROWN)."""
    first, second, third, *_ = medians(compared, "generation")
    assert first < second < third
    first, second, third, *_ = medians(compared, "generation", "own_median")
    assert first > second > third


def test_rows_that_move_are_named_with_both_numbers(compared: Document) -> None:
    _, told = standard_lines(compared)
    levels = [row["level"] for row in compared["pooled"] if (row["group"], row["estimand"]) == ("generation", "mean")]
    for level, here, own in zip(
        levels, medians(compared, "generation"), medians(compared, "generation", "own_median"), strict=True
    ):
        said = f"{level} {100 * own:.0f} (here {100 * here:.0f})"
        assert (said in told) == (abs(here - own) >= 0.03), level
    assert "TKI generation first 6" in told


def test_the_table_names_its_mixes_and_marks_predictions(compared: Document) -> None:
    _, lines = averaging(compared)
    assert [line.partition(" (")[0] for line in lines] == [
        "line: patients without a prior ALK TKI",
        "prior ALK TKI: pretreated patients",
        "TKI generation: the patients of all cohorts",
    ]
    (predicted,) = prediction_lines(compared)
    # 214 + 429 + 1,626 + 339 of 5,707 patients had a history that no first-generation cohort had.
    assert "TKI generation first 46 %" in predicted
    assert "mixed 100 %" in predicted
    table = pooled_rows(compared)
    assert (table.headings[3], table.headings[4]) == ("crude,\nown mix", "inverse-\nvariance,\nown mix")
    assert [name for name, _ in column_meanings(compared)] == [
        "crude",
        "inverse-variance",
        "own mix",
        "typical",
        "mean",
        "next cohort",
    ]
    names = [row[0] for row in table.rows]
    assert {" first *", " naive", " none : first"} <= set(names)
    assert [row[0] for row in table.rows if len(row) == 1] == [
        "By line, over patients without a prior ALK TKI",
        "By prior ALK TKI, over pretreated patients",
        "By TKI generation, over the patients of all cohorts",
        "By line and TKI generation, each over its own patients",
        "By prior ALK TKI and TKI generation, each over its own patients",
    ]
    assert [table.title for table in contrast_rows(compared)] == [
        "Contrasts of line, over patients without a prior ALK TKI",
        "Contrasts of prior ALK TKI, over pretreated patients",
        "Contrasts of TKI generation, over the patients of all cohorts",
    ]


def test_contrasts_of_which_a_side_is_predicted_are_marked(compared: Document) -> None:
    marks = {
        (row["column"], row["contrast"]): "**" if row["predicted"] > 0.999999 else "*" if row["predicted"] > 0 else ""
        for row in compared["contrasts"]
        if row["scale"] == "risk_difference"
    }
    tables = contrast_rows(compared)
    assert [row[0] for table in tables for row in table.rows] == [
        f"{contrast} {mark}".strip() for (_, contrast), mark in marks.items()
    ]
    # No first-generation cohort had crizotinib before; every naive combination of the common support has cohorts.
    assert marks["generation", "second vs first"] == "*"
    # Pretreated patients of whom some had an ALK TKI are of no cohort, whatever their generation.
    assert marks["prior_tki", "mixed vs none"] == "**"
    assert marks["prior_tki", "any vs none"] == "*"
    (note,) = contrast_notes(compared["contrasts"], ORR)
    assert note.startswith("* for some of the patients, one side or both are predicted")
    whole = [row | {"predicted": 0.0} for row in compared["contrasts"]]
    assert contrast_notes(whole, ORR) == []
    assert not any("*" in row[0] for table in contrast_rows(compared | {"contrasts": whole}) for row in table.rows)


def test_a_standard_deviation_is_explained_by_the_names_of_its_columns(compared: Document) -> None:
    meanings = {row[0]: row[3] for row in heterogeneity_rows(compared).rows}
    assert meanings["sd_prior_tki"] == "between the levels of prior ALK TKI, SD on the logit scale"
    assert (
        meanings["sd_prior_tki_generation"] == "interaction of prior ALK TKI and TKI generation, SD on the logit scale"
    )
    # An underscore of a column's own name stays one.
    chemo = {"group": "prior_chemo", "first_column": "prior_chemo"}
    pooled = [row | chemo if row["group"] == "prior_tki" else row for row in compared["pooled"]]
    other = [{**compared["heterogeneity"][0], "parameter": "sd_prior_chemo"}]
    ((*_, meaning),) = heterogeneity_rows(compared | {"pooled": pooled, "heterogeneity": other}).rows
    assert meaning == "between the levels of prior_chemo, SD on the logit scale"


def test_contrasts_of_a_figure_are_told_over_whom_they_are(compared: Document) -> None:
    (said,) = contrast_patients(compared)
    assert "line, patients without a prior ALK TKI" in said
    assert "TKI generation, the patients of all cohorts" in said


def test_rows_over_their_own_patients_are_told_as_before() -> None:
    document = fitted("line-generation", Standard.OWN)
    assert standard_lines(document) == [OWN_PATIENTS.format(o=ORR)]
    assert contrast_patients(document) == []
    assert prediction_lines(document) == unnamed_lines(document) == []
    what, lines = averaging(document)
    assert what == "Each row is averaged over its own patients"
    assert lines[0].startswith("naive: second")
    assert pooled_rows(document).headings[3] == "crude"


OF_RESPONSE: Any = {"outcome": ORR.as_record()}


def test_what_a_model_leaves_out_is_one_line_the_strongest_first() -> None:
    uneven = [{"factor": "generation", "measure": 0.61}, {"factor": "line", "measure": 0.28}]
    row = {"column": "age", "uneven": uneven, "numeric": True, "gain": 12.3, "se": 3.9}
    found = [row, row | {"column": "her2", "uneven": [], "numeric": False, "gain": 5.2, "se": 2.2}]
    (told,) = unnamed_lines(OF_RESPONSE | {"unnamed": found})
    assert told == (
        "Not in the model, with the gain in log predictive density of left-out cohorts from adding each alone: age +12 "
        "(SE 4), uneven over TKI generation (correlation ratio 0.61) and line (0.28); her2 +5 (SE 2)."
    )
    assert unnamed_lines(OF_RESPONSE | {"unnamed": []}) == unnamed_lines(OF_RESPONSE | {"unnamed": None}) == []
    assert unnamed_lines(OF_RESPONSE) == []


def test_columns_that_were_not_looked_at_are_named_with_the_reason() -> None:
    rows = [
        {"column": "tumour", "reason": "levels", "count": 11, "cohorts": 19},
        {"column": "age", "reason": "missing", "count": 4, "cohorts": 19},
        {"column": "region", "reason": "size", "count": 250, "cohorts": 250},
    ]
    (told,) = unnamed_lines(OF_RESPONSE | {"unnamed": [], "unexamined": rows})
    assert told == (
        "Not in the model and not examined: tumour (11 levels in 19 cohorts), age (4 of 19 cohorts without it) and "
        "region (250 cohorts)."
    )
    assert set(UNEXAMINED) == set(Reason)


def test_the_plain_paragraph_has_the_order_of_the_table_whichever_way_it_points(compared: Document) -> None:
    said = summary(compared)
    rates = [f"{100 * value:.0f}" for value in medians(compared, "generation")[:3]]
    start = said.index("By TKI generation, each over the same patients (the patients of all cohorts)")
    places = [said.index(name, start) for name in ("first-generation", "second-generation", "third-generation")]
    assert places == sorted(places)
    for rate, place in zip(rates, places, strict=True):
        assert rate in said[place - 12 : place] or f"{float(rate) - 1:.0f}." in said[place - 12 : place]
    turned = [
        row | ({"median": row["own_median"], "own_median": row["median"]} if row["group"] == "generation" else {})
        for row in compared["pooled"]
    ]
    other = summary(compared | {"pooled": turned})
    assert f"the rate is {rates[0]} % in first-generation TKIs" in other


def test_what_no_cohort_has_is_told_to_be_predicted_and_not_observed(compared: Document) -> None:
    """Cohorts of which some had an ALK inhibitor are of mixed lines, and histories are over pretreated patients."""
    frame = read_evidence().frame
    assert not ((frame["line"] == "pretreated") & (frame["prior_alk_tki"] == "mixed")).any()
    said = summary(compared)
    assert re.search(r"which some had an ALK TKI \([\d.]+–[\d.]+ %, predicted and not observed\)\.", said)
    assert said.count("predicted and not observed") == 1
    history = said.partition("By TKI generation")[0]
    (wholly,) = re.findall(r"In ([^.]*) all of that is the model's prediction", history)
    assert wholly == "cohorts of which some had an ALK TKI"
    (much,) = re.findall(r"In ([^.]*) much of that is the model's prediction", history)
    assert "cohorts after a second-generation TKI" in much
    assert wholly not in much
    seen = [row | {"predicted": 0.0} for row in compared["pooled"]]
    assert "predict" not in summary(compared | {"pooled": seen}).replace("95 % prediction", "")
