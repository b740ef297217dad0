"""The numbers of a setting beside those of the base: the same cells as the other tables, and honest differences."""

import pytest

from alkbayes.explore.analyst import Analyst
from alkbayes.explore.base import Base, whole_table
from alkbayes.explore.comparison import classical_table, headline_rows, heterogeneity_table, moved_most, shifts
from alkbayes.explore.forest import cohort_forest
from alkbayes.explore.jobs import FitJob, Fitted
from alkbayes.explore.setting import parsed
from alkbayes.presentation.fit import pooled_rows
from alkbayes.presentation.tables import rows_by


@pytest.fixture(scope="module")
def pair(rows: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Fitted, Fitted]:
    """The base, its fit, and one without the mixed cohort and b1."""
    from alkbayes.evidence.sources import TableSource
    from alkbayes.explore.base import base_of_table

    path = tmp_path_factory.mktemp("pair") / "t.csv"
    path.write_text(rows, encoding="utf-8")
    base = base_of_table(TableSource(path), "line")
    analyst = Analyst(base)
    return base, *(analyst.answer(FitJob(parsed(query, base.setting), False)) for query in ("", "out=g1&out=b1"))


def test_the_cells_are_those_of_the_table_of_a_fit(pair: tuple[Base, Fitted, Fitted]) -> None:
    _, fitted, _ = pair
    printed = {row[0].strip(): row for row in pooled_rows(fitted.document).rows if len(row) > 1}
    for row in headline_rows(fitted.document, None):
        typical, mean, following = row.cells
        assert printed[row.name][1] == row.k
        assert printed[row.name][-3:] == (
            f"{typical.now}\n{typical.interval}",
            f"{mean.now}\n{mean.interval}",
            following.interval,
        )
        assert (typical.base, mean.shift, following.base_interval) == ("", "", "")


def test_the_base_stands_beside_it_with_the_difference(pair: tuple[Base, Fitted, Fitted]) -> None:
    _, first, other = pair
    found = {row.name: row for row in headline_rows(other.document, first.document)}
    means = (
        {(row["level"]): row["median"] for row in other.document["pooled"] if row["estimand"] == "mean"},
        {row["level"]: row["median"] for row in first.document["pooled"] if row["estimand"] == "mean"},
    )
    for level, name in (("all", "overall"), ("naive", "naive"), ("pretreated", "pretreated")):
        shift = float(found[name].cells[1].shift.replace("−", "-"))
        # To the decimal that is shown, at least a whole point.
        assert shift == pytest.approx(100 * (means[0][level] - means[1][level]), abs=0.51)
    assert (found["naive"].k, found["naive"].base_k) == ("3", "4")
    assert (found["pretreated"].k, found["pretreated"].base_k) == ("4", "")
    assert (found["mixed"].k, found["mixed"].cells) == ("0", ())
    assert len(found["mixed"].base_only) == 3


def test_what_moved_most_is_named_beyond_the_monte_carlo_error(pair: tuple[Base, Fitted, Fitted]) -> None:
    _, first, other = pair
    now, before = (
        {row["level"]: row["median"] for row in each.document["pooled"] if row["estimand"] == "mean"}
        for each in (other, first)
    )
    moved = {level: now[level] - before[level] for level in now}
    level = max(moved, key=lambda name: abs(moved[name]))
    most = shifts(other.document, first.document)[0]
    assert most.by == pytest.approx(moved[level])
    assert most.name == {"all": "the overall mean"}.get(level, f"the mean of {level} (line)")
    rows = headline_rows(other.document, first.document)
    row = next(row for row in rows if row.name.removesuffix(" *") == {"all": "overall"}.get(level, level))
    assert moved_most(other.document, first.document) == (
        f"Moved most: {most.name}, from {row.cells[1].base} % to {row.cells[1].now} % ({row.cells[1].shift} points)."
    )
    still = moved_most(first.document, first.document)
    assert still == "No mean moved by more than its Monte Carlo error explains."


def test_a_shift_within_its_error_does_not_hide_one_beyond_it(pair: tuple[Base, Fitted, Fitted]) -> None:
    _, first, _ = pair
    pooled = [dict(row) for row in first.document["pooled"]]
    for row in pooled:
        if row["estimand"] == "mean":
            noisy = row["level"] == "naive"
            row["median"] += 0.2 if noisy else 0.05
            row["mcse_median"] = 0.1 if noisy else 0.001
    said = moved_most(first.document | {"pooled": pooled}, first.document)
    assert said.startswith("Moved most: ")
    assert "naive" not in said


def test_other_tables_have_the_base_and_the_same_classical_numbers(pair: tuple[Base, Fitted, Fitted]) -> None:
    base, first, other = pair
    table = heterogeneity_table(other.document, first.document)
    before = {row[0]: f"{row[1]} ({row[2]})" for row in heterogeneity_table(first.document, None).rows}
    assert {row[0]: row[3] for row in table.rows} == before
    shown = {row[0].strip(): row for row in classical_table(other.document["classical"], base.spec.outcome).rows}
    crude = rows_by(other.document["classical"], "level", "method")["all",]["crude-wilson"]
    assert shown["overall"][3].startswith(f"{100 * crude['estimate']:.1f}\n")


def test_the_forest_keeps_its_order_whatever_is_left_out(pair: tuple[Base, Fitted, Fitted]) -> None:
    base, first, other = pair
    whole = whole_table(base, base.spec)
    forests = [
        cohort_forest(
            whole,
            excluded=frozenset(excluded),
            dropped={},
            document=fitted.document,
            cohorts=fitted.cohorts,
            prob=base.interval_prob,
        )
        for fitted, excluded in ((first, ()), (other, ("b1", "g1")))
    ]
    names = [[row.label for row in forest.rows if row.cohort] for forest in forests]
    assert sorted(names[0]) == sorted(names[1]) == sorted(whole.frame["cohort_id"])
    # g1, whose level is empty now, stands under a heading of its own; no other cohort has moved.
    assert [name for name in names[0] if name != "g1"] == [name for name in names[1] if name != "g1"]
    left_out = {row.label: row for row in forests[1].rows if row.cohort and not row.ticked}
    assert set(left_out) == {"b1", "g1"}
    assert all(row.row is None for row in left_out.values())
    kept = {row.label: row.row for row in forests[1].rows if row.cohort and row.ticked}
    for record in other.cohorts:
        assert kept[record["cohort_id"]].marks[0].middle == pytest.approx(100 * record["median"])
    trial = {row.label: row.of_trial for row in forests[0].rows if row.cohort}
    assert trial["a1"] == ("a1", "a2")
    assert trial["b1"] == ()


def test_a_preview_is_in_whole_percents(pair: tuple[Base, Fitted, Fitted]) -> None:
    _, first, _ = pair
    pooled = [replace_errors(row) for row in first.document["pooled"]]
    row = headline_rows(first.document, first.document, pooled=pooled)[0]
    assert row.cells[1].now.isdecimal()
    assert "." not in row.cells[2].interval


def replace_errors(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if not name.startswith("mcse")}
