"""Numbers in the cells of a table, and advice about cells that hold none."""

import math
import re

ABOUT = re.compile(r"(?:ca\.?|circa|c\.|approx\.?|about|~|≈)?\s*([-+−]?[0-9][0-9.,]*)\s*(%?)", re.IGNORECASE)
"""A number in informal notation: "ca. 2005", "30%", "0,5". Not "<65", which may be a level."""
NUMBER_OR_NOTHING = "a number, or nothing"
"""Allowed in a column of numbers that may be missing."""


def number_in(cell: str) -> float | None:
    """Return the finite number in a cell, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def number_advice(cell: str) -> str:
    """Return advice about a non-numeric cell in a column of numbers."""
    about = ABOUT.fullmatch(cell)
    if about is None or (number := number_in(about[1].replace(",", ".").replace("−", "-"))) is None:
        return "Write a number, or leave the cell empty if it is not known."
    if re.fullmatch(r"[-+−]?[0-9]{1,3}(,[0-9]{3})+", about[1]):
        return "Write it without the comma if that parts thousands, with a point if it stands for decimals."
    return f"Write it as {number:.15g}{', without the sign, in each row' if about[2] else ''}."
