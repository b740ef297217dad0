"""Forests of pooled rates: their numbers are those of the tables, and the axis holds them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alkbayes.classical.influence.tables import influence_table
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.criticism.loo_rates import rates_without
from alkbayes.errors import FigureError
from alkbayes.plots.figures.pooled import Line, pooled_forest
from alkbayes.plots.forests import DEFAULT_METHOD
from alkbayes.plots.kinds import KINDS
from alkbayes.plots.page.layout import percent_limits
from alkbayes.plots.source import RunTables
from alkbayes.plots.view import View
from alkbayes.runs.run import read_run


@pytest.fixture(scope="module")
def tables(run) -> RunTables:
    return RunTables(run.folder, read_run(run.folder))


METHODS = {"reml_adhoc": "reml-logit-hk-adhoc", "dl_z": "dl-logit"}
"""Our names of the methods of the recorded fits."""
ITERATED = 1e-8
"""What the iterations of both leave undone; the source is in validation/metafor."""


@pytest.fixture(scope="module")
def metafor(tables: RunTables) -> dict[str, Any]:
    path = Path(__file__).parents[2] / "reference" / "metafor_forests.json"
    sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    counts, frame = sets["counts"], tables.evidence.frame.sort_values("cohort_id")
    assert counts["cohort"] == frame["cohort_id"].tolist(), "run validation/metafor/run_forests.R again"
    assert counts["xi"] == frame["responders"].tolist()
    assert counts["ni"] == frame["n"].tolist()
    return sets


def drawn(pages: list[Any], see: Any) -> np.ndarray:
    """Return estimate and limits of a figure's pooled rates as proportions, shape (row, 3); NaN without limits."""
    rows = []
    for page in map(see, pages):
        ends = {line[0, 1]: line[:, 0] for line in page.one("pooled-interval").get_segments()}
        rows += [(x, *ends.get(y, (np.nan, np.nan))) for x, y in page.points("pooled")]
    return np.array(rows) / 100


def recorded(of: dict[str, Any]) -> np.ndarray:
    return np.column_stack([np.atleast_1d(of[name]) for name in ("estimate", "low", "high")])


@pytest.mark.parametrize("name", METHODS)
def test_leave_one_out_is_that_of_metafor(tables: RunTables, metafor: dict[str, Any], see, name: str) -> None:
    rows = drawn(KINDS["leave-one-out"].draw(tables, View(method=METHODS[name], sort="cohort_id")), see)
    expected = metafor[name]
    assert rows[0] == pytest.approx(recorded(expected["all"])[0], rel=ITERATED)
    assert rows[1:] == pytest.approx(recorded(expected["leave1out"]), rel=ITERATED)


@pytest.mark.parametrize("name", METHODS)
def test_cumulative_is_that_of_metafor(tables: RunTables, metafor: dict[str, Any], see, name: str) -> None:
    pages = KINDS["cumulative"].draw(tables, View(method=METHODS[name], by="cutoff"))
    expected = metafor[name]["cumul"]
    words = [word for page in pages for word in see(page).words]
    added = [word.partition(": ")[0] for word in words if ": " in word and word[:3] in ("201", "202", "not")]
    assert added == [value or "not known" for value in expected["value"]]
    rows, theirs = drawn(pages, see), recorded(expected)
    assert rows[:, 0] == pytest.approx(theirs[:, 0], rel=ITERATED)
    # With one cohort metafor fits a common effect; ours has no degree of freedom for an interval by t.
    several = np.array(expected["k"]) > (1 if "adhoc" in name else 0)
    assert rows[several] == pytest.approx(theirs[several], rel=ITERATED)
    assert np.isnan(rows[~several, 1:]).all()


@pytest.mark.parametrize("name", METHODS)
def test_subgroups_are_those_of_metafor(tables: RunTables, metafor: dict[str, Any], see, name: str) -> None:
    pages = KINDS["classical"].draw(tables, View(method=METHODS[name], by="line"))
    expected = metafor[name]["subgroups"]
    order = [expected["level"].index(level) for level in ("naive", "pretreated", "mixed")]
    assert drawn(pages, see)[:-1] == pytest.approx(recorded(expected)[order], rel=ITERATED)
    assert drawn(pages, see)[-1] == pytest.approx(recorded(metafor[name]["all"])[0], rel=ITERATED)
    bars = [bar.vertices[:, 0] / 100 for page in pages for bar in see(page).one("prediction").get_paths()]
    limits = np.column_stack([expected["prediction_low"], expected["prediction_high"]])[order]
    assert [(bar.min(), bar.max()) for bar in bars[:-1]] == [pytest.approx(tuple(row), rel=ITERATED) for row in limits]


def test_the_model_leaves_out_by_weights_and_says_how_many_it_refitted(tables: RunTables, see) -> None:
    (page,) = KINDS["leave-one-out"].draw(tables, View(by_trial=True, columns=("cutoff", "agent")))
    found = rates_without(tables.fit, by_trial=True)
    rates = {row.name: row.rate.summary for row in found.rows}
    rows = drawn([page], see)
    assert rows[0] == pytest.approx([found.whole.summary[name] for name in ("median", "low", "high")])
    middle = found.whole.summary["median"]
    order = sorted(rates, key=lambda name: -abs(rates[name]["median"] - middle))
    assert rows[1:] == pytest.approx(
        np.array([[rates[name][end] for end in ("median", "low", "high")] for name in order])
    )
    words = " ".join(see(page).words)
    anew = sum(row.refitted for row in found.rows)
    assert f"{44 - anew} of 44 trials left out by weights on the draws of all; the model was refitted without" in words
    median, low, high = (
        f"{100 * max(rate[f'mcse_{end}'] for rate in rates.values()):.2f}" for end in ("median", "low", "high")
    )
    assert (
        f"The Monte Carlo error is at most {median} points of a median, {low} of a lower and {high} of an upper limit."
        in words
    )
    assert {"cutoff", "2017-02", "several", "pooled, 95 % credible interval"} <= set(see(page).words)


@pytest.mark.parametrize("by_trial", [False, True])
def test_each_row_is_the_rate_without_it(tables: RunTables, see, by_trial: bool) -> None:
    view = View(by_trial=by_trial, method="glmm-ml")
    (page,) = KINDS["leave-one-out"].draw(tables, view)
    seen = see(page)
    table = influence_table(tables.evidence, method=PoolingMethod("glmm-ml"), by_trial=by_trial)
    expected = 100 * np.array([table.full.estimate, *table.rows["estimate"]])
    assert seen.points("pooled")[:, 0] == pytest.approx(expected)
    limits = np.array([segment[:, 0] for segment in seen.one("pooled-interval").get_segments()])
    assert limits[1:] == pytest.approx(100 * table.rows[["low", "high"]].to_numpy())
    assert f"Pooled objective response rate without each {'trial' if by_trial else 'cohort'}" in seen.words
    assert {"ASCEND-7" if by_trial else "ALESIA, alectinib", "62/156" if by_trial else "114/125"} <= set(seen.words)
    low, high = page.axes[0].get_xlim()
    assert 0 < low <= limits.min() < limits.max() <= high < 100, "the axis follows the data"


def test_subgroups_have_their_cohorts_and_pooled_rates(tables: RunTables, see) -> None:
    pages = [see(page) for page in KINDS["classical"].draw(tables, View(by="generation"))]
    rows = pool_table(tables.evidence, by=("generation",), methods=(PoolingMethod(DEFAULT_METHOD),))
    found = [x for page in pages for x in page.points("pooled")[:, 0]]
    finite = rows["estimate"].notna()
    assert found == pytest.approx(100 * np.array([*rows["estimate"][1:], rows["estimate"][0]])[np.roll(finite, -1)])
    frame = tables.evidence.frame
    observed = [x for page in pages for x in page.points("observed")[:, 0]]
    stated = frame["generation"] != ""
    assert sorted(observed) == pytest.approx(sorted((100 * frame["responders"] / frame["n"])[stated]))
    words = [word for page in pages for word in page.words]
    assert {"agent generation: 1", "agent generation: 4"} <= set(words)
    for record in rows.to_dict("records"):
        assert f"{record['responders']:,}/{record['patients']:,}" in words


def test_cohorts_without_a_level_are_in_no_group_but_drawn(run, see) -> None:
    tables = RunTables(run.folder, read_run(run.folder))
    tables.evidence.frame.loc[tables.evidence.frame["region"] == "usa", "region"] = ""
    pages = [see(page) for page in KINDS["classical"].draw(tables, View(by="region"))]
    assert "region not known" in [word for page in pages for word in page.words]
    assert sum(len(page.points("observed")) for page in pages) == 66


def test_cohorts_are_added_by_year(tables: RunTables, see) -> None:
    (page,) = KINDS["cumulative"].draw(tables)
    seen = see(page)
    assert "3,436/5,707" in seen.words
    added = [word.partition(": ")[0] for word in seen.words if word.endswith(("cohorts", ", crizotinib"))]
    assert added == [*sorted(added[:-1]), "not known"]
    assert seen.points("pooled").shape[0] == len(added)


LINES = [
    Line("group", heading=True),
    *(Line(f"cohort {at}", "1/20", numbers=(0.05, 0.01, 0.2), pooled=False) for at in range(120)),
    Line("Pooled", "120/2,400", "120", (0.05, 0.04, 0.06), (0.02, 0.12), last=True),
]


def test_a_low_rate_has_the_whole_axis_and_a_page_says_which_group_goes_on(see) -> None:
    pages = pooled_forest(LINES, "Title", names="Cohort", pooled=0.05)
    assert len(pages) == 2
    assert [page.axes[0].get_xlim() for page in pages] == [(0, 20)] * 2
    for page in pages:
        assert see(page).overlaps() == []
        assert see(page).outside() == []
    assert "group (continued)" in see(pages[1]).words
    assert "group (continued)" not in see(pages[0]).words
    cohorts = [word for page in pages for word in see(page).words if word.startswith("cohort ")]
    assert len(cohorts) == 120


def test_what_lies_beyond_the_axis_ends_in_an_arrow(see) -> None:
    lines = [Line("a", numbers=(0.3, 0.1, 0.55)), Line("b", numbers=(0.7, 0.6, 0.8)), Line("none")]
    view = View(title="Mine", xlim=(20, 50), reference=25)
    (page,) = pooled_forest(lines, "Title", names="Cohort", view=view)
    seen = see(page)
    assert seen.points("pooled").tolist() == [[30.0, 0.5]], "a point beyond the axis is not drawn over the numbers"
    beyond = [arrow.get_offsets().tolist() for arrow in seen.by_gid("beyond") if len(arrow.get_offsets())]
    assert beyond == [[[20.0, 0.5]], [[50.0, 0.5], [50.0, 1.5]]]
    assert seen.one("reference").get_xdata() == [25, 25]
    assert {"Mine", "reference, 25 %", "goes on beyond the axis", "70.0 (60.0–80.0)", "no result"} <= set(seen.words)
    assert "Title" not in seen.words


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [
        (54.6, 65.7, (54, 66, 2)),
        (0.4, 4.9, (0, 5, 1)),
        (0, 100, (0, 100, 20)),
        (98.7, 100, (98.5, 100, 0.5)),
        (5, 5, (5, 5.1, 0.1)),
    ],
)
def test_the_axis_holds_the_data_between_round_numbers(low: float, high: float, limits: tuple[float, ...]) -> None:
    assert percent_limits(low, high) == pytest.approx(limits)


def test_columns_take_their_room_from_the_axis_and_long_names_are_cut(see) -> None:
    name = "NCT01234567, 600 mg twice daily with food after chemotherapy and one inhibitor"
    lines = [
        Line(f"{name} ({at})", "1/20", numbers=(0.05, 0.01, 0.2), pooled=False, columns=(f"{at}", name))
        for at in range(500)
    ]
    lines.append(Line("Pooled", "500/10,000", "500", (0.05, 0.04, 0.06), (0.02, 0.12), last=True))
    pages = pooled_forest(lines, name * 3, names="Cohort", view=View(columns=("n", name)))
    assert len(pages) == 7
    for page in pages[:2] + pages[-1:]:
        assert see(page).overlaps() == []
        assert see(page).outside() == []
    numbers = [word for page in pages for word in see(page).words if word.isdecimal()]
    assert set(map(str, range(500))) <= set(numbers)
    assert sum("…" in word for word in see(pages[0]).words) > 100


@pytest.mark.parametrize("kind", ["leave-one-out", "cumulative", "classical"])
def test_a_classical_forest_has_the_notes_of_its_pooled_rates(tables: RunTables, see, kind: str) -> None:
    pages = KINDS[kind].draw(tables, View(method=DEFAULT_METHOD))
    words = " ".join(word for page in pages for word in see(page).words)
    assert "1/2 was added to events and non-events of cohort brig101-crizotinib-naive" in words
    assert words.count("1/2 was added") == 1


def test_a_rate_without_an_interval_says_why(tables: RunTables, see) -> None:
    (page,) = KINDS["cumulative"].draw(tables, View(by="cutoff"))
    assert "(–)" in " ".join(see(page).words)
    assert "The Hartung-Knapp interval needs at least two cohorts." in " ".join(see(page).words)


def test_a_model_without_heterogeneity_needs_a_method(tables: RunTables) -> None:
    flat = RunTables(tables.folder, tables.document)
    design = replace(tables.fit.design, effects=(), group=None, cohort=None)
    flat.__dict__["fit"] = replace(tables.fit, design=design)
    with pytest.raises(FigureError, match=r"has neither heterogeneity nor .*Choose a method of classical pooling"):
        KINDS["leave-one-out"].draw(flat)


def test_a_table_with_years_is_added_by_them(run, see) -> None:
    tables = RunTables(run.folder, read_run(run.folder))
    frame = tables.evidence.frame
    frame["year"] = ["2001" if at % 2 else "1999" for at in range(len(frame))]
    (page,) = KINDS["cumulative"].draw(tables)
    assert {"1999: 33 cohorts", "2001: 33 cohorts"} <= set(see(page).words)
    assert not any("data cut-off" in word for word in see(page).words)
