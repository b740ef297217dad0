"""Outcome of a model file: the table [outcome]."""

from typing import Annotated

from pydantic import Field

from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.spec.priors import Record

Column = Annotated[
    str,
    Field(
        pattern=r"^[^\p{C}\s](\P{C}*[^\p{C}\s])?$",
        max_length=60,
        description="the name of a column (on one line, no blank first or last, 60 characters at most)",
    ),
]
Level = Annotated[str, Field(pattern=r"^[^\p{C}\s](\P{C}*[^\p{C}\s])?$")]
LONGEST, LONGEST_HEADING = 60, 20
"""Characters of a phrase, and of a noun that also stands over a column of a table."""
_PHRASE = r"^\P{C}*[^\p{C}\s]\P{C}*$"
ALLOWED = "a text on one line, {} characters at most, not empty"
Phrase = Annotated[str, Field(pattern=_PHRASE, max_length=LONGEST)]
Heading = Annotated[str, Field(pattern=_PHRASE, max_length=LONGEST_HEADING)]


class OutcomeTable(Record):
    """Columns of the two counts, and what to call them."""

    responders: Column
    n: Column
    label: Phrase | None = Field(default=None, description=ALLOWED.format(LONGEST))
    patients: Phrase | None = Field(default=None, description=ALLOWED.format(LONGEST))
    short: Heading | None = Field(default=None, description=ALLOWED.format(LONGEST_HEADING))
    event: Heading | None = Field(default=None, description=ALLOWED.format(LONGEST_HEADING))
    events: Heading | None = Field(default=None, description=ALLOWED.format(LONGEST_HEADING))
    had: Phrase | None = Field(default=None, description=ALLOWED.format(LONGEST))
    unit: Heading | None = Field(default=None, description=ALLOWED.format(LONGEST_HEADING))
    units: Heading | None = Field(default=None, description=ALLOWED.format(LONGEST_HEADING))

    @property
    def outcome(self) -> Outcome:
        """Outcome: in the words of the file, and where it has none, of events, or of ORR if it only names its columns.

        The patients of a longer phrase, such as "patients with brain lesions", are patients in a word.
        """
        given = {name: word for name in NOUNS if (word := getattr(self, name)) is not None}
        if (self.responders, self.n) == ORR.columns and not given:
            return ORR
        patients = given.get("patients", f"{ORR.units} counted in {self.n}")
        units = given.get("units", ORR.units if ORR.units in patients.split() else patients)
        event = given.get("event", given.get("events", "events").removesuffix("s"))
        defaults = {
            "label": f"{self.responders} / {self.n}",
            "patients": patients,
            "short": "rate",
            "event": event,
            "events": f"{event}s",
            "had": "had the event",
            "unit": units.removesuffix("s"),
            "units": units,
        }
        return Outcome(self.responders, self.n, **(defaults | given))


NOUNS = tuple(name for name in OutcomeTable.model_fields if name not in ("responders", "n"))
"""Keys that say what to call the outcome: no number depends on them."""
