"""What each diagnostic of a run says, in a sentence, and what to do about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.inference.convergence import Diagnostics, Thresholds
from alkbayes.inference.importance.engine import Weights
from alkbayes.inference.importance.proposals import THIN
from alkbayes.text.digits import whole_numbers_hold

LIMITS = Thresholds()
REPORTED, PARAMETER = "reported", "parameter"
MOST_DECIMALS = {True: 1, False: 2}
"""Of what is printed in percent, and of the rest."""
MUCH_DEPTH = 0.01
"""Share of transitions at the largest tree depth that is worth a remark."""
CLEAR_DIFFERENCE = 0.5
"""Mean normal score of the divergent draws from which they are said to lie on one side."""
MANY_COPIES = 0.5
"""Share of duplicates among the kept draws that is worth a remark."""


class Verdict(StrEnum):
    """Of one diagnostic: `attention` is no reason not to use a run, `failed` is one."""

    PASSED = "passed"
    ATTENTION = "attention"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What one diagnostic says.

    Attributes
    ----------
    name
        Of the diagnostic.
    verdict
        What it comes to.
    finding
        What it says, a sentence.
    advice
        What to do, a sentence; empty where nothing is to be done.
    """

    name: str
    verdict: Verdict
    finding: str
    advice: str = ""


def chain_checks(
    gate: Diagnostics,
    quantities: pd.DataFrame,
    divergent: pd.DataFrame,
    ebfmi: tuple[float, ...],
    depth: tuple[int, float] | None,
) -> Iterator[Check]:
    """Yield the checks of chains; for the arguments see :class:`alkbayes.criticism.diagnosis.Diagnosis`."""
    reported = quantities[quantities["kind"] == REPORTED]
    # A diagnostic that is not a number is the worst: filled so that it fails.
    worst = reported.iloc[int(reported["rhat"].fillna(np.inf).argmax())]
    more = f"Largest of the reported numbers: {worst['rhat']:.3f}, {worst['name']}."
    yield _check(
        "R-hat",
        gate.rhat_max < LIMITS.rhat_max,
        f"The chains agree: R-hat of all parameters is at most {gate.rhat_max:.3f} ({gate.rhat_max_parameter}), below "
        f"{LIMITS.rhat_max}. {more}",
        f"The chains do not agree: R-hat of {gate.rhat_max_parameter} is {gate.rhat_max:.3f}, not below "
        f"{LIMITS.rhat_max}. {more}",
        "Give longer tuning (--tune 2000) and more draws; if it stays, the model asks more of the table than it holds: "
        "take a simpler one, or fit it with --engine quadrature.",
        softly=bool(worst["rhat"] < LIMITS.rhat_max),
    )
    for kind, column, value, name in (
        ("bulk ESS", "ess_bulk", gate.ess_bulk_min, gate.ess_bulk_min_parameter),
        ("tail ESS", "ess_tail", gate.ess_tail_min, gate.ess_tail_min_parameter),
    ):
        where = "the middle" if column == "ess_bulk" else "the tails"
        worst = reported.iloc[int(reported[column].fillna(-np.inf).argmin())]
        more = f"Smallest of the reported numbers: {worst[column]:,.0f}, {worst['name']}."
        yield _check(
            kind,
            value > LIMITS.ess_min,
            f"Enough for {where}: the draws of every parameter are worth at least {value:,.0f} independent ones "
            f"({name}), above {LIMITS.ess_min:.0f}. {more}",
            f"Too few for {where}: the draws of {name} are worth {value:,.0f} independent ones, not above "
            f"{LIMITS.ess_min:.0f}. {more}",
            "Give more draws (--draws); the chains move slowly there.",
            softly=bool(worst[column] > LIMITS.ess_min),
        )
    yield _divergence_check(gate, divergent)
    by_chain = ", ".join(f"{value:.2f}" for value in ebfmi)
    yield _check(
        "E-BFMI",
        all(value > LIMITS.ebfmi_min for value in ebfmi),
        f"The energy is explored well in every chain: E-BFMI {by_chain}, all above {LIMITS.ebfmi_min}.",
        f"The energy is explored slowly: E-BFMI {by_chain}, not all above {LIMITS.ebfmi_min}.",
        "The posterior has tails that the chains reach too rarely, often those of a heterogeneity SD: give longer "
        "tuning, take a model with lighter tails, or fit it with --engine quadrature.",
    )
    if depth is not None:
        yield _check(
            "tree depth",
            True,
            f"Trees were at most {depth[0]} deep, and {100 * depth[1]:.1f} % of them were cut at the limit.",
            "",
            "Cut trees cost time and make draws depend on each other, and bias nothing; the other diagnostics say "
            "whether that matters. More tuning (--tune) may find longer steps.",
            softly=depth[1] <= MUCH_DEPTH,
        )


def _divergence_check(gate: Diagnostics, divergent: pd.DataFrame) -> Check:
    found = gate.divergences or 0
    place = ""
    if len(divergent):
        first = divergent.iloc[0]
        side = "small" if first["difference"] < 0 else "large"
        if abs(first["difference"]) >= CLEAR_DIFFERENCE:
            apart = f"{abs(first['difference']):.1f} SD from the other draws, by ranks"
            place = f" They lie where {first['parameter']} is {side} ({apart})."
        else:
            place = " They lie in no one place: no parameter differs clearly between them and the other draws."
    return _check(
        "divergences",
        found <= LIMITS.divergences,
        "No transition diverged: the sampler met no place that it could not follow.",
        f"{found} transitions diverged: part of the posterior is hard to reach, and the numbers may leave it out."
        + place,
        "Fit again with --engine quadrature, which has no such trouble; if the model is none that it covers, give "
        "longer tuning, a tighter prior for the parameter that is named, or a simpler model.",
    )


def weight_checks(weights: Weights, proposals: NDArray[np.integer], gate: Diagnostics) -> Iterator[Check]:
    """Yield the checks of weighted draws; `proposals` says which weighted draw each kept one is."""
    k = weights.pareto_k
    yield _check(
        "Pareto k",
        k <= LIMITS.pareto_k_max,
        f"The importance weights can be relied on: their Pareto k is {k:.2f}, at most {LIMITS.pareto_k_max}.",
        f"The importance weights cannot be relied on: their Pareto k is {k:.2f}, above {LIMITS.pareto_k_max}.",
        "Fit again with --engine nuts.",
    )
    yield _check(
        "importance ESS",
        weights.ess > LIMITS.ess_min,
        f"The {weights.weighted:,} weighted draws are worth {weights.ess:,.0f} independent ones, above "
        f"{LIMITS.ess_min:.0f}.",
        f"The {weights.weighted:,} weighted draws are worth {weights.ess:,.0f} independent ones, not above "
        f"{LIMITS.ess_min:.0f}.",
        "Give more draws (--draws), or fit again with --engine nuts.",
    )
    thin, most = weights.thin_share, LIMITS.thin_max
    beyond = f"{100 * thin:.2g} % of the posterior"
    limit = f"{100 * most:g} %"
    yield _check(
        "thin proposal",
        thin <= most,
        f"The weighted draws reach the whole posterior: {beyond} is beyond {THIN:g} times the proposal's density, at "
        f"most {limit}.",
        f"The weighted draws miss part of the posterior: {beyond}, more than {limit}, is beyond {THIN:g} times the "
        "proposal's density.",
        "Fit again with --engine nuts.",
    )
    copies = np.unique(proposals, return_counts=True)[1]
    kept, duplicates = proposals.size**2 / (copies**2).sum(), proposals.size - copies.size
    share = duplicates / proposals.size
    yield _check(
        "duplicates",
        kept > LIMITS.ess_min,
        f"Of {proposals.size:,} kept draws {duplicates:,} ({100 * share:.0f} %) repeat another's global parameters; "
        f"together they are worth {kept:,.0f} independent ones.",
        f"Of {proposals.size:,} kept draws {duplicates:,} repeat another's global parameters; together they are worth "
        f"{kept:,.0f} independent ones, not above {LIMITS.ess_min:.0f}.",
        "Give more draws (--draws).",
        softly=share <= MANY_COPIES,
    )
    yield _check(
        "quadrature error",
        math.isfinite(weights.quadrature_error),
        f"Finer nodes change log L by {weights.quadrature_error:.1g} (SD over the posterior), which moves no mean by "
        "more than that share of its posterior SD.",
        "The error of the integrals is not known.",
        "Fit again with --engine nuts.",
    )
    known = k <= LIMITS.pareto_k_max and weights.ess > LIMITS.ess_min and thin <= most and kept > LIMITS.ess_min
    if not gate.converged and known:
        yield Check("gate", Verdict.FAILED, f"{'; '.join(gate.failures)}.", "Fit again.")


def error_check(quantities: pd.DataFrame) -> Check:
    """Say what the Monte Carlo errors leave of the printed digits."""
    rates = quantities[(quantities["kind"] == REPORTED) & quantities["percent"]]
    errors = 100 * rates[["mcse_median", "mcse_low", "mcse_high"]]
    largest = errors.max(axis=1)
    headline = errors[rates["headline"]]
    one = int((rates["decimals"] == MOST_DECIMALS[True]).sum())
    return _check(
        "Monte Carlo error",
        True,
        f"The headline rates have Monte Carlo errors of at most {headline['mcse_median'].max():.2f} points, the ends "
        f"of their intervals of {headline[['mcse_low', 'mcse_high']].to_numpy().max():.2f}. Of {len(rates)} reported "
        f"rates and differences {one} are printed with one decimal, the others in whole percents.",
        "",
        f"{rates['name'].iloc[int(largest.argmax())]} has an error of {largest.max():.1f} points, so that not even "
        "whole percents hold: give more draws (--draws; four times as many halve the error).",
        softly=bool(largest.map(whole_numbers_hold).all()),
    )


def record_check(gate: Diagnostics, recorded: Diagnostics) -> Check:
    """Say whether the gate, computed again, is the one that the run recorded."""
    differ = gate.converged != recorded.converged or any(
        not _alike(getattr(gate, name), getattr(recorded, name))
        for name in ("rhat_max", "ess_bulk_min", "ess_tail_min", "divergences", "ebfmi_min")
    )
    said = "passed" if recorded.converged else "failed"
    return _check(
        "record",
        not differ,
        f"The gate, computed again from the draws, is the one that the run recorded ({said}).",
        f"The run recorded that its gate was {said} and other values than its draws give: it was made by another "
        "version of alkbayes, or its record is not of these draws.",
        "Fit again.",
    )


def _check(name: str, good: bool, passed: str, failed: str, advice: str, *, softly: bool = True) -> Check:
    """Return a check; one that is good but not `softly` so wants attention."""
    if not good:
        return Check(name, Verdict.FAILED, failed, advice)
    return Check(name, Verdict.PASSED, passed) if softly else Check(name, Verdict.ATTENTION, passed, advice)


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    both_nothing = not math.isfinite(one) and not math.isfinite(other)
    return both_nothing or math.isclose(one, other, rel_tol=1e-6)
