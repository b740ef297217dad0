"""Sentences that several tables say of their cohorts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NAMED_COHORTS = 10
"""A note names so many cohorts and counts the rest."""


def correction_note(corrected: npt.NDArray[np.bool_], names: Sequence[str]) -> str:
    """Say which cohorts got a continuity correction; empty if none did.

    Parameters
    ----------
    corrected
        Which did, shape (k,), bool.
    names
        Of all cohorts, length k.
    """
    touched = [name for name, flag in zip(names, corrected, strict=True) if flag]
    if not touched:
        return ""
    which = f"cohort {_listed(touched)}" if len(touched) == 1 else f"cohorts {_listed(touched)}"
    return f"1/2 was added to responders and non-responders of {which}, where one of them is 0."


def left_out_note(columns: Sequence[str], left_out: Sequence[str], kept: int) -> str:
    """Say which cohorts lack a value in some columns, beside the `kept` that have them; empty if none does."""
    if not left_out:
        return ""
    value = f"no {columns[0]}" if len(columns) == 1 else f"no value in one of {', '.join(columns)}"
    verbs = ("has", "is") if len(left_out) == 1 else ("have", "are")
    counted = f"{len(left_out)} of {kept + len(left_out)} cohorts {verbs[0]}"
    return f"{counted} {value} and {verbs[1]} left out: {_listed(left_out)}."


def sentences(*notes: str) -> str:
    """Join the notes that are not empty."""
    return " ".join(note for note in notes if note)


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NAMED_COHORTS
    return ", ".join(names[:NAMED_COHORTS]) + (f" and {more} more" if more > 0 else "")
