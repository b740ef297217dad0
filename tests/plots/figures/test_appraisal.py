"""Traffic lights and bars of judgements: a symbol for every cell, shares as wide as they are, nothing over another."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from alkbayes.appraisal.judgements import Appraisal, reporting_quality
from alkbayes.appraisal.tools import TOOLS, bundled_tool
from alkbayes.errors import FigureError
from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.appraisal import summary_bars, traffic_lights
from alkbayes.plots.figures.forest import forest
from alkbayes.plots.page.layout import ELLIPSIS
from alkbayes.plots.page.style import DOUBLE_MM, TALLEST_MM, Caption
from alkbayes.text.names import plain

MM = 1 / 25.4


def made_up(tool: str, count: int, names: tuple[str, ...] = ()) -> Appraisal:
    """Return judgements of so many cohorts, drawn by lot, some of them empty."""
    rng, of = np.random.default_rng(5), bundled_tool(tool)
    choices = [[*of.judgements_of(domain), None] for domain in of.domain]
    cells = tuple(tuple(choice[rng.integers(len(choice))] for choice in choices) for _ in range(count))
    cohorts = tuple(names[at] if at < len(names) else f"trial-{at:03d}-arm" for at in range(count))
    return Appraisal(of, tuple(of.domain), cohorts, tuple(rng.integers(5, 300, count).tolist()), cells)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_cell_has_its_symbol_and_its_mark(tool: str, see) -> None:
    found = made_up(tool, 12)
    (page,) = traffic_lights(found, found.cohorts, Caption(("A footnote.",)))
    seen = see(page)
    assert (seen.overlaps(), seen.outside()) == ([], [])
    expected = Counter("·" if judged is None else judged.symbol for row in found.cells for judged in row)
    assert {symbol: seen.words.count(symbol) for symbol in expected} == expected
    drawn = {
        gid: sum(len(line.get_xdata()) for line in seen.by_gid(f"judgement-{gid}"))
        for gid in (plain(judged.label) for row in found.cells for judged in row if judged is not None)
    }
    assert drawn == Counter(plain(judged.label) for row in found.cells for judged in row if judged is not None)
    assert all(seen.words.count(name) == 1 for name in found.cohorts)
    text = " ".join(seen.words)
    assert f"These are people's judgements, as the table has them; none was inferred. Tool: {found.tool.title}" in text
    assert f"doi:{found.tool.doi}" in text
    assert "not judged" in seen.words
    for choice in found.tool.judgement:
        assert f"{choice.symbol} {choice.label}" in seen.words
    assert f"D1: {found.domains[0].label}" in text


def test_a_symbol_stands_in_the_row_of_its_cohort_and_the_column_of_its_domain(see) -> None:
    found = made_up("robins-i", 9)
    (page,) = traffic_lights(found, found.cohorts)
    seen = see(page)
    boxes = {text.get_text(): text.get_window_extent(seen._renderer) for text in seen.texts}
    for row, cohort in zip(found.cells, found.cohorts, strict=True):
        y = (boxes[cohort].y0 + boxes[cohort].y1) / 2
        # Within half a row of 3.1 mm, from left to right.
        beside = sorted(
            (text.get_window_extent(seen._renderer).x0, text.get_text())
            for text in seen.texts
            if text.get_text() != cohort
            and abs(sum(text.get_window_extent(seen._renderer).intervaly) / 2 - y) < 1.5 * MM * page.dpi
        )
        assert [word for _, word in beside] == ["·" if judged is None else judged.symbol for judged in row]


@pytest.mark.parametrize("count", [1, 66, 500])
def test_tables_of_any_length_are_paged(count: int, see, hostile) -> None:
    found = made_up("jbi-case-series", count, hostile if count > 1 else ())
    pages = traffic_lights(found, found.cohorts)
    assert len(pages) == {1: 1, 66: 1, 500: 8}[count]
    named = []
    for page in pages[:2]:
        width, height = page.get_size_inches() / MM
        assert width == pytest.approx(DOUBLE_MM)
        assert height <= TALLEST_MM
        seen = see(page)
        assert (seen.overlaps(), seen.outside()) == ([], [])
        named += seen.words
    assert (f"Risk of bias, judged by JBI checklist for case series (page 1 of {len(pages)})" in named) == (count > 66)
    assert any(ELLIPSIS in word for word in named) == (count > 1)


@pytest.mark.parametrize("tool", TOOLS)
def test_bars_are_as_wide_as_the_shares(tool: str, see) -> None:
    found = made_up(tool, 40)
    (page,) = summary_bars(found)
    seen = see(page)
    assert (seen.overlaps(), seen.outside()) == ([], [])
    for axes, totals in zip(page.axes, ("cohorts", "patients"), strict=True):
        total = 40 if totals == "cohorts" else sum(found.patients)
        expected = [
            getattr(share, totals) / total
            for domain in found.domains
            for share in found.shares(domain)
            if share.cohorts
        ]
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(expected)
    assert f"({sum(found.patients):,} patients)" in seen.words


def test_reporting_quality_is_called_so_and_no_risk_of_bias(see) -> None:
    found = reporting_quality(read_evidence())
    assert found is not None
    pages = traffic_lights(found, found.cohorts)
    words = [word for page in pages for word in see(page).words]
    assert any(word.startswith("Reporting quality") for word in words)
    assert "a description of the reports, not a judgement of the risk of bias." in " ".join(words)
    assert "I Independent review" in words
    assert not any(word.startswith("Risk of bias") for word in words)


def test_a_forest_has_the_judgements_beside_its_cohorts(tables_of, see) -> None:
    pooled, cohorts = tables_of(14)
    found = made_up("minors", 14)
    (page,) = forest(pooled, cohorts, judged=found.among(cohorts["cohort_id"].tolist()))
    seen = see(page)
    assert seen.outside() == []
    assert [pair for pair in seen.overlaps() if "#" not in pair[0]] == []
    marks = [line for line in page.axes[0].lines if str(line.get_gid()).startswith("judgement-")]
    assert sum(len(line.get_xdata()) for line in marks) == sum(
        judged is not None for row in found.cells for judged in row
    )
    first = {text.get_text(): text for text in seen.texts}[found.cohorts[0]].get_window_extent(seen._renderer)
    beside = sorted(
        (text.get_window_extent(seen._renderer).x0, text.get_text())
        for text in seen.texts
        if text.get_fontsize() == 3.8
        and abs(sum(text.get_window_extent(seen._renderer).intervaly) / 2 - sum(first.intervaly) / 2) < MM * page.dpi
    )
    assert [word for _, word in beside] == ["·" if judged is None else judged.symbol for judged in found.cells[0]]
    assert "Overall: Overall risk of bias, by the review's own rule." in " ".join(seen.words)


def test_a_forest_without_room_for_the_judgements_is_refused(tables_of) -> None:
    pooled, cohorts = tables_of(5)
    cells: tuple[str, list[str]] = ("a", list("abcde"))
    with pytest.raises(FigureError, match="found 13 domains of judgements beside 1 further column; there is room for"):
        forest(pooled, cohorts, judged=made_up("minors", 5), further=[cells])
    assert len(forest(pooled, cohorts, judged=made_up("robins-i", 5), further=[cells])) == 1


def test_judgements_are_drawn_of_cohorts_in_any_order(tables_of) -> None:
    found = made_up("robins-i", 6)
    pooled, cohorts = tables_of(6)
    shuffled = cohorts.iloc[::-1].reset_index(drop=True)
    assert isinstance(shuffled, pd.DataFrame)
    there = found.among(shuffled["cohort_id"].tolist())
    assert there.cells == found.cells[::-1]
    assert len(forest(pooled, shuffled, judged=there)) == 1
