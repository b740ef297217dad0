"""What a model file says of columns: their headings, and their levels in order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from alkbayes.text.names import column_title, is_pair, shown
from alkbayes.vocabulary import in_order, label_of, split_key


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """A column as a model file declares it: a heading, if not empty, and its levels in order, if there are any."""

    label: str = ""
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """Columns that a model file declares, by their names in the table."""

    columns: Mapping[str, DeclaredColumn] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return what :meth:`as_record` made a record of."""
        return cls({name: DeclaredColumn(each["label"], tuple(each["levels"])) for name, each in record.items()})

    def as_record(self) -> dict[str, dict[str, Any]]:
        """Return the columns as values that JSON can hold."""
        return {name: {"label": each.label, "levels": list(each.levels)} for name, each in self.columns.items()}

    def levels(self, column: str) -> tuple[str, ...]:
        """Return the declared levels of a column of the table; none if it has no such declaration."""
        return self.columns[column].levels if column in self.columns else ()

    def in_order(self, column: str, values: Iterable[str]) -> tuple[str, ...]:
        """Return the distinct `values` of a column in the order of its levels."""
        return in_order(column, values, self.levels(column))

    def label(self, name: str) -> str:
        """Return the declared heading of a column, by its name in results; empty if it has none."""
        by_name = {column: each.label for column, each in self.columns.items()}
        by_name |= {label_of(column): each.label for column, each in self.columns.items()}
        return by_name.get(name, "")

    def heading(self, group: str) -> str:
        """Return the heading of a column, or of a pair of columns, above its levels."""
        if own := self.label(group):
            return own
        parts = split_key(group)
        if any(map(self.label, parts)):
            return " : ".join(map(self.heading, parts))
        return column_title(group)

    def headings(self, row: Mapping[str, Any]) -> str:
        """Return the columns that define a row's group in running text, such as "line and TKI generation"."""
        named = [row["first_column"], row["second_column"]] if is_pair(row) else [row["first_column"]]
        return " and ".join(map(self.heading, named))

    def name(self, name: str) -> str:
        """Return a column, or a pair, by its declared heading, otherwise by its name in results on one line."""
        parts = split_key(name)
        if len(parts) == 1 or self.label(name) or not any(map(self.label, parts)):
            return self.label(name) or shown(name)
        return " : ".join(map(self.name, parts))


NOTHING = Declared()
"""Of a model file that says nothing of columns, and where there is none."""
