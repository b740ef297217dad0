"""Fingerprint of a calibration study: small fits that change whenever its posteriors would.

A recorded study stays valid as long as the code draws what it drew. The fingerprint therefore records behaviour, not
text: code may move, be renamed or be rewritten.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from alkbayes.calibration.replications import LEAST_DRAWS, Study, replicate_study
from alkbayes.inference.settings import Engine

type Fingerprint = Mapping[str, Sequence[float]]

FITS = {Engine.QUADRATURE: 2, Engine.NUTS: 4}
"""Number of small replications of a study's scenario, with the study's model and engine."""
NUMBERS = ("truth", "mean", "low", "high")
"""Values recorded for each quantity of a fit."""
SEED = 40713
"""Random seed of these replications, whatever the study's own."""
DIGITS = 9
"""Significant digits recorded."""
TOLERANCE = 1e-5
"""Relative, and absolute below 1. Processors round differently: a change of 1e-14 in the counts moves the positions of
NUTS by up to 4e-7 in 700 steps, unless a step on the verge of a U-turn goes the other way; then the chains diverge from
each other, as in one of the first two fits of `sequence` on some processors. Other draws move a mean by its Monte Carlo
error, about 1e-2."""
MADE: dict[tuple[str, str | None, Engine, str], Fingerprint] = {}
"""Fingerprints made in this process, by model, cohorts and engine: workers check every replication against it."""


def fingerprint(study: Study) -> Fingerprint:
    """Return truth and posterior of a few small simulated tables.

    Only model, cohorts and engine of the study matter, not its seed and number of draws.

    Returns
    -------
    dict
        For each quantity of :func:`alkbayes.calibration.replications.quantities_of` the true value, posterior mean, and
        ends of the 95 % interval, one replication after another. Rates are proportions, other quantities on the logit
        scale.

    Raises
    ------
    SamplingError
        If a posterior cannot be drawn.
    """
    table = None if study.table is None else study.table.as_record()
    of = (study.spec.model_dump_json(by_alias=True), study.scenario, study.engine, json.dumps(table))
    if of not in MADE:
        MADE[of] = _made(replace(study, seed=SEED, draws=LEAST_DRAWS))
    return MADE[of]


def _made(study: Study) -> Fingerprint:
    found: dict[str, list[float]] = {}
    for number in range(FITS[study.engine]):
        record = replicate_study(study, number)
        for name, quantity in record["quantities"].items():
            numbers = (quantity[each] for each in NUMBERS)
            found.setdefault(name, []).extend(float(f"{value:.{DIGITS}g}") for value in numbers)
    return found


def differing(recorded: object, now: Fingerprint, engine: Engine = Engine.QUADRATURE) -> list[str]:
    """Return the quantities whose values differ, in the order of `now`, then those only in `recorded`.

    Rounding alone can send chains another way: with NUTS, agreement of all values of one fit is enough, since code that
    samples differently never agrees. If `recorded` is not a fingerprint, all quantities differ.
    """
    if not isinstance(recorded, Mapping):
        return list(now)
    if engine is Engine.NUTS and set(recorded) == set(now):
        fits = [slice(start, start + len(NUMBERS)) for start in range(0, len(NUMBERS) * FITS[engine], len(NUMBERS))]
        if any(all(_same(_part(recorded[name], fit), numbers[fit]) for name, numbers in now.items()) for fit in fits):
            return []
    changed = [name for name, numbers in now.items() if not _same(recorded.get(name), numbers)]
    return changed + [str(name) for name in recorded if name not in now]


def _part(recorded: object, fit: slice) -> object:
    return recorded[fit] if isinstance(recorded, list | tuple) else recorded


def _same(recorded: object, now: Sequence[float]) -> bool:
    return (
        isinstance(recorded, Sequence)
        and len(recorded) == len(now)
        and all(
            isinstance(old, int | float) and math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
            for old, new in zip(recorded, now, strict=True)
        )
    )
