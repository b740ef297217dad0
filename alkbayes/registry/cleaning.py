"""Text of a record, written by strangers, made plain before anything looks at it or prints it."""

import html
import re
import unicodedata
from functools import lru_cache

LONGEST = 200_000
"""Characters of a text that are read; eligibility criteria have 20,000 at most."""

TAG = re.compile(
    r"</?(?:a|b|br|div|em|h[1-6]|hr|i|iframe|img|li|ol|p|script|span|strong|style|sub|sup|svg|table|tbody|td|th|tr|u|ul)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
"""Elements of HTML, by name: "< 5 %" and "> 100" are no tags."""

ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
"""Punctuation with the backslash of Markdown, such as "\\>="."""


def clean(text: str) -> str:
    """Return a text on one line: entities and escapes resolved, without tags, control or invisible characters."""
    return _short(text) if len(text) <= 500 else _cleaned(text)


def clean_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text that are not blank, each as :func:`clean` leaves it."""
    whole = unescaped(text[:LONGEST])
    return tuple(line for part in re.split(r"[\n\r\u2028\u2029]", whole) if (line := _plain(part)))


def unescaped(text: str) -> str:
    """Return a text without entities (twice escaped ones too), tags, and backslashes of Markdown."""
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = TAG.sub(" ", text)
    return ESCAPED.sub(r"\1", text) if "\\" in text else text


@lru_cache(maxsize=50_000)
def _short(text: str) -> str:
    return _cleaned(text)


def _cleaned(text: str) -> str:
    return _plain(unescaped(text[:LONGEST]))


def _plain(text: str) -> str:
    """Return a text on one line without characters that are not seen; letters stay as they are."""
    if not text.isascii() or not text.isprintable():
        text = text.translate(SEEN)
    return " ".join(text.split())


class _Seen(dict[int, str]):
    """A character as it is seen: soft hyphens, zero-width marks and changes of direction not, controls blank.

    A table for `str.translate`, filled as characters are met: a record has thousands of them, and few that differ.
    """

    def __missing__(self, code: int) -> str:
        mark = chr(code)
        kind = unicodedata.category(mark)
        blank = mark.isspace() or kind == "Cc"
        self[code] = " " if blank else "" if kind in {"Cf", "Cs", "Co", "Cn"} else mark
        return self[code]


SEEN = _Seen()
