"""The forest plot: every cohort named once, every mark at the table's number, nothing over anything else."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.forest import forest
from alkbayes.plots.page.forest_rows import order_by
from alkbayes.plots.page.layout import ELLIPSIS
from alkbayes.plots.page.style import DOUBLE_MM, TALLEST_MM, Caption
from alkbayes.plots.view import View

MM = 1 / 25.4


@pytest.fixture(scope="module")
def bundled(run, see):
    (page,) = forest(run.results.pooled, run.results.cohorts, Caption(("A footnote.",)))
    return see(page)


def test_the_bundled_table_is_one_page_of_a_journal(bundled) -> None:
    width, height = bundled.figure.get_size_inches() / MM
    assert width == pytest.approx(DOUBLE_MM)
    assert height <= TALLEST_MM


def test_every_cohort_is_named_once(bundled, run) -> None:
    names = [name for name in run.results.cohorts["cohort_id"] if len(name) < 40]
    assert len(names) == 65
    assert all(bundled.words.count(name) == 1 for name in names)
    (cut,) = [word for word in bundled.words if ELLIPSIS in word]
    start, end = cut.split(ELLIPSIS)
    assert "checkmate370-group-e-crizotinib-nivolumab".startswith(start)
    assert "checkmate370-group-e-crizotinib-nivolumab".endswith(end)


def test_no_text_covers_another_or_leaves_the_page(bundled) -> None:
    assert bundled.overlaps() == []
    assert bundled.outside() == []


def test_the_axis_is_in_percent(bundled) -> None:
    (axes,) = bundled.figure.axes
    assert axes.get_xlim() == (0, 100)
    assert axes.get_xlabel() == "Objective response rate, %"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "20", "40", "60", "80", "100"]


def test_marks_stand_at_the_numbers_of_the_tables(bundled, run) -> None:
    cohorts = run.results.cohorts
    observed, posterior = (bundled.points(gid) for gid in ("observed", "posterior"))
    assert sorted(observed[:, 0]) == pytest.approx(sorted(100 * cohorts["observed"]))
    assert sorted(posterior[:, 0]) == pytest.approx(sorted(100 * cohorts["median"]))
    # Of one cohort both lie in one row, in which its name stands.
    name = next(text for text in bundled.texts if text.get_text() == "crown-lorlatinib")
    row = float(name.get_position()[1])
    record = cohorts[cohorts["cohort_id"] == "crown-lorlatinib"].iloc[0]
    for marks, expected in ((observed, record["observed"]), (posterior, record["median"])):
        (found,) = [x for x, y in marks if abs(y - row) < 0.5]
        assert found == pytest.approx(100 * expected)
    intervals = np.array(bundled.one("posterior-interval").get_segments())
    (found,) = [segment[:, 0] for segment in intervals if abs(segment[0, 1] - row) < 0.5]
    assert found == pytest.approx(100 * record[["low", "high"]].to_numpy(dtype=float))


def test_observed_intervals_are_those_of_another_implementation(bundled) -> None:
    from scipy.stats import binomtest

    frame = read_evidence().frame
    intervals = np.array(bundled.one("observed-interval").get_segments())[:, :, 0]
    exact = [
        100 * np.array(binomtest(x, n).proportion_ci(0.95, method="exact"))
        for x, n in frame[["responders", "n"]].itertuples(index=False)
    ]
    # SciPy finds its limits by bisection, to about 1e-9.
    assert np.sort(intervals, axis=0) == pytest.approx(np.sort(np.array(exact), axis=0), abs=1e-6)


@pytest.mark.parametrize("estimand", ["typical", "mean"])
def test_diamonds_have_the_numbers_of_the_pooled_table(bundled, run, estimand: str) -> None:
    pooled = run.results.pooled
    shown = pooled[(pooled["estimand"] == estimand) & pooled["group"].isin(["all", "line", "line:generation"])]
    corners = [path.vertices for path in bundled.one(estimand).get_paths()]
    assert len(corners) == len(shown) == 17
    found = sorted((points[:, 0].min(), points[1, 0], points[:, 0].max()) for points in corners)
    expected = sorted(map(tuple, 100 * shown[["low", "median", "high"]].to_numpy()))
    assert np.array(found) == pytest.approx(np.array(expected))


def test_bars_are_the_prediction_intervals(bundled, run) -> None:
    pooled = run.results.pooled
    shown = pooled[(pooled["estimand"] == "next_cohort") & (pooled["group"] != "generation")]
    found = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in bundled.one("prediction").get_paths()]
    assert np.array(sorted(found)) == pytest.approx(100 * shown.sort_values("low")[["low", "high"]].to_numpy())


def test_the_three_kinds_of_interval_are_told_apart(bundled) -> None:
    text = " ".join(bundled.words)
    for words in ("exact 95 % confidence interval", "credible interval", "95 % prediction interval", "A footnote."):
        assert words in text


def test_a_warning_stands_on_every_page(tables_of, see) -> None:
    pages = forest(*tables_of(100), Caption(warning="NOT CONVERGED, not to be used: x"))
    assert len(pages) == 2
    for page in pages:
        assert any(word.startswith("NOT CONVERGED") for word in see(page).words)


def test_five_hundred_rows_go_on_to_further_pages(tables_of, see) -> None:
    pooled, cohorts = tables_of(500)
    pages = forest(pooled, cohorts)
    assert len(pages) >= 5
    texts = [[text.get_text() for text in page.findobj(Text)] for page in pages]
    words = Counter(itertools.chain(*texts))
    assert all(words[name] == 1 for name in cohorts["cohort_id"])
    assert sum(count for word, count in words.items() if word.endswith("(continued)")) >= 4
    for number, (page, of_page) in enumerate(zip(pages, texts, strict=True), 1):
        assert page.get_size_inches()[1] / MM <= TALLEST_MM + 1e-6
        assert any(f"page {number} of {len(pages)}" in word for word in of_page)
        assert {"observed", "posterior"} <= {artist.get_gid() for artist in page.findobj()}
    assert see(pages[1]).overlaps() == []


@pytest.mark.parametrize("grouped", [True, False])
def test_one_cohort_is_a_forest_too(tables_of, see, grouped: bool) -> None:
    (page,) = forest(*tables_of(1, grouped=grouped))
    seen = see(page)
    assert "trial-000-arm" in seen.words
    assert "All cohorts" in seen.words
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_hostile_names_are_text(tables_of, see, hostile) -> None:
    pooled, cohorts = tables_of(12, names=hostile)
    seen = see(forest(pooled, cohorts)[0])
    for name in hostile[:4]:
        assert name in seen.words
    assert r"a & b \x1b[31m" in seen.words
    assert not any(text.get_parse_math() for text in seen.texts)
    assert seen.overlaps() == []
    assert any(word.startswith("xxx") and ELLIPSIS in word for word in seen.words)


def test_a_model_without_effects_has_one_list(tables_of, see) -> None:
    pooled, cohorts = tables_of(5, grouped=False)
    seen = see(forest(pooled, cohorts)[0])
    assert len(seen.one("typical").get_paths()) == 1
    rates = cohorts.sort_values("observed", ascending=False)["cohort_id"].tolist()
    heights = {text.get_text(): text.get_position()[1] for text in seen.texts}
    assert sorted(rates, key=lambda name: heights[name]) == rates


def test_a_table_is_not_changed(tables_of) -> None:
    pooled, cohorts = tables_of(5)
    before = pooled.copy(), cohorts.copy()
    forest(pooled, cohorts)
    pd.testing.assert_frame_equal(pooled, before[0])
    pd.testing.assert_frame_equal(cohorts, before[1])


def test_rates_of_a_few_percent_have_the_whole_axis(tables_of) -> None:
    pooled, cohorts = tables_of(12)
    for table in (pooled, cohorts):
        for name in ("mean", "median", "low", "high", "observed"):
            if name in table:
                table[name] = table[name] / 20
    cohorts["responders"], cohorts["n"] = 2, 1000
    (page,) = forest(pooled, cohorts)
    assert page.axes[0].get_xlim() == (0, 4)


def test_a_reader_chooses_axis_line_title_order_and_columns(run, see) -> None:
    cohorts = run.results.cohorts
    order = cohorts["n"].argsort(kind="stable").tolist()
    agents = [f"agent {at}" for at in range(len(cohorts))]
    view = View(title="Mine", xlim=(10, 60), reference=50)
    pages = forest(run.results.pooled, cohorts, further=[("agent", agents)], order=order, view=view)
    seen = [see(page) for page in pages]
    for page in seen:
        assert page.overlaps() == []
        assert page.outside() == []
        assert page.figure.axes[0].get_xlim() == (10, 60)
        assert page.one("reference").get_xdata() == [50, 50]
        assert any(word.startswith("Mine") for word in page.words)
        for gid in ("observed", "posterior"):
            x = page.points(gid)[:, 0]
            assert ((x >= 10) & (x <= 60)).all(), "a point beyond the axis would lie on the numbers"
    words = [word for page in seen for word in page.words]
    assert sorted(set(words) & set(agents)) == sorted(agents)
    naive = cohorts[(cohorts["line"] == "naive") & (cohorts["regimen_class"] == "second")].sort_values("n")
    places = [words.index(name) for name in naive["cohort_id"]]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("values", "order"),
    [(["10", "9", "", "1"], [3, 1, 0, 2]), (["b", "10", "9", "a"], [1, 2, 3, 0]), (["x", "x"], [0, 1])],
)
def test_cohorts_are_sorted_by_numbers_or_texts(values: list[str], order: list[int]) -> None:
    assert order_by(pd.DataFrame({"column": values}), "column") == order
