"""Benefit beside harm: every cross at its numbers with both intervals, named below, nothing over anything else."""

import numpy as np
import pandas as pd
import pytest

from alkbayes.analyses.safety import BENEFIT_COLUMNS, safety_of
from alkbayes.evidence.adverse_events import read_adverse_events
from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.safety import MOST_LISTED, benefit_beside_harm
from alkbayes.plots.page.style import Caption


@pytest.fixture(scope="module")
def benefit() -> pd.DataFrame:
    return safety_of(read_evidence(), read_adverse_events()).benefit


def test_crosses_stand_at_the_numbers_with_both_intervals(benefit: pd.DataFrame, see) -> None:
    (page,) = benefit_beside_harm(benefit, "generation", Caption(("A footnote.",)))
    seen = see(page)
    assert len(seen.figure.axes) == 2
    # The discontinuation panel first.
    for axes, measure in zip(seen.figure.axes, ("discontinuation_ae", "serious_ae"), strict=True):
        rows = benefit[benefit["measure"] == measure].sort_values(["agent", "trial"])
        drawn = np.concatenate([points.get_offsets() for points in axes.collections if points.get_gid() == "cohort"])
        np.testing.assert_allclose(drawn, 100 * rows[["harm", "response"]].to_numpy(dtype=float))
        for number, row in enumerate(rows.to_dict("records"), 1):
            lines = {line.get_gid(): line for line in axes.lines}
            np.testing.assert_allclose(
                lines[f"harm-{number}"].get_xdata(), [100 * row["harm_low"], 100 * row["harm_high"]]
            )
            ends = [100 * row["response_low"], 100 * row["response_high"]]
            np.testing.assert_allclose(lines[f"response-{number}"].get_ydata(), ends)
        assert axes.get_xlim()[1] >= 100 * rows["harm_high"].max()
    for word in ("ceritinib, ASCEND-1", "lorlatinib, NCT01970865 phase 1", "First-generation TKI", "A footnote."):
        assert word in seen.words
    assert seen.outside() == []


def test_a_column_without_levels_has_no_key_and_many_rows_are_cut(see) -> None:
    n = MOST_LISTED + 5
    rows = pd.DataFrame(
        {name: ["x"] * n for name in BENEFIT_COLUMNS[:5]}
        | {name: np.linspace(0.2, 0.6, n) for name in BENEFIT_COLUMNS[9:]}
        | {name: [1] * n for name in BENEFIT_COLUMNS[5:9]}
    ).assign(measure="serious_ae", level="all")
    (page,) = benefit_beside_harm(rows)
    words = see(page).words
    assert "… and 5 more, which `alkbayes safety` prints." in words
    assert "all" not in words


def test_nothing_to_draw_is_said(see) -> None:
    (page,) = benefit_beside_harm(pd.DataFrame(columns=list(BENEFIT_COLUMNS)))
    assert "No cohort of the table has a count of both." in see(page).words
