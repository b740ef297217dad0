"""The report as Markdown: tables that hold, figures that are there, texts that stay text."""

import re
from types import SimpleNamespace

import pytest

from alkbayes.reporting.blocks import Report
from alkbayes.reporting.renderers.markdown import escaped, figure_files, markdown_of


def test_sections_stand_in_the_order_of_the_guidelines(report: Report) -> None:
    titles = re.findall(r"^## (.+)$", markdown_of(report, "figures"), re.MULTILINE)
    assert titles == [
        "Key results",
        "Question",
        "Evidence",
        "Risk of bias",
        "Model",
        "Computation and its verdict",
        "Results",
        "Does the model fit these cohorts?",
        "Classical checks",
        "Sensitivity",
        "Harm",
        "Beyond this outcome",
        "Certainty of the evidence",
        "Limits",
        "How to reproduce it",
    ]


def test_every_figure_that_is_named_is_there(report: Report) -> None:
    named = re.findall(r"\]\(figures/([^)]+)\)", markdown_of(report, "figures"))
    files = figure_files(report)
    assert set(named) == set(files)
    assert len(named) == len(files) > 8
    assert all(content.startswith(b"<svg ") and b"</svg>" in content for content in files.values())


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(report: Report) -> None:
    count = 0
    for block in re.findall(r"(?:^\|.*\|$\n?)+", markdown_of(report, "f"), re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block[:200]
        count += 1
    assert count > 12


def test_a_heading_in_several_lines_is_one(report: Report) -> None:
    line = "|  | k | patients (responders) | crude | inverse-variance | typical | mean | next cohort |"
    lines = markdown_of(report, "f").splitlines()
    assert line in lines
    assert "|  | odds ratio | difference of means, points | P(first is higher) |" in lines


def test_the_pooled_rate_stands_in_its_row(report: Report, run: SimpleNamespace) -> None:
    (mean,) = [row for row in run.results.document["pooled"] if (row["group"], row["estimand"]) == ("all", "mean")]
    (line,) = re.findall(r"^\| overall \|.*$", markdown_of(report, "f"), re.MULTILINE)
    shown = float(line.split("|")[7].split("(")[0])
    assert shown == pytest.approx(100 * mean["median"], abs=0.51)
    assert "58.9–61.5" in line


def test_hostile_texts_are_escaped(hostile_run: SimpleNamespace, hostile_names: tuple[str, ...]) -> None:
    text = markdown_of(hostile_run.report, "figures")
    for name in hostile_names:
        assert escaped(name) in text
    outside = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<(?!https?://)", outside), "no tag is left"
    assert not re.search(r"(?<!\\)\]\(<?(javascript|data):", outside)
    assert r"A \<b\>title\</b\>, with a comma" in text


def test_escaping_leaves_one_line() -> None:
    assert escaped("a\nb  c") == "a b c"
    assert escaped(r"\ ` * _ [ ] < > # | ~ & $ !") == r"\\ \` \* \_ \[ \] \< \> \# \| \~ \& \$ \!"
