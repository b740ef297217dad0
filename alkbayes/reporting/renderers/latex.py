"""Reader's table as LaTeX, for a manuscript: booktabs, caption, and every name escaped."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from alkbayes.presentation.tables import ReaderTable

PREAMBLE = r"% needs \usepackage{array,booktabs,longtable}"
ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "`": r"\textasciigrave{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{mark: rf"\{mark}" for mark in "%_&#{}$"},
        # After \\ these would be its arguments.
        **{mark: f"{{{mark}}}" for mark in "[]*"},
        "–": "--",
        "—": "---",
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "²": "$^2$",
        "…": r"\ldots{}",
        "\u200b": "{}",
    }
)
LONG = 45
"""Most lines of a table that fits a page; longer ones are a longtable, whose rows break over pages."""
NARROW = 24
"""Letters in the widest column of words that is not wrapped."""
WORDS_SHARE = 0.6
"""Part of the line that wrapped columns share."""


def latex_of(table: ReaderTable) -> str:
    """Return a table as LaTeX, with its title as caption and its notes below.

    A number and its interval stand in two lines, as in a terminal. The unit is in the caption, or else in the heading.
    """
    rows = [line for row in table.rows for line in _lines(row, len(table.headings))]
    units = {place: unit for place, unit in table.units.items() if unit not in table.title}
    headings = [f"{text}, {units[place]}" if place in units else text for place, text in enumerate(table.headings)]
    heading = [*_physical(headings, bottom=True), r"\midrule"]
    notes = rf"\par\smallskip{{\raggedright {' '.join(map(escaped, table.notes))}\par}}" if table.notes else ""
    caption = rf"\caption{{{escaped(table.title)}}}" if table.title else ""
    columns = _columns(table)
    small = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    if len(rows) > LONG:
        head = [rf"{caption}\\" if caption else "", r"\toprule", *heading, r"\endhead", r"\bottomrule", r"\endlastfoot"]
        body = [r"\begingroup", *small, rf"\begin{{longtable}}{{{columns}}}", *head, *rows, r"\end{longtable}"]
        parts = [*body, notes, r"\endgroup"]
    else:
        body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *heading, *rows, r"\bottomrule", r"\end{tabular}"]
        parts = [r"\begin{table}", r"\centering", caption, *small, *body, notes, r"\end{table}"]
    return "\n".join([PREAMBLE, *(part for part in parts if part)])


def escaped(text: str) -> str:
    """Return a text on one line that LaTeX prints as it is, with unprintable characters as codes."""
    line = " ".join(text.split())
    plain = "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in line)
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-\u200b", plain).translate(ESCAPED)


def _lines(row: Sequence[str], width: int) -> list[str]:
    """Return the lines of a row; a single cell is a title across all columns."""
    if len(row) == 1:
        return [r"\addlinespace", rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escaped(row[0])}}}}} \\"]
    indent = r"\quad " if row[0].startswith(" ") else ""
    first, *others = _physical(row)
    return [f"{indent}{first}", *others]


def _physical(cells: Sequence[str], *, bottom: bool = False) -> list[str]:
    """Return cells of several lines as rows of a tabular, the shorter ones at the top or the `bottom`."""
    split = [cell.split("\n") for cell in cells]
    most = max(map(len, split))
    placed = [[*[""] * (most - len(lines) if bottom else 0), *lines] for lines in split]
    rows = [" & ".join(map(escaped, line)) for line in zip_longest(*placed, fillvalue="")]
    # No page ends within a row.
    return [*(rf"{row} \\*" for row in rows[:-1]), rf"{rows[-1]} \\"]


def _columns(table: ReaderTable) -> str:
    """Return the column types: numbers to the right, words to the left, wrapped where they are long."""
    rows = [row for row in table.rows if len(row) > 1]
    widest = [max((len(row[place]) for row in rows), default=0) for place in range(len(table.headings))]
    wrapped = [place for place in (0, *table.words) if widest[place] > NARROW]
    share = WORDS_SHARE / max(len(wrapped), 2)
    types = []
    for place in range(len(table.headings)):
        if place in wrapped:
            types.append(rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\linewidth}}")
        else:
            types.append("l" if place in {0, *table.words} else "r")
    return "".join(types)
