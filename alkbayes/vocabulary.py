"""Vocabulary of the field: columns, ordered levels, estimands, and the common interval probability."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

INTERVAL_PROB = 0.95
"""Probability of every credible, confidence and prediction interval; all are equal-tailed."""

DEFAULT_MODELS = ("sequence", "line-generation", "line", "prior-tki", "generation", "overall")
"""Candidates for the model of `alkbayes fit`: the first whose columns the table has.

Generation comes last among single columns: its rates reflect a drug's era as much as its effect.
"""

DEFAULT_MODEL = DEFAULT_MODELS[0]
"""Default model for the bundled table."""

MEDIAN_MODEL = "pfs"
"""Model of `alkbayes pfs`, the only bundled one for medians rather than response rates."""


ALL = "all"
"""Group and level of the whole table."""

TOTAL = "total"
"""Heterogeneity of all levels together, and the term that merges two a table cannot separate."""

NOT_RANDOMISED = (
    "Cohorts are not randomised between levels: a contrast compares different trials, patients and years, and is no "
    "treatment effect."
)
"""Caveat for readers of any contrast."""


class Line(StrEnum):
    """Treatment history of a cohort."""

    NAIVE = "naive"
    PRETREATED = "pretreated"
    MIXED = "mixed"


class RegimenClass(StrEnum):
    """Stratification of the review; shown as "TKI generation"."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    COMBINATION = "combination"
    EXPERIMENTAL = "experimental"


class PriorAlkTki(StrEnum):
    """Prior ALK TKI exposure of a cohort."""

    NONE = "none"
    CRIZOTINIB = "crizotinib"
    SECOND = "second"
    ANY = "any"
    MIXED = "mixed"


class PfsStatus(StrEnum):
    """Status of a cohort's median progression-free survival."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    NOT_REPORTED = "not_reported"


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


def slug_of(group: str) -> str:
    """Return a column, or a pair of columns, as part of a variable's name."""
    return group.replace(":", "_")


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

LEVELS: dict[str, tuple[str, ...]] = {
    "line": tuple(Line),
    "regimen_class": tuple(RegimenClass),
    "prior_alk_tki": tuple(PriorAlkTki),
    "phase": ("1", "1/2", "2", "3", "4"),
    "generation": ("1", "2", "3", "4"),
    "prior_chemo": ("none", "some", "all", "unknown"),
    "assessor": ("irc", "investigator"),
    "analysis_set": ("itt", "evaluable"),
    "confirmed": ("yes", "no", "unknown"),
    "certainty": ("high", "low"),
    "after_generation": ("1", "2", "3", "4", "mixed"),
    "assay": ("tissue", "plasma", "unknown"),
    "counted": ("yes", "no"),
}
"""Columns with a fixed set of values, in display order."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "nr", "-", "–", "—", ".", "?"})
"""Codes for a missing value in any column, case-insensitive: R writes NA, SAS a dot."""
IMPOSSIBLE = frozenset(
    frozenset({("line", str(line)), ("prior_alk_tki", str(earlier))})
    for line, histories in {
        # Naive patients have had no ALK TKI; in a mixed cohort, not all have had one.
        Line.NAIVE: (PriorAlkTki.CRIZOTINIB, PriorAlkTki.SECOND, PriorAlkTki.ANY, PriorAlkTki.MIXED),
        Line.MIXED: (PriorAlkTki.CRIZOTINIB, PriorAlkTki.SECOND, PriorAlkTki.ANY),
    }.items()
    for earlier in histories
)
"""Pairs of levels of two columns, each as (column, level), that exclude each other by definition."""

LABELS: dict[str, str] = {
    "regimen_class": "generation",
    "generation": "agent_generation",
    "cohort_id": "cohort",
    "prior_alk_tki": "prior_tki",
}
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


def in_order(column: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct `values` of `column` in display order.

    A fixed set of values keeps its order; any other is sorted, so that row order never matters.
    """
    present = set(values)
    fixed = LEVELS.get(column, ())
    return tuple(level for level in fixed if level in present) + tuple(sorted(present.difference(fixed)))
