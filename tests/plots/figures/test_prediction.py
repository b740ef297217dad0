"""The figure of a planned trial holds what was predicted."""

from dataclasses import replace

import numpy as np
import pytest

from alkbayes.planning.cohort import planned_cohort
from alkbayes.planning.trial import predict
from alkbayes.plots.figures.prediction import BINS, prediction_figure
from alkbayes.plots.page.style import Caption


@pytest.fixture(scope="module")
def cohort(run):
    return planned_cohort(run.fit, {"line": "naive"})


@pytest.fixture(scope="module")
def found(run, cohort):
    return predict(run.fit, cohort, sizes=[40, 120], above=[], robust_weight=0.2, null=0.6, threshold=0.975)


@pytest.fixture(scope="module")
def seen(found, see):
    (page,) = prediction_figure(found, Caption(("Model x.",), "NOT CONVERGED, not to be used: R-hat"))
    return see(page)


def test_nothing_overlaps_or_leaves_the_page(seen) -> None:
    assert len(seen.figure.axes) == 4
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_responders_are_drawn_as_predicted(seen, found) -> None:
    for row in found.planned:
        n = row["n"]
        values, edges, _ = seen.one(f"responders-{n}").get_data()
        np.testing.assert_allclose(values, 100 * found.responders[n])
        np.testing.assert_allclose(edges, np.arange(n + 2) - 0.5)
        inside, _, _ = seen.one(f"inside-{n}").get_data()
        assert np.flatnonzero(inside).tolist() == list(range(row["responders_low"], row["responders_high"] + 1))
        assert inside.sum() >= 95
        heading = f"Responders of {n}: {row['median']} ({row['responders_low']}–{row['responders_high']})"
        assert heading in seen.words
    needed = {row["n"]: row["critical"] for row in found.characteristics if row["prior"] == "robust MAP"}
    for n, critical in needed.items():
        assert seen.one(f"critical-{n}").get_xdata()[0] == critical - 0.5


def test_the_mixture_lies_over_the_draws(seen, found, cohort) -> None:
    values, edges, _ = seen.one("draws").get_data()
    assert (values * np.diff(edges) / 100).sum() == pytest.approx(1.0)
    x, density = seen.one("map").get_data()
    np.testing.assert_allclose(density, found.fitted.mixture.density(x / 100))
    # A bin's share of the draws is the mixture's to what their distribution functions differ by, at either end.
    shares = np.diff(found.fitted.mixture.below(edges / 100))
    assert len(shares) == BINS
    assert shares == pytest.approx(values / BINS, abs=2 * found.fitted.distance)
    x, robust = seen.one("robust").get_data()
    np.testing.assert_allclose(robust, 0.8 * density + 0.2)


def test_success_is_drawn_by_true_rate(seen, found) -> None:
    for n in (40, 120):
        design = next(design for name, design in found.designs if name == "robust MAP" and design.n == n)
        x, y = seen.one(f"success-{n}").get_data()
        np.testing.assert_allclose(y, 100 * design.success(x / 100))
        assert f"success, n = {n}" in seen.words
    assert seen.one("null").get_xdata()[0] == pytest.approx(60)


def test_the_reader_is_told_what_it_is_about(seen, found) -> None:
    text = " ".join(seen.words)
    for part in (
        "A new cohort of a new trial, line naive",
        "not randomised",
        "Left open: TKI generation",
        "NOT CONVERGED",
    ):
        assert part in text


def test_without_a_null_there_is_no_panel_of_success(run, cohort, see) -> None:
    bare = predict(run.fit, cohort, sizes=[1], above=[], robust_weight=0.0, threshold=0.975)
    (page,) = prediction_figure(bare)
    shown = see(page)
    assert len(shown.figure.axes) == 2
    assert shown.by_gid("robust") == shown.by_gid("null") == []
    assert shown.overlaps() == shown.outside() == []


def test_a_design_that_cannot_succeed_has_no_line(run, cohort, see) -> None:
    hopeless = predict(run.fit, cohort, sizes=[3], above=[], robust_weight=1.0, null=0.99, threshold=0.999)
    (page,) = prediction_figure(hopeless)
    assert see(page).by_gid("critical-3") == []


def test_hostile_names_are_text(run, cohort, see, hostile) -> None:
    named = replace(cohort, levels={"column": hostile[0], "b_c": hostile[1], "d": hostile[4], "e": hostile[6]})
    found = predict(run.fit, named, sizes=[1000, 2000, 20, 30, 40, 50], above=[], robust_weight=0.2, threshold=0.9)
    (page,) = prediction_figure(found)
    shown = see(page)
    assert shown.overlaps() == shown.outside() == []
    assert "\x1b" not in " ".join(shown.words)
    assert hostile[1] in " ".join(shown.words)
