"""Tables of randomised arms: the bundled one against data/SCHEMA.md, and what is refused."""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.randomised import read_randomised
from alkbayes.evidence.sources import TableSource
from alkbayes.evidence.table import read_evidence

type Give = Callable[[str], TableSource]
COLUMNS = {
    "trial": r".+",
    "registry_id": r"NCT\d{8}|JapicCTI-\d+",
    "arm": r".+",
    "cohort_id": r"|[a-z0-9]+(-[a-z0-9]+)*",
    "agent": r"[a-z]+",
    "treatment_class": set(LEVELS["treatment_class"]),
    "line": set(LEVELS["line"]),
    "n": r"|\d+",
    "responders": r"|\d+",
    "assessor": {"", *LEVELS["assessor"]},
    "cutoff": r"|\d{4}(-\d{2})?",
    "hr": r"|0\.\d+",
    "hr_low": r"|0\.\d+",
    "hr_high": r"|[01]\.\d+",
    "hr_level": r"|95",
    "hr_n": r"|\d+",
    "hr_assessor": {"", *LEVELS["assessor"]},
    "certainty": set(LEVELS["certainty"]),
    "source_id": r"[a-z0-9-]+(;[a-z0-9-]+)*",
    "note": r".*",
}


@pytest.fixture
def give(tmp_path: Path) -> Give:
    def write(text: str) -> TableSource:
        path = tmp_path / "own.csv"
        path.write_text(text, encoding="utf-8")
        return TableSource(path)

    return write


@pytest.fixture(scope="module")
def bundled() -> pd.DataFrame:
    with files("alkbayes").joinpath("data", "randomised.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def test_every_cell_of_the_bundled_table_is_of_its_kind(bundled: pd.DataFrame) -> None:
    assert list(bundled.columns) == list(COLUMNS)
    for column, allowed in COLUMNS.items():
        for value in bundled[column]:
            fits = re.fullmatch(allowed, value) if isinstance(allowed, str) else value in allowed
            assert fits, (column, value)
    with files("alkbayes").joinpath("data", "sources.csv").open(encoding="utf-8") as file:
        known = set(pd.read_csv(file, dtype=str)["source_id"])
    assert {name for cell in bundled["source_id"] for name in cell.split(";")} <= known


def test_arms_are_those_of_the_cohorts(bundled: pd.DataFrame) -> None:
    """The same patients, by the key of the table of cohorts; ALUR and ASCEND-5 may be of another cut or source."""
    cohorts = read_evidence().frame.set_index("cohort_id")
    for row in bundled[bundled["cohort_id"] != ""].to_dict("records"):
        cohort = cohorts.loc[row["cohort_id"]]
        assert (cohort["trial"], cohort["agent"]) == (row["trial"], row["agent"])
        assert cohort["regimen_class"] == row["treatment_class"]
        if row["trial"] not in {"ALUR", "ASCEND-5"}:
            assert (cohort["responders"], cohort["n"]) == (int(row["responders"]), int(row["n"])), row["cohort_id"]


def test_the_bundled_table_is_read() -> None:
    table = read_randomised()
    assert (len(table.frame), table.frame["trial"].nunique(), table.by, table.bundled) == (
        26,
        13,
        "treatment_class",
        True,
    )
    assert read_randomised(by="agent").frame["of_treatment"].nunique() == 7
    without = read_randomised(exclude=["PROFILE 1029"])
    assert "PROFILE 1029" not in set(without.frame["trial"])
    assert without.notes == ("Left out by name: PROFILE 1029.",)


def test_other_names_of_columns_are_understood(give: Give) -> None:
    table = read_randomised(give("study;trt;events;total\nA;x;3;20\nA;y;5;22\n"))
    assert table.by == "trt"
    assert table.frame[["responders", "n"]].to_numpy().tolist() == [[3, 20], [5, 22]]
    assert np.isnan(table.frame["hr"]).all()


BOTH = "trial,treatment,responders,n,hr,hr_low,hr_high,hr_level,hr_se,hr_vs\n"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("A,x,3,20,,,,,,\n", 'found one arm of the trial "A"; allowed: two arms or more'),
        ("A,x,3,20,,,,,,\nA,x,4,20,,,,,,\n", 'found the arm "x" of the trial "A" again, as in line 2'),
        ("A,x,30,20,,,,,,\nA,y,4,20,,,,,,\n", "found 30 of 20; allowed: a whole number from 0 to 20"),
        ("A,x,3,,,,,,,\nA,y,4,20,,,,,,\n", "found nothing; allowed: a whole number, as responders has one"),
        ("A,x,3.5,20,,,,,,\nA,y,4,20,,,,,,\n", 'found "3.5"; allowed: a whole number of 0 or more'),
        ("A,,3,20,,,,,,\nA,y,4,20,,,,,,\n", "column treatment: found nothing; allowed: any text"),
        ("A,x,,,,,,,,\nA,y,,,0.5,0.6,0.9,,,\n", "found 0.5 (0.6-0.9); allowed: a hazard ratio between its two limits"),
        # exp((log 0.79 + log 3) / 2) = 1.54.
        (
            "A,x,,,,,,,,\nA,y,,,0.8,0.79,3.0,,,\n",
            "found 0.8 (0.79-3); allowed: a hazard ratio near the middle of its interval on the log scale, 1.5.",
        ),
        ("A,x,,,,,,,,\nA,y,,,0.5,,,,,\n", "found a hazard ratio without an interval; allowed: hr_low and hr_high, or"),
        ("A,x,,,,,,,,\nA,y,,,-1,0.4,0.9,,,\n", 'found "-1"; allowed: a number above 0, or nothing'),
        ("A,x,,,,,,,,\nA,y,,,0.5,0.4,0.9,0.95,,\n", 'found "0.95"; allowed: a percentage from 50 to below 100'),
        ("A,x,,,0.8,0.6,0.9,,,\nA,y,,,0.5,0.4,0.9,,,\n", "found 0 arms without a hazard ratio in the trial"),
        ("A,x,,,,,,,,\nA,y,,,,0.4,0.9,,,\n", "found limits without a hazard ratio; allowed: all three, or nothing"),
        ("A,x,,,,,,,,\nA,y,,,0.5,0.4,0.9,,,z\n", 'found "z"; allowed: another arm of the trial: x'),
    ],
)
def test_a_table_with_a_fault_is_refused(give: Give, rows: str, words: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_randomised(give(BOTH + rows))
    assert words in str(caught.value)


def test_a_table_without_what_is_compared_says_so(give: Give) -> None:
    with pytest.raises(EvidenceError, match="column treatment: found no such column, only trial, responders and n"):
        read_randomised(give("trial,responders,n\nA,3,20\n"))
    with pytest.raises(EvidenceError, match="found neither counts nor hazard ratios, only trial, treatment and year"):
        read_randomised(give("trial,treatment,year\nA,x,2020\nA,y,2020\n"))
    with pytest.raises(UsageError, match=r'found "PROFILE 1028", which is not a trial of the table\. Did you mean'):
        read_randomised(exclude=["PROFILE 1028"])


@pytest.mark.parametrize(
    ("ratio", "low", "high"),
    [
        # One digit alone: 0.1 may be 0.05 to 0.15, which is the middle of 0.06 to 0.3.
        ("0.1", "0.06", "0.3"),
        ("0.02", "0.01", "0.16"),
        # A profile likelihood interval is a little longer on the side away from 1.
        ("0.40", "0.28", "0.66"),
    ],
)
def test_rounded_ratios_are_near_the_middle_of_their_intervals(give: Give, ratio: str, low: str, high: str) -> None:
    table = read_randomised(give(f"{BOTH}A,x,,,,,,,,\nA,y,,,{ratio},{low},{high},,,\n"))
    assert table.frame["hr"].tolist()[1] == float(ratio)
