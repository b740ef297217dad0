"""Names in the words of a reader: on one line, quoted, listed, and what a misspelt one was meant to be."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from alkbayes.vocabulary import ALL

LONGEST_SHOWN = 60
"""Characters of a cell that a message shows."""

NAMES_SHOWN = 12
"""Column names that a message lists."""

SHORTEST_SLIP = 4
"""Letters from which a word may be taken for a misspelt one."""


GROUP_TITLES = {
    ALL: "overall",
    "line": "line",
    "generation": "TKI generation",
    "line:generation": "line : TKI generation",
    "prior_tki": "prior ALK TKI",
    "prior_tki:generation": "prior ALK TKI : TKI generation",
}
"""What columns, and pairs of columns, are called above their levels."""


def shown(value: str) -> str:
    """Return `value` on one line, unprintable characters as their codes, its middle cut out where it is very long.

    Names that begin alike, as of the arms of a trial, mostly differ at their ends.
    """
    half = LONGEST_SHOWN // 2
    cut = value if len(value) <= LONGEST_SHOWN else f"{value[:half]}…{value[-half:]}"
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in cut)


def quoted(value: str) -> str:
    """Return `value` in quotation marks as a message shows it, with its length where it was cut."""
    length = "" if len(value) <= LONGEST_SHOWN else f" ({len(value)} characters)"
    return f'"{shown(value)}"{length}'


def listed(names: Sequence[str]) -> str:
    """Return `names` as a sentence lists them, the first dozen of many."""
    if len(names) > NAMES_SHOWN:
        return f"{', '.join(map(shown, names[:NAMES_SHOWN]))} and {len(names) - NAMES_SHOWN} more"
    return " and ".join(filter(None, (", ".join(map(shown, names[:-1])), *map(shown, names[-1:]))))


def plain(value: str) -> str:
    """Return the letters and digits of `value`, in lower case and without accents."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", value).casefold() if mark.isalnum())


def near_miss(value: str, choices: Iterable[str], said_otherwise: Mapping[str, str] | None = None) -> str | None:
    """Return the choice that `value` was most likely meant to be, if there is one.

    Parameters
    ----------
    value
        What was found.
    choices
        What is allowed.
    said_otherwise
        Other words for a choice, as `plain` leaves them, each with its choice.
    """
    by_plain = {plain(choice): choice for choice in choices}
    word = plain(value)
    if word in by_plain:
        return by_plain[word]
    if said_otherwise and said_otherwise.get(word) in by_plain.values():
        return said_otherwise[word]
    return next((choice for right, choice in by_plain.items() if _slip(word, right)), None)


def _slip(word: str, right: str) -> bool:
    """Return whether `word` is `right` with one letter too many, too few, wrong, or swapped with the next.

    Nothing looser: ceritinib is no misspelt crizotinib, and untreated no misspelt pretreated.
    """
    if min(len(word), len(right)) < SHORTEST_SLIP:
        return False
    start = _in_common(word, right)
    word, right = word[start:], right[start:]
    end = _in_common(word[::-1], right[::-1])
    word, right = word[: len(word) - end], right[: len(right) - end]
    return max(len(word), len(right)) <= 1 or (len(word) == len(right) == 2 and word == right[::-1])


def _in_common(one: str, other: str) -> int:
    """Return how many letters two words have in common from their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def column_title(group: str) -> str:
    """Return what a column, or a pair of columns, is called above its levels."""
    return GROUP_TITLES.get(group, shown(group))


def is_pair(row: Mapping[str, Any]) -> bool:
    """Return whether a row of a table is of the levels of two columns at once."""
    return row["second_level"] is not None


def level_name(row: Mapping[str, Any], *, between: str = " : ") -> str:
    """Return what the group of a row is called: "overall", "naive", or of two columns "naive : first"."""
    if row["first_level"] is None:
        return GROUP_TITLES[ALL]
    return shown(f"{row['first_level']}{between}{row['second_level']}" if is_pair(row) else row["first_level"])


def columns_title(row: Mapping[str, Any]) -> str:
    """Return the columns that define the group of a row in running text, such as "line and TKI generation"."""
    first, second = row["first_column"], row["second_column"]
    return f"{column_title(first)} and {column_title(second)}" if is_pair(row) else column_title(first)
