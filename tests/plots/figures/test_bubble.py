"""Bubble plot: where cohorts, curves and bands stand, and how levels are told apart."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from alkbayes.plots.figures.bubble import Bubbles, bubble
from alkbayes.plots.page.layout import MM

VALUES = np.linspace(40.0, 80.0, 9)


def curve(level: str, start: float) -> pd.DataFrame:
    middle = start + 0.004 * (VALUES - 40)
    return pd.DataFrame(
        {
            "value": VALUES,
            "level": level,
            "middle": middle,
            "low": middle - 0.08,
            "high": middle + 0.08,
            "next_low": middle - 0.2,
            "next_high": middle + 0.2,
        }
    )


COHORTS = pd.DataFrame(
    {
        "value": [45.0, 52.0, 61.0, 70.0, 78.0],
        "level": ["a", "b", "a", "b", "a"],
        "observed": [0.4, 0.2, 1.0, 0.0, 0.5],
        "n": [20.0, 200.0, 3.0, 50.0, 90.0],
    }
)
BY = Bubbles(
    "age", "line", ("a", "b"), COHORTS, pd.concat([curve("a", 0.5), curve("b", 0.3)]), "mean", "credible", ("A note.",)
)
ALONE = dataclasses.replace(BY, by="", levels=("",), cohorts=COHORTS.assign(level=""), curves=curve("", 0.4))


def test_cohorts_stand_at_their_value_and_rate_with_areas_by_size(see) -> None:
    (page,) = bubble(ALONE)
    assert page.get_size_inches()[0] / MM == pytest.approx(85)
    seen = see(page)
    found = seen.points("cohorts-0")
    expected = 100 * COHORTS["observed"].to_numpy()
    order = np.argsort(found[:, 0])
    assert found[order, 0].tolist() == COHORTS["value"].tolist()
    assert found[order, 1] == pytest.approx(expected)
    areas = seen.one("cohorts-0").get_sizes()[order]
    assert areas[4] / areas[1] == pytest.approx(90 / 200)
    assert areas[2] >= 3.0
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_the_curve_and_its_bands_are_those_given(see) -> None:
    seen = see(bubble(ALONE)[0])
    line = seen.one("curve-0")
    assert line.get_xdata() == pytest.approx(VALUES)
    assert line.get_ydata() == pytest.approx(100 * ALONE.curves["middle"].to_numpy())
    for gid, low, high in (("interval-0", "low", "high"), ("prediction-0", "next_low", "next_high")):
        heights = seen.one(gid).get_paths()[0].vertices[:, 1]
        ends = 100 * ALONE.curves[low].min(), 100 * ALONE.curves[high].max()
        assert (heights.min(), heights.max()) == pytest.approx(ends)
    assert "Response rate by age" in seen.words
    assert "mean rate, 95 % credible interval" in seen.words
    assert "95 % prediction interval of the next cohort's rate" in seen.words


def test_levels_are_told_apart_without_colour(see) -> None:
    (page,) = bubble(BY)
    seen = see(page)
    assert "Response rate by age and line" in seen.words
    shapes = {len(seen.one(f"cohorts-{place}").get_paths()[0].vertices) for place in range(2)}
    assert len(shapes) == 2
    assert seen.one("curve-0").get_linestyle() != seen.one("curve-1").get_linestyle()
    assert len(seen.points("cohorts-0")) == 3
    text = " ".join(seen.words)
    assert "Thin lines are the limits of the 95 % prediction interval" in text
    assert "A note." in text
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_a_method_without_a_variance_between_cohorts_predicts_none(see) -> None:
    nothing = {"next_low": np.nan, "next_high": np.nan}
    for drawn in (BY, ALONE):
        seen = see(bubble(dataclasses.replace(drawn, curves=drawn.curves.assign(**nothing)))[0])
        assert "prediction" not in " ".join(seen.words)


def test_rare_events_have_an_axis_of_their_own(see) -> None:
    curves = ALONE.curves.assign(**{name: ALONE.curves[name] / 20 for name in ALONE.curves.columns[2:]})
    drawn = dataclasses.replace(ALONE, cohorts=ALONE.cohorts.assign(observed=0.01), curves=curves)
    (page,) = bubble(drawn)
    assert page.axes[0].get_ylim() == (0, 5)
    assert see(page).overlaps() == []


def test_long_names_stay_on_the_page(see) -> None:
    name = "median follow-up of the patients in months since randomisation or registration, whichever came last"
    seen = see(bubble(dataclasses.replace(BY, label=name, by=name))[0])
    assert seen.outside() == []
    assert seen.overlaps() == []
