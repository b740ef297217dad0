"""Columns and levels of the field, in the order in which they are shown, and the bundled models that know them."""

from enum import StrEnum

DEFAULT_MODELS = ("sequence", "line-generation", "line", "prior-tki", "generation", "overall")
"""Candidates for the model of `alkbayes fit`: the first whose columns the table has.

Generation comes last among single columns: its rates reflect a drug's era as much as its effect.
"""

DEFAULT_MODEL = DEFAULT_MODELS[0]
"""Default model for the bundled table."""

MEDIAN_MODEL = "pfs"
"""Model of `alkbayes pfs`, the only bundled one for medians rather than response rates."""

STRATA = ("line", "regimen_class")
"""Columns that reports stratify on: a misspelt level is a fault even where no model needs the column."""


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
    "treatment_class": ("chemotherapy", *tuple(RegimenClass)[:3]),
}
"""Levels that the bundled tables and models know, in the order in which they are shown; a table may have its own."""

LEVELS_SAID_OTHERWISE: dict[str, dict[str, str]] = {
    "line": {
        "untreated": "naive",
        "previouslyuntreated": "naive",
        "treatmentnaive": "naive",
        "previouslytreated": "pretreated",
    },
    "regimen_class": {
        "1": "first",
        "1st": "first",
        "firstgeneration": "first",
        "2": "second",
        "2nd": "second",
        "secondgeneration": "second",
        "3": "third",
        "3rd": "third",
        "thirdgeneration": "third",
        "combo": "combination",
    },
}
"""Other words for a level, as `text.names.plain` leaves them. Not "TKI-naive": that may follow chemotherapy."""

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

LINE_BY_TKI = {
    PriorAlkTki.NONE: Line.NAIVE,
    PriorAlkTki.CRIZOTINIB: Line.PRETREATED,
    PriorAlkTki.SECOND: Line.PRETREATED,
    PriorAlkTki.ANY: Line.PRETREATED,
    PriorAlkTki.MIXED: Line.MIXED,
}
"""Treatment line implied by prior ALK TKIs alone, whatever the chemotherapy."""

RESULT_NAMES: dict[str, str] = {
    "regimen_class": "generation",
    "generation": "agent_generation",
    "prior_alk_tki": "prior_tki",
}
"""Names of columns in results, if different from the table."""
