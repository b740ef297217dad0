"""Names for a reader: on one line, quoted, listed, and suggestions for misspellings."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from alkbayes.alk import words
from alkbayes.vocabulary import ALL

LONGEST_SHOWN = 60
"""Characters of a cell shown in a message."""

NAMES_SHOWN = 12
"""Column names listed in a message."""

SHORTEST_SLIP = 4
"""Minimum number of letters in a word checked for misspelling."""


GROUP_TITLES = {ALL: "overall"} | words.GROUP_TITLES
"""Headings of columns, and of pairs of columns, above their levels."""


def shown(value: str) -> str:
    """Return `value` on one line, with unprintable characters as codes and the middle of long text cut out.

    Names with a common start, such as arms of a trial, mostly differ at the end.
    """
    half = LONGEST_SHOWN // 2
    return printable(value if len(value) <= LONGEST_SHOWN else f"{value[:half]}…{value[-half:]}")


def printable(value: str) -> str:
    """Return `value` on one line, with unprintable characters as codes."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in value)


def quoted(value: str) -> str:
    """Return `value` in quotation marks for a message, with its length if cut."""
    length = "" if len(value) <= LONGEST_SHOWN else f" ({len(value)} characters)"
    return f'"{shown(value)}"{length}'


def listed(names: Sequence[str]) -> str:
    """Return `names` as a list in a sentence, limited to the first dozen."""
    if len(names) > NAMES_SHOWN:
        return f"{', '.join(map(shown, names[:NAMES_SHOWN]))} and {len(names) - NAMES_SHOWN} more"
    return " and ".join(filter(None, (", ".join(map(shown, names[:-1])), *map(shown, names[-1:]))))


def plain(value: str) -> str:
    """Return the letters and digits of `value`, lower-case and without accents."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", value).casefold() if mark.isalnum())


def near_miss(value: str, choices: Iterable[str], said_otherwise: Mapping[str, str] | None = None) -> str | None:
    """Return the choice that `value` most likely stands for, if any.

    `said_otherwise` maps synonyms, normalised by :func:`plain`, to choices.
    """
    by_plain = {plain(choice): choice for choice in choices}
    word = plain(value)
    if word in by_plain:
        return by_plain[word]
    if said_otherwise and said_otherwise.get(word) in by_plain.values():
        return said_otherwise[word]
    return next((choice for right, choice in by_plain.items() if _slip(word, right)), None)


def _slip(word: str, right: str) -> bool:
    """Return whether `word` is `right` with one letter added, missing, wrong, or swapped with the next.

    Nothing looser: ceritinib is not a misspelt crizotinib, nor untreated a misspelt pretreated.
    """
    if min(len(word), len(right)) < SHORTEST_SLIP:
        return False
    start = _in_common(word, right)
    word, right = word[start:], right[start:]
    end = _in_common(word[::-1], right[::-1])
    word, right = word[: len(word) - end], right[: len(right) - end]
    return max(len(word), len(right)) <= 1 or (len(word) == len(right) == 2 and word == right[::-1])


def _in_common(one: str, other: str) -> int:
    """Return the number of letters two words share from the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def column_title(group: str) -> str:
    """Return the heading of a column, or of a pair of columns, above its levels."""
    return GROUP_TITLES.get(group, shown(group))


def several(unit: str) -> str:
    """Return the plural of a column's name, such as "trials"; of a name of several words or signs, its levels."""
    return f"{unit}s" if unit.isalpha() else f"levels of {unit}"


def is_pair(row: Mapping[str, Any]) -> bool:
    """Return whether a table row is for a combination of levels of two columns."""
    return row["second_level"] is not None


def level_name(row: Mapping[str, Any], *, between: str = " : ") -> str:
    """Return the name of a row's group: "overall", "naive", or for two columns "naive : first"."""
    if row["first_level"] is None:
        return GROUP_TITLES[ALL]
    return shown(f"{row['first_level']}{between}{row['second_level']}" if is_pair(row) else row["first_level"])


def columns_title(row: Mapping[str, Any]) -> str:
    """Return the columns that define a row's group in running text, such as "line and TKI generation"."""
    first, second = row["first_column"], row["second_column"]
    return f"{column_title(first)} and {column_title(second)}" if is_pair(row) else column_title(first)
