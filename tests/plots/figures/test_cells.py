"""Pooled rates by group."""

import numpy as np
import pytest

from alkbayes.plots.figures.cells import cells
from alkbayes.plots.page.layout import MM


def test_every_group_has_its_three_intervals(run, see) -> None:
    pooled = run.results.pooled
    (page,) = cells(pooled)
    seen = see(page)
    assert page.get_size_inches()[0] / MM == pytest.approx(85)
    shown = pooled[pooled["estimand"] == "mean"]
    for estimand, look in (("typical", "typical"), ("mean", "mean"), ("next_cohort", "prediction")):
        numbers = pooled[pooled["estimand"] == estimand]
        extents = [path.vertices[:, 0] for path in seen.one(look).get_paths()]
        found = sorted((x.min(), x.max()) for x in extents)
        assert np.array(found) == pytest.approx(100 * numbers.sort_values(["low", "high"])[["low", "high"]].to_numpy())
    for k, patients in shown[["k", "patients"]].itertuples(index=False):
        assert f"k = {k:,}, n = {patients:,}" in seen.words
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert page.axes[0].get_xlim() == (0, 100)


def test_a_model_without_effects_has_one_row(tables_of, see) -> None:
    (page,) = cells(tables_of(3, grouped=False)[0])
    assert len(see(page).one("mean").get_paths()) == 1
