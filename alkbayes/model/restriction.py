"""A design without some of its cohorts: what leaving out is made of."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.evidence.table import trial_labels, trial_names
from alkbayes.model.design import Design, HeterogeneityBlock, Index

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial's name and the positions of its cohorts, shape (any,)."""

    name: str
    cohorts: Index


def restricted(design: Design, kept: Index) -> Design:
    """Return a design of some of its cohorts.

    Parameters
    ----------
    design
        Of the model over the whole table.
    kept
        Positions of at least one cohort, shape (kept,).

    Returns
    -------
    Design
        Every effect has the levels that it has in the whole table, so that parameters and their priors are the same: a
        level whose cohorts are all left out keeps its prior. Units of the heterogeneity that are left out have no
        deviation.
    """
    return replace(
        design,
        cohorts=tuple(design.cohorts[cohort] for cohort in kept),
        responders=design.responders[kept],
        n=design.n[kept],
        effects=tuple(replace(block, index=block.index[kept]) for block in design.effects),
        group=None if design.group is None else _restricted_units(design.group, kept),
        cohort=None if design.cohort is None else _restricted_units(design.cohort, kept),
        profiles={column: levels[kept] for column, levels in design.profiles.items()},
    )


def vanished_levels(design: Design, kept: Index) -> tuple[str, ...]:
    """Return the levels of effects that lose all their cohorts, such as "generation experimental"."""
    return tuple(
        f"{block.label} {level}"
        for block in design.effects
        for code, level in enumerate(block.levels)
        if (block.index == code).any() and not (block.index[kept] == code).any()
    )


def trials_of(evidence: "Evidence") -> tuple[Trial, ...] | None:
    """Return the trials in the order of the table; None where it names none.

    A cohort without a trial stands for one of its own, under its own name.
    """
    labels = trial_labels(evidence.frame)
    if labels is None:
        return None
    found: dict[str, list[int]] = {}
    for position, label in enumerate(labels):
        found.setdefault(label, []).append(position)
    names = trial_names(evidence.frame)
    return tuple(Trial(names[cohorts[0]], np.array(cohorts, dtype=np.intp)) for cohorts in found.values())


def _restricted_units(block: HeterogeneityBlock, kept: Index) -> HeterogeneityBlock:
    codes, index = np.unique(block.index[kept], return_inverse=True)
    return replace(block, units=tuple(block.units[code] for code in codes), index=index.astype(np.intp))
