"""Results as a console or a notebook shows them: the verdict first, then the table."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from alkbayes.presentation.tables import Part
from alkbayes.reporting.blocks import blocks_of
from alkbayes.reporting.renderers.html import fragment_of


class Displayed(ABC):
    """A result with a representation of three lines, and one in HTML by the renderers of the report."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """What this is, and of which model and table, on one line."""

    @property
    @abstractmethod
    def verdict(self) -> str:
        """Whether its numbers may be used, and what they say in a sentence."""

    @property
    @abstractmethod
    def contents(self) -> str:
        """Names of its tables and further results, on one line."""

    @property
    def failed(self) -> bool:
        """Whether its numbers must not be used."""
        return False

    @abstractmethod
    def _parts(self) -> Iterable[Part]:
        """Yield what a notebook shows below the verdict."""

    def __repr__(self) -> str:
        return f"{self.subject}\n{self.verdict}\n{self.contents}"

    def _repr_html_(self) -> str:
        return fragment_of(self.subject, self.verdict, blocks_of(self._parts()), failed=self.failed)
