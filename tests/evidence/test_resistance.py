"""Tables of resistance mutations: the bundled ones against data/SCHEMA.md, and what is refused."""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError
from alkbayes.evidence.resistance import COUNTS, QUESTION, read_resistance, read_responses

HEADER = "mutation_set,after_agent,after_generation,assay,n_biopsies,n_with,sample_set,may_overlap,counted\n"
type Give = Callable[[str], Path]

COLUMNS = {
    "mutation_set": r".+",
    "after_agent": r"[a-z0-9]+|mixed ALK TKI",
    "after_generation": set(LEVELS["after_generation"]),
    "assay": set(LEVELS["assay"]),
    "n_biopsies": r"\d+",
    "n_with": r"\d+",
    "sample_set": r"[a-z0-9]+(-[a-z0-9]+)*",
    "may_overlap": r"|[a-z0-9]+(-[a-z0-9]+)*",
    "counted": {"True", "False"},
    "source_id": r"[a-z0-9-]+(;[a-z0-9-]+)*",
    "note": r".+",
}
RESPONSES = {
    "trial": r".+",
    "registry_id": r"|NCT\d{8}",
    "agent": r"[a-z0-9]+",
    "subset": r".+",
    "mutation_set": r".+",
    "assay": {"", *LEVELS["assay"]},
    "n": r"|\d+",
    "responders": r"|\d+",
    "orr_reported": r"|\d+",
    "sample_set": COLUMNS["sample_set"],
    "source_id": COLUMNS["source_id"],
    "note": r".+",
}


@pytest.fixture
def give(tmp_path: Path) -> Give:
    def write(text: str) -> Path:
        path = tmp_path / "own.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("frame", "schema"), [(read_resistance().frame, COLUMNS), (read_responses(), RESPONSES)])
def test_bundled_columns_and_values(frame: pd.DataFrame, schema: dict[str, str | set[str]]) -> None:
    assert frame.columns.tolist() == list(schema)
    wrong = [
        (row["note"], column, row[column])
        for row in frame.astype(str).to_dict("records")
        for column, allowed in schema.items()
        if not (row[column] in allowed if isinstance(allowed, set) else re.fullmatch(allowed, row[column]))
    ]
    assert wrong == []


@pytest.mark.parametrize("frame", [read_resistance().frame, read_responses()])
def test_bundled_sources_are_all_listed(frame: pd.DataFrame) -> None:
    with files("alkbayes").joinpath("data", "sources.csv").open(encoding="utf-8") as file:
        listed = set(pd.read_csv(file, dtype=str)["source_id"])
    assert set(frame["source_id"].str.split(";").explode()) - listed == set()


def test_bundled_overlaps_of_the_notes_are_in_the_columns() -> None:
    frame = read_resistance().frame
    assert (len(frame), frame["n_biopsies"].sum(), frame["n_with"].sum()) == (9, 470, 130)
    of = frame.set_index(["mutation_set", "assay", "n_biopsies"])["sample_set"]
    assert of["G1269A", "tissue", 11] == of["any ALK mutation", "tissue", 11], "same 11 patients"
    assert of["G1202R", "tissue", 9] == of["I1171X or V1180L", "tissue", 9], "same 9 biopsies"
    assert of["any ALK mutation", "plasma", 189] == of["any ALK mutation", "tissue", 164], "do not add the two"
    assert (frame["note"].str.contains("may overlap") <= (frame["may_overlap"] != "")).all()
    assert not frame[frame["counted"]].duplicated([*QUESTION, "sample_set"]).any()


def test_bundled_printed_percentages_are_those_of_the_counts() -> None:
    frame = read_resistance().frame
    printed = frame["note"].str.extract(r"printed (\d+(?:\.\d+)?)%")[0].astype(float)
    off = (100 * frame["n_with"] / frame["n_biopsies"] - printed).abs()
    # The one that is off by more than rounding says so in its note.
    assert frame.loc[off > 0.51, "sample_set"].tolist() == ["mccoach-2018"]


def test_responses_have_both_counts_or_a_printed_rate_alone() -> None:
    frame = read_responses()
    assert ((frame["n"] == "") == (frame["responders"] == "")).all()
    assert ((frame["n"] == "") == (frame["orr_reported"] != "")).all()
    printed = frame["note"].str.extract(r'ORR "?(?:about )?(\d+)%')[0]
    assert printed.fillna("").tolist() == frame["orr_reported"].tolist()


ANY = "any ALK mutation,alectinib,2,tissue"


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        (f"{ANY},20,8,a,,\n{ANY},9,4,a,,\n", "sample_set"),
        # Whatever the agent: a subset of the patients by agent is the same patients again.
        (f"{ANY},20,8,a,,\nany ALK mutation,mixed ALK TKI,mixed,tissue,40,9,a,,\n", "sample_set"),
        (f"{ANY},20,8,a,,\nAny ALK-mutation,alectinib,2,tissue,9,4,A,,\n", "sample_set"),
        (f"{ANY},20,8,a,centre,\n{ANY},9,4,b,centre,\n", "may_overlap"),
    ],
)
def test_the_same_samples_are_not_counted_twice_for_one_question(give: Give, rows: str, column: str) -> None:
    # Without the column, every row is counted.
    text = (HEADER + rows).replace(",counted", "").replace(",\n", "\n")
    with pytest.raises(EvidenceError) as error:
        read_resistance(give(text))
    message = str(error.value)
    assert "1 fault;" in message
    assert f"line 3, column {column}: found" in message
    assert "again, which line 2 counts for" in message
    assert 'Write "no" into the column counted of one of the two' in message


def test_rows_beside_and_other_questions_may_share_samples(give: Give) -> None:
    rows = f"{ANY},20,8,a,c,yes\n{ANY},9,4,a,c,no\n"
    rows += "G1202R,alectinib,2,tissue,20,3,a,c,yes\nany ALK mutation,alectinib,2,plasma,18,5,a,c,yes\n"
    frame = read_resistance(give(HEADER + rows)).frame
    assert frame["counted"].tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"{ANY},20,,a,,yes", "column n_with: found nothing; allowed: a whole number of 0 or more"),
        (f"{ANY},0,0,a,,yes", 'column n_biopsies: found "0"; allowed: a whole number of 1 or more'),
        (f"{ANY},20,40%,a,,yes", 'column n_with: found "40%"'),
        (f"{ANY},8,20,a,,yes", "found 20 with a mutation among 8 samples; allowed: a whole number from 0 to 8"),
        (f"{ANY},20,8,,,yes", "column sample_set: found nothing; allowed: any text. Rows that share samples"),
        (f"{ANY},20,8,a,,perhaps", 'column counted: found "perhaps"; allowed: yes, no'),
        ("x,alectinib,5,tissue,20,8,a,,yes", 'column after_generation: found "5"; allowed: 1, 2, 3, 4, mixed'),
        ("x,alectinib,2,Tissue,20,8,a,,yes", 'Did you mean "tissue"?'),
        (",alectinib,2,tissue,20,8,a,,yes", "column mutation_set: found nothing"),
        (f"{ANY},20,8,a,,no", "column counted: found no in every row"),
    ],
)
def test_bad_rows_are_refused_with_their_line(give: Give, row: str, words: str) -> None:
    with pytest.raises(EvidenceError) as error:
        read_resistance(give(f"{HEADER}{row}\n"))
    assert words in str(error.value)
    assert "nothing was computed" in str(error.value)


def test_a_table_of_cohorts_is_none_of_mutations(give: Give) -> None:
    with pytest.raises(EvidenceError, match="column sample_set: found no such column") as error:
        read_resistance(give("cohort_id,responders,n\na,1,2\n"))
    assert error.value.remedy is None, "no option names columns of this table"
    assert "7 faults;" in str(error.value), "each column that is missing, and nothing that follows from it"
    with pytest.raises(EvidenceError, match="there is no such file"):
        read_resistance(Path("nowhere.csv"))


def test_counts_are_whole_numbers(give: Give) -> None:
    table = read_resistance(give(f"{HEADER}{ANY},20,8,a,,yes\n"))
    assert not table.bundled
    assert [str(table.frame[name].dtype) for name in COUNTS] == ["int64", "int64"]
    assert read_resistance().bundled
