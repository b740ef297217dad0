"""Contrasts of every pair of treatments in a network: direct, indirect and combined, and whether the two agree.

Direct and indirect estimates of a pair are those of a node-splitting model, which has one tau for the whole network. A
pair without indirect evidence has direct evidence alone, which the combined estimate then is; and the other way round.
Within a trial of three arms or more the contrasts of the other arms are those of the network, so that a direct estimate
is not that of the trial's two arms alone (Dias et al. 2010, doi:10.1002/sim.3767).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from alkbayes.randomised.network import CountTrial, Network, Pair, RatioTrial
from alkbayes.randomised.posterior import Estimates, NetworkPosterior

type Array = NDArray[np.float64]
type Fit[M] = Callable[[Pair | None], M]
"""Function that fits a model of the network, with a pair split or without."""

KINDS = ("direct", "indirect", "combined")
INFINITE = 30.0
"""Standard error of a log ratio, a factor of 1e26, above which the likelihood has no maximum: it is flat where a
treatment has no events, or only events."""


@dataclass(frozen=True, slots=True)
class Fits[M: (NetworkPosterior, Estimates)]:
    """A consistency model, and a node-splitting model for each pair with direct and indirect evidence."""

    combined: M
    split: Mapping[Pair, M]


def fits_of[M: (NetworkPosterior, Estimates)](
    network: Network[CountTrial] | Network[RatioTrial], fit: Fit[M]
) -> Fits[M]:
    """Fit the consistency model, and one for each pair that can be split."""
    return Fits(fit(None), {pair: fit(pair) for pair in network.pairs if network.splits(pair)})


def difference(effects: Array, pair: Pair) -> Array:
    """Return the log ratio of a pair's second treatment against its first; effects of shape (..., effect)."""
    # The reference has no column.
    first, second = (effects[..., at - 1] if at else np.zeros(effects.shape[:-1]) for at in pair)
    log_ratio: Array = second - first
    return log_ratio


def contrast_table(
    network: Network[CountTrial] | Network[RatioTrial],
    bayes: Fits[NetworkPosterior],
    classical: Fits[Estimates],
    *,
    prob: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the contrasts of every pair, ratios of the first named treatment against the second.

    Returns
    -------
    pandas.DataFrame
        Columns first, second, trials and patients (of direct comparisons; NaN where a trial does not say), evidence
        ("direct", "indirect", "both"); for direct, indirect and combined evidence each the posterior median, low, high
        and Monte Carlo standard errors mcse_median, mcse_low, mcse_high with this prefix, and with the prefix ml_ the
        same by maximum likelihood or REML (median: the estimate; low, high); new_low and new_high, the prediction
        interval of another trial's ratio, with new_mcse_low and new_mcse_high; prob_above, the posterior probability
        of a combined ratio above 1. NaN where there is no such evidence.
    """
    rows = []
    for pair in network.pairs:
        direct, split = network.direct(pair), pair in bayes.split
        evidence = "both" if split else "direct" if direct else "indirect"
        row: dict[str, Any] = {
            "first": network.treatments[pair[1]],
            "second": network.treatments[pair[0]],
            "trials": len(direct),
            "patients": float(sum(trial.patients for trial in direct)),
            "evidence": evidence,
        }
        draws = _by_kind(bayes, pair, evidence)
        ess = bayes.split[pair].ess if split else bayes.combined.ess
        for kind in KINDS:
            row |= _prefixed(kind, ratio_summary(draws[kind], ess=ess, prob=prob) if kind in draws else NOTHING)
        following = draws["combined"] + bayes.combined.tau * rng.standard_normal(len(bayes.combined.tau))
        new = ratio_summary(following, ess=bayes.combined.ess, prob=prob)
        row |= {f"new_{name}": value for name, value in new.items() if "median" not in name}
        row["prob_above"] = float((draws["combined"] > 0).mean())
        for kind in KINDS:
            estimate = _estimated(classical, pair, kind, evidence)
            row |= _prefixed(f"ml_{kind}", NOTHING if estimate is None else _of_estimate(*estimate, prob))
        rows.append(row)
    return pd.DataFrame(rows)


def consistency_table(
    network: Network[CountTrial] | Network[RatioTrial],
    bayes: Fits[NetworkPosterior],
    classical: Fits[Estimates],
    *,
    prob: float,
) -> pd.DataFrame:
    """Return how far direct and indirect evidence are apart, for every pair that has both.

    Returns
    -------
    pandas.DataFrame
        Columns first, second, median, low, high (posterior of the direct ratio over the indirect one), mcse_median,
        mcse_low, mcse_high, p (twice the posterior probability of the less likely side of 1), ml_ratio, ml_low,
        ml_high and ml_p (by maximum likelihood or REML, Wald), tau (posterior median of the node-splitting model).
    """
    rows = []
    for pair, posterior in bayes.split.items():
        omega, estimates = posterior.effects[:, -1], classical.split[pair]
        above = float((omega > 0).mean())
        log_ratio, se = float(estimates.effects[-1]), float(np.sqrt(estimates.covariance[-1, -1]))
        wald = _of_estimate(log_ratio, se, prob) if se < INFINITE else NOTHING
        rows.append(
            {"first": network.treatments[pair[1]], "second": network.treatments[pair[0]]}
            | ratio_summary(omega, ess=posterior.ess, prob=prob)
            | {"p": 2 * min(above, 1 - above)}
            | {"ml_ratio": wald["median"], "ml_low": wald["low"], "ml_high": wald["high"]}
            | {
                "ml_p": float(2 * norm.sf(abs(log_ratio) / se)) if se < INFINITE else np.nan,
                "tau": float(np.median(posterior.tau)),
            }
        )
    return pd.DataFrame(rows)


NOTHING: dict[str, float] = dict.fromkeys(("median", "low", "high"), np.nan)


def _by_kind(fits: Fits[NetworkPosterior], pair: Pair, evidence: str) -> dict[str, Array]:
    """Return the draws of each kind of evidence of a pair, log ratios of shape (draw,)."""
    combined = difference(fits.combined.effects, pair)
    if evidence != "both":
        return {evidence: combined, "combined": combined}
    effects = fits.split[pair].effects
    indirect = difference(effects, pair)
    return {"direct": indirect + effects[:, -1], "indirect": indirect, "combined": combined}


def _estimated(fits: Fits[Estimates], pair: Pair, kind: str, evidence: str) -> tuple[float, float] | None:
    """Return the estimate of a kind of evidence with its standard error; None if none is finite."""
    if kind not in {"combined", evidence} and evidence != "both":
        return None
    fit = fits.combined if kind == "combined" or evidence != "both" else fits.split[pair]
    weights = difference(np.eye(len(fit.effects)), pair)
    if kind == "direct" and evidence == "both":
        weights[-1] = 1.0
    se = float(np.sqrt(weights @ fit.covariance @ weights))
    return (float(weights @ fit.effects), se) if se < INFINITE else None


def ratio_summary(log_ratios: Array, *, ess: float, prob: float) -> dict[str, float]:
    """Return the median and interval of ratios of draws worth `ess`, with their Monte Carlo errors mcse_median, ..."""
    tail = (1 - prob) / 2
    found: dict[str, float] = {}
    for name, at in (("median", 0.5), ("low", tail), ("high", 1 - tail)):
        # Quantiles a standard error of their probability away on either side (Gelman et al. 2014, BDA3, section 11.5).
        wide = np.sqrt(at * (1 - at) / ess)
        below, value, above = np.exp(np.quantile(log_ratios, np.clip([at - wide, at, at + wide], 0, 1)))
        found |= {name: float(value), f"mcse_{name}": float(above - below) / 2}
    return found


def _of_estimate(log_ratio: float, se: float, prob: float) -> dict[str, float]:
    z = float(norm.ppf((1 + prob) / 2))
    low, middle, high = np.exp([log_ratio - z * se, log_ratio, log_ratio + z * se]).tolist()
    return {"median": middle, "low": low, "high": high}


def _prefixed(prefix: str, row: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in row.items()}
