"""Verdict on each diagnostic of a run: a sentence, and advice."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.inference.convergence import Check, Diagnostics, Thresholds
from alkbayes.inference.importance.engine import Weights
from alkbayes.text.digits import whole_numbers_hold
from alkbayes.text.wording import capitalised

LIMITS = Thresholds()
REPORTED, PARAMETER = "reported", "parameter"
MOST_DECIMALS = {True: 1, False: 2}
"""Maximum decimals, by whether a value is in percent."""
MUCH_DEPTH = 0.01
"""Share of transitions at the largest tree depth that deserves a remark."""
CLEAR_DIFFERENCE = 0.5
"""Mean normal score of the divergent draws from which they are said to lie on one side."""
MANY_COPIES = 0.5
"""Share of duplicates among the kept draws that deserves a remark."""


class Verdict(StrEnum):
    """Verdict on one diagnostic: `attention` does not prevent the use of a run, `failed` does."""

    PASSED = "passed"
    ATTENTION = "attention"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one diagnostic.

    Attributes
    ----------
    name, finding
        The diagnostic, and its result as a sentence.
    advice
        Advice, a sentence; empty if no action is needed.
    """

    name: str
    verdict: Verdict
    finding: str
    advice: str = ""

    @property
    def with_advice(self) -> str:
        """The finding, with advice on a separate line."""
        return f"{self.finding}\nWhat to do: {self.advice}" if self.advice else self.finding


def chain_findings(
    gate: Diagnostics,
    quantities: pd.DataFrame,
    divergent: pd.DataFrame,
    ebfmi: tuple[float, ...],
    depth: tuple[int, float] | None,
) -> Iterator[Finding]:
    """Yield the gate's findings on chains, and further ones.

    For the arguments see :class:`alkbayes.criticism.diagnosis.Diagnosis`.
    """
    reported = quantities[quantities["kind"] == REPORTED]
    # A NaN diagnostic is the worst: filled so that it calls for attention.
    largest = reported.iloc[int(reported["rhat"].fillna(np.inf).argmax())]
    more = {
        "R-hat": f"Largest of the reported numbers: {largest['rhat']:.3f}, {largest['name']}.",
        "divergences": _place(divergent),
        "E-BFMI": f"By chain: {', '.join(f'{value:.2f}' for value in ebfmi)}.",
    }
    well = {"R-hat": bool(largest["rhat"] < LIMITS.rhat_max)}
    for kind, column in (("bulk ESS", "ess_bulk"), ("tail ESS", "ess_tail")):
        smallest = reported.iloc[int(reported[column].fillna(-np.inf).argmin())]
        more[kind] = f"Smallest of the reported numbers: {smallest[column]:,.0f}, {smallest['name']}."
        well[kind] = bool(smallest[column] > LIMITS.ess_min)
    for check in gate.checks:
        yield _of_gate(check, more.get(check.name, ""), well=well.get(check.name, True))
    if depth is not None:
        yield _finding(
            "tree depth",
            True,
            f"Tree depth is at most {depth[0]}; {100 * depth[1]:.1f} % of trees were cut at the limit.",
            "",
            "Cut trees cost time and raise autocorrelation, but cause no bias; the other diagnostics show whether "
            "that matters. Longer tuning may find larger steps.",
            well=depth[1] <= MUCH_DEPTH,
        )


def _place(divergent: pd.DataFrame) -> str:
    """Say where the divergent draws lie; empty without any."""
    if not len(divergent):
        return ""
    first = divergent.iloc[0]
    if abs(first["difference"]) < CLEAR_DIFFERENCE:
        return "They are not concentrated: no parameter differs clearly between them and the other draws."
    side = "small" if first["difference"] < 0 else "large"
    apart = f"{abs(first['difference']):.1f} SD from the other draws, by ranks"
    return f"They lie where {first['parameter']} is {side} ({apart})."


def weight_findings(gate: Diagnostics, weights: Weights, proposals: NDArray[np.integer]) -> Iterator[Finding]:
    """Yield the gate's findings on weighted draws; `proposals` are the indices of the kept draws before resampling."""
    repeated = 1 - np.unique(proposals).size / proposals.size
    for check in gate.checks:
        yield _of_gate(check, "", well=check.name != "duplicates" or repeated <= MANY_COPIES)
    yield _finding(
        "quadrature error",
        math.isfinite(weights.quadrature_error),
        f"Finer nodes change log L by {weights.quadrature_error:.1g} (SD over the posterior), which moves no mean by "
        "more than that share of its posterior SD.",
        "The error of the integrals is not known.",
        "Refit by NUTS.",
    )


def error_finding(quantities: pd.DataFrame) -> Finding:
    """Say how many printed digits the Monte Carlo errors support."""
    rates = quantities[(quantities["kind"] == REPORTED) & quantities["percent"]]
    errors = 100 * rates[["mcse_median", "mcse_low", "mcse_high"]]
    largest = errors.max(axis=1)
    headline = errors[rates["headline"]]
    one = int((rates["decimals"] == MOST_DECIMALS[True]).sum())
    printed = f"{one} {'is' if one == 1 else 'are'} printed with one decimal"
    return _finding(
        "Monte Carlo error",
        True,
        f"Monte Carlo errors of headline rates are at most {headline['mcse_median'].max():.2f} points, of their "
        f"interval limits {headline[['mcse_low', 'mcse_high']].to_numpy().max():.2f}. Of {len(rates)} reported rates "
        f"and differences, {printed}, the others as whole percentages.",
        "",
        f"{rates['name'].iloc[int(largest.argmax())]} has an error of {largest.max():.1f} points, so that not even "
        "whole percentages hold: use more draws (four times as many halve the error).",
        well=bool(largest.map(whole_numbers_hold).all()),
    )


def record_finding(gate: Diagnostics, recorded: Diagnostics) -> Finding:
    """Say whether the recomputed gate agrees with the run's record."""
    differ = gate.converged != recorded.converged or any(
        not _alike(getattr(gate, name), getattr(recorded, name))
        for name in ("rhat_max", "ess_bulk_min", "ess_tail_min", "divergences", "ebfmi_min")
    )
    said = "passed" if recorded.converged else "failed"
    return _finding(
        "record",
        not differ,
        f"The gate, recomputed from the draws, matches the run's record ({said}).",
        f"The gate, recomputed from the draws, does not match the run's record ({said}): the run was made by another "
        "version of alkbayes, or its record belongs to other draws.",
        "Refit.",
    )


def _of_gate(check: Check, more: str, *, well: bool) -> Finding:
    sentence = f"{capitalised(check.sentence)}."
    said = f"{sentence} {more}" if more else sentence
    return _finding(check.name, check.passed, said, said, check.advice, well=well)


def _finding(name: str, good: bool, passed: str, failed: str, advice: str, *, well: bool = True) -> Finding:
    """Return a finding; one that is good but not `well` calls for attention."""
    if not good:
        return Finding(name, Verdict.FAILED, failed, advice)
    return Finding(name, Verdict.PASSED, passed) if well else Finding(name, Verdict.ATTENTION, passed, advice)


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    both_nothing = not math.isfinite(one) and not math.isfinite(other)
    return both_nothing or math.isclose(one, other, rel_tol=1e-6)
