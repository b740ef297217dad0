"""The field's words, once: columns, levels and their order, estimands, and the one interval probability."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

INTERVAL_PROB = 0.95
"""Probability of every credible, confidence and prediction interval; all are equal-tailed."""

DEFAULT_MODELS = ("sequence", "line-generation", "line", "prior-tki", "generation", "overall")
"""What `alkbayes fit` fits: the first of these whose columns the table has.

Generation is the last of the columns that stand alone: when a drug was given is in its rates as much as what it does.
"""

DEFAULT_MODEL = DEFAULT_MODELS[0]
"""That of the bundled table."""

MEDIAN_MODEL = "pfs"
"""What `alkbayes pfs` fits: the one bundled model that is of medians, not of response rates."""


ALL = "all"
"""Group, and level, of the whole table."""

TOTAL = "total"
"""Heterogeneity of all levels together, and the one term that stands for two which a table cannot set apart."""

NOT_RANDOMISED = (
    "Cohorts are not randomised between levels: a contrast compares different trials, patients and years, and is no "
    "treatment effect."
)
"""What a reader of any contrast must know."""


class Line(StrEnum):
    """Treatment history of a cohort."""

    NAIVE = "naive"
    PRETREATED = "pretreated"
    MIXED = "mixed"


class RegimenClass(StrEnum):
    """What the review stratifies on; shown as "TKI generation"."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    COMBINATION = "combination"
    EXPERIMENTAL = "experimental"


class PriorAlkTki(StrEnum):
    """Prior exposure of a cohort to ALK inhibitors."""

    NONE = "none"
    CRIZOTINIB = "crizotinib"
    SECOND = "second"
    ANY = "any"
    MIXED = "mixed"


class PfsStatus(StrEnum):
    """What is known of a cohort's median progression-free survival."""

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
    """Two levels of a column, compared.

    Attributes
    ----------
    column
        What the column is called in results.
    first, second
        What is compared with what: differences are of the first less the second.
    """

    column: str
    first: str
    second: str

    @property
    def name(self) -> str:
        """What a reader calls it, such as "pretreated vs naive"; levels are never read back from it."""
        return f"{self.first} vs {self.second}"

    def as_row(self) -> dict[str, str]:
        """Return what identifies it in a row of a table."""
        return {"column": self.column, "contrast": self.name, "first": self.first, "second": self.second}


def joined_key(names: Iterable[str]) -> str:
    """Return names joined by a colon, such as "naive:first": a key that nothing is read back from.

    In several names a colon or a backslash has a backslash before it, so that no two lists of names have one key.
    """
    several = tuple(names)
    if len(several) > 1:
        several = tuple(name.replace("\\", "\\\\").replace(":", "\\:") for name in several)
    return ":".join(several)


def slug_of(group: str) -> str:
    """Return the name of a column, or of a pair of columns, as part of a variable's name."""
    return group.replace(":", "_")


def group_row(levels: Mapping[str, str]) -> dict[str, str | None]:
    """Return what identifies a group of cohorts in a row of a table.

    Parameters
    ----------
    levels
        Of each column that defines it, by what the column is called in results: none, one or two.

    Returns
    -------
    dict
        Keys group and level, the columns and their levels joined by a colon, both "all" of all cohorts; first_column,
        first_level, second_column and second_level, the same as values, None where there is none.
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
"""Columns of a table that identify a group of cohorts."""

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
"""Levels that the bundled tables and models know, in the order in which they are shown; a table may have its own."""

FORMULA_ERRORS = frozenset({"#n/a", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!", "#spill!", "#calc!"})
"""What a spreadsheet shows, in capitals, where a formula has no result."""
MISSING = FORMULA_ERRORS | {"", "na", "n/a", "nan", "nr", "-", "–", "—", ".", "?"}
"""How a table says in any of its columns, in either case, that a value is missing: R writes NA, SAS a point."""

IMPOSSIBLE = frozenset(
    frozenset({("line", str(line)), ("prior_alk_tki", str(earlier))})
    for line, histories in {
        # Nobody has had a drug, or not everybody has.
        Line.NAIVE: (PriorAlkTki.CRIZOTINIB, PriorAlkTki.SECOND, PriorAlkTki.ANY, PriorAlkTki.MIXED),
        Line.MIXED: (PriorAlkTki.CRIZOTINIB, PriorAlkTki.SECOND, PriorAlkTki.ANY),
    }.items()
    for earlier in histories
)
"""Pairs of levels of two columns, each as (column, level), that exclude each other by what they mean."""

LABELS: dict[str, str] = {
    "regimen_class": "generation",
    "generation": "agent_generation",
    "cohort_id": "cohort",
    "prior_alk_tki": "prior_tki",
}
"""What a column is called in results, where that differs from its name in the table."""


def is_missing(cell: str) -> bool:
    """Return whether a cell says that its value is missing."""
    return cell.casefold() in MISSING


def label_of(column: str, columns: Iterable[str] | None = None) -> str:
    """Return what `column` is called in results.

    With the `columns` of its table, `generation` is "agent_generation" only beside `regimen_class`, whose label is
    "generation"; in any other table it keeps its name.
    """
    if columns is not None and column == "generation" and "regimen_class" not in columns:
        return column
    return LABELS.get(column, column)


def in_order(column: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct `values` of `column` in the order in which they are shown.

    A column with a fixed set of values keeps that set's order; any other is sorted, so that the order of the rows in a
    table never decides anything.
    """
    present = set(values)
    fixed = LEVELS.get(column, ())
    return tuple(level for level in fixed if level in present) + tuple(sorted(present.difference(fixed)))
