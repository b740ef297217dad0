"""Tables as JSON-serialisable records."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def finite_or_none(value: Any) -> Any:
    """Return a JSON-serialisable `value`: numpy scalars as Python's, non-finite numbers as None."""
    if isinstance(value, dict):
        return {str(key): finite_or_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def records(frame: "pd.DataFrame") -> list[Any]:
    """Return the rows of `frame` as JSON-serialisable dictionaries; callers know the columns."""
    return [finite_or_none(row) for row in frame.to_dict(orient="records")]
