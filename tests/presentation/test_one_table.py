"""Terminal, HTML and Markdown show the same tables: cell by cell the same numbers with the same decimals."""

import copy
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.plots.source import RunTables
from alkbayes.presentation.pfs import pfs_parts
from alkbayes.reporting.blocks import Heading, Paragraph, Report, Section, blocks_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import markdown_of
from alkbayes.reporting.sections.further_analyses import beyond_section
from alkbayes.runs.analyses import kept_analysis
from alkbayes.runs.run import read_fit, read_run

pytestmark = pytest.mark.slow
"""Four analyses and their report."""

WIDE = "400"
"""Columns of a terminal in which no cell takes a second line that it was not given."""
GAP = 2
"""Blanks in every line of a table, at least, between two of its columns."""

COLUMNS = (
    "cohort_id,trial,line,regimen_class,prior_alk_tki,n,responders,ic_n,ic_responders,"
    "pfs_median,pfs_ci_low,pfs_ci_high,pfs_status,pfs_beyond"
)
TABLE = f"""\
{COLUMNS}
a1,A,naive,first,none,120,78,30,10,10.2,8.1,13.9,,
a2,A,naive,second,none,118,92,28,20,,,,not_reached,25.5
b1,B,naive,first,none,60,37,18,6,9.5,,12.5,,
b2,B,naive,third,none,64,52,15,12,,,,not_reached,30
c1,C,pretreated,second,crizotinib,110,55,40,20,9.0,7.2,11.7,,
d1,D,pretreated,second,crizotinib,87,41,31,14,8.1,6.6,10.3,,
d2,D,pretreated,third,crizotinib,45,27,20,11,11.3,,,,
e1,E,pretreated,third,second,70,30,24,13,6.9,5.1,9.9,,
f1,F,pretreated,second,second,40,12,,,5.5,3.9,8.0,,
g1,G,mixed,third,mixed,52,33,12,7,12.1,8.8,19.4,,
"""
ANALYSES = {
    "pfs": "Median progression-free survival",
    "intracranial": "Intracranial response",
    "sequence": "Sequences of ALK inhibitors",
    "resistance": "Resistance mutations",
    "randomised": "Randomised evidence",
}
"""Of each command, the heading of what a report has of it."""

type Cells = tuple[str, ...]
type Tables = dict[str, tuple[Cells, ...]]
"""By its title, the headings and the rows of a table; a number and its interval as in Markdown, "12.6 (10.6–15.0)"."""


def on_one_line(text: str) -> str:
    """Return a cell as Markdown has it."""
    first, _, second = text.strip().partition("\n")
    return f"{first} ({second})" if second else first


def of_terminal(printed: str) -> Tables:
    """Return the tables of a command's output: each has a title at the edge of the page, headings, and a rule."""
    lines = [line.rstrip() for line in printed.splitlines()]
    found: Tables = {}
    for at, line in enumerate(lines):
        if not re.fullmatch(" *─+", line):
            continue
        start = max(place for place in range(at) if lines[place] and not lines[place].startswith(" "))
        heads = [head for head in lines[start + 1 : at] if head]
        end = next((place for place in range(at + 1, len(lines)) if is_end(lines, place)), len(lines))
        body = [row for row in lines[at + 1 : end] if row]
        rows = [row for row in body if not is_title(row)]
        spans = columns_of([*heads, *rows])
        cells: list[list[str]] = [[]]
        for text in body:
            parts = [text] if is_title(text) else [text[low:high] for low, high in spans]
            if parts[0].strip():
                cells.append(parts)
            else:
                cells[-1] = [f"{old.strip()}\n{new.strip()}".strip() for old, new in zip(cells[-1], parts, strict=True)]
        headings = ["\n".join(filter(None, (head[low:high].strip() for head in heads))) for low, high in spans]
        found[lines[start]] = all_normal(headings, cells[1:])
    return found


def is_end(lines: list[str], place: int) -> bool:
    """Return whether a table ends before a line: after a blank line comes text at the edge of the page."""
    return not lines[place - 1] and bool(lines[place]) and not lines[place].startswith(" ")


def is_title(line: str) -> bool:
    """Return whether a line is the title of rows, which has no cells beside it."""
    return line.startswith(" ") and not re.search(f"\\S {{{GAP},}}\\S", line) and not line.startswith("  ")


def columns_of(lines: list[str]) -> list[tuple[int, int]]:
    """Return where the columns of a table begin and end: what is blank in all lines parts them."""
    width = max(map(len, lines))
    blank = "".join(" " if all(line[at : at + 1].strip() == "" for line in lines) else "x" for at in range(width))
    starts = [0, *(found.end() for found in re.finditer(f"(?<=x) {{{GAP},}}(?=x)", blank))]
    return list(zip(starts, [*starts[1:], width], strict=True))


def all_normal(headings: list[str], rows: list[list[str]]) -> tuple[Cells, ...]:
    """Return headings and rows as Markdown has them: a heading's second line names what the cells have in brackets."""
    whole = [
        heading
        if any("\n" in row[place].strip() for row in rows if len(row) > 1)
        else heading.strip().replace("-\n", "-").replace("\n", " ")
        for place, heading in enumerate(headings)
    ]
    return (normal(whole), *map(normal, rows))


def normal(cells: list[str] | Cells) -> Cells:
    return tuple(map(on_one_line, cells))


class TablesOfHtml(HTMLParser):
    """Collects the tables of a page by their captions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Tables = {}
        self.rows: list[list[str]] = []
        self.title = ""
        self.inside = ""

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.rows, self.title = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        elif tag == "br":
            self.handle_data("\n")
        if tag in {"td", "th", "caption"}:
            self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside == "caption":
            self.title += data
        elif self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "caption"}:
            self.inside = ""
        elif tag == "table":
            self.found[self.title] = all_normal(*self.rows[:1], self.rows[1:])


def of_html(page: str) -> Tables:
    parser = TablesOfHtml()
    parser.feed(page)
    return parser.found


def of_markdown(text: str) -> Tables:
    found: Tables = {}
    for title, grid in re.findall(r"^\*\*(.+)\*\*\n\n((?:\|.*\n?)+)", text, re.MULTILINE):
        head, _, *rows = grid.splitlines()
        cells = [[unescaped(cell.strip()) for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in (head, *rows)]
        # The title of rows is bold, and has empty cells beside it.
        found[unescaped(title)] = tuple(
            (row[0].removeprefix("**").removesuffix("**"),) if row[0].startswith("**") else tuple(row) for row in cells
        )
    return found


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def report_of(section: Section) -> Report:
    return Report("title", "", "", "", (), Paragraph(()), (section,), "")


@pytest.fixture(scope="module")
def printed(
    fewer_draws: Callable[[], AbstractContextManager[None]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], Path]:
    """What each command prints for a reader, and the run beside which it has kept its record."""
    home = tmp_path_factory.mktemp("one-table")
    (home / "own.csv").write_text(TABLE, encoding="utf-8")

    def command(*arguments: object) -> str:
        result = CliRunner(env={"COLUMNS": WIDE}).invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    run = home / "run"
    command("fit", "overall", "--engine", "quadrature", "--draws", 250, "--data", home / "own.csv", "--out", run)
    with fewer_draws():
        return {name: command(name, "--for", run) for name in ANALYSES}, run


@pytest.fixture(scope="module")
def sections(printed: tuple[dict[str, str], Path]) -> dict[str, Section]:
    """The part of the report that each analysis has."""
    run = printed[1]
    section = beyond_section(read_fit(run), RunTables(run, read_run(run)))
    starts = {block.text: at for at, block in enumerate(section.blocks) if isinstance(block, Heading)}
    places = [starts[heading] for heading in ANALYSES.values()]
    ends = [*places[1:], len(section.blocks)]
    return {
        name: Section(name, name, section.blocks[start:end])
        for name, start, end in zip(ANALYSES, places, ends, strict=True)
    }


@pytest.mark.parametrize(
    ("name", "tables"), [("pfs", 6), ("intracranial", 2), ("sequence", 2), ("resistance", 5), ("randomised", 8)]
)
def test_terminal_html_and_markdown_have_the_same_cells(
    printed: tuple[dict[str, str], Path], sections: dict[str, Section], name: str, tables: int
) -> None:
    terminal, report = of_terminal(printed[0][name]), report_of(sections[name])
    html, markdown = of_html(html_of(report)), of_markdown(markdown_of(report, "figures"))
    assert len(terminal) == tables
    assert all(any(re.search(r"\d", cell) for row in rows for cell in row) for rows in terminal.values())
    assert html == terminal
    assert markdown == terminal


def test_a_number_that_differs_in_one_form_is_seen(printed: tuple[dict[str, str], Path]) -> None:
    terminal = of_terminal(printed[0]["pfs"])
    record: Any = kept_analysis(printed[1], "pfs")
    assert shown(record) == terminal
    other = copy.deepcopy(record)
    next(row for row in other["pooled"] if row["estimand"] == "typical")["median"] += 0.1
    assert shown(other) != terminal
    # The same number with fewer decimals, as of draws that are worth less.
    rounded = copy.deepcopy(record)
    next(row for row in rounded["pooled"] if row["estimand"] == "typical")["mcse_high"] = 10.0
    assert shown(rounded) != terminal


def shown(record: Any) -> Tables:
    """Return the tables of a record in HTML, once held against those in Markdown."""
    report = report_of(Section("pfs", "pfs", tuple(blocks_of(pfs_parts(record)))))
    found = of_html(html_of(report))
    assert of_markdown(markdown_of(report, "figures")) == found
    return found
