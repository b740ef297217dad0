"""List of model files, for readers."""

from collections.abc import Mapping, Sequence
from typing import Any

from alkbayes.presentation.tables import ReaderTable


def model_rows(listed: Sequence[Mapping[str, Any]]) -> ReaderTable:
    """Return models with their questions and required columns."""
    return ReaderTable(
        "",
        ("model", "question", "columns it needs"),
        tuple(
            (f"{row['name']}{' *' if row['default'] else ''}", row["question"], ", ".join(row["columns"]))
            for row in listed
        ),
        words=(1, 2),
        notes=("* what `alkbayes fit` fits. All need cohort_id; responders and n, unless it counts others.",),
    )
