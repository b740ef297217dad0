"""What both a terminal and a report show has the same cells in each: same numbers, same decimals."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.reporting.document import report_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import markdown_of
from alkbayes.sensitivity_analysis import refit
from alkbayes.sensitivity_analysis.refit import run_grid

pytestmark = pytest.mark.slow
"""Eleven commands and a report of one run."""

type Cell = tuple[str, ...]
"""Its lines."""
type Rows = list[tuple[Cell, ...]]

WIDE = "400"
MARK = re.compile(r"\[\d+\]$")
"""Of a note, which the report's table of methods does without."""
FOREST = "Every cohort, observed and given all cohorts, %"
"""Is a table in Markdown alone; a page draws it."""
SHOWN = {
    ("summary",): {
        "Pooled objective response rate, %",
        "Heterogeneity",
        "Contrasts of line",
        "Contrasts of TKI generation",
    },
    ("diagnose",): {"Diagnostics", "Headline numbers"},
    ("predictive",): {"Test statistics of the whole table", "Cohorts with the most extreme rates for their profile"},
    ("outliers",): {"The 8 least expected of 8 cohorts; rates in %"},
    ("outliers", "--by-trial"): {"Trials whose removal moves a headline number most"},
    ("compare",): {"How well each model predicts what is left out", "Headline numbers; rates in %"},
    ("sensitivity",): {"Headline numbers, and how sensitive they are", "Alternatives: estimate, and shift"},
    ("predict",): {
        "Response rate of the planned cohort, %",
        "Probability of a response rate above a limit, %",
        "95 % prediction interval of the observed response rate by size of the cohort, %",
        "Meta-analytic-predictive (MAP) prior for the trial's own analysis",
        "Single-arm design",
        "Probability of success by true response rate, robust MAP; %",
    },
    ("evidence",): {"Cohorts by group"},
    ("pool",): {"Pooled by classical methods", "Methods that differ in one property and disagree"},
    ("small-study",): {"Small-study effects"},
}
"""Of each command, what the tables that a report has too are called, or how their titles begin."""
PLANNED = ("--line", "naive", "--n", "20", "--n", "40", "--null", "0.5", "--above", "0.7")


@dataclass(frozen=True)
class Forms:
    """One run: what each command prints, and the report as HTML and as Markdown."""

    printed: dict[tuple[str, ...], str]
    page: str
    markdown: str


@pytest.fixture(scope="module")
def forms(
    own_table: Path, fewer_draws: Callable[[], AbstractContextManager[None]], tmp_path_factory: pytest.TempPathFactory
) -> Forms:
    home = tmp_path_factory.mktemp("forms")
    run, other = str(home / "run"), str(home / "other")

    def command(*arguments: str) -> str:
        result = CliRunner(env={"COLUMNS": WIDE}).invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    settings = ("--data", str(own_table), "--engine", "quadrature", "--draws", "500")
    command("fit", "line-generation", *settings, "--out", run)
    command("fit", "line", *settings, "--out", other)
    more = {
        ("compare",): (run, other),
        ("predict",): (run, *PLANNED),
        ("evidence",): ("--data", str(own_table)),
        ("pool",): ("--all", "--data", str(own_table)),
        ("small-study",): ("--data", str(own_table)),
    }
    few = ("differences normal 0.5", "tau half-normal 1")
    with fewer_draws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(refit, "run_grid", partial(run_grid, names=few, workers=1))
        printed = {name: command(name[0], *more.get(name, (run,)), *name[1:]) for name in SHOWN}
    report = report_of(Path(run))
    return Forms(printed, html_of(report), markdown_of(report, "figures"))


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_terminal_and_report_show_the_same_cells(forms: Forms, command: tuple[str, ...]) -> None:
    tables = html_tables(forms.page)
    for title in SHOWN[command]:
        (name,) = [each for each in tables if each.startswith(title) and each in forms.printed[command]]
        assert tables[name]
        assert is_in(forms.printed[command], name, tables[name]), name


def test_html_and_markdown_show_the_same_cells(forms: Forms) -> None:
    page, text = html_tables(forms.page), markdown_tables(forms.markdown)
    assert set(page) == set(text) - {FOREST}
    for title, rows in page.items():
        assert text[title] == [tuple(_in_brackets(cell) for cell in row) for row in rows], title


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_a_number_that_differs_is_seen(forms: Forms, command: tuple[str, ...]) -> None:
    tables = html_tables(forms.page)
    for title in SHOWN[command]:
        (name,) = [each for each in tables if each.startswith(title) and each in forms.printed[command]]
        rows = tables[name]
        place, row = next((place, row) for place, row in enumerate(rows) if re.search(r"\d", str(row[1:])))
        changed = [row[0], *(tuple(re.sub(r"\d", _next_digit, line, count=1) for line in cell) for cell in row[1:])]
        assert not is_in(forms.printed[command], name, [*rows[:place], tuple(changed), *rows[place + 1 :]])


def is_in(printed: str, title: str, rows: Rows) -> bool:
    """Return whether a table under that title has these rows, one after another."""
    lines = printed.split("\n")
    start = lines.index(title)
    rule = next(place for place in range(start, len(lines)) if "──" in lines[place])
    found = [MARK.sub("", _squeezed(line)) for line in lines[rule + 1 :]]
    found = [line for line in found if line]
    expected = [_squeezed(line) for row in rows for line in _lines(row)]
    return any(found[place : place + len(expected)] == expected for place in range(len(found)))


def _lines(row: tuple[Cell, ...]) -> list[str]:
    """Return the lines that a row takes in a terminal."""
    height = max(map(len, row))
    return ["".join(cell[place] if place < len(cell) else "" for cell in row) for place in range(height)]


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _next_digit(found: re.Match[str]) -> str:
    return str((int(found.group()) + 1) % 10)


def _in_brackets(cell: Cell) -> str:
    return f"{cell[0]} ({cell[1]})" if len(cell) > 1 else cell[0]


@dataclass
class Reader(HTMLParser):
    """Reads the tables of a page that have a caption."""

    tables: dict[str, Rows] = field(default_factory=dict)
    title: str = ""
    cells: list[list[str]] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag == "caption":
            self.inside, self.title = "caption", ""
        elif tag == "tr":
            self.cells = []
        elif tag in ("td", "th"):
            self.inside = "cell"
            self.cells.append([""])
        elif tag == "br" and self.inside == "cell":
            self.cells[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.inside == "caption":
            self.title += data
        elif self.inside == "cell":
            self.cells[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self.tables[self.title] = []
            self.inside = ""
        elif tag in ("td", "th"):
            self.inside = ""
        elif tag == "tr" and self.title:
            self.tables[self.title].append(tuple(tuple(line.strip() for line in cell) for cell in self.cells))
        elif tag == "table":
            self.title = ""


def html_tables(page: str) -> dict[str, Rows]:
    """Return the rows of each table of numbers by its caption, without the headings; not the forest of cohorts."""
    reader = Reader()
    reader.feed(re.sub(r'<table id="cohorts">.*?</table>', "", page, flags=re.DOTALL))
    return {title: rows[1:] for title, rows in reader.tables.items()}


def markdown_tables(text: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of each table by the bold line above it."""
    tables = {}
    for title, table in re.findall(r"^\*\*(.*)\*\*\n\n((?:\|.*\n?)+)", text, flags=re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in table.strip().splitlines()[2:]]
        tables[_plain(title)] = [_row([cell.strip() for cell in row]) for row in rows]
    return tables


def _row(cells: list[str]) -> tuple[str, ...]:
    first, *others = cells
    if (title := re.fullmatch(r"\*\*(.*)\*\*", first)) and not any(others):
        return (_plain(title.group(1)),)
    return tuple(map(_plain, cells))


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
