"""The classifier against labels written by hand: the words of the docs on accuracy come from here."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import candidates_of
from alkbayes.registry.extraction.kinds import COUNTED, Kind, classify
from alkbayes.registry.outcomes import Category, OutcomeClass, OutcomeMeasure
from alkbayes.registry.study import study_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "registry"


def rows(name: str) -> list[dict[str, str]]:
    with (FIXTURES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def found(posted: dict[str, dict[str, Any]], protocol: Protocol) -> dict[tuple[str, int], list[Any]]:
    """Candidates of the real records by record and outcome."""
    made: dict[tuple[str, int], list[Any]] = {}
    for record in posted.values():
        for each in candidates_of(record, study_of(record), protocol):
            made.setdefault((each.nct_id, each.outcome_index), []).append(each)
    return made


def test_every_outcome_of_the_real_records_has_a_label(posted: dict[str, dict[str, Any]]) -> None:
    labelled = {(row["nct_id"], int(row["outcome_index"])) for row in rows("labels.csv")}
    there = {
        (number, index)
        for number, record in posted.items()
        for index in range(len(record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"]))
    }
    assert labelled == there
    assert len(there) == 237


def test_rows_of_the_real_records_are_what_their_labels_say(found: dict[tuple[str, int], list[Any]]) -> None:
    confusion: Counter[tuple[str, str]] = Counter()
    for label in rows("labels.csv"):
        of_outcome = found.get((label["nct_id"], int(label["outcome_index"])), [])
        if not label["kind"]:
            assert of_outcome == [], "an outcome that is not posted"
            continue
        same = [
            each
            for each in of_outcome
            if (not label["class_title"] or each.class_title == label["class_title"])
            and (not label["group_id"] or each.group_id == label["group_id"])
        ]
        if not same:  # an outcome without a single measurement
            assert label["kind"] == "other"
            continue
        for each in same:
            confusion[label["kind"], str(each.kind)] += 1
        if label["kind"] != "other":
            (each,) = same
            value = "" if each.value in {"NA", ""} else each.value
            responders = "" if each.responders is None else str(each.responders)
            figures = (str(each.n), value, responders if each.kind in COUNTED else "", str(each.status))
            assert figures == (label["n"], label["value"], label["responders"], label["status"]), label
    wrong = {pair: count for pair, count in confusion.items() if pair[0] != pair[1]}
    assert wrong == {}
    assert sum(confusion.values()) == sum(map(len, found.values())) == 1083


def test_titles_in_the_words_of_sponsors_are_told_apart() -> None:
    """Labelled before they were classified: 102 of 103 were right, and the words of the one were then added."""
    wrong = []
    for row in rows("titles.csv"):
        part = OutcomeClass(row["class_title"], {}, (Category("", ()),), "")
        outcome = OutcomeMeasure(
            index=0,
            kind="SECONDARY",
            title=row["title"],
            description=row["description"],
            population="",
            posted=True,
            param=row["param"],
            dispersion="",
            unit=row["unit"],
            time_frame="",
            groups=(),
            denominators={},
            classes=(part,),
            pointer="",
        )
        (made,) = classify(outcome)
        if str(made.kind) != row["kind"]:
            wrong.append((row["title"], row["kind"], str(made.kind)))
    assert wrong == []
    assert {row["kind"] for row in rows("titles.csv")} == set(map(str, Kind)) - {"best_response"}
