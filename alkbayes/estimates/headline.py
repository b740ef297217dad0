"""Reported estimates of a fit, with their draws, for diagnosis and for comparison across models and tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.estimates.rates import Posterior, contrast_draws, heterogeneity_draws, pooled_draws
from alkbayes.text.names import column_title
from alkbayes.vocabulary import ALL, Contrast, Estimand

type Array = NDArray[np.float64]
type Key = tuple[str, str, str | Contrast, str]
"""Identifier of an estimate across fits: table, group, level (for a contrast the two levels) and measure."""

POOLED = "pooled"
CONTRAST = "contrast"
HETEROGENEITY = "heterogeneity"


@dataclass(frozen=True, slots=True)
class Reported:
    """One reported estimate.

    Attributes
    ----------
    table
        "pooled", "contrast" or "heterogeneity".
    group
        For a pooled rate "all", "line" and so on; for a contrast the label of its effect; else empty.
    level
        For a pooled rate its level; for a contrast "pretreated vs naive"; for heterogeneity the parameter.
    measure
        For a pooled rate the estimand; for a contrast its scale; for heterogeneity "sd" or "share" or "correlation".
    draws
        Shape (draw,), chains one after the other; for `next_cohort` (draw, new cohort). Rates and shares are
        proportions in [0, 1], risk differences in [-1, 1], SDs on the link scale.
    contrast
        The levels of a contrast, else None.
    heading
        Heading of the group, if not that of its name; of heterogeneity the parameter in words.
    """

    table: str
    group: str
    level: str
    measure: str
    draws: Array
    contrast: Contrast | None = None
    heading: str = ""

    @property
    def name(self) -> str:
        """Name for a reader, such as "overall, mean", "line naive, mean" or "line pretreated vs naive, odds ratio"."""
        if self.table == HETEROGENEITY:
            return self.heading
        place = column_title(ALL) if self.group == ALL else f"{self.heading or column_title(self.group)} {self.level}"
        return f"{place}, {self.measure.replace('_', ' ')}"

    @property
    def key(self) -> Key:
        """Identifier of the estimate within a fit, and across fits."""
        return self.table, self.group, self.contrast or self.level, self.measure


def reported_of(posterior: Posterior) -> Iterator[Reported]:
    """Yield every estimate in the tables of pooled rates, contrasts and heterogeneity, in order."""
    heading = posterior.design.declared.heading
    for row, draws in pooled_draws(posterior):
        group = str(row["group"])
        yield Reported(POOLED, group, str(row["level"]), str(row["estimand"]), draws, heading=heading(group))
    for compared, scale, draws in contrast_draws(posterior):
        contrast = compared.contrast
        yield Reported(CONTRAST, contrast.column, contrast.name, scale, draws, contrast, heading(contrast.column))
    for parameter, draws in heterogeneity_draws(posterior):
        measure, name = MEASURES.get(parameter, "sd"), posterior.design.in_words(parameter)
        yield Reported(HETEROGENEITY, "", parameter, measure, draws, heading=name)


MEASURES = {"explained": "share", "i2": "share", "rho": "correlation"}
"""Measures of the heterogeneity parameters that are not SDs."""


def headline_of(posterior: Posterior) -> list[Reported]:
    """Return the headline estimates.

    `mean` and `next_cohort` of all cohorts, `mean` of each level of the model's first effect, the risk differences
    between these levels, and the total heterogeneity.
    """
    effects = [block.label for block in posterior.design.effects if len(block.columns) == 1]
    groups = (ALL, *effects[:1])
    taus = [f"tau_{term.slug}" for term in posterior.design.heterogeneity]
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
