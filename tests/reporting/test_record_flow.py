"""The flow of records in a report: drawn where its counts are those of the run's table, refused where they are not."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.flow import Flow
from alkbayes.reporting.document import report_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import markdown_of


def counts(**changes: int) -> Flow:
    """Counts that end with the bundled table; those before it are written for this test."""
    ends = {"studies": 43, "cohorts": 66, "participants": 5707} | changes
    return Flow(
        sources={"condition": 60},
        identified=60,
        duplicates=0,
        screened=60,
        excluded={"Not an interventional study": 60 - ends["studies"]},
        by_people=0,
        sought=ends["studies"],
        not_retrieved={},
        assessed=ends["studies"],
        reports_excluded={},
        searched="2026-11-30",
        table="",
        **ends,
    )


def written(path: Path, flow: Flow) -> Path:
    path.write_text(json.dumps(flow.to_dict()), encoding="utf-8")
    return path


def test_it_is_drawn_and_told(run: SimpleNamespace, tmp_path: Path) -> None:
    report = report_of(run.folder, flow=written(tmp_path / "flow.json", counts()))
    html, markdown = html_of(report), markdown_of(report, "figures")
    for text in (html, markdown):
        assert "From the search to the table" in text
    assert "Records screened (n = 60)" in html
    assert "figures/flow" in markdown


def test_without_counts_there_is_none(run: SimpleNamespace) -> None:
    assert "From the search to the table" not in html_of(report_of(run.folder))


@pytest.mark.parametrize("change", [{"cohorts": 62}, {"participants": 5644}, {"studies": 40}])
def test_counts_of_another_table_are_an_error(run: SimpleNamespace, tmp_path: Path, change: dict[str, int]) -> None:
    with pytest.raises(RegistryError, match="Count again with this table"):
        report_of(run.folder, flow=written(tmp_path / "flow.json", counts(**change)))
