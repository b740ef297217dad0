"""Across tables no patient is counted twice: each way of doing it is named, and the bundled tables do none."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.evidence.adverse_events import read_adverse_events
from alkbayes.evidence.overlaps import Beside, bundled_beside, overlaps
from alkbayes.evidence.table import read_evidence

COHORTS = pd.DataFrame(
    [
        {"cohort_id": "a1", "trial": "A", "registry_id": "NCT1", "agent": "x", "n": 40, "responders": 20},
        {"cohort_id": "a2", "trial": "A", "registry_id": "NCT1", "agent": "y", "n": 50, "responders": 10},
        {"cohort_id": "b1", "trial": "B", "registry_id": "", "agent": "x", "n": 30, "responders": 15},
    ]
)


def rows(*records: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(records).astype(str)


def test_the_bundled_tables_count_nobody_twice() -> None:
    evidence = read_evidence()
    beside = bundled_beside(evidence)
    assert beside.cuts is not None
    assert beside.left_out is not None
    assert beside.adverse_events is not None
    assert overlaps(evidence.frame, beside) == ()


def test_no_cohort_that_is_left_out_is_in_the_table_or_has_no_reason() -> None:
    left_out = bundled_beside(read_evidence()).left_out
    assert left_out is not None
    assert left_out.columns.tolist() == [*read_evidence().frame.columns.drop("label"), "reason"]
    assert set(left_out["cohort_id"]).isdisjoint(read_evidence().frame["cohort_id"])
    assert left_out["reason"].ne("").all()
    share = 100 * left_out["responders"].astype(int) / left_out["n"].astype(int)
    printed = left_out["orr_reported"] != ""
    digits = left_out.loc[printed, "orr_reported"].str.partition(".")[2].str.len()
    off = (share[printed] - left_out.loc[printed, "orr_reported"].astype(float)).abs()
    assert (off <= 0.5 * 10.0**-digits + 1e-9).all()


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ({"cohort_id": "c9", "responders": 1, "n": 2}, 'Other cuts: "c9" is no cohort of the table.'),
        (
            {"cohort_id": "a1", "responders": 10, "n": 50},
            'Other cuts: 10 of 50 at another cut of "a1" is the count of "a2" too, of the same trial',
        ),
    ],
)
def test_a_cut_that_is_a_cohort(cut: dict[str, object], said: str) -> None:
    (found,) = overlaps(COHORTS, Beside(cuts=rows(cut)))
    assert found.startswith(said)


def test_a_cut_of_another_trial_may_have_the_same_counts() -> None:
    assert overlaps(COHORTS, Beside(cuts=rows({"cohort_id": "b1", "responders": 10, "n": 50}))) == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"cohort_id": "a1", "trial": "A", "agent": "x"}, 'Cohort "a1" is both in the table and left out of it.'),
        (
            {"cohort_id": "a0", "trial": "Another name", "registry_id": "NCT1", "agent": "x"},
            'Cohort "a0", which is left out, and "a1" of the table are of one trial and agent',
        ),
    ],
)
def test_a_cohort_that_is_left_out_and_in(row: dict[str, object], said: str) -> None:
    (found,) = overlaps(COHORTS, Beside(left_out=rows(row)))
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        (
            [{"cohort_id": "c9", "trial": "C", "agent": "x"}],
            'Randomised arms: "c9" (x in C) is no cohort of the table.',
        ),
        (
            [{"cohort_id": "a1", "trial": "B", "agent": "x"}],
            'Randomised arms: x in B names the cohort "a1", which is of another trial or agent.',
        ),
        (
            [{"cohort_id": "a1", "trial": "A", "agent": "y"}],
            'Randomised arms: y in A names the cohort "a1", which is of another trial or agent.',
        ),
        (
            [{"cohort_id": "a1", "trial": "A", "agent": "x"}, {"cohort_id": "a1", "trial": "A", "agent": "x"}],
            'Randomised arms: "a1" is two arms.',
        ),
        (
            [{"cohort_id": "", "trial": "A", "agent": "y"}],
            'Randomised arms: y in A names no cohort, and "a2" is of this trial and agent.',
        ),
    ],
)
def test_randomised_arms_are_the_cohorts_that_they_name(arms: list[dict[str, object]], said: str) -> None:
    assert overlaps(COHORTS, Beside(randomised=rows(*arms))) == (said,)


def test_a_chemotherapy_arm_needs_no_cohort() -> None:
    arms = rows({"cohort_id": "a1", "trial": "A", "agent": "x"}, {"cohort_id": "", "trial": "A", "agent": "chemo"})
    assert overlaps(COHORTS, Beside(randomised=arms)) == ()


HEADER = "cohort_id,trial,agent,measure,events,n\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a1,B,x,serious_ae,3,40", 'Adverse events: "a1" is of another trial or agent in the table of cohorts.'),
        (
            "a-one,A,x,serious_ae,3,40",
            'Adverse events: "a-one" is no cohort of the table, and "a1" is of this trial and agent',
        ),
        ("a1,,,serious_ae,3,40", ""),
        ("c1,C,x,serious_ae,3,40", ""),
    ],
)
def test_adverse_events_go_by_the_names_of_the_cohorts(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"{HEADER}{row}\n", encoding="utf-8")
    found = overlaps(COHORTS, Beside(adverse_events=read_adverse_events(path)))
    assert len(found) == bool(said)
    assert all(sentence.startswith(said) for sentence in found)


def test_adverse_events_of_one_cohort_twice_are_found_without_the_reader() -> None:
    """The reader refuses them; a table that was put together otherwise is looked through too."""
    events = read_adverse_events()
    twice = replace(events, frame=pd.concat([events.frame, events.used.iloc[:1]], ignore_index=True))
    found = overlaps(read_evidence().frame, Beside(adverse_events=twice))
    assert found == ('Adverse events: "alesia-crizotinib" is counted twice among serious adverse events.',)
