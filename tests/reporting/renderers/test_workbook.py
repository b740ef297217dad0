"""The report's tables as a workbook, as another library, calamine, reads it: numbers, units and hostile texts."""

import io
import re
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.blocks import Paragraph, Report, Section, Table
from alkbayes.reporting.renderers.workbook import sheets_of, xlsx_of

ABS = 0.51
"""Rates are shown with a decimal, or as whole percentages where their Monte Carlo error is larger."""


def opened(content: bytes) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


@pytest.fixture(scope="module")
def content(report: Report) -> bytes:
    return xlsx_of(report)


@pytest.fixture(scope="module")
def sheets(content: bytes) -> dict[str, list[list[Any]]]:
    return opened(content)


def table_titled(sheets: dict[str, list[list[Any]]], start: str) -> list[dict[str, Any]]:
    (rows,) = [rows for rows in sheets.values() if str(rows[0][0]).startswith(start)]
    return [dict(zip(rows[1], row, strict=False)) for row in rows[2:]]


def test_pooled_rates_are_the_numbers_of_the_run(sheets: dict[str, list[list[Any]]], run: SimpleNamespace) -> None:
    rows = table_titled(sheets, "Pooled objective response rate")
    (overall,) = [row for row in rows if row[""] == "overall"]
    found = {row["estimand"]: row for row in run.results.document["pooled"] if row["group"] == "all"}
    assert (overall["k"], overall["patients"], overall["responders"]) == tuple(
        found["mean"][name] for name in ("k", "patients", "responders")
    )
    for estimand in ("typical", "mean"):
        shown = [overall[f"{estimand}{end}, %"] for end in ("", ", lower", ", upper")]
        assert all(isinstance(value, float) for value in shown)
        assert shown == pytest.approx([100 * found[estimand][name] for name in ("median", "low", "high")], abs=ABS)
    limits = [overall[f"next cohort, {end}, %"] for end in ("lower", "upper")]
    assert limits == pytest.approx([100 * found["next_cohort"][name] for name in ("low", "high")], abs=ABS)


def test_cohorts_are_the_numbers_of_the_run(sheets: dict[str, list[list[Any]]], run: SimpleNamespace) -> None:
    rows = {row["cohort"]: row for row in table_titled(sheets, "Every cohort")}
    labels = dict(run.fit.evidence.frame[["cohort_id", "label"]].itertuples(index=False))
    for row in run.results.cohorts.to_dict("records"):
        shown = rows[labels[row["cohort_id"]]]
        assert (shown["responders"], shown["patients"]) == (row["responders"], row["n"])
        assert shown["observed (exact 95 %), %"] == pytest.approx(100 * row["observed"], abs=0.05001)
        assert shown["given all cohorts (95 % credible), lower, %"] == pytest.approx(100 * row["low"], abs=0.05001)


def test_contrasts_are_the_numbers_of_the_run(sheets: dict[str, list[list[Any]]], run: SimpleNamespace) -> None:
    rows = {row[""].removesuffix(" *"): row for row in table_titled(sheets, "Contrasts of line")}
    for row in run.results.document["contrasts"]:
        if (row["column"], row["scale"]) == ("line", "odds_ratio"):
            shown = rows[row["contrast"]]
            assert shown["odds ratio"] == pytest.approx(row["median"], abs=0.006)
            assert shown["odds ratio, upper"] == pytest.approx(row["high"], abs=0.06)


def test_no_number_is_left_as_text(report: Report, sheets: dict[str, list[list[Any]]]) -> None:
    """But for words, bounds such as < 1 %, and test statistics with their degrees of freedom."""
    for sheet, rows in zip(sheets_of(report), list(sheets.values())[1:], strict=True):
        last = 2 + len(sheet.table.rows)
        words = {sheet.table.headings[place] for place in sheet.table.words}
        for row in rows[2:last]:
            for heading, cell in list(zip(rows[1], row, strict=True))[1:]:
                if isinstance(cell, str) and cell and heading not in words:
                    assert re.fullmatch(r"[<>] .*|[tz](\(\d+\))? = .*|new|same|\D*", cell), (sheet.title, heading, cell)


def test_a_sheet_for_each_table_and_one_that_explains(report: Report, sheets: dict[str, list[list[Any]]]) -> None:
    names = list(sheets)
    assert names[0] == "About"
    assert len(set(names)) == len(names) == 1 + len(sheets_of(report)) > 15
    about = "\n".join(str(cell) for row in sheets["About"] for cell in row)
    assert report.title in about
    assert "The unit stands in the heading." in about
    assert all(name in about for name in names[1:])
    for sheet, rows in zip(sheets_of(report), list(sheets.values())[1:], strict=True):
        assert rows[0][0] == sheet.title
        assert [row[0] for row in rows[2:] if row[0]][-len(sheet.table.notes) :][: len(sheet.table.notes)] == list(
            sheet.table.notes
        )


def test_a_unit_that_a_title_says_is_in_the_headings(report: Report) -> None:
    titled = [sheet.table for sheet in sheets_of(report) if sheet.table.title.endswith("%")]
    assert len(titled) > 4
    for table in titled:
        assert set(table.units.values()) == {"%"}, table.title
        assert max(table.units) < len(table.headings)


def test_headings_stay_in_view_and_numbers_have_their_decimals(content: bytes) -> None:
    files = parts(content)
    tables = [text for name, text in files.items() if name.startswith("xl/worksheets/sheet")][1:]
    assert all('<pane xSplit="1" ySplit="2"' in text and "fitToHeight" in text for text in tables)
    codes = set(re.findall(r'formatCode="([^"]*)"', files["xl/styles.xml"]))
    assert {"0.0", "#,##0", "0.000"} <= codes | {"0.0"}
    assert any("quot; %" in code for code in codes)


def test_the_same_run_gives_the_same_bytes_with_the_time_of_the_run(content: bytes, report: Report) -> None:
    assert xlsx_of(report) == content
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert report.written[:10] in parts(content)["docProps/core.xml"]


def test_hostile_names_are_text_and_never_a_formula(
    hostile_run: SimpleNamespace, hostile_names: tuple[str, ...]
) -> None:
    content = xlsx_of(hostile_run.report)
    cells = {cell for rows in opened(content).values() for row in rows for cell in row}
    assert set(hostile_names) <= cells
    files = parts(content)
    assert not [name for name, text in files.items() if "<f>" in text or "<f " in text]
    links = "".join(text for name, text in files.items() if "_rels/sheet" in name)
    assert "http" not in re.sub(r'(xmlns|Type)="[^"]*"', "", links), "no link leaves the workbook"


def made(report: Report, *tables: ReaderTable) -> Report:
    blocks = tuple(Table(table, table.notes) for table in tables)
    return Report("t", "s", "", "", (), Paragraph(("o",)), (Section("a", "A", blocks),), report.written)


def test_names_of_sheets_are_valid_and_unique(report: Report) -> None:
    titles = ("[a]:b*c?d/e\\f", "x" * 40, "x" * 40, "", "'quoted'", "History")
    names = [
        sheet.name for sheet in sheets_of(made(report, *(ReaderTable(title, ("",), (("a",),)) for title in titles)))
    ]
    assert (
        list(opened(xlsx_of(made(report, *(ReaderTable(title, ("", "k"), (("a", "1"),)) for title in titles)))))[1:]
        == names
    )
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 0 < len(name) <= 31
        assert not re.search(r"[\[\]:*?/\\]", name)
        assert not {name[0], name[-1]} & {"'", " "}


def test_a_long_title_ends_at_a_word_in_the_name_of_its_sheet(report: Report) -> None:
    titles = ("Reporting quality: 66 cohorts", "Parameters, on the scale of the model", "What the priors imply before")
    names = [sheet.name for sheet in sheets_of(made(report, *(ReaderTable(title, ("",), ()) for title in titles)))]
    assert names == ["1 Reporting quality", "2 Parameters", "3 What the priors imply before"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "https://x.org", "{=1}", "nan", "inf", "1e999", "a\x07b"]
)
def test_text_stays_text(report: Report, text: str) -> None:
    table = ReaderTable("t", ("name", "number", "words"), ((text, text, text),), words=(2,), notes=(text,))
    rows = opened(xlsx_of(made(report, table)))["1 t"]
    shown = text.replace("\x07", r"\x07")
    number = float(text) if text == "+1" else shown
    assert rows[2] == [shown, number, shown]
    assert rows[4][0] == shown
