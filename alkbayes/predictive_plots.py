"""Plots of predictive checks: calibration over cohorts, and what each cohort was predicted to have."""

from typing import TYPE_CHECKING, Any

import numpy as np
from arviz_stats.ecdf_utils import ecdf_pit

from alkbayes.plotting import Figures
from alkbayes.predictive_checks import INNER_PROB, LEAST_COHORTS, Kind, PosteriorChecks, PriorChecks
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ROW = 0.17
"""Of a cohort, inches."""
SIMULATIONS = 2000
SEED = 214
TITLES = {
    Kind.NEW: "new cohorts of new trials with these profiles",
    Kind.SAME: "the same cohorts again, each at its own rate",
}


def posterior_figures(found: PosteriorChecks) -> Figures:
    """Return the figures of posterior predictive checks; with few cohorts there is no calibration plot."""
    figures = {"intervals": lambda: _cohorts(found.cohorts)}
    if len(found.cohorts) >= LEAST_COHORTS:
        figures["calibration"] = lambda: _calibration(found)
    return figures


def prior_figures(found: PriorChecks) -> Figures:
    """Return the figure of prior predictive checks."""
    return {"prior-cells": lambda: _cells(found.cells)}


def _calibration(found: PosteriorChecks) -> "Figure":
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.9), sharey=True)
    for place, (axis, kind) in enumerate(zip(axes, (Kind.NEW, Kind.SAME), strict=True)):
        points, share, low, high = ecdf_pit(
            found.pit[kind], INTERVAL_PROB, SIMULATIONS, rng=np.random.default_rng(SEED)
        )
        axis.fill_between(points, low, high, step="mid", color="0.88", label="95 % band, all along")
        axis.plot((0, 1), (0, 1), color="0.5", linestyle="--", linewidth=0.8)
        axis.step(points, share, where="mid", color="C0", label="cohorts")
        p = found.uniform[kind]
        judged = "nearer to the middle by construction" if kind is Kind.SAME or p is None else _p_value(p)
        axis.set_title(f"{TITLES[kind]}\n{judged}")
        axis.set_xlabel("PIT value")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_aspect("equal")
        if place == 0:
            axis.set_ylabel("share of cohorts with a smaller one")
            axis.legend(loc="upper left", frameon=False)
    figure.suptitle(f"Calibration over {len(found.cohorts)} cohorts")
    return figure


def _p_value(p: float) -> str:
    return "uniformity: p < 0.001" if p < 0.001 else f"uniformity: p = {p:.3f}"


def _cohorts(cohorts: "pd.DataFrame") -> "Figure":
    import matplotlib.pyplot as plt

    table = cohorts.sort_values("observed", kind="stable", ignore_index=True)
    rows = np.arange(len(table))
    figure, axis = plt.subplots(figsize=(7.5, ROW * len(table) + 1.6))
    _intervals(axis, table, "new_", rows)
    axis.hlines(
        rows + 0.28, 100 * table["same_low"], 100 * table["same_high"], color="C1", linewidth=1.0, label="same, 95 %"
    )
    outside = (table["observed"] < table["new_low90"]) | (table["observed"] > table["new_high90"])
    axis.scatter(100 * table["observed"], rows, s=14, color="black", zorder=3, label="observed")
    axis.scatter(
        100 * table.loc[outside, "observed"],
        rows[outside],
        s=70,
        facecolors="none",
        edgecolors="C3",
        zorder=3,
        linewidths=1.2,
        label=f"outside the {100 * INNER_PROB:.0f} % interval",
    )
    _label(
        axis,
        [f"{name}  ({y}/{n})" for name, y, n in zip(table["cohort_id"], table["responders"], table["n"], strict=True)],
    )
    axis.set_title("Predicted and observed response rate of each cohort, %")
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def _cells(cells: "pd.DataFrame") -> "Figure":
    import matplotlib.pyplot as plt

    table = cells.iloc[::-1].reset_index(drop=True)
    rows = np.arange(len(table))
    figure, axis = plt.subplots(figsize=(7.5, 0.3 * len(table) + 1.6))
    axis.hlines(
        rows, 100 * table["low"], 100 * table["high"], color="C0", linewidth=3.0, alpha=0.5, label="prior, 95 %"
    )
    axis.scatter(100 * table["median"], rows, marker="|", s=60, color="C0", label="prior median")
    axis.scatter(100 * table["observed"], rows, s=16, color="black", zorder=3, label="observed")
    _label(
        axis,
        [
            f"{cell}  ({y}/{n})"
            for cell, y, n in zip(table["cell"], table["responders"], table["patients"], strict=True)
        ],
    )
    axis.set_title("Response rate of each cell before any count is read, %")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def _intervals(axis: Any, table: "pd.DataFrame", kind: str, rows: Any) -> None:
    for ends, prob, width, alpha in (("", 95, 1.2, 0.6), ("90", 90, 3.5, 0.35)):
        low, high = (100 * table[f"{kind}{end}{ends}"] for end in ("low", "high"))
        axis.hlines(rows, low, high, color="C0", linewidth=width, alpha=alpha, label=f"new, {prob} %")


def _label(axis: Any, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.8, len(names) - 0.2)
    axis.set_xlim(-2, 102)
    axis.grid(axis="x", color="0.92")
    axis.set_axisbelow(True)
