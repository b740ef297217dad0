"""Funnel and Baujat's plot."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from alkbayes.classical.influence.tables import influence_table
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.diagnostic import LABELLED, baujat, funnel


@pytest.fixture(scope="module")
def frame():
    return read_evidence().frame


def test_cohorts_stand_at_rate_and_size(frame, see) -> None:
    (page,) = funnel(frame, pooled=0.6, tau2=0.5, method="reml-logit")
    seen = see(page)
    points = seen.points("observed")
    assert points[:, 0] == pytest.approx((100 * frame["responders"] / frame["n"]).to_numpy())
    assert points[:, 1] ** -2 == pytest.approx(frame["n"].to_numpy(dtype=float))
    (axes,) = page.axes
    assert axes.get_xlim() == (0, 100)
    labels = {text.get_text(): y for y, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}
    assert labels["100"] == pytest.approx(0.1)
    assert axes.yaxis_inverted()
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert "weak evidence" in " ".join(seen.words)


def test_curves_hold_what_chance_allows(frame, see) -> None:
    seen = see(funnel(frame, pooled=0.6, tau2=0.5, method="reml-logit")[0])
    x, depth = seen.one("chance+1").get_data()
    at = np.argmin(abs(depth - 0.1))  # a hundred patients
    n = depth[at] ** -2
    share = x[at] / 100
    # By its own definition: the logit lies 1.96 of its standard errors above that of 60 %.
    logit = np.log(share / (1 - share)) - np.log(0.6 / 0.4)
    assert logit == pytest.approx(norm.ppf(0.975) / np.sqrt(n * 0.6 * 0.4))
    wide = seen.one("all-1").get_data()[0][0] / 100
    assert np.log(wide / (1 - wide)) - np.log(0.6 / 0.4) == pytest.approx(-norm.ppf(0.975) * np.sqrt(0.5), rel=1e-4)


def test_baujat_has_the_coordinates_of_the_table_and_names_the_far_ones(see) -> None:
    rows = influence_table(read_evidence(), method=PoolingMethod.REML_LOGIT).rows
    (page,) = baujat(rows, method="reml-logit")
    seen = see(page)
    found = seen.points("cohorts")
    assert found == pytest.approx(rows[["baujat_x", "baujat_y"]].to_numpy())
    far = rows.assign(size=rows["baujat_x"] * rows["baujat_y"]).nlargest(LABELLED, "size")["left_out"]
    assert all(name in seen.words for name in far)
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_names_that_have_no_room_are_left_out(see) -> None:
    rows = pd.DataFrame({"left_out": [f"cohort-{at}" for at in range(30)], "baujat_x": 1.0, "baujat_y": 1.0})
    seen = see(baujat(rows, method="reml-logit")[0])
    assert seen.overlaps() == []


def test_without_coordinates_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="coordinates"):
        baujat(pd.DataFrame({"left_out": ["a"], "baujat_x": [np.nan], "baujat_y": [np.nan]}), method="x")
