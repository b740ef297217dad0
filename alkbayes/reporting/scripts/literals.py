"""Texts and numbers as literals of R and Python, and as comments: nothing of a table or model file can become code."""

import csv
import io
import textwrap
from collections.abc import Iterable

WIDTH = 110
"""Longest line of a comment."""


def r_literal(value: str | float) -> str:
    """Return a text or a number as a literal of R, in ASCII."""
    return f'"{r_escaped(value)}"' if isinstance(value, str) else repr(value)


def r_escaped(text: str, quote: str = '"') -> str:
    r"""Return a text for the inside of a quoted literal of R; other characters than ASCII's as \u, in every locale."""
    return "".join(_r_character(character, quote) for character in text)


def _r_character(character: str, quote: str) -> str:
    if character in {"\\", quote}:
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def python_literal(value: str | float | tuple[str | float, ...]) -> str:
    """Return a text, a number or a tuple of them as a literal of Python; texts have double quotes unless within."""
    match value:
        case tuple():
            return f"({', '.join(map(python_literal, value))}{',' if len(value) == 1 else ''})"
        case str():
            # An apostrophe has repr() choose double quotes; it is cut off again.
            text = repr(f"'{value}")
            return f'"{text[2:]}' if text.startswith('"') else repr(value)
        case _:
            return repr(value)


def r_csv_lines(rows: Iterable[Iterable[str | float]]) -> list[str]:
    """Return rows as lines of CSV inside a literal of R that has single quotes."""
    lines = []
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        lines.append(r_escaped(line.getvalue(), "'"))
    return lines


def comment(text: str, indent: int = 0, margin: int = 0) -> str:
    """Return a text as lines of a comment of R or Python, whatever ends a line in it.

    `indent` is the number of blanks within the comment; `margin` is that before its second and further lines.
    """
    plain = "".join(each if each.isprintable() else " " for each in text)
    lead = "# " + " " * indent
    return textwrap.fill(
        " ".join(plain.split()),
        WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * margin + lead,
        break_long_words=False,
        break_on_hyphens=False,
    )
