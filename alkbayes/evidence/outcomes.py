"""What is counted: the two columns of a table, and every word that a reader is told of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from alkbayes.evidence.declared import NOTHING, Declared

PEOPLE = frozenset({"adult", "child", "man", "participant", "patient", "person", "woman"})
"""Units that "who" refers to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A binomial outcome of the cohorts of a table: its columns, and its nouns as a sentence has them.

    Attributes
    ----------
    responders, n
        Columns of the two counts.
    label
        The rate, in full.
    patients
        Who or what is counted in `n`, exactly.
    short
        The rate as a heading.
    event, events
        What is counted in `responders`, one and several.
    had
        What happened to those counted in `responders`, a verb in the past.
    unit, units
        Who or what is counted in `n` in a word, one and several.
    declared
        What the model file says of the table's other columns; it does not make another outcome.
    """

    responders: str = "responders"
    n: str = "n"
    label: str = "objective response rate"
    patients: str = "patients"
    short: str = "ORR"
    event: str = "responder"
    events: str = "responders"
    had: str = "responded"
    unit: str = "patient"
    units: str = "patients"
    declared: Declared = field(default=NOTHING, compare=False)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return what :meth:`as_record` made a record of; earlier versions' have no columns."""
        return cls(**(dict(record) | {"declared": Declared.of(record.get("declared", {}))}))

    def as_record(self) -> dict[str, Any]:
        """Return the outcome as values that JSON can hold."""
        return asdict(self) | {"declared": self.declared.as_record()}

    @property
    def columns(self) -> tuple[str, str]:
        """The two columns."""
        return self.responders, self.n

    @property
    def usual(self) -> bool:
        """Whether its columns are those that every table has for each cohort."""
        return self.columns == ("responders", "n")

    @property
    def title(self) -> str:
        """The label at the beginning of a line."""
        return self.label[:1].upper() + self.label[1:]

    @property
    def of_response(self) -> bool:
        """Whether responders are counted, of which there is more to say: a response, non-responders."""
        return self.event == ORR.event

    @property
    def rate(self) -> str:
        """The rate in running text."""
        return "response rate" if self.of_response else self.label

    @property
    def response(self) -> str:
        """The event itself."""
        return "response" if self.of_response else self.event

    @property
    def responses(self) -> str:
        """Several of them."""
        return "responses" if self.of_response else self.events

    @property
    def others(self) -> str:
        """The units that had no event."""
        return f"non-{self.events}" if self.of_response else f"other {self.units}"

    @property
    def who(self) -> str:
        """The relative pronoun for the units."""
        return "who" if self.unit in PEOPLE else "which"

    def not_randomised(self, trials: int | None) -> str:
        """Return the caveat for readers of any contrast; `trials` is their number, None if the table names none."""
        compared = "trials" if trials is not None and trials > 1 else "cohorts"
        return (
            f"Cohorts are not randomised between levels: a contrast compares different {compared}, {self.units} and "
            "years, and is no treatment effect."
        )

    def events_of(self, count: int) -> str:
        """Return a count of events, as "1 responder" or "12 responders"."""
        return f"{count:,} {self.event if count == 1 else self.events}"

    def units_of(self, count: int) -> str:
        """Return a count of units, as "1 patient" or "12 patients"."""
        return f"{count:,} {self.unit if count == 1 else self.units}"


ORR = Outcome()
"""What every table counts."""
