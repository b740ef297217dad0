"""Limits of identification: parameters that a table cannot separate, or that rest on their prior."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alkbayes.errors import SpecError
from alkbayes.spec.faults import fault
from alkbayes.text.names import listed, near_miss, quoted, several
from alkbayes.vocabulary import NO_VARIANCE, TOTAL

type Index = NDArray[np.intp]

ONE_TRIAL = (
    "All cohorts are of one trial, and the model has no term for trials: its intervals leave out differences between "
    "trials."
)
"""Note on a table of one trial where no parameter stands for differences between trials."""


def heterogeneity_note(
    names: Sequence[str],
    index: Index,
    *,
    group: str,
    merged: bool,
    apart: str = "the shapes of their distributions",
) -> str:
    """Return a note on heterogeneity that a model lacks or a table cannot separate, empty if there is none.

    Parameters
    ----------
    names
        Heterogeneity parameters: the groups' first, then tau_cohort or rho.
    index
        Group of each cohort, shape (cohort,); without groups, one per cohort.
    group
        Name of a group, such as "trial"; empty if the model has none.
    merged
        Whether one term, tau_total, replaces two.
    apart
        What tells two terms apart that are not merged though every group gives one cohort.
    """
    if not names:
        return NO_VARIANCE
    both = listed(names)
    if len(index) == 1:
        which = f"tau_{TOTAL}, the one heterogeneity term that is fitted for {both}," if merged else both
        rests = "rests on its prior" if merged or len(names) == 1 else "rest on their priors"
        return f"The table has one cohort: {which} {rests}, and so do the mean over cohorts and the next cohort."
    if not group:
        return ""
    if len(np.unique(index)) == len(index):
        if merged:
            return (
                f"Every {group} gives one cohort, so that {both} are not separable: one heterogeneity term, "
                f"tau_{TOTAL}, is fitted, with the prior that the two have together."
            )
        if len(names) > 1:
            return (
                f"Every {group} gives one cohort, so that {both} are hardly separable: only {apart} "
                f"{'tell' if apart.startswith('the') else 'tells'} them apart."
            )
    if len(np.unique(index)) == 1:
        return (
            f"All cohorts are of one {group}: {names[0]} rests on its prior, and with it the mean over "
            f"{several(group)} and the next cohort of a new {group}."
        )
    return ""


def level_note(label: str, levels: Sequence[str], index: Index, *, heterogeneous: bool) -> str:
    """Return a note on the levels of an effect with a single cohort, empty if there are none.

    `index` is the level of each cohort, shape (cohort,); `heterogeneous` says whether cohorts of a level differ in the
    model.
    """
    sizes = np.bincount(index, minlength=len(levels))
    single = [level for level, size in zip(levels, sizes, strict=True) if size == 1]
    if not single or len(index) == 1:
        return ""
    have = "has one cohort" if len(single) == 1 else "have one cohort each"
    if not heterogeneous:
        of = "that level" if len(single) == 1 else "these levels"
        return f"{label}: {listed(single)} {have}: nothing shows how cohorts of {of} differ."
    if len(single) == np.count_nonzero(sizes):
        return (
            f"{label}: every level has one cohort, so that differences between levels are not separable "
            "from those between cohorts: how much is which rests on the priors."
        )
    return (
        f"{label}: {listed(single)} {have}, whose deviation is not separable from the level's "
        "effect: the level's interval rests on the heterogeneity of the other cohorts and on its prior."
    )


def number_note(label: str, values: Sequence[str], centre: str, above: str) -> str:
    """Return a note on a number whose slope or intercept the table hardly informs, empty if there is none.

    `values` are its distinct values in order, `centre` and `above` one step apart.
    """
    low, high = values[0], values[-1]
    if len(values) == 1:
        return f"{label}: every cohort has {low}, so that its slope rests on its prior."
    if not float(low) <= float(centre) <= float(high):
        return (
            f"{label}: its centre, {centre}, is outside the table's values, {low} to {high}, so that the intercept and "
            f"the rates at {centre} and {above} are extrapolations."
        )
    return ""


def spread_note(tau: str, unit: str, label: str, units: Mapping[str, int]) -> str:
    """Return a note on levels whose own tau rests on the others', empty if there are none.

    `units` is the number of units of each level.
    """
    few = [level for level, size in units.items() if size < 2]
    if not few:
        return ""
    own = "its tau rests" if len(few) == 1 else "their taus rest"
    return (
        f"{tau} by {label}: {listed(few)} {'has' if len(few) == 1 else 'have'} one {unit}"
        f"{'' if len(few) == 1 else ' each'}: {own} on the other levels and on the priors."
    )


def exnex_note(unit: str, probability: float) -> str:
    """Return a note on what pooled rates mean if units may be on their own; `probability` is a new unit's."""
    return (
        f"EXNEX: the typical and the mean rate are those of exchangeable {unit}s; the next cohort is a new {unit}, "
        f"exchangeable with probability {probability:g} and on its own otherwise."
    )


def check_reference(
    model: str, position: int, column: str, reference: str, levels: Sequence[str], *, known: Sequence[str] = ()
) -> None:
    """Check that a fixed effect's reference is a level of its column.

    A known level may be without cohorts where the others are known too: the intercept still means it.
    In a column of other words nothing says what it is.

    Parameters
    ----------
    model
        Its name.
    position
        Of the effect in the model file.
    column, reference
        Of the effect.
    levels
        That the cohorts have.
    known
        Those that the model file gives, or that the field knows.

    Raises
    ------
    SpecError
        If no cohort has the reference, and it is not among known levels.
    """
    if reference in levels or {reference, *levels} <= set(known):
        return
    guess = near_miss(reference, levels)
    line = fault(
        f"effect[{position}].reference (of {quoted(column)})",
        f"found {quoted(reference)}, which no cohort of the table has",
        listed(levels),
        f"Did you mean {quoted(guess)}?" if guess else "Rename a level of the table, or the reference in the model.",
    )
    raise SpecError(f"model {model}: it does not fit this table ([0] is the first):\n  {line}")
