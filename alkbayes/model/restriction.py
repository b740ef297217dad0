"""Designs restricted to a subset of cohorts, for leave-out analyses."""

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
    """Return a design restricted to the cohorts at positions `kept`, of which there is at least one.

    Every effect keeps the levels of the whole table, and so the same parameters and priors: a level without cohorts
    keeps its prior. Omitted units of the heterogeneity have no deviation.
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
    """Return the effect levels that lose all their cohorts, such as "generation experimental"."""
    return tuple(
        f"{block.label} {level}"
        for block in design.effects
        if not block.numbers
        for code, level in enumerate(block.levels)
        if (block.index == code).any() and not (block.index[kept] == code).any()
    )


def trials_of(evidence: "Evidence") -> tuple[Trial, ...] | None:
    """Return the trials in table order, or None if the table names none.

    A cohort without a trial counts as a trial of its own, under its own name.
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
    by = None if block.by is None else replace(block.by, of_unit=block.by.of_unit[codes])
    exnex = block.exnex
    if exnex is not None:
        exnex = replace(exnex, probabilities=tuple(exnex.probabilities[code] for code in codes))
    units = tuple(block.units[code] for code in codes)
    return replace(block, units=units, index=index.astype(np.intp), by=by, exnex=exnex)
