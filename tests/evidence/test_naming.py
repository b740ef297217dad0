"""Which column is which: names that everybody uses, names that the user gives, and what is ambiguous."""

from pathlib import Path

import pytest

from alkbayes.errors import EvidenceError, Setting, UsageError
from alkbayes.evidence.naming import likely_column
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.sources import TableSource, columns_text, parse_columns
from alkbayes.evidence.table import Evidence, read_evidence, table_of

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"


def read(folder: Path, content: str, **more: object) -> Evidence:
    path = folder / "trials.csv"
    path.write_text(content, encoding="utf-8")
    return read_evidence(path, **more)


def refused(folder: Path, content: str, **more: object) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        read(folder, content, **more)
    return caught.value


def faults(folder: Path, content: str, **more: object) -> list[str]:
    lines = str(refused(folder, content, **more)).splitlines()[1:]
    return [line.removeprefix(f"  {folder}/trials.csv, ") for line in lines if line.startswith("  ")]


def cells(evidence: Evidence, *columns: str) -> list[list[object]]:
    return evidence.frame[list(columns or ("cohort_id", "responders", "n"))].to_numpy().tolist()


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        pytest.param("studlab,event,n", {"cohort_id": "studlab", "responders": "event"}, id="meta"),
        pytest.param("slab,xi,ni", {"cohort_id": "slab", "responders": "xi", "n": "ni"}, id="metafor"),
        pytest.param("Study,Events,Total", {"cohort_id": "Study", "responders": "Events", "n": "Total"}, id="RevMan"),
        pytest.param("study,r,n", {"cohort_id": "study", "responders": "r"}, id="RBesT"),
        pytest.param("Study,R,N", {"cohort_id": "Study", "responders": "R", "n": "N"}, id="MetaInsight"),
        pytest.param(
            "COHORT ID,Responders,N", {"cohort_id": "COHORT ID", "responders": "Responders", "n": "N"}, id="any case"
        ),
        pytest.param("cohort_id,responders,n", {}, id="our own"),
    ],
)
def test_names_that_everybody_uses(tmp_path: Path, header: str, columns: dict[str, str]) -> None:
    evidence = read(tmp_path, f"{header}\na,3,10\nb,4,12\n")
    assert cells(evidence) == [["a", 3, 10], ["b", 4, 12]]
    assert evidence.columns == columns
    said = [note for note in evidence.notes if note.startswith("Columns of the file: ")]
    assert len(said) == bool(columns)
    assert all(f"{own} is read as {name}" in said[0] for name, own in columns.items())
    # The copy that a run keeps is read by what was written down, to the same table and the same words.
    again = read_evidence(tmp_path / "trials.csv", columns=evidence.columns)
    assert (again.columns, again.notes) == (evidence.columns, evidence.notes)
    assert again.frame.equals(evidence.frame)


def test_a_study_beside_names_of_cohorts_is_the_trial(tmp_path: Path) -> None:
    evidence = read(tmp_path, "cohort_id,Study,responders,n,Line,Phase\na,S,3,10,1L,2\nb,S,4,12,2L+,3\n")
    assert evidence.columns == {"trial": "Study", "line": "Line"}
    assert (evidence.trials, evidence.frame["Phase"].tolist()) == (1, ["2", "3"])


def test_revman() -> None:
    evidence = read_evidence(STRANGERS / "revman.csv")
    assert cells(evidence) == [["ORR", 12, 40]]
    assert evidence.columns == {"cohort_id": "Name", "responders": "Events 1", "n": "Total 1"}


def test_two_arms_of_a_study_are_cohorts_of_a_trial(tmp_path: Path) -> None:
    """MetaInsight's long format: T is the treatment."""
    evidence = read(tmp_path, "Study,T,R,N\nA,drug,3,10\nA,dose,4,12\nB,drug,1,9\n")
    assert cells(evidence, "cohort_id", "trial", "T") == [
        ["A 1", "A", "drug"],
        ["A 2", "A", "dose"],
        ["B", "B", "drug"],
    ]
    assert evidence.trials == 2
    assert read_evidence(tmp_path / "trials.csv", columns=evidence.columns).frame.equals(evidence.frame)
    assert evidence.notes[1] == (
        "The table has no column of names for cohorts: they are named by trial, and numbered within it."
    )


def test_a_row_that_stands_twice_is_one_cohort_twice(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "Study,R,N\nA,3,10\nA,4,12\nA,3,10\n")
    assert fault.startswith('line 4, cohort "A 1", column cohort_id: found the id of line 2 again')


def test_counts_alone_are_enough(tmp_path: Path) -> None:
    evidence = read(tmp_path, "r,n\n2,30\n18,30\n0,30\n2,30\n")
    assert cells(evidence) == [["1", 2, 30], ["2", 18, 30], ["3", 0, 30], ["4", 2, 30]]
    assert evidence.notes == (
        "Columns of the file: r is read as responders.",
        "The table has no column of names for cohorts: they are named by number, in the order of the rows.",
        "The table names no trials: each cohort counts as a trial of its own.",
    )
    assert evidence.trials is None


def test_names_that_the_user_gives(tmp_path: Path) -> None:
    content = "id,deaths,treated,setting,events\na,3,10,1L,0\nb,4,12,2L+,0\n"
    columns = {"responders": "deaths", "n": "treated", "line": "setting"}
    evidence = read(tmp_path, content, columns=columns, needed=["line"])
    assert cells(evidence, "cohort_id", "responders", "n", "line", "events") == [
        ["a", 3, 10, "1L", "0"],
        ["b", 4, 12, "2L+", "0"],
    ]
    assert evidence.columns == {"cohort_id": "id"} | columns
    source = TableSource(tmp_path / "trials.csv", columns)
    assert read_evidence(source).frame.equals(evidence.frame)


def test_two_columns_may_change_names(tmp_path: Path) -> None:
    content = "cohort_id,n,responders\na,3,10\n"
    swapped = read(tmp_path, content, columns={"n": "responders", "responders": "n"})
    assert cells(swapped) == [["a", 3, 10]]
    assert table_of(swapped).column("n") == ["10"]


def test_small_n_and_large_n_are_not_taken_for_one_another(tmp_path: Path) -> None:
    found = faults(tmp_path, "study,n,N\na,3,10\n")
    assert found[0] == (
        "line 1, column n: found n and N, each of which may be meant; allowed: one column. Say which it is."
    )
    remedy = refused(tmp_path, "study,events,n,N\na,2,3,10\n").remedy
    assert remedy == Setting("columns", {"n": "N"})
    assert cells(read(tmp_path, "study,n,N\na,3,10\n", columns={"responders": "n", "n": "N"})) == [["a", 3, 10]]


def test_a_name_that_the_user_settles_stays_settled(tmp_path: Path) -> None:
    evidence = read(tmp_path, "study,events,n,N\na,3,10,99\n", columns={"n": "n"})
    assert cells(evidence, "responders", "n", "N") == [[3, 10, "99"]]
    assert evidence.columns == {"n": "n", "cohort_id": "study", "responders": "events"}
    assert read_evidence(tmp_path / "trials.csv", columns=evidence.columns).frame.equals(evidence.frame)
    (fault,) = faults(tmp_path, "study,events,n,N\na,0,0,99\n", columns={"n": "n"})
    assert fault.startswith('line 2, cohort "a", column n: found "0"')


def test_several_columns_that_may_be_meant(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "cohort_id,event,events 1,n\na,3,4,10\n")
    assert fault.startswith("line 1, column responders: found event and events 1, each of which may be meant; ")
    # Of names of cohorts one does as well as another.
    assert read(tmp_path, "author,label,study,r,n\nx,a,b,3,10\n").columns["cohort_id"] == "study"


def test_names_that_are_not_there_or_taken(tmp_path: Path) -> None:
    content = "cohort_id,responders,n,deaths\na,3,10,4\n"
    assert faults(tmp_path, content, columns={"n": "total", "responders": "deaths"}) == [
        (
            'line 1, column n: found no column "total" in the table; allowed: one of cohort_id, responders, n and '
            "deaths."
        ),
        (
            "line 1, column responders: found two columns that claim this name, deaths and responders; allowed: one. "
            "Give the other a name too, as in responders_2=responders, or delete one of them."
        ),
    ]
    columns = {"responders": "deaths", "responders_2": "responders"}
    assert cells(read(tmp_path, content, columns=columns), "responders", "responders_2") == [[4, "3"]]
    (fault,) = faults(tmp_path, content, columns={"responders": "Deaths", "x": "responders"})[:1]
    assert 'Did you mean "deaths"?' in fault


def test_a_fault_names_the_column_of_the_file(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "studlab,event,n\na,11,10\n")
    assert fault.startswith('line 2, cohort "a", column event (responders): found 11 responders among 10 patients;')


@pytest.mark.parametrize(
    ("name", "columns", "meant"),
    [
        ("line", ["age", "Treatment line"], "Treatment line"),
        ("line", ["line_of_therapy"], "line_of_therapy"),
        ("line", ["baseline", "Linear"], None),
        ("prior_alk_tki", ["Prior TKI"], "Prior TKI"),
        ("prior_alk_tki", ["Prior chemo", "TKI"], None),
        ("regimen_class", ["Class"], None),
        ("responders", ["Responders (n)"], "Responders (n)"),
        ("responders", ["No. of events"], "No. of events"),
        ("responders", ["response rate"], None),
        ("n", ["Responders (n)", "age (n)"], None),
        ("n", ["Responders (n)", "N treated"], "N treated"),
        ("n", ["Number of patients"], "Number of patients"),
        ("stage", ["Stage (UICC)"], "Stage (UICC)"),
        ("stage", ["phase"], None),
    ],
)
def test_a_column_that_may_be_meant(name: str, columns: list[str], meant: str | None) -> None:
    assert likely_column(name, columns) == meant


def test_the_rows_of_columns_that_may_be_meant_are_checked_too(tmp_path: Path) -> None:
    content = "study,Treatment line,Responders (n),Total patients\na,niave,5,20\nb,mixed,40,30\nc,,x,21\nd,mixed,4,\n"
    own = "study, Treatment line, Responders (n) and Total patients"
    found = faults(tmp_path, content, needed=["line"])
    assert [fault.split("; allowed")[0] for fault in found] == [
        *(f"line 1, column {name}: found no such column, only {own}" for name in ("responders", "n", "line")),
        'line 2, cohort "a", column Treatment line (line): found "niave"',
        'line 3, cohort "b", column Responders (n) (responders): found 40 responders among 30 patients',
        'line 4, cohort "c", column Responders (n) (responders): found "x"',
        'line 4, cohort "c", column Treatment line (line): found nothing',
        'line 5, cohort "d", column Total patients (n): found nothing',
    ]
    columns = {"responders": "Responders (n)", "n": "Total patients", "line": "Treatment line"}
    remedy = refused(tmp_path, content, needed=["line"]).remedy
    assert remedy == Setting("columns", columns)
    # What is suggested leaves the faults of the rows alone.
    assert faults(tmp_path, content, needed=["line"], columns=columns) == found[3:]


def test_the_rows_of_a_misspelt_column_of_the_users_are_checked_too(tmp_path: Path) -> None:
    content = "study,deaths,n\na,11,10\n"
    found = faults(tmp_path, content, columns={"responders": "Deahts"})
    assert [fault.split("; allowed")[0] for fault in found] == [
        'line 1, column responders: found no column "Deahts" in the table',
        'line 2, cohort "a", column deaths (responders): found 11 responders among 10 patients',
    ]
    assert refused(tmp_path, content, columns={"responders": "Deahts"}).remedy == Setting(
        "columns", {"responders": "deaths"}
    )


def test_a_column_of_the_users_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "study,events,total,x\na,3,10,1\n", columns={"n": "treated"})
    assert (
        fault == 'line 1, column n: found no column "treated" in the table; allowed: one of study, events, total and x.'
    )


def test_an_outcome_of_other_columns_takes_no_well_known_names(tmp_path: Path) -> None:
    content = "study,events,total,infections,catheters\na,1,9,0,116\n"
    evidence = read(tmp_path, content, outcome=Outcome("infections", "Catheters"))
    assert cells(evidence) == [["a", 0, 116]]
    assert evidence.columns == {"cohort_id": "study", "Catheters": "catheters"}


def test_text_on_columns_and_back() -> None:
    columns = {"cohort_id": "study, year", "responders": 'the "events"', "n": "N = all"}
    assert parse_columns(columns_text(columns)) == columns
    assert parse_columns("cohort_id=studlab, responders=event,n=n") == {
        "cohort_id": "studlab",
        "responders": "event",
        "n": "n",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n", 'found "n"; allowed: pairs of a name and the column of the file'),
        ("n=", 'found "n="; allowed: pairs'),
        ("age=Age, mean", 'found "mean"; .* in double quotes: \'"age=Age, mean",n=n\''),
        ("n=a,n=b", "two columns claim the name n: a and b"),
        ("n=a,responders=a", "the column a of the file is given two names"),
        ('"n=a', "whose quotation marks do not pair up"),
        ("", "found nothing; allowed:"),
    ],
)
def test_text_that_is_no_list_of_columns(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_columns(text)
    assert caught.value.parameter == "columns"


# trials


def test_cohorts_without_a_trial_are_trials_of_their_own() -> None:
    expected = {
        "tdxd_nocoltrial": (None, "The table names no trials: each cohort counts as a trial of its own."),
        "tdxd_notrial": (11, "1 cohort names no trial and counts as one of its own: DB-03. "),
        "tdxd_blanktrials": (
            11,
            "4 cohorts name no trial and count each as one of its own: DB-01, DB-02, ",
        ),
    }
    for name, (trials, note) in expected.items():
        evidence = read_evidence(STRANGERS / f"{name}.csv", needed=["trial"])
        assert (evidence.trials, evidence.cohorts, evidence.responders, evidence.patients) == (trials, 19, 1162, 2067)
        assert len(evidence.notes) == 1
        assert evidence.notes[0].startswith(note)
