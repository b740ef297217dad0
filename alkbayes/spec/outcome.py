"""Outcome of a model file: the table [outcome]."""

from typing import Annotated

from pydantic import Field

from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.spec.priors import Record

Column = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=60,
        description="the name of a column (letters, digits and _, no digit first, 60 characters at most)",
    ),
]
Phrase = Annotated[
    str,
    Field(pattern=r"^\P{C}*[^\p{C}\s]\P{C}*$", max_length=60),
]


class OutcomeTable(Record):
    """Columns of responders and patients, and their names."""

    responders: Column
    n: Column
    label: Phrase | None = Field(default=None, description="a text on one line, 60 characters at most, not empty")
    patients: Phrase | None = Field(default=None, description="a text on one line, 60 characters at most, not empty")

    @property
    def outcome(self) -> Outcome:
        """Outcome, named after its columns if the file gives no name."""
        usual = (self.responders, self.n) == ORR.columns
        label = self.label or (ORR.label if usual else f"{self.responders} / {self.n}")
        patients = self.patients or (ORR.patients if usual else f"patients counted in {self.n}")
        return Outcome(self.responders, self.n, label, patients)
