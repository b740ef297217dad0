"""Runs that the tests of the report share: the default model on the bundled table, and a table of hostile texts."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.reporting.blocks import Report
from alkbayes.reporting.document import report_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.sections.sources import read_sources
from alkbayes.runs.run import write_run
from alkbayes.spec.schema import model_path, read_spec

SETTINGS = SamplerSettings(seed=11, chains=4, draws=250)

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example";"x")',
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "a|b *bold* [x](javascript:alert(1)) `c`",
    "' onmouseover='alert(1)",
)
HOSTILE_ROWS = [
    ("naive", "first", 9, 12, "javascript:alert(1)"),
    ("naive", "second", 30, 40, "known"),
    ("naive", "first", 44, 44, "https://example.org/a?b=1&c=<d>"),
    ("pretreated", "second", 0, 18, "known;unknown"),
    ("pretreated", "first", 21, 60, ""),
    ("pretreated", "second", 12, 30, "data:text/html,<b>x</b>"),
]
OWN_SOURCES = """\
source_id,title,year,url
known,"A <b>title</b>, with a comma",2020,https://example.org/known
evil,Never cited,2020,javascript:alert(2)
"""


def fitted(folder: Path, table: Path | None = None) -> SimpleNamespace:
    """Fit the default model without chains and write the run."""
    model = model_path("line-generation")
    spec = read_spec(model)
    evidence = read_evidence(table, needed=spec.columns)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)
    results = results_of(fit)
    write_run(folder, fit, results, model_file=model.read_bytes(), command="alkbayes fit --seed 11")
    return SimpleNamespace(folder=folder, fit=fit, results=results)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The default model on the bundled table."""
    return fitted(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="session")
def report(run: SimpleNamespace) -> Report:
    return report_of(run.folder)


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    return html_of(report)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A table whose texts are made to be taken for something else."""
    import csv

    home = tmp_path_factory.mktemp("hostile")
    table = home / "<own>.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("cohort_id", "trial", "line", "regimen_class", "responders", "n", "source_id", "note", "registry_id")
        )
        for name, (line, generation, responders, n, source) in zip(HOSTILE_NAMES, HOSTILE_ROWS, strict=True):
            note = "see https://example.org/x?y=<z> </dd><script>alert(3)</script>"
            writer.writerow((name, f"T {name}", line, generation, responders, n, source, note, "NCT01234567"))
    sources = home / "sources.csv"
    sources.write_text(OWN_SOURCES, encoding="utf-8")
    run = fitted(home / "run", table)
    run.report = report_of(run.folder, read_sources(sources))
    return run


@pytest.fixture(scope="session")
def hostile_names() -> tuple[str, ...]:
    return HOSTILE_NAMES


@pytest.fixture(scope="session")
def fit_to() -> Callable[..., SimpleNamespace]:
    return fitted
