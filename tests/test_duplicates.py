"""A trial that stands in a table twice is named; two cohorts that are alike by chance in a small number are not."""

import pandas as pd
import pytest

from alkbayes.duplicates import possible_duplicates
from alkbayes.evidence import Evidence, read_evidence

BUNDLED = read_evidence()


def with_rows(*rows: dict[str, object], table: Evidence = BUNDLED) -> Evidence:
    frame = pd.concat([table.frame, pd.DataFrame(rows)], ignore_index=True)
    frame[["n", "responders"]] = frame[["n", "responders"]].astype("int64")
    return Evidence(frame=frame, source="own.csv", sha256="", content=b"")


def counts(*rows: tuple[str, int, int]) -> Evidence:
    frame = pd.DataFrame(rows, columns=["cohort_id", "n", "responders"])
    return Evidence(frame=frame, source="own.csv", sha256="", content=b"")


def row(cohort: str, **changes: object) -> dict[str, object]:
    frame = BUNDLED.frame.set_index("cohort_id", drop=False)
    return frame.loc[cohort].to_dict() | {"cohort_id": f"{cohort}-again"} | changes


def test_the_bundled_table_has_none() -> None:
    """Its two parts of NCT01970865 differ in their phase."""
    assert BUNDLED.frame.groupby("registry_id")["trial"].nunique().loc["NCT01970865"] == 2
    assert possible_duplicates(BUNDLED) == ()


def test_a_trial_at_a_later_cut_off_is_found_by_its_registry_number() -> None:
    twice = with_rows(row("alex-crizotinib", trial="ALEX 2019", responders=114))
    (found,) = possible_duplicates(twice)
    number = row("alex-crizotinib")["registry_id"]
    assert found == (
        f"Trials ALEX and ALEX 2019 have one registry number, {number}: if they are one trial at two cut-offs, keep "
        "one of them; if they are two parts of it, say so in the column phase."
    )
    assert possible_duplicates(with_rows(row("alex-crizotinib", responders=114))) == ()  # one trial, two cohorts


def test_a_trial_under_another_name_is_found_by_its_counts() -> None:
    changes = {"trial": "Peters 2017", "registry_id": ""}
    both = BUNDLED.frame.loc[BUNDLED.frame["trial"] == "ALEX", "cohort_id"].tolist()
    found = possible_duplicates(with_rows(*(row(cohort, **changes) for cohort in both)))
    assert len(both) == 2
    assert len(found) == 1  # the two trials are named once
    assert found[0].startswith(f"Cohorts {both[0]} and {both[0]}-again of trials ALEX and Peters 2017 both have ")


@pytest.mark.parametrize(
    ("column", "value"), [("agent", "another"), ("line", "pretreated"), ("phase", "2"), ("responders", 108)]
)
def test_cohorts_that_differ_are_not_taken_for_one(column: str, value: object) -> None:
    changes = {"trial": "Other", "registry_id": "", column: value}
    assert possible_duplicates(with_rows(row("alex-crizotinib", **changes))) == ()


def test_a_table_without_trials_is_searched_too() -> None:
    table = counts(("a", 40, 20), ("b", 40, 20), ("c", 19, 10), ("d", 19, 10))
    assert possible_duplicates(table) == (
        "Cohorts a and b both have 20 responders of 40 patients: if they are the same patients, keep one of them.",
    )


def test_many_are_counted_and_the_work_is_linear() -> None:
    found = possible_duplicates(counts(*((f"c{i}", 20 + i // 2, 7) for i in range(20_000))))
    assert len(found) == 6
    assert found[-1] == "9995 more pairs may be the same patients."
