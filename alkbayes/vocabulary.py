"""Words of every analysis: estimands, groups and their order, and the probability of intervals."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from alkbayes.alk.levels import LEVELS, RESULT_NAMES
from alkbayes.errors import UsageError

INTERVAL_PROB = 0.95
"""Probability of credible, confidence and prediction intervals unless another is asked for; all are equal-tailed."""
LEAST_LEVEL, LARGEST_LEVEL = 0.5, 0.999
"""Range of the probability that can be asked for."""


def checked_level(level: float, *, percent: bool = False) -> float:
    """Return the probability of intervals that is asked for; with `percent` numbers from 1 on are percentages.

    Raises
    ------
    UsageError
        If it is out of range.
    """
    # Rounded, as 99.9 / 100 is not the number nearest to 0.999.
    prob = round(level / 100, 12) if percent and level >= 1 else level
    if not LEAST_LEVEL <= prob <= LARGEST_LEVEL:
        allowed = f"a proportion from {LEAST_LEVEL:g} to {LARGEST_LEVEL:g}, such as 0.9"
        more = f", or a percentage from {100 * LEAST_LEVEL:g} to {100 * LARGEST_LEVEL:g}, such as 90" if percent else ""
        raise UsageError(f"found {level:g}; allowed: {allowed}{more}.", parameter="level")
    return prob


SETTLED = 0.975
"""Posterior probability of a sign above which it is called settled, whatever the probability of the intervals."""


ALL = "all"
"""Group and level of the whole table."""

TOTAL = "total"
"""Heterogeneity of all levels together, and the term that merges two a table cannot separate."""

NO_VARIANCE = (
    "The model has no variance between cohorts: the prediction interval leaves out differences between cohorts."
)
"""Note on a model without heterogeneity, whose prediction intervals are credible intervals."""

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Names that can be part of a variable's name as they are."""
NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]+")


class Estimand(StrEnum):
    """What a pooled number is about; the three are never mixed up, and `these_cohorts` is the fourth."""

    THESE_COHORTS = "these_cohorts"
    TYPICAL = "typical"
    MEAN = "mean"
    NEXT_COHORT = "next_cohort"


class Standard(StrEnum):
    """Over whose patients the rows of a column's levels are averaged: one mix for all of them, or each row's own."""

    SAME = "same"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Comparison of two levels of a column.

    `column` is its name in results; differences are `first` minus `second`. Of a number, `step` is the difference in
    words, such as "per 10 years".
    """

    column: str
    first: str
    second: str
    step: str = ""

    @property
    def name(self) -> str:
        """Name for a reader, such as "pretreated vs naive"; levels are never parsed from it."""
        return f"{self.first} vs {self.second}{f' ({self.step})' if self.step else ''}"

    def as_row(self) -> dict[str, str]:
        """Return the contrast's key in a table row."""
        return {"column": self.column, "contrast": self.name, "first": self.first, "second": self.second}


def joined_key(names: Iterable[str]) -> str:
    """Return names joined by a colon, such as "naive:first": a key that is never parsed.

    With several names, a colon or backslash gets a preceding backslash, so that keys are unique.
    """
    several = tuple(names)
    if len(several) > 1:
        several = tuple(name.replace("\\", "\\\\").replace(":", "\\:") for name in several)
    return ":".join(several)


def split_key(key: str) -> tuple[str, ...]:
    """Return the names that :func:`joined_key` joined; a single name with a colon is taken for several."""
    names = re.split(r"(?<!\\)((?:\\\\)*):", key)
    joined = [name + stem for name, stem in zip(names[::2], [*names[1::2], ""], strict=True)]
    return tuple(re.sub(r"\\(.)", r"\1", name) for name in joined) if len(joined) > 1 else (key,)


def slug_of(group: str) -> str:
    """Return a column, or a pair of columns, as part of a variable's name: letters, digits and _ of ASCII.

    A name of other characters, such as "J/N", keeps what it can and ends in six digits of its SHA-256, so that "J N"
    has another. netCDF allows no "/", and formulas no blanks.
    """
    slug = group.replace(":", "_")
    if PLAIN_NAME.fullmatch(slug):
        return slug
    kept = "".join(mark for mark in unicodedata.normalize("NFKD", slug) if not unicodedata.combining(mark))
    return f"{NOT_PLAIN.sub('_', kept).strip('_') or 'column'}_{sha256(group.encode()).hexdigest()[:6]}"


def in_own_words(variable: str, headings: Mapping[str, str]) -> str:
    """Return a variable's name for a reader: the heading of a column, or pair, whose own name it can only hash.

    `headings` are by column or pair: with "HER2 status" among them, `sd_HER2_status_f18953` is "sd of HER2 status".
    Names without a hash are those of columns already.
    """
    for group, heading in headings.items():
        slug = slug_of(group)
        if slug != group.replace(":", "_"):
            variable = variable.replace(f"_by_{slug}", f" by {heading}").replace(f"_{slug}", f" of {heading}")
    return variable


def group_row(levels: Mapping[str, str]) -> dict[str, str | None]:
    """Return the key of a group of cohorts in a table row.

    Parameters
    ----------
    levels
        Levels by defining column, under its name in results: none, one or two.

    Returns
    -------
    dict
        Keys group and level, columns and levels joined by a colon, both "all" for all cohorts; first_column,
        first_level, second_column and second_level, the same as values, or None.
    """
    columns, values = [*levels, None, None], [*levels.values(), None, None]
    return {
        "group": joined_key(levels) if levels else ALL,
        "level": joined_key(levels.values()) if levels else ALL,
        "first_column": columns[0],
        "first_level": values[0],
        "second_column": columns[1],
        "second_level": values[1],
    }


GROUP_COLUMNS = tuple(group_row({}))
"""Table columns that identify a group of cohorts."""

FORMULA_ERRORS = frozenset({"#n/a", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!", "#spill!", "#calc!"})
"""What a spreadsheet shows, in capitals, where a formula has no result."""
MISSING = FORMULA_ERRORS | {"", "na", "n/a", "nan", "nr", "-", "–", "—", ".", "?"}
"""How a table says in any of its columns, in either case, that a value is missing: R writes NA, SAS a point."""


LABELS = RESULT_NAMES | {"cohort_id": "cohort"}
"""Names of columns in results, if different from the table."""


def is_missing(cell: str) -> bool:
    """Return whether a cell is coded as missing."""
    return cell.casefold() in MISSING


def label_of(column: str, columns: Iterable[str] | None = None) -> str:
    """Return the name of `column` in results.

    With the `columns` of its table, `generation` is "agent_generation" only beside `regimen_class`, whose label is
    "generation"; in any other table it keeps its name.
    """
    if columns is not None and column == "generation" and "regimen_class" not in columns:
        return column
    return LABELS.get(column, column)


def in_order(column: str, values: Iterable[str], declared: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the distinct `values` of `column` in display order.

    A fixed set of values, `declared` or the field's own, keeps its order; any other is sorted, so that row order never
    matters.
    """
    present = set(values)
    fixed = declared or LEVELS.get(column, ())
    return tuple(level for level in fixed if level in present) + tuple(sorted(present.difference(fixed)))
