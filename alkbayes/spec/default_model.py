"""What `alkbayes fit` fits where no model is named: the richest bundled one whose columns the table has."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alkbayes.spec.schema import model_path, read_spec
from alkbayes.text.names import listed, quoted
from alkbayes.text.wording import counted, joined
from alkbayes.vocabulary import DEFAULT_MODELS, LEVELS, in_order

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that was taken for a table.

    Attributes
    ----------
    name
        Of a bundled model.
    why
        In words, to follow "as".
    """

    name: str
    why: str


def default_model(frame: "pd.DataFrame") -> Chosen:
    """Return the first of `DEFAULT_MODELS` all of whose effects a table has the columns of.

    Parameters
    ----------
    frame
        Of :class:`alkbayes.evidence.table.Evidence`. A column counts where no cohort is without a value, and where each
        value is one that the column may have.
    """
    missing: list[str] = []
    for name in DEFAULT_MODELS:
        columns = list(
            dict.fromkeys(column for effect in read_spec(model_path(name)).effect for column in effect.columns)
        )
        lacks = [why for column in columns if (why := _lack(frame, column))]
        if not lacks:
            has = joined(columns)
            but = f", but {joined(missing)}" if columns else joined(missing)
            return Chosen(name, f"the table has {has}{but if missing else ''}")
        # What keeps a richer model out is said once; a poorer one lacks nothing else.
        missing = missing or lacks
    raise AssertionError("the last of the default models has no effect")


def _lack(frame: "pd.DataFrame", column: str) -> str:
    """Return what a table lacks of a column, in words; empty where it has it."""
    if column not in frame:
        return f"no column {column}"
    values = frame[column].tolist()
    if empty := values.count(""):
        return f"{counted(empty, 'cohort')} without {column}"
    if unknown := [value for value in in_order(column, values) if value not in LEVELS.get(column, values)]:
        return f"{quoted(unknown[0])} for {column} (bundled models know {listed(LEVELS[column])})"
    return ""
