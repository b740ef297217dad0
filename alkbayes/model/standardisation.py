"""Over whose patients the levels of a column are compared: direct standardisation, and where it ends.

The levels of one column differ in the rest of their patients, too: first-generation cohorts had no ALK inhibitor
before, later ones often had. Direct standardisation averages every level over one and the same mix of the other
columns, that of the patients of all cohorts (the g-formula: Robins 1986, doi:10.1016/0270-0255(86)90088-6; Keil et al.
2018, doi:10.1177/0962280217694665, for its Bayesian form). Where no cohort has a combination, the model predicts it.

It must not average over what cannot be. No naive cohort has had an ALK inhibitor, and no agent is of two generations.
So the mix is that of the patients whose other columns are possible with every level of the column, the common support;
where there are none, each level keeps its own patients.
"""

import numpy as np
from numpy.typing import NDArray

from alkbayes.model.design import Structure
from alkbayes.text.names import column_title
from alkbayes.vocabulary import IMPOSSIBLE, in_order

type Mask = NDArray[np.bool_]

ALL_PATIENTS = "the patients of all cohorts"
PATIENTS = {
    ("line", "naive"): "treatment-naive patients",
    ("line", "pretreated"): "pretreated patients",
    ("prior_alk_tki", "none"): "patients without a prior ALK TKI",
    ("prior_alk_tki", "crizotinib"): "patients after crizotinib",
}
"""What those are called whose column has one level."""


def common_support(design: Structure, column: str) -> Mask:
    """Return the cohorts over whose patients the levels of a column are compared, shape (cohort,).

    They are those whose levels of every other column are possible with all levels that the column has in the table;
    none where there is no such cohort, or no other column.
    """
    others = [other for other in design.profiles if other != column]
    kept = np.full(len(design.cohorts), bool(others), dtype=np.bool_)
    levels = set(design.profiles[column].tolist())
    for other in others:
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


def in_words(design: Structure, column: str, kept: Mask) -> str:
    """Return whose patients those of :func:`common_support` are, such as "pretreated patients"."""
    parts = []
    for other, levels in design.profiles.items():
        left = in_order(other, levels[kept].tolist())
        if other != column and not kept.all() and len(left) < len(set(levels.tolist())):
            parts.append((other, left))
    # Leaving a level out may empty others that are possible: what is said is why, the columns that decide it.
    decisive = [(other, left) for other, left in parts if _excludes(design, column, other)]
    if not decisive:
        return ALL_PATIENTS
    if len(decisive) == len(decisive[0][1]) == 1 and (words := PATIENTS.get((decisive[0][0], decisive[0][1][0]))):
        return words
    listed = [f"{column_title(design.labels[other])} {' or '.join(left)}" for other, left in decisive]
    return f"the patients with {' and '.join(listed)}"


def _excludes(design: Structure, column: str, other: str) -> bool:
    """Return whether a level of the other column is impossible with a level of the column."""
    pairs = set(zip(design.profiles[column].tolist(), design.profiles[other].tolist(), strict=True))
    firsts, seconds = {first for first, _ in pairs}, {second for _, second in pairs}
    return _nested(pairs) or any(
        frozenset({(column, first), (other, second)}) in IMPOSSIBLE for first in firsts for second in seconds
    )


def _nested(pairs: set[tuple[str, str]]) -> bool:
    """Return whether one of two columns decides the other: a table cannot tell what another pair of levels would be."""
    return len(pairs) == max(len({first for first, _ in pairs}), len({second for _, second in pairs}))
