"""JSON from strangers: decoded within limits, and read through cursors that know where they are.

A value of another type than a reader asks for is no error: it counts as missing, and is noted with its JSON pointer
(RFC 6901). A registry adds keys and changes types without notice; one record must not stop a review.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from alkbayes.errors import RegistryError
from alkbayes.registry.cleaning import clean, clean_lines
from alkbayes.text.names import shown

MOST_BYTES = 64 * 2**20
"""Size of a record that is read; the largest of the registry have some 10 MB."""

KINDS = {bool: "a truth value", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


def decoded(content: bytes, name: str, most: int = MOST_BYTES) -> Any:
    """Return the JSON value in a file.

    Raises
    ------
    RegistryError
        If it is larger than `most` bytes, no UTF-8, cut off, nested more than 1,024 deep, or no JSON.
    """
    if len(content) > most:
        raise RegistryError(f"{name}: found {len(content):,} bytes; allowed: {most:,} at most.")
    try:
        return orjson.loads(content.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise RegistryError(f"{name}, {_fault(content, error)}. Download it again.") from error


def _fault(content: bytes, error: orjson.JSONDecodeError) -> str:
    """Return where a file is no JSON, and why."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as byte:
        line = content.count(b"\n", 0, byte.start) + 1
        return f"line {line}: found the byte 0x{content[byte.start]:02X}; allowed: JSON in UTF-8"
    place = f"line {error.lineno}, column {error.colno}"
    cut = error.pos >= len(error.doc.rstrip()) - 1
    return f"{place}: is cut off" if cut else f"{place}: is no JSON: {shown(str(error.msg))}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value within a record, and where it is.

    Attributes
    ----------
    value
        As decoded; None where there is none.
    pointer
        JSON pointer from the record's root.
    faults
        Shared by all cursors of a record: values of a wrong type that were passed over, as sentences' beginnings.
    """

    value: Any
    pointer: str
    faults: list[str]

    def at(self, *keys: str) -> "Cursor":
        """Return the object under a path of keys; an empty one if something else stands on the way."""
        here = self
        for key in keys:
            here = here._child(key, dict, {})
        return here

    def objects(self, key: str) -> Iterator["Cursor"]:
        """Yield the objects of a list."""
        for item in self._items(key):
            if isinstance(item.value, dict):
                yield item
            else:
                item.note("an object")

    def texts(self, key: str) -> Iterator["Cursor"]:
        """Yield the texts of a list, clean."""
        for item in self._items(key):
            if isinstance(item.value, str):
                yield Cursor(clean(item.value), item.pointer, self.faults)
            else:
                item.note("a text")

    def text(self, key: str) -> str:
        """Return a text on one line, clean; a number as it is written; empty if there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None:
            self._below(key, value).note("a text")
        return ""

    def lines(self, key: str) -> tuple[str, ...]:
        """Return the lines of a text, clean."""
        return clean_lines(self._child(key, str, "").value)

    def count(self, key: str) -> int | None:
        """Return a whole number from 0, written as a number or as text; None if there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str):
            digits = clean(value).replace(",", "")
            if digits.isascii() and digits.isdigit() and len(digits) <= 12:
                return int(digits)
            if digits.upper() in {"NA", "N/A", ""}:
                return None
        self._below(key, value).note("a whole number")
        return None

    def flag(self, key: str) -> bool | None:
        """Return a truth value; None if there is none."""
        value = self._child(key, bool, None).value
        return value if isinstance(value, bool) else None

    def _items(self, key: str) -> Iterator["Cursor"]:
        here = self._child(key, list, [])
        for place, item in enumerate(here.value):
            yield Cursor(item, f"{here.pointer}/{place}", self.faults)

    def _child(self, key: str, kind: type, otherwise: Any) -> "Cursor":
        value = self.value.get(key) if isinstance(self.value, dict) else None
        here = self._below(key, value)
        if isinstance(value, kind):
            return here
        if value is not None:
            here.note(KINDS[kind])
        return Cursor(otherwise, here.pointer, self.faults)

    def _below(self, key: str, value: Any) -> "Cursor":
        return Cursor(value, f"{self.pointer}/{key}", self.faults)

    def note(self, allowed: str) -> None:
        """Note that a value is not of the kind that is allowed here."""
        found = KINDS.get(type(self.value), "nothing")
        self.faults.append(f"{self.pointer}: found {found}; allowed: {allowed}")


def root(value: Any) -> Cursor:
    """Return the cursor of a record's root."""
    return Cursor(value if isinstance(value, dict) else {}, "", [])
