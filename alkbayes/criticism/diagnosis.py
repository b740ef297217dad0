"""Reliability of a run: the precision of its draws for each estimate, and a verdict on each diagnostic.

The gate (:mod:`alkbayes.inference.convergence`) checks the parameters and passes or fails. This module covers every
parameter and every reported estimate, explains each diagnostic with advice, and recomputes the gate from the draws to
compare it with the run's record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import arviz_stats as az
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from alkbayes.criticism.verdicts import (
    MOST_DECIMALS,
    PARAMETER,
    REPORTED,
    Finding,
    Verdict,
    chain_findings,
    error_finding,
    record_finding,
    weight_findings,
)
from alkbayes.estimates.headline import POOLED, headline_of, reported_of
from alkbayes.estimates.monte_carlo import Worth, worth_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.convergence import Diagnostics, diagnose
from alkbayes.inference.datatree import long_name
from alkbayes.inference.fit import Fit, global_parameters, judged
from alkbayes.inference.settings import Engine
from alkbayes.model.design import parameters
from alkbayes.model.summary import summarise
from alkbayes.text.digits import ratio_decimals, supported_decimals
from alkbayes.text.json import records
from alkbayes.text.wording import joined

type Array = NDArray[np.float64]

PERCENT_MEASURES = ("risk_difference", "share")
"""Measures other than pooled rates that are printed in percent."""
POSITIVE_MEASURES = ("odds_ratio", "sd", "correlation")
"""Measures that are positive and rounded on the log scale."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Results of `alkbayes diagnose`.

    Attributes
    ----------
    quantities
        A row for each reported estimate and each parameter: kind ("reported" or "parameter"), name, headline (True for
        headline estimates), mean, sd, median, low, high, rhat, ess_bulk, ess_tail, mcse, mcse_median, mcse_low,
        mcse_high (Monte Carlo standard errors of mean, median and the ends of the interval), percent (True if
        printed in percent), ratio (True if rounded on the log scale) and decimals (those supported by the errors as
        printed; on the log scale those of the median), and indicator (True for a variable of 0 and 1, of which only
        the mean, the probability of 1, and its error are given). Rates and shares are proportions in [0, 1]. For
        draws by quadrature rhat is missing.
    divergent
        Location of divergent transitions, see :func:`where_divergent`; empty without any.
    ebfmi
        E-BFMI of each chain; empty for draws by quadrature.
    depth
        Largest tree depth and share of transitions stopped at the sampler's limit; None by quadrature.
    gate, recorded
        The convergence gate, recomputed from the draws and as recorded by the run.
    interval_prob
        Probability of the intervals.
    """

    engine: Engine
    quantities: pd.DataFrame
    divergent: pd.DataFrame
    ebfmi: tuple[float, ...]
    depth: tuple[int, float] | None
    findings: tuple[Finding, ...]
    gate: Diagnostics
    recorded: Diagnostics
    interval_prob: float

    @property
    def failures(self) -> tuple[str, ...]:
        """Reasons not to use the run, in words; empty if there are none."""
        return tuple(each.finding for each in self.findings if each.verdict is Verdict.FAILED)

    @property
    def conclusion(self) -> str:
        """Final verdict, a sentence."""
        attention = [each.name for each in self.findings if each.verdict is Verdict.ATTENTION]
        if failed := [each.name for each in self.findings if each.verdict is Verdict.FAILED]:
            return f"Do not use the numbers of this run: {joined(failed)} failed."
        if attention:
            return f"The numbers of this run can be used; look at {joined(attention)} first."
        return "The numbers of this run can be used: all diagnostics passed."

    def as_record(self) -> dict[str, Any]:
        """Return the diagnosis as JSON values."""
        return {
            "engine": self.engine,
            "interval_prob": self.interval_prob,
            "usable": not self.failures,
            "conclusion": self.conclusion,
            "checks": [
                {"name": each.name, "verdict": each.verdict, "finding": each.finding, "advice": each.advice or None}
                for each in self.findings
            ],
            "gate": self.gate.as_record(),
            "recorded": self.recorded.as_record(),
            "quantities": records(self.quantities),
            "divergent": records(self.divergent),
            "ebfmi": list(self.ebfmi),
            "tree_depth": None if self.depth is None else {"largest": self.depth[0], "at_limit": self.depth[1]},
        }


def diagnosis_of(fit: Fit) -> Diagnosis:
    """Diagnose a fit as read from a run's folder: its recorded convergence is compared with its draws."""
    gate = gate_of(fit)
    quantities = pd.DataFrame(_quantities(fit))
    divergent = pd.DataFrame(columns=["parameter", "difference"])
    ebfmi: tuple[float, ...] = ()
    depth = None
    stats = fit.tree["sample_stats"].to_dataset()
    if fit.provenance.weights is None:
        divergent = where_divergent(judged(fit.tree["posterior"].to_dataset()), stats["diverging"].to_numpy())
        # Constant chains have no energy to divide by; that gives NaN, which fails.
        with np.errstate(invalid="ignore", divide="ignore"):
            ebfmi = tuple(az.bfmi(stats["energy"].to_numpy()).tolist())
        depth = _depth(stats)
        findings = chain_findings(gate, quantities, divergent, ebfmi, depth)
    else:
        findings = weight_findings(gate, fit.provenance.weights, stats["proposal"].to_numpy())
    return Diagnosis(
        engine=fit.provenance.engine,
        quantities=quantities,
        divergent=divergent,
        ebfmi=ebfmi,
        depth=depth,
        findings=(*findings, error_finding(quantities), record_finding(gate, fit.diagnostics)),
        gate=gate,
        recorded=fit.diagnostics,
        interval_prob=fit.interval_prob,
    )


def gate_of(fit: Fit) -> Diagnostics:
    """Return the convergence gate, recomputed from a fit's draws; for weights from their record."""
    posterior, stats = fit.tree["posterior"].to_dataset(), fit.tree["sample_stats"].to_dataset()
    if fit.provenance.weights is None:
        return diagnose(judged(posterior), stats)
    weights = fit.provenance.weights
    return diagnose(
        global_parameters(posterior),
        stats,
        pareto_k=weights.pareto_k,
        importance_ess=weights.ess,
        thin_share=weights.thin_share,
    )


def where_divergent(posterior: xr.Dataset, diverging: NDArray[np.bool_]) -> pd.DataFrame:
    """Return how far the divergent draws of each parameter lie from the others.

    Parameters
    ----------
    posterior
        Variables with dimensions (chain, draw, ...).
    diverging
        Mask of divergent transitions, shape (chain, draw).

    Returns
    -------
    pandas.DataFrame
        Columns parameter and difference: the mean normal score, among all draws, of the divergent ones minus that of
        the others. Scores are those of ranks, so that an SD near zero counts as much as its logarithm would. Largest
        difference first; empty without divergences, or if every transition diverged.
    """
    flags = diverging.ravel()
    rows = []
    if flags.any() and not flags.all():
        for name, draws in _scalars(posterior):
            # Blom's scores, as in rank-normalised R-hat.
            scores = ndtri((rankdata(draws) - 0.375) / (len(draws) + 0.25))
            rows.append({"parameter": name, "difference": float(scores[flags].mean() - scores[~flags].mean())})
    table = pd.DataFrame(rows, columns=["parameter", "difference"])
    return table.sort_values("difference", key=abs, ascending=False, kind="stable", ignore_index=True)


def _quantities(fit: Fit) -> Iterator[dict[str, Any]]:
    """Yield the rows of :attr:`Diagnosis.quantities`."""
    worth = worth_of(fit)
    posterior = posterior_of(fit)
    headline = {number.key for number in headline_of(posterior)}
    for number in reported_of(posterior):
        percent = number.table == POOLED or number.measure in PERCENT_MEASURES
        yield _quantity(
            REPORTED,
            number.name,
            number.draws,
            worth(number.draws),
            headline=number.key in headline,
            percent=percent,
            ratio=number.measure in POSITIVE_MEASURES,
            prob=fit.interval_prob,
        )
    words = fit.design.in_words
    positive = {words(parameter.name) for parameter in parameters(fit.design) if parameter.support != "real"}
    indicators = {words(term.exchangeable) for term in fit.design.heterogeneity if term.exnex is not None}
    for name, draws in _scalars(judged(fit.tree["posterior"].to_dataset())):
        if name.partition("[")[0] in indicators:
            yield _indicator(name, draws, worth(draws))
            continue
        yield _quantity(
            PARAMETER,
            name,
            draws,
            worth(draws),
            headline=False,
            percent=False,
            ratio=name in positive,
            prob=fit.interval_prob,
        )


def _quantity(
    kind: str, name: str, draws: Array, worth: Worth, *, headline: bool, percent: bool, ratio: bool, prob: float
) -> dict[str, Any]:
    errors = worth.errors
    summary = summarise(draws, prob=prob)
    unit = 100 if percent else 1
    printed = (unit * error for error in (errors.median, errors.low, errors.high))
    decimals = supported_decimals(printed, most=MOST_DECIMALS[percent])
    if ratio:
        decimals = ratio_decimals(summary["median"], errors.median)
    return (
        {"kind": kind, "name": name, "headline": headline}
        | summary
        | {"rhat": worth.rhat, "ess_bulk": worth.ess_bulk, "ess_tail": worth.ess_tail}
        | {"mcse": errors.mean, "mcse_median": errors.median, "mcse_low": errors.low, "mcse_high": errors.high}
        | {"percent": percent, "ratio": ratio, "decimals": decimals, "indicator": False}
    )


def _indicator(name: str, draws: Array, worth: Worth) -> dict[str, Any]:
    """Return the row of a parameter that is 0 or 1, whose quantiles say nothing."""
    error = worth.errors.mean
    return (
        {"kind": PARAMETER, "name": name, "headline": False, "mean": float(draws.mean()), "sd": float(draws.std())}
        | dict.fromkeys(("median", "low", "high"))
        | {"rhat": worth.rhat, "ess_bulk": worth.ess_bulk, "ess_tail": None}
        | {"mcse": error, "mcse_median": None, "mcse_low": None, "mcse_high": None}
        | {"percent": False, "ratio": False, "decimals": supported_decimals([error], most=MOST_DECIMALS[False])}
        | {"indicator": True}
    )


def _scalars(posterior: xr.Dataset) -> Iterator[tuple[str, Array]]:
    """Yield each parameter's entries by name, such as "z_trial[ALEX]", with draws of shape (draw,)."""
    for values in posterior.data_vars.values():
        array = values.to_numpy()
        flat = array.reshape(array.shape[0] * array.shape[1], -1)
        names = [long_name(values)]
        if array.ndim > 2:
            names = [f"{names[0]}[{entry}]" for entry in values[values.dims[2]].to_numpy()]
        yield from zip(names, flat.T, strict=True)


def _depth(stats: xr.Dataset) -> tuple[int, float] | None:
    """Return the largest tree depth and the share of transitions stopped at the limit, if the run kept both."""
    if not {"tree_depth", "reached_max_treedepth"} <= set(stats.data_vars):
        return None
    return int(stats["tree_depth"].max()), float(stats["reached_max_treedepth"].mean())
