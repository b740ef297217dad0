"""The heat map of sequences."""

import pytest

from alkbayes.analyses.sequence import sequence_table
from alkbayes.estimates.rates import posterior_of
from alkbayes.plots.figures.sequence import sequence


@pytest.fixture(scope="module")
def table(sequence_run):
    return sequence_table(posterior_of(sequence_run.fit), sequence_run.fit.evidence.frame)


def of(table, estimand: str) -> list[dict]:
    return table[table["estimand"] == estimand].to_dict(orient="records")


def test_each_cell_says_its_rate_its_interval_and_of_how_many(table, see) -> None:
    (page,) = sequence(table)
    seen = see(page)
    for row in of(table, "mean"):
        assert f"{100 * row['median']:.0f}" in seen.words
        assert f"{100 * row['low']:.0f}–{100 * row['high']:.0f}" in seen.words
    for row in of(table, "next_cohort"):
        assert f"next {100 * row['low']:.0f}–{100 * row['high']:.0f}" in seen.words
    assert seen.words.count("no cohorts") == sum(not row["observed"] for row in of(table, "mean")) == 10
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert "not randomised" in " ".join(seen.words)


def test_what_no_cohort_has_had_is_hatched(table, see) -> None:
    seen = see(sequence(table)[0])
    rows, columns = list(dict.fromkeys(table["earlier"])), list(dict.fromkeys(table["generation"]))
    for row in of(table, "mean"):
        y, x = rows.index(row["earlier"]), columns.index(row["generation"])
        assert len(seen.by_gid(f"predicted-{y}-{x}")) == (not row["observed"])


def test_higher_rates_are_darker_in_grey(table, see) -> None:
    seen = see(sequence(table)[0])
    rows, columns = list(dict.fromkeys(table["earlier"])), list(dict.fromkeys(table["generation"]))
    greys = []
    for row in of(table.sort_values("median"), "mean"):
        cell = seen.one(f"cell-{rows.index(row['earlier'])}-{columns.index(row['generation'])}")
        red, green, blue, _ = cell.get_facecolor()
        greys.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    assert greys == sorted(greys, reverse=True)
    assert greys[-1] > 0.3, "dark numbers stand out on it"
