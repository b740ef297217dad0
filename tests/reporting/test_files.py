"""The report as files: whole or not at all, and never over one that is there."""

from pathlib import Path

import pytest

from alkbayes.errors import UsageError
from alkbayes.reporting.blocks import Report
from alkbayes.reporting.files import figures_folder, report_format, write_report
from alkbayes.reporting.renderers.markdown import figure_files


@pytest.mark.parametrize(
    ("path", "asked", "found"),
    [
        (None, None, "html"),
        (None, "md", "md"),
        (Path("a.HTML"), None, "html"),
        (Path("a.htm"), "html", "html"),
        (Path("a.md"), None, "md"),
        (Path("a.markdown"), "md", "md"),
        (Path("a.docx"), None, "docx"),
        (None, "xlsx", "xlsx"),
    ],
)
def test_the_format_is_what_was_asked_or_what_the_name_says(path: Path | None, asked: str | None, found: str) -> None:
    assert report_format(path, asked) == found


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        (None, "pdf", "format: found 'pdf'; allowed: html, md, docx, xlsx"),
        (
            Path("a.doc"),
            None,
            "a.doc: the name of a report's file must end in .html, .htm, .md, .markdown, .docx",
        ),
        (Path("a.md"), "html", "a.md ends in .md, and the format asked for is html"),
    ],
)
def test_a_format_that_is_none_is_refused(path: Path | None, asked: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        report_format(path, asked)


def test_markdown_has_its_figures_beside_it(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "supplement.md"
    made = write_report(report, path, "md")
    assert made == [path, tmp_path / "deep" / "supplement-figures"]
    assert {file.name for file in figures_folder(path).iterdir()} == set(figure_files(report))
    assert "(supplement-figures/cells.svg)" in path.read_text(encoding="utf-8")
    assert sorted(tmp_path.joinpath("deep").iterdir()) == sorted(made), "nothing half-written is left"


@pytest.mark.parametrize("taken", ["a.md", "a-figures"])
def test_nothing_is_overwritten(report: Report, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write_report(report, tmp_path / "a.md", "md")
    assert [file.name for file in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_refused(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(report, tmp_path / "file" / "a.html", "html")
