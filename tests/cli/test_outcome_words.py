"""Other outcomes than a response, by every command that takes their table or run: each uses the outcome's own words.

Adverse events of patients, and infections of catheters. Names of columns, keys and files are not words of a reader: CSV
headers and JSON keys are left out, and so is the model file that a report prints.
"""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from alkbayes.plots.kinds import KINDS
from alkbayes.spec.schema import model_path

type Command = Callable[..., Result]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "outcomes"
OF_THE_REVIEW = (
    r"\bORRs?\b|\bALK\b|(?i:(?<!dose-)\brespon(?!sib)\w*|\bTKIs?\b|generation|treatment line)"
    r"|alkbayes (pfs|intracranial|sequence|resistance|randomised)"
)
NOTHING_FOR = {"sequence", "bubble", "cumulative", "risk-of-bias", "risk-of-bias-summary", "reporting-quality"}
"""Figures for which these models and tables have nothing."""
FITTED = ("--engine", "quadrature", "--draws", "250", "--seed", "3")
COLUMNS = {
    "responders",
    "n",
    "sae_events",
    "sae_n",
    "g3_events",
    "g3_n",
    "disc_events",
    "disc_n",
    "cr",
    "ic_responders",
}
"""Names of columns, which a message may need."""
KEYED = {"name", "column", "columns", "file", "first_column", "second_column", "parameter", "files", "versions"}
"""JSON keys whose values are names and no sentences."""


@dataclass(frozen=True)
class Case:
    """An outcome with its table, a model without effects and one with, and the words that no output may have."""

    table: Path
    model: str
    other: str
    column: str
    left_out: str
    unwanted: str


CASES = {
    "catheters": Case(
        FIXTURES / "catheters.csv",
        str(FIXTURES / "catheters.toml"),
        str(FIXTURES / "catheters-by-size.toml"),
        "size",
        "s1",
        rf"{OF_THE_REVIEW}|(?i:patients?)",
    ),
    "serious adverse events": Case(
        FIXTURES / "adverse-events.csv",
        "serious-adverse-events",
        str(FIXTURES / "serious-adverse-events-by-dose.toml"),
        "dose",
        "a1",
        OF_THE_REVIEW,
    ),
}


@dataclass(frozen=True)
class Fitted:
    case: Case
    runs: tuple[Path, Path]
    said: tuple[str, ...]


@pytest.fixture(scope="module", params=CASES)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, alkbayes: Command) -> Fitted:
    case, home = CASES[request.param], tmp_path_factory.mktemp("runs")
    runs = (home / "with", home / "without")
    said = []
    for model, run in zip((case.other, case.model), runs, strict=True):
        result = alkbayes("fit", model, "--data", case.table, "--out", run, *FITTED)
        assert result.exit_code == 0, result.output
        said.append(result.output)
    return Fitted(case, runs, tuple(said))


def words_of(text: str, case: Case) -> list[str]:
    """Return the unwanted words of a text, each with what stands around it."""
    for model in map(model_path, (case.model, case.other)):
        whole = model.read_text(encoding="utf-8").strip()
        text = text.replace(whole, "").replace(" ".join(whole.split()), "")
    for path in (case.table, case.model, case.other):
        text = text.replace(str(path), "")
    text = re.sub(rf"\b({'|'.join(COLUMNS)})\b (of|and) \b({'|'.join(COLUMNS)})\b", "", text)
    return [text[max(0, found.start() - 60) : found.end() + 60] for found in re.finditer(case.unwanted, text)]


def values(document: Any, key: str = "") -> Iterator[str]:
    """Yield the texts of a JSON document that are no keys and no names of columns."""
    match document:
        case dict():
            for name, entry in document.items():
                yield from values(entry, name)
        case list():
            for entry in document:
                yield from values(entry, key)
        case str() if key not in KEYED:
            yield document


def cells(text: str) -> str:
    """Return the cells of a CSV text below its header."""
    return "\n".join(" ; ".join(row) for row in list(csv.reader(io.StringIO(text)))[1:])


def of_a_table(case: Case) -> dict[str, tuple[str | Path, ...]]:
    """Return every command that takes a table and an outcome."""
    given = ("--data", case.table, "--outcome", case.model)
    return {
        "evidence": ("evidence", *given),
        "pool": ("pool", *given),
        "pool --all": ("pool", "--all", "--by", case.column, *given),
        "pool --markdown": ("pool", "--markdown", *given),
        "subgroups": ("subgroups", case.column, *given),
        "regress": ("regress", case.column, *given),
        "influence": ("influence", *given),
        "influence --by-trial": ("influence", "--by-trial", "--method", "glmm-ml", *given),
        "small-study": ("small-study", *given),
        "--exclude": ("pool", *given, "--exclude", case.left_out),
        "models": ("models", case.other, "--data", case.table),
    }


def of_a_run(run: Path, other: Path) -> dict[str, tuple[str | Path, ...]]:
    """Return every command that takes a run and is quick."""
    return {
        "summary": ("summary", run, "--above", "0.05"),
        "summary --plain": ("summary", "--plain", run),
        "diagnose": ("diagnose", run),
        "predictive": ("predictive", run),
        "predictive --prior": ("predictive", "--prior", run),
        "compare": ("compare", run, other),
        "predict": ("predict", run, "--n", "40", "--null", "0.1", "--above", "0.2"),
    }


def test_the_words_are_found_where_they_are(fitted: Fitted) -> None:
    unwanted = (
        "ORR 50 %",
        "12 responders",
        "a response",
        "ALK",
        "TKI",
        "TKI generation",
        "treatment line",
        "alkbayes pfs",
    )
    assert all(words_of(text, fitted.case) for text in unwanted)
    assert not words_of("responsible; current; ORRIN", fitted.case)
    assert bool(words_of("Patients", fitted.case)) == ("patient" in fitted.case.unwanted)


def test_fit_says_its_outcome_in_its_own_words(fitted: Fitted) -> None:
    for said in fitted.said:
        assert words_of(said, fitted.case) == []
    first, _ = fitted.said
    infections = fitted.case.column == "size"
    assert ("27 infections of 2,495 catheters" if infections else "163 events of 614 patients") in first
    assert ("Pooled bloodstream infection rate, %" if infections else "Pooled serious adverse event rate, %") in first


def test_commands_of_a_table_say_no_other_word(fitted: Fitted, alkbayes: Command) -> None:
    for name, command in of_a_table(fitted.case).items():
        result = alkbayes(*command)
        assert result.exit_code == 0, (name, result.output)
        assert words_of(result.output, fitted.case) == [], name


def test_commands_of_a_run_say_no_other_word(fitted: Fitted, alkbayes: Command) -> None:
    for name, command in of_a_run(*fitted.runs).items():
        result = alkbayes(*command)
        assert result.exit_code == 0, (name, result.output)
        assert words_of(result.output, fitted.case) == [], name


def test_plain_language_names_the_event_and_those_who_had_it(fitted: Fitted, alkbayes: Command) -> None:
    told = alkbayes("summary", "--plain", fitted.runs[0]).stdout
    if fitted.case.column == "size":
        assert "27 of 2,495 catheters were infected." in told
        assert "Catheters were not randomised between levels of size or trials" in told
    else:
        assert "163 of 614 treated patients had a serious adverse event." in told


@pytest.mark.slow
def test_analyses_figures_and_reports_say_no_other_word(fitted: Fitted, alkbayes: Command, tmp_path: Path) -> None:
    case, (run, other) = fitted.case, fitted.runs
    slow = {
        "outliers": ("outliers", run),
        "outliers --by-trial": ("outliers", "--by-trial", run),
        "sensitivity": ("sensitivity", run),
        "compare": ("compare", run, other),
        "predict": ("predict", run, "--n", "40", "--null", "0.1", "--plot", tmp_path / "predict.svg"),
        "evidence": ("evidence", "--data", case.table, "--outcome", case.model, "--plot", tmp_path / "evidence.svg"),
        "diagnose": ("diagnose", run, "--plots", tmp_path / "diagnose"),
        "predictive": ("predictive", run, "--plots", tmp_path / "predictive"),
        "prior": ("predictive", "--prior", run, "--plots", tmp_path / "prior"),
        "html": ("report", run, "--out", tmp_path / "report.html"),
        "md": ("report", run, "--out", tmp_path / "report.md"),
    }
    for kind in KINDS.keys() - NOTHING_FOR:
        slow[f"plot {kind}"] = ("plot", run, kind, "--out", tmp_path / f"{kind}.svg")
    for name, command in slow.items():
        result = alkbayes(*command)
        assert result.exit_code == 0, (name, result.output)
        assert words_of(result.output, case) == [], name
    drawn = [path for path in tmp_path.rglob("*") if path.suffix in {".svg", ".html", ".md"}]
    assert len(drawn) >= len(slow)
    for path in drawn:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".md":
            text = html.unescape(re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL))
            text = " ".join(text.split())
        assert words_of(text, case) == [], path.name


@pytest.mark.slow
def test_tables_and_documents_say_no_other_word(fitted: Fitted, alkbayes: Command) -> None:
    case, (run, other) = fitted.case, fitted.runs
    for name, command in (of_a_table(case) | of_a_run(run, other)).items():
        if "--markdown" in command or "--plain" in command:
            continue
        found = alkbayes(*command, "--json")
        assert found.exit_code == 0, (name, found.output)
        assert words_of("\n".join(values(json.loads(found.stdout))), case) == [], name
        if command[0] not in {"summary", "models", "diagnose"}:
            found = alkbayes(*command, "--csv")
            assert found.exit_code == 0, (name, found.output)
            assert words_of(cells(found.stdout), case) == [], name
    for path in run.glob("*.csv"):
        if path.name != "evidence.csv":
            assert words_of(cells(path.read_text(encoding="utf-8")), case) == [], path.name
    document = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert words_of("\n".join(values(document | {"command": ""})), case) == []
