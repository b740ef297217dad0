"""The figure of systemic and intracranial rates: each mark at its number, each row named once."""

import pandas as pd
import pytest

from alkbayes.plots.figures.intracranial import intracranial
from alkbayes.plots.page.layout import MM
from alkbayes.plots.page.style import DOUBLE_MM, Caption
from alkbayes.vocabulary import group_row

SIDES = ("systemic", "systemic, same cohorts", "intracranial")


@pytest.fixture(scope="module")
def rates(tables_of) -> pd.DataFrame:
    pooled, _ = tables_of(6)
    shown = pooled[pooled["estimand"].isin(["typical", "mean"])]
    parts = [shown.assign(side=side, patients=100 * (place + 1)) for place, side in enumerate(SIDES)]
    # A level that the systemic table has and the intracranial one has not is not drawn.
    extra = parts[0].iloc[[-1]].assign(**group_row({"line": "mixed"}))
    return pd.concat([parts[0], extra, *parts[1:]], ignore_index=True)


def test_it_is_one_page_two_columns_wide_with_nothing_cut_or_covered(rates, see) -> None:
    (page,) = intracranial(rates, Caption(("Evidence: own.csv.",)))
    seen = see(page)
    assert page.get_size_inches()[0] / MM == pytest.approx(DOUBLE_MM)
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_each_side_has_its_panel_and_each_row_its_name_once(rates, see) -> None:
    seen = see(intracranial(rates)[0])
    for title in ("Systemic", "Systemic, same cohorts", "Intracranial"):
        assert seen.words.count(title) == 1
    for name in ("All cohorts", "By line", "Treatment-naive", "Pretreated", "By line and generation"):
        assert seen.words.count(name) == 1
    assert seen.words.count("Treatment-naive, first") == 1
    assert "Mixed lines" not in seen.words


def test_marks_are_at_the_numbers(rates, see) -> None:
    seen = see(intracranial(rates)[0])
    for side in SIDES:
        for estimand in ("typical", "mean"):
            rows = rates[(rates["side"] == side) & (rates["estimand"] == estimand) & (rates["level"] != "mixed")]
            paths = seen.one(f"{side} {estimand}").get_paths()
            corners = [(path.vertices[0, 0], path.vertices[1, 0], path.vertices[2, 0]) for path in paths]
            expected = (100 * rows[["low", "median", "high"]]).to_numpy().tolist()
            assert corners == [pytest.approx(row) for row in expected]


def test_counts_stand_beside_their_side(rates, see) -> None:
    seen = see(intracranial(rates)[0])
    rows = rates[(rates["side"] == "intracranial") & (rates["estimand"] == "mean")]
    assert seen.words.count("k 3, 50/300") == len(rows)
    assert seen.words.count("k 3, 50/100") == len(rows)


def test_a_hostile_level_is_text(tables_of, see, hostile) -> None:
    pooled, _ = tables_of(2, grouped=False)
    shown = pooled[pooled["estimand"].isin(["typical", "mean"])]
    named = [shown.assign(**group_row({"line": name})) for name in hostile]
    table = pd.concat([shown, *named], ignore_index=True).assign(side="intracranial")
    seen = see(intracranial(table, Caption((), "NOT CONVERGED"))[0])
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert "NOT CONVERGED" in seen.words


def test_a_level_missing_on_one_side_leaves_a_gap_there(rates, see) -> None:
    fewer = rates[~((rates["side"] == "systemic") & (rates["level"] == "naive"))]
    seen = see(intracranial(fewer)[0])
    full = see(intracranial(rates)[0])
    lost = len(full.one("systemic mean").get_paths()) - len(seen.one("systemic mean").get_paths())
    assert lost == 1
    assert len(full.one("intracranial mean").get_paths()) == len(seen.one("intracranial mean").get_paths())
