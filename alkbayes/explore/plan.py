"""A setting laid over the table, before anything is fitted: its model, who is left out, and how it is repeated."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.table import Evidence
from alkbayes.explore.base import Base, ModelOf, changes_of, filter_columns, model_of, selection_of
from alkbayes.explore.command import command_of
from alkbayes.explore.setting import Setting
from alkbayes.text.names import shown
from alkbayes.vocabulary import label_of


@dataclass(frozen=True, slots=True)
class Plan:
    """A setting laid over the table.

    Attributes
    ----------
    whole
        The table of its model with every cohort.
    model
        Its model.
    dropped
        Cohorts left out by their levels, with these as text.
    excluded
        Cohorts left out by name.
    words
        How it differs from the base.
    command
        The command that repeats it.
    interval_prob
        Probability of all intervals.
    """

    setting: Setting
    whole: Evidence
    model: ModelOf
    dropped: Mapping[str, str]
    excluded: frozenset[str]
    words: tuple[str, ...]
    command: str
    interval_prob: float

    @property
    def left(self) -> int:
        """Number of cohorts that are left."""
        names = self.whole.frame[COHORT].tolist()
        return sum(name not in self.excluded and name not in self.dropped for name in names)


def plan_of(base: Base, setting: Setting, whole: Evidence) -> Plan:
    """Return a setting laid over the whole table of its model.

    Raises
    ------
    UsageError, SpecError
        If it does not fit the table or the model.
    """
    model = model_of(base, setting, whole)
    selection = selection_of(base, setting, whole)
    names = whole.frame[COHORT].tolist()
    return Plan(
        setting,
        whole,
        model,
        _dropped(setting, whole),
        frozenset(each.cohort for each in setting.excluded) & {*names},
        changes_of(base, setting, whole),
        shlex.join(command_of(base, setting, model, selection)),
        base.interval_prob,
    )


def _dropped(setting: Setting, whole: Evidence) -> dict[str, str]:
    """Return the cohorts that are left out by their levels, and those without one, with these as text."""
    stated, names = filter_columns(whole), whole.frame[COHORT].tolist()
    found: dict[str, str] = {}
    for column, levels in setting.dropped:
        for name, cell in zip(names, whole.frame[column].astype(str).tolist(), strict=True):
            if cell in levels or cell not in stated[column]:
                found.setdefault(name, f"{label_of(column)} {shown(cell) or 'not stated'}")
    return found
