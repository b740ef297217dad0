"""What stands in a forest, row by row and page by page."""

import pandas as pd
import pytest

from alkbayes.evidence.outcomes import ORR
from alkbayes.plots.page.forest_rows import (
    NOT_COMPARED,
    Rank,
    exact_limits,
    forest_rows,
    group_name,
    over_own_patients,
    pages_of,
    summary_notes,
    weights_of,
)


def test_cohorts_stand_in_their_line_and_generation(tables_of) -> None:
    pooled, cohorts = tables_of(14)
    rows = forest_rows(pooled, cohorts)
    line = generation = None
    seen = []
    for row in rows:
        if row.rank is Rank.OUTER:
            line = row.level
        elif row.rank is Rank.INNER:
            generation = row.level
        elif row.rank is Rank.COHORT:
            record = cohorts.iloc[row.cohort]
            assert generation == f"{record['line']}:{record['regimen_class']}"
            assert line == record["line"]
            seen.append(row.label)
    assert sorted(seen) == sorted(cohorts["cohort_id"])
    assert rows[-1].rank is Rank.OVERALL


def test_one_effect_makes_one_level_of_groups(tables_of) -> None:
    pooled, cohorts = tables_of(6)
    rows = forest_rows(pooled[pooled["group"] != "line:generation"], cohorts)
    assert [row.label for row in rows if row.rank is not Rank.COHORT] == [
        "Treatment-naive",
        "Pretreated",
        "All cohorts",
    ]


@pytest.mark.parametrize("room", [12.0, 20.0, 45.5])
def test_pages_hold_every_row_once_and_no_more_than_fits(tables_of, room: float) -> None:
    rows = forest_rows(*tables_of(120))
    pages = pages_of(rows, room)
    assert [row for page in pages for row in page if not row.continued] == rows
    for page in pages:
        assert sum(row.rows for row in page) <= room
        assert page[0].rank is not Rank.COHORT, "a page begins with the name of its group"
    for page in pages[:-1]:
        assert page[-1].rank is Rank.COHORT, "a summary is not left alone at the foot"


def test_weights_are_those_of_random_effects(tables_of) -> None:
    _, cohorts = tables_of(8)
    tau2, variance = 0.4, 1 / cohorts["n"].to_numpy()
    weights = weights_of(cohorts.assign(shrinkage=variance / (variance + tau2)), ORR)
    inverse = 1 / (variance + tau2)
    assert weights.share == pytest.approx(inverse / inverse.sum())
    assert "information" in weights.meaning


@pytest.mark.parametrize("shrinkage", [None, 1.0])
def test_without_heterogeneity_weights_are_patients(tables_of, shrinkage: float | None) -> None:
    _, cohorts = tables_of(8)
    cohorts = cohorts.drop(columns="shrinkage") if shrinkage is None else cohorts.assign(shrinkage=shrinkage)
    weights = weights_of(cohorts, ORR)
    assert weights.share == pytest.approx(cohorts["n"] / cohorts["n"].sum())
    assert weights.meaning == "Weight: share of all patients."


def test_exact_limits_are_the_published_ones() -> None:
    # 8 of 8: 0.025^(1/8) to 1. ALEX, alectinib and crizotinib at n = 151: 72 % (64-79) as printed.
    low, high = exact_limits(pd.DataFrame({"responders": [8, 109], "n": [8, 151]}))
    assert (low[0], high[0]) == pytest.approx((0.025 ** (1 / 8), 1.0))
    assert (round(100 * low[1]), round(100 * high[1])) == (64, 79)


def test_names_of_groups() -> None:
    assert group_name("generation", "first") == "First-generation TKI"
    assert group_name("generation", "combination") == "Combination"
    assert group_name("line", "naive") == "Treatment-naive"
    assert group_name("agent", "lorlatinib") == "lorlatinib"


def test_a_row_over_its_own_patients_has_their_errors_too() -> None:
    row = {"level": "x", "median": 0.5, "mcse_median": 0.03, "own_median": 0.4, "own_mcse_median": 0.001}
    own = over_own_patients(pd.DataFrame([row])).iloc[0]
    assert (own["median"], own["mcse_median"]) == (0.4, 0.001)
    plain = pd.DataFrame([{"level": "x", "median": 0.5, "mcse_median": 0.03}])
    pd.testing.assert_frame_equal(over_own_patients(plain), plain)
    assert summary_notes(pd.DataFrame([row]), ORR) == (NOT_COMPARED.format(o=ORR),)
    assert summary_notes(plain, ORR) == ()
