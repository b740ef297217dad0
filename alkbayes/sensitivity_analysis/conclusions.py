"""Sentences on what a run's conclusions depend on, composed from the numbers without presuming a direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from alkbayes.estimates.headline import CONTRAST, HETEROGENEITY
from alkbayes.sensitivity_analysis.alternatives import ALTERNATIVES, Family
from alkbayes.sensitivity_analysis.power_scaling import PowerScaling
from alkbayes.sensitivity_analysis.table import Estimate, Grid, Outcome, Shift, Status, grid_records
from alkbayes.text.wording import counted, joined, moved_by, share_of_draws
from alkbayes.vocabulary import SETTLED, Standard

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit

"""Probability of either sign below which a difference is settled."""


FAMILIES = {Family.PRIOR: "Priors", Family.EVIDENCE: "Evidence", Family.MODEL: "Models"}
HALF = "half of its posterior SD"
ENDS = {"median": "", "low": ", lower end", "high": ", upper end"}


@dataclass(frozen=True, slots=True)
class Mover:
    """Alternative that moves a number most.

    Attributes
    ----------
    number
        Number in the main fit.
    alternative
        Name of the alternative.
    shift
        Size of the shift.
    """

    number: Estimate
    alternative: str
    shift: Shift


def movers(grid: Grid) -> list[Mover]:
    """Return for each headline number the alternative that shifts it most, in SDs of the main fit's number.

    Numbers absent from all usable alternatives are omitted.
    """
    found = []
    for number in grid.numbers:
        shifts = [(outcome.name, grid.shift(outcome, number.key)) for outcome in grid.usable]
        there = [Mover(number, name, shift) for name, shift in shifts if shift is not None]
        if there:
            found.append(max(there, key=lambda mover: abs(mover.shift.in_sds)))
    return found


class SensitivityRecord(TypedDict):
    """Sensitivity analysis as JSON-serialisable values.

    Attributes
    ----------
    model
        Model of the run.
    interval_prob
        Probability of the intervals.
    over_own
        Whether levels are averaged over their own patients here but not in the run.
    effects
        Whether the model has effects.
    power_scaling
        See :meth:`alkbayes.sensitivity_analysis.power_scaling.PowerScaling.as_record`.
    alternatives
        See :func:`alkbayes.sensitivity_analysis.table.grid_records`: the run, its model refitted, and each alternative.
    largest
        The alternative that shifts each number most.
    conclusions
        Sentences on the conclusions.
    """

    model: str
    interval_prob: float
    over_own: bool
    effects: bool
    power_scaling: dict[str, Any]
    alternatives: list[dict[str, Any]]
    largest: list[dict[str, Any]]
    conclusions: list[str]


def sensitivity_record(fit: "Fit", grid: Grid, scaling: PowerScaling) -> SensitivityRecord:
    """Return the results of alternatives and power-scaling for a fit."""
    return SensitivityRecord(
        model=fit.spec.name,
        interval_prob=fit.interval_prob,
        over_own=fit.standard is Standard.SAME,
        effects=bool(fit.design.effects),
        power_scaling=scaling.as_record(),
        alternatives=grid_records(grid),
        largest=[
            {
                "number": mover.number.name,
                "measure": mover.number.key[3],
                "alternative": mover.alternative,
                "statistic": mover.shift.largest,
                "shift": mover.shift.by[mover.shift.largest],
                "shift_error": mover.shift.errors[mover.shift.largest],
                "shift_in_sds": mover.shift.in_sds,
                "beyond_noise": mover.shift.beyond_noise,
            }
            for mover in movers(grid)
        ],
        conclusions=conclusions(grid, scaling),
    )


def conclusions(grid: Grid, scaling: PowerScaling) -> list[str]:
    """Return sentences on what the conclusions of a run depend on.

    They cover alternatives that shift a headline number by more than half its SD and by more than Monte Carlo error, by
    family; differences between levels that change sign, or are settled (probability above 0.975); priors flagged by
    power-scaling; and unusable alternatives.
    """
    sentences = []
    if missed := grid.not_reproduced:
        each = "; ".join(
            f"{number.spoken} {shift_text(number, shift)}, "
            f"{abs(shift.by[shift.largest]) / shift.errors[shift.largest]:.1f} Monte Carlo errors"
            for number, shift in missed
        )
        sentences.append(
            f"A refit of the run's own model differs by more than Monte Carlo error allows ({each}): one of the two "
            "fits is off. Fit the run again with more draws before you rely on shifts of that size."
        )
    sentences += [_family(grid, family) for family in FAMILIES if not grid.chosen or _tried(grid, family)]
    sentences += _directions(grid)
    sentences.append(_priors(grid, scaling))
    for status, what in ((Status.NOT_CONVERGED, "did not converge"), (Status.FAILED, "could not be fitted")):
        if out := [outcome.name for outcome in grid.outcomes if outcome.status is status]:
            sentences.append(f"{joined(out)} {what} and {'is' if len(out) == 1 else 'are'} not used above.")
    return sentences


def shift_text(number: Estimate, shifted: Shift) -> str:
    """Return the largest shift of a number as text: rates and their differences in percentage points, SDs unscaled."""
    text = moved_by(shifted.by[shifted.largest], shifted.errors[shifted.largest], number.key[3])
    return text if number.key[0] == HETEROGENEITY else f"{text} points"


def _tried(grid: Grid, family: Family) -> list[Outcome]:
    """Return what came of the alternatives of a family."""
    members = {alternative.name for alternative in ALTERNATIVES if alternative.family is family}
    return [outcome for outcome in grid.outcomes if outcome.name in members]


def _family(grid: Grid, family: Family) -> str:
    """Return how many alternatives of a family shift a headline number, and which number most."""
    outcomes = _tried(grid, family)
    used = [outcome for outcome in outcomes if outcome.usable]
    if not used:
        tried = any(outcome.status is not Status.NOT_APPLICABLE for outcome in outcomes)
        what = "no alternative could be fitted" if tried else "no alternative applies to this model and table"
        return f"{FAMILIES[family]}: {what}."
    moving = []
    for outcome in used:
        shifts = [(number, grid.shift(outcome, number.key)) for number in grid.numbers]
        moved = [(number, shift) for number, shift in shifts if shift is not None and shift.moved]
        if moved:
            moving.append((outcome.name, *max(moved, key=lambda item: abs(item[1].in_sds))))
    if not moving:
        return f"{FAMILIES[family]}: none of {_alternatives(len(used))} moves a headline number by more than {HALF}."
    moving.sort(key=lambda item: -abs(item[2].in_sds))
    each = "; ".join(
        f"{name} ({number.spoken}{ENDS[shift.largest]} {shift_text(number, shift)}, {abs(shift.in_sds):.1f} SD)"
        for name, number, shift in moving
    )
    verb, most = ("moves", "") if len(moving) == 1 else ("move", " (the one moved most in brackets)")
    sentence = (
        f"{FAMILIES[family]}: {len(moving)} of {_alternatives(len(used))} {verb} a headline number by more than {HALF}"
        f"{most}: {each}."
    )
    return sentence + _chance(grid, used)


def _chance(grid: Grid, used: Sequence[Outcome]) -> str:
    """Return which alternatives with fewer cohorts shift a number beyond chance; empty if none has fewer."""
    fewer = [outcome for outcome in used if (outcome.cohorts or 0) < (grid.main.cohorts or 0)]
    if not fewer:
        return ""
    beyond = []
    for outcome in fewer:
        shifts = [(number, grid.shift(outcome, number.key)) for number in grid.numbers]
        more = [number.spoken for number, shift in shifts if shift is not None and shift.moved and shift.beyond_chance]
        if more:
            beyond.append(f"{outcome.name} ({', '.join(more)})")
    found = "; ".join(beyond) or "none"
    return f" Beyond chance (twice the SD from leaving out as many cohorts at random): {found}."


def _directions(grid: Grid) -> Iterator[str]:
    """Yield how each difference between levels fares; an unsettled sign cannot change."""
    steady = []
    contrasts = [number for number in grid.numbers if number.key[0] == CONTRAST]
    for number in contrasts:
        others = [
            (outcome.name, found)
            for outcome in grid.usable
            if (found := (outcome.estimates or {}).get(number.key)) is not None
        ]
        reversed_ = [name for name, found in others if _settled(number) and found.median * number.median < 0]
        changed = [name for name, found in others if _settled(found) != _settled(number) and name not in reversed_]
        said = []
        if reversed_:
            said.append(f"changes sign under {joined(reversed_)}")
        if changed:
            now = "is no longer settled" if _settled(number) else "is settled"
            said.append(f"{now} under {joined(changed)}")
        if said:
            main = f"{'settled' if _settled(number) else 'not settled'} in the main fit, {_probability(number)}"
            yield f"The difference {number.spoken} ({main}) {' and '.join(said)}."
        elif others:
            steady.append(number)
    if steady:
        settled = [number.spoken for number in steady if _settled(number)]
        unsettled = [number.spoken for number in steady if not _settled(number)]
        if settled:
            yield f"{_subject(settled)} its sign under every alternative, with a probability above {SETTLED:g}."
        if unsettled:
            subject = "The sign of the difference" if len(unsettled) == 1 else "The sign of each of the differences"
            yield f"{subject} {joined(unsettled)} is settled neither in the main fit nor under any alternative."


def _priors(grid: Grid, scaling: PowerScaling) -> str:
    """Return the priors flagged by power-scaling, and for which numbers."""
    if not scaling.flagged:
        limit = f"{scaling.threshold:.2f}"
        return f"Power-scaling flags no prior: no headline number is sensitive to the priors (threshold {limit})."
    spoken = {number.key: number.spoken for number in grid.numbers}
    by_prior: dict[tuple[str, str], list[str]] = {}
    for found in scaling.flagged:
        for prior in found.responsible:
            by_prior.setdefault((prior, str(found.diagnosis)), []).append(spoken[found.number.key])
    each = "; ".join(
        f"the prior of {prior}: {diagnosis} in {joined(names)}" for (prior, diagnosis), names in by_prior.items()
    )
    return f"Power-scaling flags {each}."


def _settled(number: Estimate) -> bool:
    probability = number.prob_positive
    return probability is not None and min(probability, 1 - probability) < 1 - SETTLED


def _probability(number: Estimate) -> str:
    """Return the probability that the first level has the higher rate."""
    probability = number.prob_positive or 0.0
    found = share_of_draws(probability)
    return f"P(above 0) {found if found[0] in '<>' else f'= {found}'}"


def _subject(names: Sequence[str]) -> str:
    return f"The difference {names[0]} keeps" if len(names) == 1 else f"Each of the differences {joined(names)} keeps"


def _alternatives(count: int) -> str:
    return counted(count, "alternative")
