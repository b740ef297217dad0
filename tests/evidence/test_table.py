"""Evidence tables: what is read, what is refused and in which words, and that the bundled table obeys its own rules."""

import csv
import io
import re
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import cohort_labels, composition, lines_of, read_evidence, table_of, trial_labels
from alkbayes.model.restriction import trials_of
from alkbayes.text.names import near_miss, shown
from alkbayes.vocabulary import GROUP_COLUMNS, is_missing

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "evidence"
HEADER = "cohort_id,responders,n,line\n"
GOOD = HEADER + "a,3,10,naive\n"
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)

Give = Callable[[str | bytes], Path]


@pytest.fixture
def give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Write a table as trials.csv into the folder that the test runs in."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> Path:
        path = Path("trials.csv")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def refusal(path: Path, *columns: str) -> str:
    """Return the message with which a table is refused."""
    with pytest.raises(EvidenceError) as caught:
        read_evidence(path, needed=columns)
    assert caught.value.exit_code == 3
    return str(caught.value)


def faults(path: Path, *columns: str) -> list[str]:
    """Return the faults of a table, without the file's name in front; the first line must count them."""
    head, *lines = refusal(path, *columns).split("\n")
    lines = [line for line in lines if not line.startswith("Name columns as in: ")]
    many = len(lines)
    assert head == f"trials.csv has {many} {'fault' if many == 1 else 'faults'}; nothing was computed."
    assert all(line.startswith("  trials.csv, ") for line in lines)
    return [line.removeprefix("  trials.csv, ") for line in lines]


# what is read


def test_own_table_with_quoted_newlines_names_that_look_empty_and_blanks_around_counts() -> None:
    path = FIXTURES / "own_table.csv"
    evidence = read_evidence(path, needed=["line", "regimen_class"])
    frame = evidence.frame
    assert frame.columns.tolist() == ["cohort_id", "trial", "line", "regimen_class", "agent", "n", "responders", "note"]
    assert frame["cohort_id"].tolist() == ["Ward A, 2019", "Ward B", "Ward C"]
    assert frame["trial"].tolist() == ["", "", "None"]
    assert frame["n"].tolist() == [40, 35, 12]
    assert frame["responders"].tolist() == [32, 0, 12]
    assert frame["note"].tolist() == ["read from the chart,\nboth readers", "", "all responded"]
    assert frame["n"].dtype == frame["responders"].dtype == np.int64
    assert {str(frame[name].dtype) for name in frame if name not in {"n", "responders"}} == {"str"}
    assert (evidence.cohorts, evidence.trials, evidence.patients, evidence.responders) == (3, 3, 87, 44)
    assert evidence.orr == 44 / 87
    assert evidence.source == str(path)
    assert not evidence.bundled
    assert evidence.content == path.read_bytes()
    assert evidence.sha256 == sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(GOOD.replace("\n", "\r").encode(), id="CR alone"),
        pytest.param(GOOD.encode() + b"\n \n,,,\n\r\n", id="blank lines after it"),
        pytest.param(b"\n\n" + GOOD.encode(), id="blank lines before it"),
        pytest.param(GOOD.replace("\n", ",,, \n").encode(), id="empty columns at the end"),
        pytest.param(GOOD.removesuffix("\n").encode(), id="no newline at the end"),
        pytest.param(GOOD.replace(",", " , ").encode(), id="blanks around every cell"),
        pytest.param(
            b'"cohort_id","responders","n","line"\n"a", "3" ,10,"naive"\n'.replace(b'" ,', b'",'), id="quotes"
        ),
        pytest.param(GOOD.replace(",3,", ",003,").encode(), id="leading zeros"),
    ],
)
def test_the_same_table_in_another_dress(give: Give, content: bytes) -> None:
    evidence = read_evidence(give(content), needed=["line"])
    assert evidence.frame.to_dict("list") == {"cohort_id": ["a"], "responders": [3], "n": [10], "line": ["naive"]}
    assert evidence.sha256 == sha256(content).hexdigest()


def test_three_columns_suffice(give: Give) -> None:
    evidence = read_evidence(give("n,responders,cohort_id\n10,0,only\n"))
    assert evidence.frame.to_dict("list") == {"n": [10], "responders": [0], "cohort_id": ["only"]}
    assert evidence.trials is None


def test_a_cohort_without_a_trial_counts_as_one_where_others_have_names(give: Give) -> None:
    assert read_evidence(give("cohort_id,trial,responders,n\na,,1,2\n")).trials is None
    assert read_evidence(give("cohort_id,trial,responders,n\na,,1,2\nb,ALEX,1,2\nc,,1,2\nd,ALEX,1,2\n")).trials == 3


def test_large_counts_and_their_sums(give: Give) -> None:
    largest = 2**63 - 1
    path = give(f"{HEADER}a,10000000,10000000,naive\nb,0,{largest},naive\nc,{largest},{largest},mixed\n")
    evidence = read_evidence(path, needed=["line"])
    assert evidence.frame["n"].tolist() == [10_000_000, largest, largest]
    assert evidence.patients == 2 * largest + 10_000_000
    assert composition(evidence)["patients"].tolist() == [largest + 10_000_000, largest]


def test_two_hundred_columns(give: Give) -> None:
    more = [f"x{i}" for i in range(197)]
    evidence = read_evidence(give(f"cohort_id,responders,n,{','.join(more)}\na,1,2,{','.join(more)}\n"))
    assert evidence.frame.shape == (1, 200)
    assert evidence.frame.columns.tolist()[3:] == more


def test_a_long_cell_is_kept_whole(give: Give) -> None:
    evidence = read_evidence(give(f"cohort_id,responders,n,note\na,1,2,{'x' * 100_000}\n"))
    assert evidence.frame["note"].tolist() == ["x" * 100_000]


def test_columns_that_are_not_needed_are_free(give: Give) -> None:
    path = give("cohort_id,responders,n,phase,assessor,line,trial\na,1,2,9,nobody,,\n")
    assert read_evidence(path).frame.loc[0, ["phase", "assessor", "line"]].tolist() == ["9", "nobody", ""]


def test_a_file_called_bundled_is_not_the_bundled_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bundled").write_text(GOOD)
    evidence = read_evidence(Path("bundled"))
    assert evidence.source == "./bundled"
    assert not evidence.bundled


# what is refused: all of it at once


def test_every_fault_of_a_table_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    expected = Path("many_faults.txt").read_text(encoding="utf-8").removesuffix("\n")
    assert refusal(Path("many_faults.csv"), "line") == expected


def test_hundreds_of_faults_are_counted_and_twenty_shown(give: Give) -> None:
    path = give(HEADER + "".join(f"c{i},2,1,naive\n" for i in range(300)))
    lines = refusal(path).split("\n")
    assert lines[0] == "trials.csv has 300 faults; nothing was computed."
    assert [line.split(",")[1] for line in lines[1:21]] == [f" line {i}" for i in range(2, 22)]
    assert lines[21:] == ["  … and 280 more faults."]


def test_one_fault_more_than_is_shown(give: Give) -> None:
    path = give(HEADER + "".join(f"c{i},2,1,naive\n" for i in range(21)))
    assert refusal(path).split("\n")[-1] == "  … and 1 more fault."


# counts

RESPONDERS = "allowed: a whole number from 0 to n."
PATIENTS = "allowed: a whole number of 1 or more."
DATE = "That is a date, which spreadsheets make of entries such as 3/10: type the count into a cell for numbers."
FORMULA = "A formula in this cell has no result: correct it, or write the value."
NO_DECIMALS = "A count has no decimals. If the source gives only a rate, work the count out from it."


@pytest.mark.parametrize(
    ("cell", "found", "advice"),
    [
        ("-3", '"-3"', "A count cannot be negative."),
        ("−3", '"−3"', "A count cannot be negative."),
        ("12.5", '"12.5"', NO_DECIMALS),
        ('"12,5"', '"12,5"', NO_DECIMALS),
        ("0.45", '"0.45"', NO_DECIMALS),
        ("12.000", '"12.000"', "Write it in digits alone; the point may stand for a decimal or for thousands."),
        ("2024-03-10", '"2024-03-10"', DATE),
        ("#DIV/0!", '"#DIV/0!"', FORMULA),
        ("1e3", '"1e3"', "Write it in digits alone: 1000."),
        ("1.20E+03", '"1.20E+03"', "Write it in digits alone: 1200."),
        ("1e99", '"1e99"', "Write it in digits alone."),
        ('"1,234"', '"1,234"', "Write it in digits alone: 1234."),
        ("1 234", '"1 234"', "Write it in digits alone: 1234."),
        ("1.234", '"1.234"', "Write it in digits alone; the point may stand for a decimal or for thousands."),
        ("twelve", '"twelve"', "Write it in digits alone."),
        ("１２", '"１２"', "Write it in digits alone."),
        ("1_000", '"1_000"', "Write it in digits alone: 1000."),
        ("+12", '"+12"', "Write it in digits alone."),
        ("12/60", '"12/60"', "Write it in digits alone."),
        ("50%", '"50%"', "Give the number of patients, not the rate."),
        ("NaN", '"NaN"', "If the number is not known, leave the cohort out."),
        ("NR", '"NR"', "If the number is not known, leave the cohort out."),
        ("", "nothing", "If the number is not known, leave the cohort out."),
        ("  ", "nothing", "If the number is not known, leave the cohort out."),
        ("9223372036854775808", '"9223372036854775808"', "The largest count that can be held is 9223372036854775807."),
        (
            "9" * 5000,
            f'"{"9" * 30}…{"9" * 30}" (5000 characters)',
            "The largest count that can be held is 9223372036854775807.",
        ),
    ],
)
def test_counts_that_are_none(give: Give, cell: str, found: str, advice: str) -> None:
    path = give(f"{HEADER}a,3,10,naive\nb,{cell},{cell},naive\n")
    assert faults(path) == [
        f'line 3, cohort "b", column responders: found {found}; {RESPONDERS} {advice}',
        f'line 3, cohort "b", column n: found {found}; {PATIENTS} {advice}',
    ]


def test_more_responders_than_patients(give: Give) -> None:
    assert faults(give(HEADER + "a,61,60,naive\n")) == [
        (
            'line 2, cohort "a", column responders: found 61 responders among 60 patients; '
            "allowed: a whole number from 0 to 60. Check both counts, and that their columns are not swapped."
        )
    ]


def test_a_cohort_without_patients(give: Give) -> None:
    assert faults(give(HEADER + "a,0,0,naive\n")) == [
        f'line 2, cohort "a", column n: found "0"; {PATIENTS} Leave out a cohort without patients.'
    ]


# ids, levels, columns


def test_ids_that_are_empty_or_there_again(give: Give) -> None:
    assert faults(give(HEADER + "a,1,2,naive\n,1,2,naive\n a ,1,2,naive\nA,1,2,naive\na,1,2,naive\n")) == [
        "line 3, column cohort_id: found nothing; allowed: any text that no other row has.",
        (
            'line 4, cohort "a", column cohort_id: found the id of line 2 again; allowed: each id once. '
            "Delete one of the rows, or rename it if these are other patients."
        ),
        (
            'line 6, cohort "a", column cohort_id: found the id of line 2 again; allowed: each id once. '
            "Delete one of the rows, or rename it if these are other patients."
        ),
    ]


@pytest.mark.parametrize(
    ("cell", "found", "meant"),
    [
        ("naïve ", '"naïve"', "naive"),
        ("niave", '"niave"', "naive"),
        ("naive\u200b", r'"naive\u200b"', "naive"),
        ("pre-treated", '"pre-treated"', "pretreated"),
        ("untreated", '"untreated"', "naive"),
        ("previously treated", '"previously treated"', "pretreated"),
    ],
)
@pytest.mark.parametrize("columns", [(), ("line",)])
def test_a_misspelt_line(give: Give, cell: str, found: str, meant: str, columns: tuple[str, ...]) -> None:
    assert faults(give(f"{HEADER}a,1,2,{cell}\nb,1,2,mixed\n"), *columns) == [
        (
            f'line 2, cohort "a", column line: found {found}; allowed: naive, pretreated, mixed. Write `{meant}`; '
            "levels of your own are allowed but must not resemble these."
        )
    ]


@pytest.mark.parametrize("columns", [(), ("line",)])
def test_a_known_level_in_another_case_or_with_other_blanks_is_that_level(give: Give, columns: tuple[str, ...]) -> None:
    path = give(
        "cohort_id,responders,n,Line,region\na,1,2,Naive,EU\nb,1,3,NAIVE,eu\nc,1,4,naive,US\nd,1,5,Pre treated,US\n"
    )
    evidence = read_evidence(path, needed=columns)
    assert evidence.frame["line"].tolist() == ["naive", "naive", "naive", "pretreated"]
    assert evidence.frame["region"].tolist() == ["EU", "eu", "US", "US"]
    said = '"Naive" is read as naive, "NAIVE" is read as naive and "Pre treated" is read as pretreated'
    assert f"Column Line: {said}." in evidence.notes
    assert evidence.content == path.read_bytes()


def test_other_columns_are_read_so_where_the_model_needs_them(give: Give) -> None:
    path = give("cohort_id,responders,n,assessor\na,1,2,IRC\nb,1,3,Central\n")
    assert read_evidence(path).frame["assessor"].tolist() == ["IRC", "Central"]
    assert read_evidence(path, needed=["assessor"]).frame["assessor"].tolist() == ["irc", "Central"]


@pytest.mark.parametrize(
    "levels", [("1L", "2L+"), ("1L-naive", "Untreated"), ("TKI-naive", "mixed"), ("second", "mixed")]
)
@pytest.mark.parametrize("columns", [(), ("line",)])
def test_a_line_in_words_of_its_own(give: Give, levels: tuple[str, str], columns: tuple[str, ...]) -> None:
    path = give(f"{HEADER}a,1,2,{levels[0]}\nb,1,2,{levels[1]}\n")
    assert read_evidence(path, needed=columns).frame["line"].tolist() == list(levels)


def test_generations_among_other_classes(give: Give) -> None:
    header = "cohort_id,responders,n,regimen_class\n"
    assert faults(give(f"{header}a,1,2,2nd\nb,1,2,bispecific\nc,1,2,first\n")) == [
        (
            'line 2, cohort "a", column regimen_class: found "2nd"; '
            "allowed: first, second, third, combination, experimental. Write `second`; levels of your own are allowed "
            "but must not resemble these."
        )
    ]
    assert read_evidence(give(f"{header}a,1,2,crizotinib\nb,1,2,alectinib\n")).cohorts == 2


def test_a_misspelt_level_of_another_column_is_a_fault_where_the_model_needs_it(give: Give) -> None:
    path = give("cohort_id,responders,n,prior_alk_tki\na,1,2,crizotinb\nb,1,2,none\n")
    assert read_evidence(path).cohorts == 2
    assert faults(path, "prior_alk_tki") == [
        (
            'line 2, cohort "a", column prior_alk_tki: found "crizotinb"; '
            "allowed: none, crizotinib, second, any, mixed. Write `crizotinib`; levels of your own are allowed but "
            "must not resemble these."
        )
    ]


def test_a_needed_column_is_empty(give: Give) -> None:
    assert faults(give("cohort_id,responders,n,line,trial\na,1,2,, \n"), "line", "trial") == [
        (
            'line 2, cohort "a", column line: found nothing; allowed: naive, pretreated, mixed or a level of your own. '
            "The model needs it for each cohort."
        )
    ]


@pytest.mark.parametrize("word", ["NA", "na", "n/a", "N/A", "#N/A", "NaN", "NR", "-", "–", "—", "?", "."])
def test_a_word_for_missing_is_a_missing_value_in_every_column(give: Give, word: str) -> None:
    path = give(f"cohort_id,responders,n,line,trial,region,ic_responders,ic_n\na,1,2,{','.join([word] * 5)}\n")
    evidence = read_evidence(path)
    assert evidence.frame.loc[0, ["line", "trial", "region", "ic_responders", "ic_n"]].tolist() == [""] * 5
    cells = ", ".join(f'{name} ("{word}", 1 cell)' for name in ("line", "trial", "region", "ic_responders"))
    assert evidence.notes == (f'Read as missing, like blank cells: {cells} and ic_n ("{word}", 1 cell).',)
    allowed = "allowed: naive, pretreated, mixed or a level of your own"
    advice = f'"{word}" says that it is missing. The model needs it for each cohort.'
    assert faults(path, "line", "trial") == [f'line 2, cohort "a", column line: found "{word}"; {allowed}. {advice}']


@pytest.mark.parametrize("word", ["none", "None", "unknown", "no", "North America", "nar", "--"])
def test_other_words_are_values(give: Give, word: str) -> None:
    evidence = read_evidence(give(f"cohort_id,responders,n,region\na,1,2,{word}\n"))
    assert evidence.frame["region"].tolist() == [word]
    assert evidence.notes == ()


def test_a_cohort_is_not_called_by_a_word_for_missing(give: Give) -> None:
    assert faults(give(HEADER + "NA,1,2,naive\n")) == [
        'line 2, column cohort_id: found "NA"; allowed: any text that no other row has.'
    ]


def test_empty_columns_at_the_end_are_no_columns() -> None:
    frame = read_evidence(STRANGERS / "csv_trailing_cols.csv").frame
    assert frame.columns.tolist() == ["cohort_id", "trial", "line", "regimen_class", "responders", "n"]
    assert (len(frame), frame["n"].sum()) == (5, 1186)


def test_every_count_of_trials_takes_a_cohort_without_one_for_a_trial_of_its_own() -> None:
    """Seven named trials and four cohorts without one, by whatever counts them."""
    evidence = read_evidence(STRANGERS / "tdxd_blanktrials.csv")
    trials = trials_of(evidence)
    assert trials is not None
    assert evidence.trials == len(trials) == len(set(trial_labels(evidence.frame) or ())) == 11


def test_where_each_cohort_stands_in_the_file(give: Give) -> None:
    evidence = read_evidence(give(HEADER + '"a\nb",1,2,naive\n\nc,1,2,naive\n'))
    assert lines_of(table_of(evidence)) == {"a\nb": 2, "c": 5}


def test_columns_are_missing(give: Give) -> None:
    found = "found no such column, only ident, rate and nn; allowed: a header with responders, n and line."
    path = give("ident,rate,nn\na,1,2\n")
    assert faults(path, "line", "trial") == [
        f"line 1, column responders: {found}",
        f"line 1, column n: {found}",
        f"line 1, column line: {found} Choose a model that needs no line (`alkbayes models`).",
    ]
    assert refusal(path).split("\n")[-1] == "Name columns as in: columns={'responders': 'COLUMN', 'n': 'COLUMN'}"


def test_a_misspelt_column(give: Give) -> None:
    assert faults(give("cohort_id,respnders,n\na,1,2\n")) == [
        (
            "line 1, column responders: found no such column, only cohort_id, respnders and n; allowed: a header with "
            'responders and n. Did you mean the column "respnders"?'
        )
    ]


def test_a_missing_column_does_not_hide_the_faults_of_the_rows(give: Give) -> None:
    assert faults(give("cohort_id,n\na,0\na,12.5\n")) == [
        (
            "line 1, column responders: found no such column, only cohort_id and n; "
            "allowed: a header with responders and n."
        ),
        f'line 2, cohort "a", column n: found "0"; {PATIENTS} Leave out a cohort without patients.',
        (
            'line 3, cohort "a", column cohort_id: found the id of line 2 again; allowed: each id once. '
            "Delete one of the rows, or rename it if these are other patients."
        ),
        f'line 3, cohort "a", column n: found "12.5"; {PATIENTS} {NO_DECIMALS}',
    ]


def test_many_columns_are_not_all_listed(give: Give) -> None:
    header = ",".join(f"x{i}" for i in range(200))
    (fault,) = faults(give(f"cohort_id,responders,{header}\na,1{',' * 200}\n"))
    listed = "cohort_id, responders, " + ", ".join(f"x{i}" for i in range(10))
    assert fault == (
        f"line 1, column n: found no such column, only {listed} and 190 more; allowed: a header with responders and n."
    )


def test_the_bundled_table_lacks_a_column() -> None:
    with pytest.raises(EvidenceError) as caught:
        read_evidence(needed=["stage"])
    head, fault = str(caught.value).split("\n")
    assert head == "the bundled table has 1 fault; nothing was computed."
    assert fault.startswith("  the bundled table, line 1, column stage: found no such column, only cohort_id, trial, ")


def test_names_of_columns_that_are_there_twice_or_empty(give: Give) -> None:
    assert faults(give("cohort_id,n,responders,n,,\na,0,1,x,,y\n")) == [
        "line 1: found no name for column 6 of 6; allowed: a name for each column. Name it, or delete it.",
        "line 1, column n: found this name for columns 2 and 4; allowed: each name once. Rename or delete all but one.",
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_saved_as_a_column_without_a_name(give: Give, first: int) -> None:
    evidence = read_evidence(give(f",cohort_id,responders,n\n{first},a,1,2\n{first + 1},b,1,2\n"))
    assert evidence.frame.columns.tolist() == ["cohort_id", "responders", "n"]
    assert evidence.notes[0] == "Passed over: a first column without a name, which numbers the rows."


def test_a_first_column_without_a_name_that_does_not_number_the_rows(give: Give) -> None:
    assert faults(give(",cohort_id,responders,n\n3,a,1,2\n5,b,1,2\n")) == [
        "line 1: found no name for column 1 of 4; allowed: a name for each column. Name it, or delete it."
    ]


# rows and quotation marks


def test_ragged_rows(give: Give) -> None:
    too_many = (
        "found 5 fields; allowed: 4, as in the header. Put quotation marks around a cell with a comma in it, "
        'as in "Japan, Korea", and write 1234 rather than 1,234 and 2.5 rather than 2,5.'
    )
    assert faults(give(HEADER + "a,1,2\nb\nc,1,2,naive,\nd,1,2,mixed\ne,1,1,234,naive\n")) == [
        'line 2, cohort "a": found 3 fields; allowed: 4, as in the header. Write a comma for each empty cell too.',
        'line 3, cohort "b": found 1 field; allowed: 4, as in the header. Write a comma for each empty cell too.',
        f'line 4, cohort "c": {too_many}',
        f'line 6, cohort "e": {too_many}',
    ]


def test_lines_are_those_of_the_file(give: Give) -> None:
    path = give('cohort_id,note,responders,n\r\n\r\n"a\nb","x\r\ny",5,2\r\n\nc,,5,2\r\n')
    assert [fault.split(", column")[0] for fault in faults(path)] == [r'line 3, cohort "a\nb"', 'line 7, cohort "c"']


PAIR_UP = (
    "found quotation marks that do not pair up; allowed: quotation marks around a whole cell. Look for a "
    "quotation mark that is not closed. Close it or delete it; inside a quoted cell write it twice, "
    'as in "the ""mature"" population".'
)


def test_a_quotation_mark_is_never_closed(give: Give) -> None:
    assert faults(give(HEADER + 'a,1,2,"naive\nb,1,2,naive\n')) == [f"line 2: {PAIR_UP}"]


def test_a_quotation_mark_is_closed_in_the_middle_of_a_cell(give: Give) -> None:
    path = give(HEADER + '"a"x,1,2,naive\nb,1,0,naive\n')
    assert faults(path) == [
        f"line 2: {PAIR_UP}",
        f'line 3, cohort "b", column n: found "0"; {PATIENTS} Leave out a cohort without patients.',
    ]


def test_a_quotation_mark_in_the_header_is_never_closed(give: Give) -> None:
    assert refusal(give('cohort_id,"responders,n\na,1,2\n')) == f"trials.csv, line 1: {PAIR_UP}"


def test_a_cell_without_end(give: Give) -> None:
    assert faults(give(f'{HEADER}a,1,2,"{"x" * 200_000}\nb,9,2,naive\n')) == [
        (
            "line 2: found a cell of more than 131072 characters; allowed: shorter ones. Look for a quotation mark "
            "that is not closed. Close it or delete it; inside a quoted cell write it twice, "
            'as in "the ""mature"" population".'
        )
    ]


# what is no such table at all

SAVE_AS = 'In Excel choose File > Save As > "CSV UTF-8 (Comma delimited)"'
KINDS = "a text file (CSV), a workbook (.xlsx, .xls, .ods) or Parquet"
ROWS = "an evidence table has a header and a row for each cohort."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", f"trials.csv is empty; {ROWS}", id="empty"),
        pytest.param(b" \r\n\n", f"trials.csv is empty but for blanks; {ROWS}", id="blank"),
        pytest.param(b"\xef\xbb\xbf", f"trials.csv holds no column names; {ROWS}", id="byte order mark alone"),
        pytest.param(
            HEADER.encode(),
            "trials.csv has 1 fault; nothing was computed.\n"
            "  trials.csv, line 1: found a header and no rows below it; allowed: one row or more, one for each cohort.",
            id="header only",
        ),
        pytest.param(
            GOOD.encode("utf-16")[:-1],
            "trials.csv begins as UTF-16 and is not: it is damaged or half-written. Export the table again.",
            id="half of UTF-16",
        ),
        pytest.param(
            GOOD.encode("utf-16-be"),
            f"trials.csv is saved as UTF-16BE; an evidence table is UTF-8. {SAVE_AS}, "
            "or run: iconv -f UTF-16BE -t UTF-8 trials.csv > trials-utf8.csv",
            id="UTF-16 without a mark",
        ),
        pytest.param(
            GOOD.encode("utf-32"),
            f"trials.csv is saved as UTF-32; an evidence table is UTF-8. {SAVE_AS}, "
            "or run: iconv -f UTF-32 -t UTF-8 trials.csv > trials-utf8.csv",
            id="UTF-32",
        ),
        pytest.param(
            GOOD.replace("naive", "na\0ive").encode(),
            "trials.csv, line 2: found a NUL byte (a character with the code 0); allowed: text. Such bytes stand in "
            "damaged or half-written files: export the table again.",
            id="NUL",
        ),
        pytest.param(
            bytes(range(256)) * 20,
            f"trials.csv is a binary file of an unknown kind; allowed: {KINDS}.",
            id="binary",
        ),
        pytest.param(
            b"PK\x03\x04\x14\x00\x06\x00",
            "trials.csv looks like a workbook but cannot be read as one (Cannot detect file format); allowed: .xlsx, "
            ".xlsb, .xls and .ods. Open it in Excel or LibreOffice, save it as .xlsx or CSV, and give that file.",
            id="workbook",
        ),
        pytest.param(b"%PDF-1.7\n", f"trials.csv is a PDF; allowed: {KINDS}.", id="PDF"),
        pytest.param(b"\x1f\x8b\x08", f"trials.csv is a gzip archive; allowed: {KINDS}.", id="gzip"),
        pytest.param(
            GOOD.encode() + b"b,1,2,\x81\n",
            "trials.csv, line 3: found the byte 0x81, which is neither UTF-8 nor Windows-1252. "
            f"{SAVE_AS}, and give that file.",
            id="neither UTF-8 nor Windows-1252",
        ),
        pytest.param(
            b"PAR1 and no more",
            "trials.csv looks like Parquet but cannot be read (Could not open Parquet input source '<Buffer>': Parquet "
            "magic bytes not found in footer. Either the file is corrupted or this is not a parquet file). "
            "Write it again.",
            id="Parquet",
        ),
    ],
)
def test_a_file_that_is_no_such_table(give: Give, content: bytes, message: str) -> None:
    assert refusal(give(content)) == message


def test_a_file_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("trials.csv")) == (
        f"trials.csv: there is no such file. Check the name and the folder. A relative path starts from {tmp_path}."
    )
    path = tmp_path / "trials.csv"
    assert refusal(path) == f"{path}: there is no such file. Check the name and the folder."


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is a folder; an evidence table is one file. Name the file."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied"),
            "my trials.csv may not be read by you. Ask its owner, or allow it: chmod u+r 'my trials.csv'",
        ),
        (OSError(5, "Input/output error"), "my trials.csv cannot be read: Input/output error."),
    ],
)
def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, error: OSError, message: str) -> None:
    def fail(_: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)  # root may read every file, so the system does not refuse in CI
    assert refusal(Path("my trials.csv")) == message


# words


def test_what_is_shown_of_a_cell_stays_on_one_line() -> None:
    assert shown("a\nb\x1b[31m\u200b…é") == r"a\nb\x1b[31m\u200b…é"
    assert shown("x" * 61) == "x" * 30 + "…" + "x" * 30
    # Arms of a trial: names of 120 characters that differ in the last.
    assert shown("a" * 119 + "1") != shown("a" * 119 + "2")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("NAIVE", "naive"),
        ("mxied", "mixed"),
        ("pretreatd", "pretreated"),
        ("crizotinbi", "crizotinib"),
        ("krizotinib", "crizotinib"),
        ("ceritinib", None),
        ("untreated", None),
        ("non-naive", None),
        ("ani", None),
        ("", None),
        ("…", None),
    ],
)
def test_a_suggestion_is_made_only_where_it_is_likely(word: str, meant: str | None) -> None:
    assert near_miss(word, (*LEVELS["line"], "crizotinib", "any")) == meant


# properties

NAME = CELL.map(str.strip).filter(lambda name: not is_missing(name))
COHORTS = st.lists(
    st.tuples(
        CELL.map(str.strip).filter(lambda name: not is_missing(name)),
        st.integers(0, 10**7),
        st.integers(0, 10**7),
        CELL,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


def table(rows: list[tuple[str, int, int, str]]) -> bytes:
    """Return a table of cohorts with the given ids, responders, further patients and notes."""
    lines = io.StringIO(newline="")
    # All quoted: before Python 3.13 a carriage return alone was not, and then ends the row.
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerow(["cohort_id", "responders", "n", "line", "note"])
    writer.writerows(
        [name, k, k + rest + (k + rest == 0), "naive" if k % 2 else "mixed", note] for name, k, rest, note in rows
    )
    return lines.getvalue().encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=COHORTS, data=st.data())
def test_the_order_of_rows_changes_nothing_but_the_order(give: Give, rows: list, data: st.DataObject) -> None:
    first = read_evidence(give(table(rows)))
    second = read_evidence(give(table(data.draw(st.permutations(rows)))))
    pd.testing.assert_frame_equal(*(e.frame.sort_values("cohort_id", ignore_index=True) for e in (first, second)))
    pd.testing.assert_frame_equal(composition(first), composition(second))
    assert (first.patients, first.responders, first.orr) == (second.patients, second.responders, second.orr)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=COHORTS)
def test_a_table_that_was_read_and_written_is_read_as_the_same(give: Give, rows: list) -> None:
    first = read_evidence(give(table(rows)))
    assert first.frame["cohort_id"].tolist() == [row[0] for row in rows]
    assert first.frame["responders"].tolist() == [row[1] for row in rows]
    assert first.frame["note"].tolist() == ["" if is_missing(row[3].strip()) else row[3].strip() for row in rows]
    second = read_evidence(give(first.frame.to_csv(index=False, quoting=csv.QUOTE_ALL).encode()))
    pd.testing.assert_frame_equal(first.frame, second.frame)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    content=st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(lambda text: (HEADER + text).encode("utf-8", "replace"))
    )
)
def test_whatever_stands_in_a_file_it_is_read_or_refused(give: Give, content: bytes) -> None:
    try:
        frame = read_evidence(give(content), needed=["line"]).frame
    except EvidenceError as error:
        message = str(error)
    else:
        message = ""
        assert ((frame["responders"] >= 0) & (frame["responders"] <= frame["n"]) & (frame["n"] >= 1)).all()
        assert set(frame["line"]) <= set(LEVELS["line"])
    assert all(line.isprintable() for line in message.split("\n"))


# the composition of the table


def test_the_composition_of_the_bundled_table() -> None:
    groups = composition(read_evidence())
    assert groups.columns.tolist() == [*GROUP_COLUMNS, "cohorts", "patients", "responders", "orr"]
    counts = groups.set_index(["group", "level"])[["cohorts", "patients", "responders"]]
    assert counts.loc["line"].T.to_dict("list") == {
        "naive": [17, 1612, 1231],
        "pretreated": [33, 2996, 1495],
        "mixed": [16, 1099, 710],
    }
    assert counts.loc["generation"].T.to_dict("list") == {
        "first": [10, 1496, 997],
        "second": [38, 3131, 1897],
        "third": [10, 698, 390],
        "combination": [6, 113, 66],
        "experimental": [2, 269, 86],
    }
    assert counts.loc["prior_tki"].T.to_dict("list") == {
        "none": [32, 3099, 2214],
        "crizotinib": [17, 1626, 814],
        "second": [7, 339, 131],
        "any": [5, 429, 160],
        "mixed": [5, 214, 117],
    }
    for group in ("line", "generation", "prior_tki", "agent", "certainty", "assessor_basis", "line:generation"):
        assert counts.loc[group].sum().tolist() == [66, 5707, 3436]
    np.testing.assert_array_equal(groups["orr"], groups["responders"] / groups["patients"])


def test_cohorts_without_a_level_are_counted_last_and_an_empty_column_is_left_out(give: Give) -> None:
    path = give("cohort_id,responders,n,line,regimen_class,agent\na,1,2,,second,\nb,3,4,mixed,,\n")
    groups = composition(read_evidence(path))
    assert groups[["group", "level", "cohorts", "patients", "responders"]].to_numpy().tolist() == [
        ["line", "mixed", 1, 4, 3],
        ["line", "", 1, 2, 1],
        ["generation", "second", 1, 2, 1],
        ["generation", "", 1, 4, 3],
        ["line:generation", "mixed:", 1, 4, 3],
        ["line:generation", ":second", 1, 2, 1],
    ]


def test_a_table_of_three_columns_has_no_groups(give: Give) -> None:
    assert composition(read_evidence(give("cohort_id,responders,n\na,1,2\n"))).empty


# the bundled table against data/SCHEMA.md

NUMBER = r"\d+(\.\d+)?"
WHOLE = r"\d+"
SCHEMA: dict[str, str | set[str]] = {
    "cohort_id": r"[a-z0-9]+(-[a-z0-9]+)*",
    "trial": r".+",
    "registry_id": r"|NCT\d{8}|JapicCTI-\d+|ChiCTR.+|EudraCT .+",
    "phase": set(LEVELS["phase"]),
    "arm": r".+",
    "agent": r"[a-z0-9]+",
    "partner": r"|[a-z0-9]+(\+[a-z0-9]+)*",
    "regimen_class": set(LEVELS["regimen_class"]),
    "generation": {*LEVELS["generation"], ""},
    "line": set(LEVELS["line"]),
    "prior_alk_tki": set(LEVELS["prior_alk_tki"]),
    "prior_chemo": set(LEVELS["prior_chemo"]),
    "region": r"[a-z-]+",
    "assessor": set(LEVELS["assessor"]),
    "analysis_set": set(LEVELS["analysis_set"]),
    "n": WHOLE,
    "responders": WHOLE,
    "confirmed": set(LEVELS["confirmed"]),
    "orr_reported": NUMBER,
    "orr_ci_low": f"|{NUMBER}",
    "orr_ci_high": f"|{NUMBER}",
    "pfs_median": f"|{NUMBER}",
    "pfs_ci_low": f"|{NUMBER}",
    "pfs_ci_high": f"|{NUMBER}",
    "pfs_n": f"|{WHOLE}",
    "pfs_status": {"reached", "not_reached", "not_reported"},
    "pfs_beyond": f"|{NUMBER}",
    "ic_n": f"|{WHOLE}",
    "ic_responders": f"|{WHOLE}",
    "ic_assessor": {"irc", "investigator", ""},
    "cutoff": r"|\d{4}(-(0[1-9]|1[0-2]))?",
    "source_id": r"[a-z0-9-]+(;[a-z0-9-]+)*",
    "count_basis": {"stated", "derived"},
    "assessor_basis": {"stated", "inferred"},
    "certainty": set(LEVELS["certainty"]),
    "note": r".*",
    "label": r".+",
}


@pytest.fixture(scope="module")
def bundled() -> pd.DataFrame:
    """Return the bundled table."""
    return read_evidence(needed=[name for name in SCHEMA if name in LEVELS and name != "generation"]).frame


def numbers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the rows in which none of `columns` is empty, these as numbers."""
    rows = frame[(frame[list(columns)] != "").all(axis=1)]
    return rows.assign(**{column: rows[column].astype(float) for column in columns})


def test_bundled_totals(bundled: pd.DataFrame) -> None:
    evidence = read_evidence()
    assert evidence.bundled
    assert evidence.source == "bundled"
    assert (evidence.cohorts, evidence.trials, evidence.patients, evidence.responders) == (66, 44, 5707, 3436)
    assert len(set(bundled["registry_id"].where(bundled["registry_id"] != "", bundled["trial"]))) == 43
    assert evidence.sha256 == sha256(files("alkbayes").joinpath("data", "cohorts.csv").read_bytes()).hexdigest()


def test_bundled_columns_and_values(bundled: pd.DataFrame) -> None:
    assert bundled.columns.tolist() == list(SCHEMA)
    wrong = [
        (row["cohort_id"], column, row[column])
        for row in bundled.astype(str).to_dict("records")
        for column, allowed in SCHEMA.items()
        if not (row[column] in allowed if isinstance(allowed, set) else re.fullmatch(allowed, row[column]))
    ]
    assert wrong == []


def test_bundled_combinations_and_only_they_have_partners(bundled: pd.DataFrame) -> None:
    assert ((bundled["partner"] != "") == (bundled["regimen_class"] == "combination")).all()


def test_bundled_histories(bundled: pd.DataFrame) -> None:
    assert set(bundled.loc[bundled["line"] == "naive", "prior_alk_tki"]) == {"none"}


def test_bundled_rates_are_those_in_print(bundled: pd.DataFrame) -> None:
    digits = bundled["orr_reported"].str.partition(".")[2].str.len()
    off = (100 * bundled["responders"] / bundled["n"] - bundled["orr_reported"].astype(float)).abs()
    assert bundled.loc[off > 0.5 * 10.0**-digits + 1e-9, "cohort_id"].tolist() == []


def test_bundled_intervals_are_exact_ones(bundled: pd.DataFrame) -> None:
    printed = numbers(bundled, "orr_ci_low", "orr_ci_high")
    k, n = printed["responders"], printed["n"]
    low = 100 * stats.beta.ppf(0.025, k, n - k + 1)
    high = 100 * stats.beta.ppf(0.975, k + 1, n - k)
    off = np.maximum(np.abs(low - printed["orr_ci_low"]), np.abs(high - printed["orr_ci_high"]))
    assert len(printed) > 40
    # Its note says so: 8 of 20 has 19.1 to 63.9, and 62 is printed.
    assert printed.loc[off > 1.2, "cohort_id"].tolist() == ["brig-post-nextgen"]


def test_bundled_intervals_hold_their_estimates(bundled: pd.DataFrame) -> None:
    assert ((bundled["orr_ci_low"] == "") == (bundled["orr_ci_high"] == "")).all()
    orr = numbers(bundled, "orr_reported", "orr_ci_low", "orr_ci_high")
    assert ((orr["orr_ci_low"] <= orr["orr_reported"]) & (orr["orr_reported"] <= orr["orr_ci_high"])).all()
    below = numbers(bundled, "pfs_median", "pfs_ci_low")
    assert (below["pfs_ci_low"] <= below["pfs_median"]).all()
    above = numbers(bundled, "pfs_median", "pfs_ci_high")
    assert (above["pfs_median"] <= above["pfs_ci_high"]).all()


def test_bundled_intracranial_counts(bundled: pd.DataFrame) -> None:
    given = bundled["ic_n"] != ""
    assert given.sum() == 20
    assert ((bundled["ic_responders"] != "") == given).all()
    assert ((bundled["ic_assessor"] != "") == given).all()
    rows = numbers(bundled, "ic_n", "ic_responders")
    assert ((rows["ic_responders"] <= rows["ic_n"]) & (rows["ic_n"] >= 1) & (rows["ic_n"] <= rows["n"])).all()


def test_bundled_sources_are_all_listed(bundled: pd.DataFrame) -> None:
    path = files("alkbayes").joinpath("data", "sources.csv")
    sources = pd.read_csv(io.BytesIO(path.read_bytes()), dtype=str, keep_default_na=False)
    assert sources.columns.tolist() == ["source_id", "kind", "title", "year", "pmid", "doi", "url", "read"]
    assert sources["source_id"].is_unique
    assert set(sources["kind"]) <= {"registry", "article", "label", "abstract", "review"}
    assert set(sources["read"]) <= {"full", "abstract", "excerpt"}
    assert set(bundled["source_id"].str.split(";").explode()) - set(sources["source_id"]) == set()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_unicode_text_of_excel_is_read_with_a_note(give: Give, encoding: str) -> None:
    expected = read_evidence(give(GOOD.encode())).frame
    evidence = read_evidence(give(("\ufeff" + GOOD.replace(",", "\t")).encode(encoding)))
    assert evidence.frame.equals(expected)
    assert 'Read as UTF-16, which Excel calls "Unicode text".' in evidence.notes


def test_every_bundled_cohort_has_a_label_of_its_own(bundled: pd.DataFrame) -> None:
    labels = cohort_labels(bundled)
    assert list(labels) == bundled["cohort_id"].tolist()
    assert list(labels.values()) == bundled["label"].tolist()


def test_cohorts_are_called_by_label_else_by_trial_arm_and_year_else_by_name() -> None:
    rows = [
        {"cohort_id": "a", "label": "Smith 2019", "trial": "A", "arm": "x", "cutoff": "2018-05"},
        {"cohort_id": "b", "label": "", "trial": "B", "arm": "x", "cutoff": "2018-05"},
        {"cohort_id": "c", "label": "", "trial": "B", "arm": "y", "cutoff": ""},
        {"cohort_id": "d", "label": "", "trial": "D", "arm": "", "cutoff": "2018"},
        {"cohort_id": "e", "label": "twice", "trial": "", "arm": "", "cutoff": ""},
        {"cohort_id": "f", "label": "twice", "trial": "", "arm": "", "cutoff": ""},
    ]
    called = ["Smith 2019", "B, x (2018)", "B, y", "d", "e", "f"]
    assert list(cohort_labels(pd.DataFrame(rows)).values()) == called
    plain = pd.DataFrame({"cohort_id": ["a", "b"], "trial": ["T", "T"]})
    assert cohort_labels(plain) == {"a": "a", "b": "b"}
