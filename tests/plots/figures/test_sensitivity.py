"""The tornado: every alternative where its numbers put it, the largest shift of a family first."""

import copy
from typing import Any

import numpy as np
import pytest

from alkbayes.plots.figures.sensitivity import sensitivity
from alkbayes.plots.page.layout import MM

type Records = list[dict[str, Any]]


def number(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in record["numbers"] if each["number"] == name)


def column(axes: Any) -> list[str]:
    """Return the names in the first column beside axes, from above."""
    cells = [(text.get_position(), text.get_text()) for text in axes.texts]
    return [text for (x, y), text in sorted(cells, key=lambda each: each[0][1]) if x < 10]


def test_every_number_has_a_panel_and_every_alternative_its_place(alternatives: Records, see) -> None:
    pages = sensitivity(alternatives)
    panels = [axes for page in pages for axes in page.axes]
    words = [word for page in pages for word in see(page).words]
    assert len(panels) == 6
    for title in (
        "All cohorts: mean objective response rate",
        "line naive: mean objective response rate",
        "line pretreated vs naive: difference of mean rates",
        "tau_total: heterogeneity between cohorts",
    ):
        assert words.count(title) == 1
    # Without mixed cohorts there is no number of theirs, and nothing under the name of the alternative's family.
    assert [len(column(axes)) for axes in panels] == [7, 7, 7, 5, 7, 7]
    main, *_ = alternatives
    for axes, name in ((panels[0], "overall, mean"), (panels[4], "line pretreated vs naive, risk difference")):
        (span,) = [patch for patch in axes.patches if patch.get_gid() == "main-interval"]
        interval = number(main, name)
        assert span.get_x() == pytest.approx(100 * interval["low"])
        assert span.get_x() + span.get_width() == pytest.approx(100 * interval["high"])
        segments = next(each for each in axes.collections if each.get_gid() == "interval").get_segments()
        drawn = sorted(tuple(segment[:, 0]) for segment in segments)
        expected = sorted((100 * number(each, name)["low"], 100 * number(each, name)["high"]) for each in alternatives)
        assert np.array(drawn) == pytest.approx(np.array(expected))
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        assert page.get_figheight() / MM <= 247


def test_within_a_family_the_largest_shift_comes_first(alternatives: Records) -> None:
    shifts = {each["alternative"]: abs(number(each, "line naive, mean").get("shift", 0)) for each in alternatives}
    assert shifts["differences normal 0.5"] > shifts["tau half-normal 1"]
    assert column(sensitivity(alternatives)[0].axes[1]) == [
        "main fit",
        "the same again",
        "Other priors",
        "differences normal 0.5",
        "tau half-normal 1",
        "Other evidence",
        "mixed lines left out",
    ]


def test_what_moves_a_number_is_told_apart_without_colour(alternatives: Records) -> None:
    axes = sensitivity(alternatives)[0].axes[0]
    marks = {each.get_gid(): len(each.get_offsets()) for each in axes.collections if each.get_gid() != "shift"}
    moved = sum(bool(number(each, "overall, mean").get("moved")) for each in alternatives)
    assert (marks["moved"], marks["not-moved"]) == (1 + moved, len(alternatives) - 1 - moved)
    weights = {text.get_text(): text.get_weight() for text in axes.texts}
    for each in alternatives[2:]:
        assert (weights[each["alternative"]] == "bold") == number(each, "overall, mean")["moved"]


def test_what_did_not_converge_or_could_not_be_fitted_says_so(alternatives: Records, see) -> None:
    changed = copy.deepcopy(alternatives)
    changed[2]["status"] = "not converged"
    for found in changed[2]["numbers"]:
        found["moved"] = True
    changed[3] |= {"status": "failed", "numbers": []}
    seen = see(sensitivity(changed)[0])
    assert "tau half-normal 1, not converged" in seen.words
    assert "not converged, not to be used" in seen.words
    assert len(seen.by_gid("unused")[0].get_offsets()) == 1
    assert "Could not be fitted: differences normal 0.5; `alkbayes sensitivity` says why." in " ".join(seen.words)
    assert not any(text.get_weight() == "bold" for text in seen.texts if "not converged" in text.get_text())


def test_hostile_levels_and_many_of_them(alternatives: Records, hostile, see) -> None:
    changed = copy.deepcopy(alternatives)
    for record in changed:
        found = number(record, "overall, mean")
        record["numbers"] += [
            found | {"number": f"arm {name}, mean", "group": "arm", "level": name} for name in (*hostile, *"abcdefgh")
        ]
    pages = sensitivity(changed)
    words = []
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        assert page.get_figheight() / MM <= 247
        words += seen.words
    assert "arm <script>alert(1)</script>: mean objective response rate" in words
    assert not any("\x1b" in word for word in words)


def test_one_number_that_never_moves_has_an_axis(alternatives: Records, see) -> None:
    flat = copy.deepcopy(alternatives[:2])
    for record in flat:
        record["numbers"] = [
            number(record, "overall, mean")
            | {"low": 0.5, "median": 0.5, "high": 0.5, "shift": 0.0, "shift_error": 0.0, "shift_in_sds": 0.0}
        ]
    (page,) = sensitivity(flat)
    low, high = page.axes[0].get_xlim()
    assert low <= 50 < high
    assert see(page).overlaps() == []


@pytest.mark.parametrize("span", [0.0075, 0.07, 0.072, 0.08, 0.35, 0.7, 0.71, 0.75, 0.8, 0.95])
def test_an_interval_of_any_width_has_an_axis_with_round_ticks(alternatives: Records, span: float) -> None:
    wide = copy.deepcopy(alternatives[:2])
    low, high = 0.013, 0.013 + span
    for record in wide:
        record["numbers"] = [number(record, "overall, mean") | {"low": low, "median": (low + high) / 2, "high": high}]
    (page,) = sensitivity(wide)
    left, right = page.axes[0].get_xlim()
    assert left <= 100 * low < 100 * high <= right
    steps = np.diff(page.axes[0].get_xticks())
    # At most seven steps hold the interval itself, and one more on either side the round numbers beyond it.
    assert 3 <= len(steps) <= 9
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert round(steps[0] / 10.0 ** np.floor(np.log10(steps[0]) + 1e-9), 6) in (1, 2, 5)
