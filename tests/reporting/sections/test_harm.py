"""Harm in a report: of the bundled trials, or what was kept with the run; no word of it elsewhere."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.plots.source import RunTables
from alkbayes.reporting.blocks import Fold, Paragraph, Picture, Report, Section, Table
from alkbayes.reporting.document import report_of
from alkbayes.reporting.sections.harm import harm_section
from alkbayes.runs.run import read_run


def section_of(folder: Path) -> Section | None:
    return harm_section(RunTables(folder, read_run(folder)))


@pytest.fixture(scope="module")
def section(run: SimpleNamespace) -> Section:
    found = section_of(run.folder)
    assert found is not None
    return found


def test_how_little_there_is_comes_before_any_rate(section: Section) -> None:
    first = next(block for block in section.blocks if isinstance(block, Paragraph))
    assert first.strong
    assert str(first.pieces[0]).startswith("Sparse data: 21 of 66 cohorts")
    titles = [block.table.title for block in section.blocks if isinstance(block, Table)]
    assert titles == [
        "Cohorts with a count of adverse events, of all in the table",
        "Rates of adverse events by TKI generation, %",
        "Other measures, which are not pooled, %",
        "Benefit beside harm, in the same cohorts",
    ]
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == ["harm"]


def test_what_was_kept_with_the_run_is_shown_instead(run: SimpleNamespace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    events = tmp_path / "events.csv"
    events.write_text("cohort_id,measure,events,n\nalex-alectinib,hot_flushes,7,152\n", encoding="utf-8")
    arguments = ["safety", "--for", str(folder), "--adverse-events", str(events), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    kept = json.loads((folder / "safety.json").read_text(encoding="utf-8"))["document"]
    assert kept == json.loads(result.stdout)["safety"]
    section = section_of(folder)
    assert section is not None
    assert any("1 of 66 cohorts" in str(block.pieces[0]) for block in section.blocks if isinstance(block, Paragraph))


def test_a_table_of_ones_own_has_no_such_section(hostile_run: SimpleNamespace) -> None:
    assert section_of(hostile_run.folder) is None


def test_sources_of_adverse_events_are_listed(run: SimpleNamespace, report: Report) -> None:
    listed = json.dumps(report_lines(report))
    # The one source of the discontinuations of ALTA-1L, and one of a row that is not counted.
    assert "ALTA-1L, abstract of an IASLC conference" in listed
    assert "Post-marketing surveillance of crizotinib" not in listed
    assert "The last ones are of the other tables shown" in listed


def test_sources_of_kept_trials_are_listed(run: SimpleNamespace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    trials = tmp_path / "trials.csv"
    trials.write_text(
        "trial,treatment,responders,n,source_id\nT,x,3,20,A stranger's article\nT,y,9,20,exalt3-esmo-mcbs\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["randomised", "--for", str(folder), "--data", str(trials), "--json"])
    assert result.exit_code == 0, result.output
    listed = json.dumps(report_lines(report_of(folder)))
    assert "A stranger's article" in listed
    assert "ESMO-MCBS scorecard 484-1" in listed
    (folder / "randomised.json").write_text("{}", encoding="utf-8")
    assert "ESMO-MCBS scorecard 484-1" not in json.dumps(report_lines(report_of(folder)))


def test_a_table_of_ones_own_lists_its_own_sources_alone(hostile_run: SimpleNamespace) -> None:
    assert "The last ones" not in json.dumps(report_lines(hostile_run.report))


def report_lines(report: Report) -> list[str]:
    """Return the lines of the fold of sources."""
    section = next(section for section in report.sections if section.anchor == "evidence")
    fold = next(
        block for block in section.blocks if isinstance(block, Fold) and "sources of the figures" in block.title
    )
    return [str(block) for block in fold.blocks]
