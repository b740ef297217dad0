"""The numbers that a fit is reported by, each with its draws: what is judged, and compared across models and tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.estimates.rates import Posterior, contrast_draws, heterogeneity_draws, pooled_draws
from alkbayes.vocabulary import ALL, Contrast, Estimand

type Array = NDArray[np.float64]
type Key = tuple[str, str, str | Contrast, str]
"""What identifies a number across fits: its table, group, level (of a contrast the two levels) and measure."""

POOLED = "pooled"
CONTRAST = "contrast"
HETEROGENEITY = "heterogeneity"


@dataclass(frozen=True, slots=True)
class Reported:
    """One reported number.

    Attributes
    ----------
    table
        "pooled", "contrast" or "heterogeneity": which table it stands in.
    group
        Of a pooled rate "all", "line" and so on; of a contrast the label of its effect; else empty.
    level
        Of a pooled rate its level; of a contrast "pretreated vs naive"; of the heterogeneity the parameter.
    measure
        Of a pooled rate the estimand; of a contrast its scale; of the heterogeneity "sd" or "share" or "correlation".
    draws
        Shape (draw,), chains one after the other; of `next_cohort` (draw, cohort to come). Rates and shares are
        proportions in [0, 1], risk differences in [-1, 1], SDs on the scale of the link.
    contrast
        What a contrast compares; None of any other number.
    """

    table: str
    group: str
    level: str
    measure: str
    draws: Array
    contrast: Contrast | None = None

    @property
    def name(self) -> str:
        """What a reader calls it, such as "line naive, mean" or "line pretreated vs naive, odds ratio"."""
        if self.table == HETEROGENEITY:
            return self.level
        place = self.level if self.group == ALL else f"{self.group} {self.level}"
        return f"{place}, {self.measure.replace('_', ' ')}"

    @property
    def key(self) -> Key:
        """What identifies the number among those of a fit, and across fits."""
        return self.table, self.group, self.contrast or self.level, self.measure


def reported_of(posterior: Posterior) -> Iterator[Reported]:
    """Yield every number of the tables of pooled rates, contrasts and heterogeneity, in their order."""
    for row, draws in pooled_draws(posterior):
        yield Reported(POOLED, str(row["group"]), str(row["level"]), str(row["estimand"]), draws)
    for compared, scale, draws in contrast_draws(posterior):
        contrast = compared.contrast
        yield Reported(CONTRAST, contrast.column, contrast.name, scale, draws, contrast)
    for parameter, draws in heterogeneity_draws(posterior):
        yield Reported(HETEROGENEITY, "", parameter, MEASURES.get(parameter, "sd"), draws)


MEASURES = {"explained": "share", "i2": "share", "rho": "correlation"}
"""What the parameters of heterogeneity are that are no SD."""


def headline_of(posterior: Posterior) -> list[Reported]:
    """Return the few of these that a reader takes away.

    `mean` and `next_cohort` of all cohorts, `mean` of each level of the model's first effect, the risk differences
    between these levels, and the heterogeneity of all levels together.
    """
    effects = [block.label for block in posterior.design.effects if len(block.columns) == 1]
    groups = (ALL, *effects[:1])
    taus = [f"tau_{term.label}" for term in posterior.design.heterogeneity]
    heterogeneity = "tau_total" if len(taus) > 1 else next(iter(taus), None)

    def chosen(number: Reported) -> bool:
        match number.table:
            case "pooled":
                wanted = (Estimand.MEAN, Estimand.NEXT_COHORT) if number.group == ALL else (Estimand.MEAN,)
                return number.group in groups and number.measure in wanted
            case "contrast":
                return number.group in groups and number.measure == "risk_difference"
            case _:
                return number.level in (heterogeneity, "rho")

    return [number for number in reported_of(posterior) if chosen(number)]
