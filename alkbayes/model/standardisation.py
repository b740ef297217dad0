"""Direct standardisation of the levels of a column, and its limits.

Patients at different levels of a column differ in other columns, too: first-generation cohorts had no prior ALK TKI,
later ones often had. Direct standardisation averages every level over the same mix of the other columns, that of the
patients of all cohorts (the g-formula: Robins 1986, doi:10.1016/0270-0255(86)90088-6; Keil et al. 2018,
doi:10.1177/0962280217694665, for its Bayesian form). The model predicts combinations without cohorts.

Impossible combinations are excluded: no naive cohort has had an ALK TKI, and no agent belongs to two generations. The
mix therefore covers the patients whose other columns are possible with every level of the column, the common support;
if there are none, each level keeps its own patients.
"""

import numpy as np
from numpy.typing import NDArray

from alkbayes.alk.levels import IMPOSSIBLE
from alkbayes.alk.words import PATIENTS_OF
from alkbayes.model.design import Structure

type Mask = NDArray[np.bool_]


def common_support(design: Structure, column: str) -> Mask:
    """Return a mask of the cohorts in the common support of a column's levels, shape (cohort,).

    Their levels of every other column are possible with all levels of the column in the table; any number is, and any
    level without an effect. The mask is empty if there is no such cohort, or no other column.
    """
    others = [other for other in design.profiles if other != column]
    kept = np.full(len(design.cohorts), bool(others), dtype=np.bool_)
    levels = set(design.profiles[column].tolist())
    for other in (each for each in design.level_columns if each != column):
        pairs = set(zip(design.profiles[column].tolist(), design.profiles[other].tolist(), strict=True))
        tied = _nested(pairs)
        possible = {
            second
            for _, second in pairs
            if all(
                (first, second) in pairs if tied else frozenset({(column, first), (other, second)}) not in IMPOSSIBLE
                for first in levels
            )
        }
        kept &= np.isin(design.profiles[other], list(possible))
    return kept


def of_all_cohorts(design: Structure) -> str:
    """Return what the patients of all cohorts are called."""
    return f"the {design.units} of all cohorts"


def in_words(design: Structure, column: str, kept: Mask) -> str:
    """Return a name for the patients of :func:`common_support`, such as "pretreated patients"."""
    parts = []
    for other, levels in design.profiles.items():
        left = design.declared.in_order(other, levels[kept].tolist())
        if (
            other != column
            and other in design.level_columns
            and not kept.all()
            and len(left) < len(set(levels.tolist()))
        ):
            parts.append((other, left))
    # Leaving a level out may also empty possible ones: the text names only the columns that decide it.
    decisive = [(other, left) for other, left in parts if _excludes(design, column, other)]
    if not decisive:
        return of_all_cohorts(design)
    (first, of_first), *more = decisive
    own = design.declared.label(design.labels[first])
    if not (more or own) and len(of_first) == 1 and (words := PATIENTS_OF.get((design.labels[first], of_first[0]))):
        return words.format(units=design.units)
    listed = [f"{design.declared.heading(design.labels[other])} {' or '.join(left)}" for other, left in decisive]
    return f"the {design.units} with {' and '.join(listed)}"


def _excludes(design: Structure, column: str, other: str) -> bool:
    """Return whether a level of the other column is impossible with a level of the column."""
    pairs = set(zip(design.profiles[column].tolist(), design.profiles[other].tolist(), strict=True))
    firsts, seconds = {first for first, _ in pairs}, {second for _, second in pairs}
    return _nested(pairs) or any(
        frozenset({(column, first), (other, second)}) in IMPOSSIBLE for first in firsts for second in seconds
    )


def _nested(pairs: set[tuple[str, str]]) -> bool:
    """Return whether one of two columns determines the other, so that the table cannot inform other pairs."""
    return len(pairs) == max(len({first for first, _ in pairs}), len({second for _, second in pairs}))
