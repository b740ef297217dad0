"""What is counted: the columns of a table that hold responders and patients, and what a reader calls them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """A binomial outcome of the cohorts of a table.

    Attributes
    ----------
    responders, n
        Columns of the two counts.
    label
        What responders over patients is called in the middle of a sentence.
    patients
        Who is counted in `n`.
    """

    responders: str = "responders"
    n: str = "n"
    label: str = "objective response rate"
    patients: str = "patients"

    @property
    def columns(self) -> tuple[str, str]:
        """The two columns."""
        return self.responders, self.n

    @property
    def usual(self) -> bool:
        """Whether it is the one that every table has for each cohort."""
        return self.columns == ("responders", "n")

    @property
    def title(self) -> str:
        """The label at the beginning of a line."""
        return self.label[:1].upper() + self.label[1:]


ORR = Outcome()
"""What every table counts."""
