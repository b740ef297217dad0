"""Classical pooling, subgroups and meta-regression from Python."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from alkbayes.classical.moderators.clustering import methods_note
from alkbayes.classical.moderators.design import NO_REFERENCES
from alkbayes.classical.moderators.predictions import NO_VALUES
from alkbayes.classical.moderators.regression import MetaRegression
from alkbayes.classical.moderators.regression import regress as meta_regression
from alkbayes.classical.moderators.subgroup_tables import SubgroupTable, subgroup_table
from alkbayes.classical.pooling.methods import DEFAULT_METHODS, PoolingMethod, method_named
from alkbayes.classical.pooling.tables import PooledGroup, frame_of, pool_groups
from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import Evidence as Table
from alkbayes.evidence.table import trial_labels
from alkbayes.library.arguments import several, spelt
from alkbayes.library.display import Displayed
from alkbayes.library.evidence import Data, Names, outcome_of, table_of
from alkbayes.library.models import Model
from alkbayes.presentation.pooling import Footnotes, footnotes_of, pool_rows
from alkbayes.presentation.regression import coefficient_rows
from alkbayes.presentation.subgroups import HEADINGS, level_rows
from alkbayes.presentation.tables import Part, Sentence, value_columns
from alkbayes.text.json import records
from alkbayes.text.wording import counted, p_equals
from alkbayes.vocabulary import INTERVAL_PROB, checked_level

if TYPE_CHECKING:
    import pandas as pd

METHOD = PoolingMethod.REML_LOGIT_HK_ADHOC
"""The field's recommended method: REML on the logit scale with a Hartung-Knapp interval, its factor at 1 or above."""


@dataclass(frozen=True, repr=False, eq=False)
class Pooling(Displayed):
    """Classical pooling by several methods, overall and by group.

    Attributes
    ----------
    evidence
        The table pooled.
    groups
        The records that the rest of the package takes.
    level
        Probability of the intervals.
    """

    evidence: Table
    groups: tuple[PooledGroup, ...]
    level: float

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row for each group, level and method, rates in [0, 1], as `alkbayes pool --csv` prints them."""
        return frame_of(self.groups)

    @cached_property
    def _footnotes(self) -> Footnotes:
        return footnotes_of(self.groups, self.evidence.outcome.declared)

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings about single results, and methods that treat cohorts of one trial as independent."""
        methods = [PoolingMethod(name) for name in self.table["method"].unique()]
        dependent = methods_note(methods, trial_labels(self.evidence.frame))
        return (*self._footnotes.notes.values(), *([dependent] if dependent else []))

    @property
    def subject(self) -> str:
        """Cohorts and outcome."""
        return f"Classical pooling of the {self.evidence.outcome.label} of {counted(self.evidence.cohorts, 'cohort')}"

    @property
    def verdict(self) -> str:
        """Number of results that need a note."""
        noted = int((self.table["note"] != "").sum())
        return f"{counted(len(self.table), 'result')}, {noted or 'none'} with a note"

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: table; notes"

    def _parts(self) -> Iterator[Part]:
        found, declared = self._footnotes, self.evidence.outcome.declared
        yield pool_rows(records(self.table), found.marks, declared, prob=self.level)
        yield from (Sentence(f"{mark} {note}") for mark, note in found.notes.items())


@dataclass(frozen=True, repr=False, eq=False)
class Subgroups(Displayed):
    """Pooled rates by level of a column, and the tests of their differences.

    Attributes
    ----------
    evidence
        The table analysed.
    analysis
        The record that the rest of the package takes.
    level
        Probability of the intervals.
    """

    evidence: Table
    analysis: SubgroupTable
    level: float

    @property
    def levels(self) -> "pd.DataFrame":
        """A row for each level, with its own tau2 and with a shared one; rates as proportions in [0, 1]."""
        return self.analysis.levels

    @property
    def tests(self) -> "pd.DataFrame":
        """Tests that all levels have one mean."""
        return self.analysis.tests

    @property
    def subject(self) -> str:
        """Column and method."""
        return f"Subgroups by {self.analysis.column}, {self.analysis.method}, {self.analysis.scale} scale"

    @property
    def verdict(self) -> str:
        """P-values of the tests."""
        said = [
            f"{HEADINGS[row['heterogeneity']]}: {'no test' if row['p'] is None else p_equals(row['p'])}"
            for row in records(self.tests)
        ]
        return f"Differences between levels: {'; '.join(said)}"

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: levels, tests"

    def _parts(self) -> Iterator[Part]:
        yield level_rows(
            records(self.levels), self.tests["heterogeneity"].tolist(), self.evidence.outcome, prob=self.level
        )
        yield from (Sentence(note) for note in dict.fromkeys(self.tests["note"]) if note)


@dataclass(frozen=True, repr=False, eq=False)
class Regression(Displayed):
    """A meta-regression.

    Attributes
    ----------
    analysis
        The record that the rest of the package takes: tests, residual heterogeneity and notes.
    """

    analysis: MetaRegression

    @cached_property
    def coefficients(self) -> "pd.DataFrame":
        """Coefficients on the scale of the method, as `alkbayes regress --csv` prints them."""
        import pandas as pd

        return pd.DataFrame(self.analysis.to_dict()["coefficients"])

    @cached_property
    def predictions(self) -> "pd.DataFrame":
        """Rates at the values asked for, as `alkbayes regress --at --csv` prints them."""
        import pandas as pd

        rows = self.analysis.to_dict()["predictions"]
        return pd.DataFrame([value_columns(row) for row in rows])

    @property
    def subject(self) -> str:
        """Moderators and method."""
        found = self.analysis
        named = ", ".join(found.moderators)
        return f"Meta-regression of {counted(found.k, 'cohort')} on {named}, {found.method}, {found.scale} scale"

    @property
    def verdict(self) -> str:
        """The test of all moderators."""
        if not self.analysis.converged:
            return "NOT CONVERGED: DO NOT USE THESE NUMBERS"
        return "No test" if self.analysis.omnibus is None else f"Moderators: {p_equals(self.analysis.omnibus.p)}"

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: coefficients, predictions; analysis"

    @property
    def failed(self) -> bool:
        """Whether its numbers must not be used."""
        return not self.analysis.converged

    def _parts(self) -> Iterator[Part]:
        yield coefficient_rows(records(self.coefficients), prob=self.analysis.prob)
        yield Sentence(self.analysis.note)


def pool(
    data: Data = None,
    by: str | Sequence[str | tuple[str, str]] = (),
    *,
    methods: str | Iterable[str] = DEFAULT_METHODS,
    outcome: Model | Outcome | None = None,
    level: float = INTERVAL_PROB,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
) -> Pooling:
    """Pool the rates of a table by classical methods, overall and by group.

    Parameters
    ----------
    data
        A data frame; the path of a table; a table already read; None for the bundled one.
    by
        Column, or columns and pairs of columns, to group by beside the whole table.
    methods
        Name of a method, or names, as `alkbayes pool` has them.
    outcome
        Model whose outcome is counted, or the outcome.
    level
        Probability of the intervals, from 0.5 to 0.999.
    cohort, trial, responders, n
        Your names for the columns of cohorts, trials and the two counts.

    Raises
    ------
    EvidenceError
        If the table breaks a rule or lacks a column.
    UsageError
        If there is no such method.

    Examples
    --------
    >>> import pandas as pd, alkbayes as ab
    >>> table = pd.DataFrame({"study": ["a", "b", "c"], "event": [12, 30, 8], "total": [40, 52, 33]})
    >>> pooled = ab.pool(table, responders="event", n="total", cohort="study", methods=["glmm-ml"])
    >>> pooled.table[["k", "estimate"]].round(3).to_dict("records")
    [{'k': 3, 'estimate': 0.372}]
    """
    evidence = table_of(data, Names(cohort, trial, responders, n), outcome_of(outcome))
    with spelt(method="methods"):
        chosen = [method_named(name) for name in several(methods)]
    prob = checked_level(level)
    groups = pool_groups(evidence, by=[by] if isinstance(by, str) else list(by) or None, methods=chosen, prob=prob)
    return Pooling(evidence, tuple(groups), prob)


def subgroups(
    data: Data,
    column: str,
    *,
    method: str = METHOD,
    outcome: Model | Outcome | None = None,
    level: float = INTERVAL_PROB,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
) -> Subgroups:
    """Pool each level of a column, and test the differences between levels.

    Parameters
    ----------
    data
        As of :func:`pool`.
    column
        Column with two levels or more.
    method
        `glmm-ml`, an inverse-variance method, or one with cohorts within trials.
    outcome, level, cohort, trial, responders, n
        As of :func:`pool`.

    Raises
    ------
    EvidenceError
        If the table breaks a rule, or the column does not have two levels.
    UsageError
        If there is no such method, or it takes no subgroups.

    Examples
    --------
    >>> import alkbayes as ab
    >>> found = ab.subgroups(None, "line", method="glmm-ml")
    >>> found.levels.query("heterogeneity == 'shared'")[["level", "k"]].to_dict("list")
    {'level': ['naive', 'pretreated', 'mixed'], 'k': [17, 33, 16]}
    """
    evidence = table_of(data, Names(cohort, trial, responders, n), outcome_of(outcome))
    prob = checked_level(level)
    return Subgroups(evidence, subgroup_table(evidence, column, method=method_named(method), prob=prob), prob)


def regress(
    data: Data,
    moderators: str | Sequence[str],
    *,
    method: str = METHOD,
    levels: str | Collection[str] = (),
    references: Mapping[str, str] = NO_REFERENCES,
    at: Mapping[str, str | float | Sequence[str | float]] = NO_VALUES,
    outcome: Model | Outcome | None = None,
    level: float = INTERVAL_PROB,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
) -> Regression:
    """Regress the rates of a table on some of its columns.

    Parameters
    ----------
    data
        As of :func:`pool`.
    moderators
        Columns, numbers as numbers and others as factors, and interactions: "a:b", or "a*b" for both and their own.
    method
        `glmm-ml`, an inverse-variance method, or one with cohorts within trials.
    levels
        Numeric column, or columns, to be treated as factors.
    references
        Reference level by factor. Default: its first level.
    at
        Value of a moderator, or values, by column, for whose combinations rates are predicted.
    outcome, level, cohort, trial, responders, n
        As of :func:`pool`.

    Raises
    ------
    EvidenceError
        If the table breaks a rule, or the columns are unsuitable.
    UsageError
        If there is no such method, or it cannot regress.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.regress(None, ["line"], method="glmm-ml").coefficients["name"].tolist()[0]
    'intercept'
    """
    evidence = table_of(data, Names(cohort, trial, responders, n), outcome_of(outcome))
    return Regression(
        meta_regression(
            evidence,
            several(moderators),
            method=method_named(method),
            levels=several(levels),
            references=references,
            at={column: [str(value) for value in several(values)] for column, values in at.items()},
            prob=checked_level(level),
        )
    )
