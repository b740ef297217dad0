"""Observed against shrunken rates."""

import numpy as np
import pytest

from alkbayes.plots.figures.shrinkage import shrinkage


def test_each_cohort_stands_at_its_observed_and_its_posterior_rate(run, see) -> None:
    cohorts = run.results.cohorts
    (page,) = shrinkage(cohorts)
    seen = see(page)
    for place, line in enumerate(("naive", "pretreated", "mixed")):
        expected = 100 * cohorts.loc[cohorts["line"] == line, ["observed", "median"]].to_numpy()
        found = seen.points(f"cohorts-{place}")
        assert found[np.lexsort(found.T)] == pytest.approx(expected[np.lexsort(expected.T)])
        assert line in seen.words
    heights = sorted(tuple(segment[:, 1]) for segment in seen.one("posterior-interval").get_segments())
    assert np.array(heights) == pytest.approx(100 * cohorts.sort_values("low")[["low", "high"]].to_numpy())
    (axes,) = page.axes
    assert axes.get_xlim() == axes.get_ylim() == (0, 100)
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_lines_are_told_apart_without_colour(run, see) -> None:
    seen = see(shrinkage(run.results.cohorts)[0])
    shapes = {len(seen.one(f"cohorts-{place}").get_paths()[0].vertices) for place in range(3)}
    assert len(shapes) == 3


def test_a_table_without_lines_has_one_marker(tables_of, see) -> None:
    seen = see(shrinkage(tables_of(4, grouped=False)[1])[0])
    assert len(seen.points("cohorts-0")) == 4
