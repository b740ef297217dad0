"""Default model of `alkbayes fit`: the richest bundled one whose columns the table has."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alkbayes.alk.levels import DEFAULT_MODEL, DEFAULT_MODELS, LEVELS
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.text.names import listed, quoted
from alkbayes.text.wording import counted, joined
from alkbayes.vocabulary import Standard, in_order

if TYPE_CHECKING:
    import pandas as pd


NONE_OF_THEM = "the table has none of the columns of the bundled models with effects"
"""Why a table of another field gets the model without effects."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Default model for a table.

    `name` is that of a bundled model; `why` gives the reason as a clause that follows "as".
    """

    name: str
    why: str


def default_model(frame: "pd.DataFrame") -> Chosen:
    """Return the first of `DEFAULT_MODELS` whose effects only use columns of the table.

    A column counts only if every cohort has a value, and every value is allowed.
    """
    missing: list[str] = []
    known: set[str] = set()
    for name in DEFAULT_MODELS:
        columns = list(
            dict.fromkeys(column for effect in read_spec(model_path(name)).effect for column in effect.columns)
        )
        known.update(columns)
        lacks = [why for column in columns if (why := _lack(frame, column))]
        if not lacks and missing and known.isdisjoint(frame.columns):
            # The columns of another field are no news to a table that has none of them.
            return Chosen(name, NONE_OF_THEM)
        if not lacks:
            has = joined(columns)
            but = f", but {joined(missing)}" if columns else joined(missing)
            return Chosen(name, f"the table has {has}{but if missing else ''}")
        # The reason against the richest model suffices; poorer ones lack nothing else.
        missing = missing or lacks
    raise AssertionError("the last of the default models has no effect")


def usual_standard(model: object) -> Standard:
    """Return the patients that rows are averaged over where nobody says; `model` is None for the default one.

    A named model keeps the rows it always had, except the default model, whose rows are meant for comparison.
    """
    return Standard.SAME if model is None or model == DEFAULT_MODEL else Standard.OWN


def _lack(frame: "pd.DataFrame", column: str) -> str:
    """Return what a table lacks in a column, as text; empty if nothing."""
    if column not in frame:
        return f"no column {column}"
    values = frame[column].tolist()
    if empty := values.count(""):
        return f"{counted(empty, 'cohort')} without {column}"
    if unknown := [value for value in in_order(column, values) if value not in LEVELS.get(column, values)]:
        return f"{quoted(unknown[0])} for {column} (bundled models know {listed(LEVELS[column])})"
    return ""
