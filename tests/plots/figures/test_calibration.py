"""PIT values in their band."""

import numpy as np
import pytest
from scipy.stats import binom

from alkbayes.criticism.predictive import posterior_checks
from alkbayes.plots.figures.calibration import calibration

UNIFORM = {"new": 0.2, "same": None}


def values(count: int, *, power: float = 1.0) -> np.ndarray:
    return ((np.arange(count) + 0.5) / count) ** power


def curve(seen, kind: str) -> np.ndarray:
    return np.column_stack(seen.one(f"cohorts-{kind}").get_data())


def band(seen, kind: str) -> np.ndarray:
    (path,) = seen.one(f"band-{kind}").get_paths()
    return path.vertices


def test_the_curve_is_the_distribution_of_the_pit_values(run, see) -> None:
    checks = posterior_checks(run.fit)
    (page,) = calibration(checks.pit, checks.uniform)
    seen = see(page)
    for kind in ("new", "same"):
        places, share = curve(seen, kind).T
        assert share == pytest.approx([(checks.pit[kind] <= place).mean() for place in places])
    assert "Calibration over 66 cohorts" in seen.words
    assert f"uniformity: p = {checks.uniform['new']:.3f}" in seen.words
    assert "nearer to the middle than uniform by construction: no test" in seen.words
    for axes in page.axes:
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 1))
    assert seen.overlaps() == []
    assert seen.outside() == []


@pytest.mark.parametrize("count", [8, 500])
def test_the_band_is_wider_than_that_of_one_place_and_narrows_with_the_cohorts(see, count: int) -> None:
    (page,) = calibration({"new": values(count), "same": values(count)}, UNIFORM)
    seen = see(page)
    corners = band(seen, "new")
    at_half = corners[np.abs(corners[:, 0] - 0.5) <= 0.5 / count + 1e-9, 1]
    # Of a single place the band would be the binomial's central 95 %; a simultaneous one holds it.
    low, high = binom.ppf([0.025, 0.975], count, 0.5) / count
    assert at_half.min() <= low
    assert at_half.max() >= high
    # And Bonferroni's over all places, the widest that is ever needed, holds that.
    low, high = binom.ppf([0.025 / count, 1 - 0.025 / count], count, 0.5) / count
    assert low <= at_half.min()
    assert at_half.max() <= high
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_predictions_that_are_off_leave_the_band(see) -> None:
    (page,) = calibration({"new": values(100, power=3), "same": values(100)}, {"new": 1e-6, "same": None})
    seen = see(page)
    for kind, leaves in (("new", True), ("same", False)):
        corners = band(seen, kind)
        places, share = curve(seen, kind).T
        top = [corners[np.abs(corners[:, 0] - place) < 0.006, 1].max() for place in places]
        assert bool((share > np.array(top) + 1e-9).any()) is leaves
    assert "uniformity: p < 0.001" in seen.words


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="7 PIT values tell too little"):
        calibration({"new": values(7), "same": values(7)}, UNIFORM)
