"""Observed rates beside what is predicted of them."""

import numpy as np
import pandas as pd
import pytest

from alkbayes.criticism.predictive import PosteriorChecks, posterior_checks, prior_checks
from alkbayes.plots.figures.predictive import predictive, prior_cells
from alkbayes.plots.page.layout import MM


@pytest.fixture(scope="module")
def checks(run) -> PosteriorChecks:
    return posterior_checks(run.fit)


def made_up(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return a table of checks for a table of cohorts, with every third observed rate outside its 90 % interval."""
    table = cohorts[["cohort_id", "n", "responders", "observed"]].copy()
    far = np.arange(len(table)) % 3 == 0
    for kind in ("new", "same"):
        table[f"{kind}_median"] = 0.5
        table[f"{kind}_low"], table[f"{kind}_high"] = 0.0, 1.0
        table[f"{kind}_low90"] = np.where(far, np.clip(table["observed"] + 0.01, 0, 1), 0.0)
        table[f"{kind}_high90"] = 1.0
        table[f"{kind}_pit"] = 0.25
    return table


def test_every_cohort_has_its_marks_and_its_numbers(run, checks: PosteriorChecks, see) -> None:
    (page,) = predictive(checks.cohorts)
    seen = see(page)
    table = checks.cohorts.sort_values(["observed", "cohort_id"], ascending=[False, True], ignore_index=True)
    outside = (table["observed"] < table["new_low90"]) | (table["observed"] > table["new_high90"])
    assert 0 < outside.sum() < 10
    at = np.arange(len(table)) + 0.5
    for gid, chosen in (("observed", ~outside), ("observed-outside", outside)):
        expected = np.column_stack([100 * table["observed"], at])[chosen]
        assert seen.points(gid) == pytest.approx(expected)
    for gid, low, high in (("new", "new_low", "new_high"), ("new-90", "new_low90", "new_high90")):
        corners = np.array([path.vertices for path in seen.one(gid).get_paths()])
        assert corners[:, :, 0].min(axis=1) == pytest.approx(100 * table[low])
        assert corners[:, :, 0].max(axis=1) == pytest.approx(100 * table[high])
    segments = np.array(seen.one("same").get_segments())
    assert segments[:, :, 0] == pytest.approx(100 * table[["same_low", "same_high"]].to_numpy())
    for row in table.to_dict(orient="records"):
        assert f"{row['responders']:,}/{row['n']:,}" in seen.words
        low, middle, high = (100 * row[f"new_{name}"] for name in ("low", "median", "high"))
        assert f"{middle:.1f} ({low:.1f}–{high:.1f})" in seen.words
        assert f"{row['new_pit']:.3f}" in seen.words
    assert f"{int(outside.sum())} of 66 cohorts" in " ".join(seen.words)
    (axes,) = page.axes
    assert (axes.get_xlim(), axes.get_xlabel()) == ((0, 100), "Objective response rate, %")


@pytest.mark.parametrize("count", [1, 500])
def test_any_number_of_cohorts_is_drawn_each_once(tables_of, see, count: int) -> None:
    cohorts = made_up(tables_of(count)[1])
    pages = predictive(cohorts)
    assert len(pages) == {1: 1, 500: 6}[count]
    words: list[str] = []
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        assert page.get_figheight() / MM <= 247
        words += seen.words
    assert sorted(word for word in words if word.startswith("trial-")) == sorted(cohorts["cohort_id"])
    assert (f"page {len(pages)} of {len(pages)}" in " ".join(words)) == (count > 1)


def test_hostile_names_are_text(tables_of, hostile, see) -> None:
    (page,) = predictive(made_up(tables_of(12, names=hostile)[1]))
    seen = see(page)
    assert seen.overlaps() == []
    assert seen.outside() == []
    for name in ("<script>alert(1)</script>", r"$\frac{1}{0}$ a_b^c", '=HYPERLINK("x")', "_under"):
        assert name in seen.words
    assert not any("\x1b" in word for word in seen.words)


def test_each_cell_has_its_prior(run, see) -> None:
    cells = prior_checks(run.fit).cells
    (page,) = prior_cells(cells)
    seen = see(page)
    at = np.arange(len(cells)) + 0.5
    assert seen.points("observed") == pytest.approx(np.column_stack([100 * cells["observed"], at]))
    assert seen.points("prior-median") == pytest.approx(np.column_stack([100 * cells["median"], at]))
    corners = np.array([path.vertices for path in seen.one("prior").get_paths()])
    assert corners[:, :, 0].min(axis=1) == pytest.approx(100 * cells["low"])
    assert "pretreated : second" in seen.words
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_very_many_cells_go_on_to_further_pages(run, see) -> None:
    cells = prior_checks(run.fit).cells
    pages = prior_cells(pd.concat([cells] * 20, ignore_index=True))
    assert len(pages) > 1
    assert sum(len(see(page).points("observed")) for page in pages) == 20 * len(cells)
