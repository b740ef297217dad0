"""Tables in files of every kind: the same numbers whatever the dress, with a note on what was not plain."""

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.errors import EvidenceError
from alkbayes.evidence.files import file_name
from alkbayes.evidence.table import Evidence, lines_of, read_evidence, table_of

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
ROWS = [["cohort_id", "trial", "responders", "n", "age"], ["Müller", "A", 3, 10, 62.5], ["Weiß", "B", 4, 12, 58.25]]
EXPECTED = {
    "cohort_id": ["Müller", "Weiß"],
    "trial": ["A", "B"],
    "responders": [3, 4],
    "n": [10, 12],
    "age": ["62.5", "58.25"],
}
TEXT = "cohort_id,trial,responders,n,age\nMüller,A,3,10,62.5\nWeiß,B,4,12,58.25\n"
SEMICOLONS = TEXT.replace(",", ";")
WINDOWS = 'Not UTF-8, so read as Windows-1252: line 2 then has "Müller". If that is misspelt, save the file as UTF-8.'


def read(folder: Path, content: bytes, name: str = "trials.csv", **more: object) -> Evidence:
    path = folder / name
    path.write_bytes(content)
    return read_evidence(path, **more)


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        pytest.param(TEXT.encode(), (), id="commas"),
        pytest.param(SEMICOLONS.encode(), ("Columns are separated by semicolons.",), id="semicolons"),
        pytest.param(TEXT.replace(",", "\t").encode(), ("Columns are separated by tabs.",), id="tabs"),
        pytest.param(
            SEMICOLONS.replace(".", ",").encode(),
            ("Columns are separated by semicolons.", "Commas are read as decimal points in age."),
            id="decimal commas",
        ),
        pytest.param(TEXT.encode("cp1252"), (WINDOWS,), id="Windows-1252"),
        pytest.param(
            SEMICOLONS.encode("cp1252"), (WINDOWS, "Columns are separated by semicolons."), id="both of Excel's"
        ),
        pytest.param(SEMICOLONS.encode("utf-8-sig"), ("Columns are separated by semicolons.",), id="with a mark"),
        pytest.param(
            ("Table 2. Responses,,,,\n,,,,\n" + TEXT).encode(),
            ('Passed over as a title: line 1, "Table 2. Responses".',),
            id="a title",
        ),
        pytest.param(
            TEXT.replace(",10,", ",10.0,").encode(),
            ('Read as whole numbers: n (1 cell, the first "10.0").',),
            id="whole numbers with decimals",
        ),
    ],
)
def test_text(tmp_path: Path, content: bytes, notes: tuple[str, ...]) -> None:
    evidence = read(tmp_path, content)
    assert evidence.frame.to_dict("list") == EXPECTED
    assert evidence.notes == notes
    assert (evidence.sha256, evidence.content) == (sha256(content).hexdigest(), content)
    assert (evidence.sheet, evidence.columns, evidence.file) == (None, {}, "evidence.csv")


def test_workbooks_and_parquet(
    tmp_path: Path, xlsx: Callable[..., bytes], ods: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = io.BytesIO()
    pd.DataFrame(ROWS[1:], columns=ROWS[0]).to_parquet(parquet)
    # The name says nothing: a file is what it holds.
    for content, kind, sheet in (
        (xlsx({"Cohorts": ROWS}), "xlsx", "Cohorts"),
        (ods("Tabelle1", ROWS), "ods", "Tabelle1"),
        (parquet.getvalue(), "parquet", None),
    ):
        evidence = read(tmp_path, content)
        assert evidence.frame.to_dict("list") == EXPECTED, kind
        assert (evidence.sheet, evidence.notes, evidence.file) == (sheet, (), f"evidence.{kind}")
        assert evidence.sha256 == sha256(content).hexdigest()


def test_an_old_workbook() -> None:
    evidence = read_evidence(STRANGERS / "nielweise.xls")
    # The sums of dat.nielweise2007, control arms.
    assert (evidence.cohorts, evidence.responders, evidence.patients) == (18, 87, 2495)
    assert (evidence.sheet, evidence.file) == ("Control", "evidence.xls")
    assert evidence.columns == {"cohort_id": "study", "responders": "xi", "n": "ni"}


@pytest.mark.parametrize("name", ["csv_semicolon", "csv_tab", "csv_trailing_cols"])
def test_one_table_in_three_dresses(name: str) -> None:
    evidence = read_evidence(STRANGERS / f"{name}.csv")
    assert (evidence.cohorts, evidence.trials, evidence.responders, evidence.patients) == (5, 4, 819, 1186)


def test_a_data_frame() -> None:
    frame = pd.DataFrame({"study": ["A", "B"], "event": [3.0, 4.0], "n": [10, 12], "age": [62.5, None]})
    evidence = read_evidence(frame)
    assert evidence.frame.to_dict("list") == {
        "cohort_id": ["A", "B"],
        "responders": [3, 4],
        "n": [10, 12],
        "age": ["62.5", ""],
    }
    assert (evidence.source, evidence.content) == ("the data frame", b"study,event,n,age\nA,3,10,62.5\nB,4,12,\n")
    with pytest.raises(EvidenceError, match='the data frame has no sheets, so that "A" cannot be read'):
        read_evidence(frame, sheet="A")
    named = frame.set_index("study")
    assert read_evidence(named, columns={"responders": "event"}).frame.equals(evidence.frame)
    assert lines_of(table_of(evidence)) == {"A": 2, "B": 3}
    with pytest.raises(EvidenceError, match=r'data frame, row 2, cohort "B", column event \(responders\): found 40'):
        read_evidence(frame.assign(event=[3, 40]))


def test_an_index_of_texts_names_the_cohorts_if_nothing_else_does() -> None:
    bare = pd.DataFrame({"event": [3, 4], "n": [10, 12]}, index=["A", "B"])
    evidence = read_evidence(bare)
    assert evidence.frame["cohort_id"].tolist() == ["A", "B"]
    assert "The index of the data frame names the cohorts." in evidence.notes
    assert read_evidence(bare.reset_index(drop=True)).notes == read_evidence(bare.set_index(pd.Index([4, 2]))).notes


@pytest.mark.parametrize(
    ("frame", "columns", "why"),
    [
        ({"study": ["x", "y"]}, {}, 'the column "study" names the cohorts'),
        ({"paper": ["x", "y"]}, {"cohort_id": "paper"}, "a column names the cohorts"),
        ({}, {}, "some of its labels stand twice"),
        ({}, {}, "not each of its labels is a text"),
    ],
)
def test_an_index_that_is_ignored_is_said_to_be(frame: dict[str, list[str]], columns: dict[str, str], why: str) -> None:
    index = {"some": ["A", "A"], "not": [1.5, 2.5]}.get(why.split(maxsplit=1)[0], ["A", "B"])
    evidence = read_evidence(pd.DataFrame({"event": [3, 4], "n": [10, 12], **frame}, index=index), columns=columns)
    assert f"The index of the data frame is ignored: {why}." in evidence.notes
    assert "A" not in evidence.frame["cohort_id"].tolist()


def test_a_comma_in_text_or_in_thousands_is_no_decimal_point(tmp_path: Path) -> None:
    content = b"cohort_id;responders;n;where;income\na;1;2;Rome, Italy;1,500\nb;1;2;Paris;2,250\n"
    assert read(tmp_path, content).frame[["where", "income"]].to_numpy().tolist() == [
        ["Rome, Italy", "1,500"],
        ["Paris", "2,250"],
    ]


def test_a_decimal_comma_between_commas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"found 5 fields; allowed: 4.*and 2\.5 rather than 2,5\."):
        read(tmp_path, b"cohort_id,responders,n,age\na,1,2,62,5\n")


def test_a_sheet_of_a_text_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r'is no workbook and has no sheets, so that "Data" cannot be read'):
        read(tmp_path, TEXT.encode(), sheet="Data")


def test_a_file_that_only_looks_like_a_workbook(tmp_path: Path) -> None:
    for content in (b"PK\x03\x04 and no more", b"\xd0\xcf\x11\xe0" + bytes(600)):
        with pytest.raises(EvidenceError, match="looks like a workbook but cannot be read as one") as caught:
            read(tmp_path, content)
        assert "allowed: .xlsx, .xlsb, .xls and .ods" in str(caught.value)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text(TEXT, encoding="utf-8")
    assert read_evidence(str(path)).frame.to_dict("list") == EXPECTED


def test_the_name_of_a_copy() -> None:
    assert file_name("evidence", b"a,b\n") == "evidence.csv"
