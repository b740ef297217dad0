"""Each cohort's responders compared with their prediction from the other cohorts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr
from scipy.stats import false_discovery_control

from alkbayes.criticism.integrated_likelihood import with_neighbours
from alkbayes.criticism.loo_cohorts import CohortsLeftOut
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import labelled
from alkbayes.inference.fit import Fit
from alkbayes.inference.importance.target import Target, positions
from alkbayes.model.design import Design
from alkbayes.model.draws import linear_predictor, unit_deviations
from alkbayes.model.predictive import heterogeneity_of, new_cohorts
from alkbayes.model.restriction import restricted
from alkbayes.text.json import records
from alkbayes.text.wording import counted

type Array = NDArray[np.float64]

FALSE_DISCOVERY_RATE = 0.05
"""False discovery rate among flagged cohorts (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x)."""
NOMINAL = 0.05
"""Level of single p-values, for the number expected below it by chance."""
GRID = 8193
"""Rates at which a cohort's distribution function is computed; linear interpolation has an error below 1e-4 up to 3,000
patients."""
REPLICATES = 4
"""Predicted numbers of responders for each draw."""


def outlier_table(fit: Fit, left_out: CohortsLeftOut) -> pd.DataFrame:
    """Return each cohort beside its prediction from the others, including those of its trial.

    Returns
    -------
    pandas.DataFrame
        Smallest p first. Columns cohort_id, the grouping column and the effects' columns, n, responders, observed
        (responders / n); median, low and high of the predictive distribution of that proportion without the cohort,
        equal-tailed by the fit's `interval_prob`; p, the two-sided mid-p-value of the responders in that distribution,
        p_mcse, its Monte Carlo standard error, p_swapped, the same with responders and non-responders swapped,
        p_adjusted (Benjamini-Hochberg) and outlying, True if that is at most 0.05; elpd, the log predictive density;
        pareto_k and refitted, True for an exact refit. Proportions are in [0, 1].

    Notes
    -----
    The mid-p-value P(Y < y) + P(Y = y) / 2 is the discrete counterpart of a probability integral transform (Marshall
    and Spiegelhalter 2007, doi:10.1214/07-BA218, use it to screen units of hierarchical models). Two-sided is twice the
    smaller tail.
    """
    design, draws_of_all = fit.design, fit.draws
    columns = {"cohort_id": list(design.cohorts)}
    if design.group is not None:
        columns[design.group.unit] = [design.group.units[unit] for unit in design.group.index]
    table = pd.DataFrame(columns | {name: values.tolist() for name, values in design.covariates.items()})
    table["n"], table["responders"] = design.n.astype(np.int64), design.responders.astype(np.int64)
    table["observed"] = design.responders / design.n
    rows = []
    for cohort in range(len(design.cohorts)):
        rng = np.random.default_rng([fit.provenance.settings.seed, 2, cohort])
        if cohort in left_out.refitted:
            draws = left_out.refitted[cohort].draws
            weights = np.full(draws["alpha"].size, 1 / draws["alpha"].size)
        else:
            draws, weights = draws_of_all, np.exp(left_out.log_weights[:, cohort])
        rates = rates_given_others(design, draws, cohort, rng=rng)
        rows.append(_compared(design, cohort, rates, weights, rng, prob=fit.interval_prob))
    table = pd.concat([table, pd.DataFrame(rows)], axis=1)
    table["p_adjusted"] = false_discovery_control(table["p"])
    table["outlying"] = table["p_adjusted"] <= FALSE_DISCOVERY_RATE
    table["elpd"] = left_out.loo.elpd_i.to_numpy()
    table["pareto_k"] = left_out.pareto_k
    table["refitted"] = [cohort in left_out.refitted for cohort in range(len(table))]
    return table.sort_values("p", kind="stable", ignore_index=True)


def rates_given_others(design: Design, draws: Mapping[str, Array], cohort: int, *, rng: np.random.Generator) -> Array:
    """Return response rates of a cohort drawn given the global parameters and the other cohorts of its group.

    Parameters
    ----------
    design
        Design of all cohorts.
    draws
        At least the global parameters, axes (chain, draw, ...).
    cohort
        Position of the cohort.

    Returns
    -------
    ndarray
        Proportions in [0, 1], shape (draw, replicate), chains one after the other. The group's deviation is drawn once
        for each draw, from its distribution given the others, the cohort's own once for each replicate.
    """
    count = draws["alpha"].size
    flat = {name: values.reshape(count, *values.shape[2:]) for name, values in draws.items()}
    own = _new_unit(restricted(design, np.array([cohort], dtype=np.intp)))
    logits = linear_predictor(own, flat, {block.label: block.index for block in own.effects})
    others = np.setdiff1d(with_neighbours(design, np.array([cohort])), [cohort])
    group = design.group
    if group is not None and others.size > 0:
        target = Target(restricted(design, others))
        drawn = flat | target.draw_deviations(*positions(target, draws), rng)
        logits = logits + unit_deviations(target.design.heterogeneity[0], drawn)
        own = replace(own, group=None)
    return new_cohorts(heterogeneity_of(own, flat), count, rng=rng).rates(logits, np.ones(1), rng=rng)


def _new_unit(design: Design) -> Design:
    """Return the design of one cohort, new units with the probability of its own unit of being exchangeable."""
    term = design.exnex
    if term is None or term.exnex is None:
        return design
    term = replace(term, exnex=replace(term.exnex, of_new=term.exnex.probabilities[0]))
    return replace(design, group=term) if design.cohort is None else replace(design, cohort=term)


def fit_record(fit: Fit) -> dict[str, Any]:
    """Return what a kept analysis of a fit is about, as JSON values."""
    return {
        "model": fit.spec.name,
        "engine": str(fit.provenance.engine),
        "evidence": {"source": fit.evidence.source, "cohorts": fit.evidence.cohorts, "sha256": fit.evidence.sha256},
    }


def outlier_record(fit: Fit, left_out: CohortsLeftOut, table: pd.DataFrame) -> dict[str, Any]:
    """Return the results of leaving out each cohort, with the verdict, as JSON values.

    `table` comes from :func:`outlier_table`.
    """
    loo, called = left_out.loo, labelled(table, fit.evidence.frame)
    return {
        "interval_prob": fit.interval_prob,
        "elpd": float(loo.elpd),
        "se": float(loo.se),
        "p": float(loo.p),
        "good_k": float(loo.good_k),
        "below": int((table["p"] < NOMINAL).sum()),
        "expected_below": NOMINAL * len(table),
        "verdict": list(verdict(called, model=fit.spec.name, outcome=fit.evidence.outcome)),
        "cohorts": records(table),
    }


def verdict(table: pd.DataFrame, *, model: str, outcome: Outcome) -> tuple[str, ...]:
    """Return paragraphs on the outlying cohorts, and how to follow them up."""
    below, count = int((table["p"] < NOMINAL).sum()), len(table)
    chance = (
        f"{below} of {counted(count, 'cohort')} {'has' if below == 1 else 'have'} p below {NOMINAL}, "
        f"{count * NOMINAL:.1f} are expected by chance."
    )
    found = table[table["outlying"]].to_dict(orient="records")
    if not found:
        return (f"No cohort is at odds with {model} beyond what so many comparisons bring by chance. {chance}",)
    share = f"{len(found)} of {counted(count, 'cohort')} {'does' if len(found) == 1 else 'do'} not fit {model}"
    sentences = [f"{share} (false discovery rate {100 * FALSE_DISCOVERY_RATE:.0f} %). {chance}"]
    for row in found:
        told = (
            f"{row['cohort_id']}: {row['responders']} of {row['n']} {outcome.had}, {100 * row['observed']:.1f} %; the "
            f"others predict {100 * row['median']:.1f} % ({100 * row['low']:.1f}–{100 * row['high']:.1f})."
        )
        if row["p_swapped"] >= NOMINAL:
            told += f" With {outcome.events} and {outcome.others} swapped it would fit (p = {row['p_swapped']:.2f})."
        sentences.append(told)
    sentences.append(
        "Look at the counts in their sources first, then at how the cohort is classified. If both are right, it "
        "differs in something that the model does not know: see how results change without its trial, and try a "
        "model with Student t differences, such as robust. That a cohort is outlying is no reason to leave it out."
    )
    return tuple(sentences)


def _compared(
    design: Design, cohort: int, rates: Array, weights: Array, rng: np.random.Generator, *, prob: float
) -> dict[str, float]:
    """Return a summary of the predictive distribution, and the position of the observed responders in it."""
    y, n = int(design.responders[cohort]), int(design.n[cohort])
    tails = mid_distribution(y, n, rates)
    mid, swapped = float(weights @ tails), float(weights @ mid_distribution(n - y, n, rates))
    predicted = rng.binomial(n, rates[:, :REPLICATES])
    shares = np.bincount(predicted.ravel(), weights=np.repeat(weights / REPLICATES, REPLICATES), minlength=n + 1)
    edge = (1 - prob) / 2
    low, median, high = np.minimum(np.searchsorted(np.cumsum(shares), [edge, 0.5, 1 - edge]), n) / n
    return {
        "median": float(median),
        "low": float(low),
        "high": float(high),
        "p": two_sided(mid),
        "p_mcse": 2 * float(np.sqrt((weights**2 * (tails - mid) ** 2).sum())),
        "p_swapped": two_sided(swapped),
    }


def mid_distribution(y: int, n: int, rates: Array) -> Array:
    """Return P(Y < y) + P(Y = y) / 2 of binomial Y, averaged over the replicates of each draw, shape (draw,)."""
    grid = np.linspace(0.0, 1.0, GRID)
    below = bdtr(y - 1, n, grid) if y > 0 else np.zeros(GRID)
    mid: Array = np.interp(rates, grid, (below + bdtr(y, n, grid)) / 2).mean(axis=1)
    return mid


def two_sided(mid: float) -> float:
    """Return twice the smaller tail of a mid-p-value."""
    return float(np.clip(2 * min(mid, 1 - mid), 0.0, 1.0))
