"""Limits of an axis of rates: those that a reader asks for, or those of the data."""

from collections.abc import Iterable

import numpy as np

from alkbayes.plots.page.layout import percent_limits
from alkbayes.plots.view import View


def axis_limits(drawn: Iterable[float], view: View) -> tuple[float, float, float]:
    """Return limits and step of an axis in percent that holds all proportions drawn, unless a reader has chosen."""
    if view.xlim is not None:
        return (*view.xlim, percent_limits(*view.xlim)[2])
    values = 100 * np.array([*drawn, *([] if view.reference is None else [view.reference / 100])])
    finite = values[np.isfinite(values)]
    return percent_limits(float(finite.min()), float(finite.max())) if finite.size else percent_limits(0, 100)
