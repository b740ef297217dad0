"""Priors of the Bayesian network meta-analysis, each with its reason."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from alkbayes.errors import UsageError

type Array = NDArray[np.float64]

FORM = re.compile(r"\s*(half-normal|uniform)\s*\(\s*([0-9.]+)\s*\)\s*")
EXAMPLES = "half-normal(0.5) or uniform(5)"
LARGEST_SCALE = 100.0


@dataclass(frozen=True, slots=True)
class TauPrior:
    """Prior of the heterogeneity between trials: half-normal with a scale, or uniform from 0 to it."""

    kind: Literal["half-normal", "uniform"]
    scale: float

    def __str__(self) -> str:
        return f"{self.kind}({self.scale:g})"

    def log_density(self, tau: Array) -> Array:
        """Return the log density, up to a constant; minus infinity outside."""
        inside = (tau >= 0) & ((tau <= self.scale) if self.kind == "uniform" else True)
        return np.where(inside, -0.5 * (tau / self.scale) ** 2 if self.kind == "half-normal" else 0.0, -np.inf)

    def quantile(self, prob: float) -> float:
        """Return a quantile."""
        return float(self.scale * (prob if self.kind == "uniform" else ndtri((1 + prob) / 2)))


@dataclass(frozen=True, slots=True)
class Priors:
    """Priors on the log scale of odds or hazard ratios.

    Attributes
    ----------
    tau
        SD between trials that compare the same treatments. Half-normal(0.5): 95 % below 0.98; two such trials have a
        median ratio of 1.4, which covers what meta-analyses of drugs show (Turner et al. 2012,
        doi:10.1093/ije/dys041; Röver et al. 2021, doi:10.1002/jrsm.1475).
    effect_sd
        SD of the normal prior of each effect against the reference, centred on none. 10: vague, a ratio of anything
        between 3e-9 and 3e8.
    baseline_sd
        SD of the normal prior of each trial's own baseline logit, centred on one half: vague too.
    """

    tau: TauPrior = TauPrior("half-normal", 0.5)
    effect_sd: float = 10.0
    baseline_sd: float = 10.0


def parse_tau(text: str) -> TauPrior:
    """Return the prior that a text such as "half-normal(0.5)" describes.

    Raises
    ------
    UsageError
        If it describes none.
    """
    found = FORM.fullmatch(text)
    try:
        scale = float(found[2]) if found else 0.0
    except ValueError:
        scale = 0.0
    if found is None or not 0 < scale <= LARGEST_SCALE:
        raise UsageError(
            f"found {text!r}; allowed: {EXAMPLES}, with a number up to {LARGEST_SCALE:g}.", parameter="tau_prior"
        )
    return TauPrior("uniform" if found[1] == "uniform" else "half-normal", scale)
