"""Other counts of a cohort take the place of its own, one at most, and are never counted beside it."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.cuts import CUTS, at_later_cuts, with_cuts
from alkbayes.evidence.sources import Selection, TableSource
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.spec.schema import model_path, read_spec

HEADER = "cohort_id,cut,assessor,responders,n\n"


@pytest.fixture
def table(table_of: Callable[..., Evidence]) -> Evidence:
    return table_of("a A naive first 40 12\nb B naive second 50 20", assessor=["irc", "investigator"])


def cuts_file(folder: Path, rows: str) -> Path:
    path = folder / "cuts.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_every_column_is_needed_and_named_in_the_file(table: Evidence, tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    path.write_text("cohort,cut,assessor,responders,n\na,later,irc,15,44\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 1, column cohort_id: found no such column") as raised:
        with_cuts(table, path)
    assert raised.value.remedy is None, "no option names columns of this table"


def test_a_later_count_takes_the_place_of_the_cohorts_own(table: Evidence, tmp_path: Path) -> None:
    path = cuts_file(tmp_path, "a,earlier,irc,1,20\na,later,irc,15,44\nb,same,irc,18,50\n")
    later = at_later_cuts(with_cuts(table, path))
    assert later.frame[["responders", "n"]].to_numpy().tolist() == [[15, 44], [20, 50]]
    assert later.frame["responders"].dtype == np.int64
    assert table.frame["responders"].tolist() == [12, 20]


def test_of_two_later_counts_the_cohorts_own_assessor_is_taken(table: Evidence, tmp_path: Path) -> None:
    rows = "a,later,investigator,20,40\na,later,irc,15,40\nb,later,irc,22,50\n"
    later = at_later_cuts(with_cuts(table, cuts_file(tmp_path, rows)))
    assert later.frame["responders"].tolist() == [15, 22]
    assert later.frame["assessor"].tolist() == ["irc", "irc"]


def test_what_a_row_leaves_empty_stays(table: Evidence, tmp_path: Path) -> None:
    later = at_later_cuts(with_cuts(table, cuts_file(tmp_path, "a,later,,15,44\n")))
    assert later.frame["assessor"].tolist() == ["irc", "investigator"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("c,later,irc,1,2\n", 'line 2, column cohort_id: found "c"; allowed: a cohort of the evidence table.'),
        ("a,final,irc,1,2\n", 'column cut: found "final"; allowed: earlier, same, later.'),
        ("a,later,irc,3,2\n", "column responders: found 3 among 2; allowed: a whole number from 0 to 2."),
        ("a,later,irc,,2\n", "column responders: found nothing; allowed: a whole number of 0 or more."),
        ("a,later,irc,0,0\n", 'column n: found "0"; allowed: a whole number of 1 or more.'),
        (
            "a,later,irc,1,2\na,later,irc,1,3\n",
            'line 3, cohort "a", column cut: found a later count again, which line 2 has; allowed: one later count',
        ),
    ],
)
def test_a_fault_is_named_by_its_line(table: Evidence, tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        with_cuts(table, cuts_file(tmp_path, rows))
    assert message in str(raised.value)


def test_a_column_that_is_not_there_is_named(table: Evidence, tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    path.write_text("cohort_id,responders,n\na,1,2\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="cut"):
        with_cuts(table, path)


def test_only_the_bundled_cohorts_have_bundled_cuts(table: Evidence) -> None:
    assert with_cuts(table).cuts is None
    assert with_cuts(read_evidence()).cuts is not None


def test_cuts_of_responses_are_not_laid_over_another_outcome(tmp_path: Path) -> None:
    brain = read_spec(model_path("intracranial"))
    evidence = read_evidence(needed=brain.columns, outcome=brain.outcome)
    assert with_cuts(evidence).cuts is None
    with pytest.raises(UsageError, match="the run counts ic_responders of ic_n; allowed: none for such a run"):
        with_cuts(evidence, cuts_file(tmp_path, "alex-alectinib,later,irc,1,2\n"))


def test_cohorts_that_a_selection_leaves_out_may_have_cuts() -> None:
    chosen = read_evidence(TableSource(None, selection=Selection(exclude=("alur-alectinib",))))
    later = at_later_cuts(with_cuts(chosen))
    assert "alur-alectinib" not in set(later.frame["cohort_id"])
    assert later.cohorts == 65


@pytest.fixture(scope="module")
def bundled() -> pd.DataFrame:
    cuts = with_cuts(read_evidence()).cuts
    assert cuts is not None
    return cuts


def test_bundled_cuts_are_those_in_print(bundled: pd.DataFrame) -> None:
    printed = bundled[bundled["orr_reported"] != ""]
    digits = printed["orr_reported"].str.partition(".")[2].str.len()
    off = (100 * printed["responders"] / printed["n"] - printed["orr_reported"].astype(float)).abs()
    assert printed.loc[off > 0.5 * 10.0**-digits + 1e-9, "cohort_id"].tolist() == []
    given = printed[printed["orr_ci_low"] != ""]
    k, n = given["responders"], given["n"]
    low, high = 100 * stats.beta.ppf(0.025, k, n - k + 1), 100 * stats.beta.ppf(0.975, k + 1, n - k)
    # A point: some limits are printed without decimals.
    assert (low - given["orr_ci_low"].astype(float)).abs().max() < 1.0
    assert (high - given["orr_ci_high"].astype(float)).abs().max() < 1.0


def test_bundled_cuts_are_of_cohorts_that_say_something_else(bundled: pd.DataFrame) -> None:
    own = read_evidence().frame.set_index("cohort_id")
    assert set(bundled["cut"]) == set(CUTS)
    for row in bundled.to_dict("records"):
        cohort = own.loc[row["cohort_id"]]
        assert (row["responders"], row["n"]) != (cohort["responders"], cohort["n"]), row
    text = files("alkbayes").joinpath("data", "sources.csv").read_text(encoding="utf-8")
    for source in set(bundled["source_id"].str.split(";").explode()):
        assert f"\n{source}," in text, source


def test_bundled_later_cuts_are_the_five_that_were_read(bundled: pd.DataFrame) -> None:
    """The figures as the sources print them; the final ALUR analysis has seven patients more, and NCT02706626 too."""
    later = bundled[bundled["cut"] == "later"].set_index("cohort_id")
    assert {name: (int(row["responders"]), int(row["n"])) for name, row in later.iterrows()} == {
        "alta1l-crizotinib": (86, 138),
        "alur-alectinib": (40, 79),
        "alta1l-brigatinib": (102, 137),
        "brig-post-nextgen": (9, 27),
        "lorla-ph2-exp3b": (12, 28),
    }
    evidence = with_cuts(read_evidence())
    changed = at_later_cuts(evidence)
    assert changed.patients - evidence.patients == 7 + 7
    assert changed.responders - evidence.responders == (86 - 83) + (40 - 27) + (102 - 97) + (9 - 8) + (12 - 9)
