"""Two posteriors of one model by different engines, number by number, in units of their Monte Carlo error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.special import ndtri

from alkbayes.design import build_design
from alkbayes.engines.target import unsupported
from alkbayes.errors import UsageError
from alkbayes.estimates import pooled_draws, posterior_of
from alkbayes.fit import Fit, fit_model
from alkbayes.records import records
from alkbayes.settings import Engine, SamplerSettings
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.engines.nuts import Progress
    from alkbayes.evidence import Evidence
    from alkbayes.spec import Spec

type Array = NDArray[np.float64]

FALSE_ALARM = 0.01
"""Probability that two engines that agree have any number beyond the limit: Bonferroni's, so that it holds however the
numbers depend on each other."""

TAIL = (1 - INTERVAL_PROB) / 2
QUANTILES = {"median": 0.5, "low": TAIL, "high": 1 - TAIL}


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How far two engines differ.

    Attributes
    ----------
    table
        Columns group, level, estimand, statistic (mean, sd, median, low, high), nuts, quadrature, error (Monte Carlo
        standard error of the difference) and z, the difference in units of it. Rates are proportions in [0, 1].
    limit
        Largest |z| of engines that agree.
    failures
        What either failed of its convergence gate.
    """

    table: pd.DataFrame
    limit: float
    failures: tuple[str, ...]

    @property
    def beyond(self) -> pd.DataFrame:
        """The rows whose difference is beyond the limit."""
        # Written so that a value that is not a number is beyond.
        return self.table[~(self.table["z"].abs() <= self.limit)]

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the engines do not confirm each other, in words; empty if they do."""
        if self.beyond.empty:
            return self.failures
        worst = self.table.iloc[int(self.table["z"].abs().fillna(np.inf).argmax())]
        found = (
            f"{len(self.beyond)} of {len(self.table)} numbers differ by more than {self.limit:.1f} Monte Carlo errors, "
            f"most of all the {worst['statistic']} of {worst['estimand']} of {worst['level']} "
            f"(nuts {worst['nuts']:.4f}, quadrature {worst['quadrature']:.4f})"
        )
        return (*self.failures, found)

    def as_record(self) -> dict[str, Any]:
        """Return the comparison as values that JSON can hold."""
        return {
            "numbers": len(self.table),
            "limit": self.limit,
            "false_alarm": FALSE_ALARM,
            "largest": float(self.table["z"].abs().max()),
            "faults": list(self.faults),
            "differences": records(self.table),
        }


def fit_both(
    spec: "Spec",
    evidence: "Evidence",
    *,
    keep: Engine,
    settings: SamplerSettings | None = None,
    progress: "Progress | None" = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[Fit, CrossCheck | None]:
    """Fit a model by both engines.

    Returns
    -------
    Fit
        By the engine `keep`, or by NUTS if quadrature hands over.
    CrossCheck or None
        None if it does.

    Raises
    ------
    UsageError
        If the model is none that quadrature covers.
    SamplingError
        If the sampler cannot run to its end.
    """
    if why := unsupported(build_design(spec, evidence)):
        raise UsageError(
            f"--cross-check: model {spec.name!r} has {why}, which the quadrature engine does not cover; there is "
            "nothing to hold NUTS against. Leave --cross-check out."
        )
    integrated = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, progress=progress, warn=warn)
    if integrated.provenance.handed_over:
        return integrated, None
    sampled = fit_model(spec, evidence, engine=Engine.NUTS, settings=settings, progress=progress, warn=warn)
    return sampled if keep is Engine.NUTS else integrated, cross_check(sampled, integrated)


def cross_check(sampled: Fit, integrated: Fit) -> CrossCheck:
    """Compare the pooled numbers of a fit by NUTS and one by quadrature, of one model to one table.

    Raises
    ------
    ValueError
        If they are not by these engines.
    """
    engines = (sampled.provenance.engine, integrated.provenance.engine)
    if engines != (Engine.NUTS, Engine.QUADRATURE):
        raise ValueError(f"expected fits by nuts and quadrature, got {engines}")
    chains, repeats = chain_error(sampled), duplicate_error(integrated)
    rows = []
    for (row, one), (_, other) in zip(
        pooled_draws(posterior_of(sampled)), pooled_draws(posterior_of(integrated)), strict=True
    ):
        ours, theirs = statistics(one, chains), statistics(other, repeats)
        for name, (value, error) in ours.items():
            second, second_error = theirs[name]
            both = float(np.hypot(error, second_error))
            rows.append(
                {
                    "group": row["group"],
                    "level": row["level"],
                    "estimand": row["estimand"],
                    "statistic": name,
                    "nuts": value,
                    "quadrature": second,
                    "error": both,
                    "z": (second - value) / both if both > 0 else (0.0 if second == value else np.nan),
                }
            )
    return CrossCheck(
        table=pd.DataFrame(rows),
        limit=float(-ndtri(FALSE_ALARM / 2 / len(rows))),
        failures=tuple(
            f"{fit.provenance.engine} did not converge: {failure}"
            for fit in (sampled, integrated)
            for failure in fit.diagnostics.failures
        ),
    )


def statistics(draws: Array, mean_error: Callable[[Array], float]) -> dict[str, tuple[float, float]]:
    """Return mean, SD, median and the ends of the 95 % interval, each with its Monte Carlo standard error.

    Parameters
    ----------
    draws
        Shape (draw,) or (draw, replicate).
    mean_error
        Returns the standard error of the mean of numbers of shape (draw,).
    """
    columns = draws.reshape(len(draws), -1)
    mean, sd = float(columns.mean()), float(columns.std())
    found = {
        "mean": (mean, mean_error(columns.mean(axis=1))),
        # By the delta method, from the error of the variance.
        "sd": (sd, mean_error(((columns - mean) ** 2).mean(axis=1)) / (2 * sd) if sd > 0 else 0.0),
    }
    for name, prob in QUANTILES.items():
        value = np.quantile(columns, prob)
        # The error of the probability below, carried over to the quantile by the draws' own distribution.
        reach = mean_error((columns <= value).mean(axis=1))
        low, high = np.quantile(columns, [max(prob - reach, 0.0), min(prob + reach, 1.0)])
        found[name] = (float(value), float(high - low) / 2)
    return found


def chain_error(fit: Fit) -> Callable[[Array], float]:
    """Return the error of a mean of chains, by their autocorrelation (Vehtari et al. 2021, doi:10.1214/20-BA1221)."""
    shape = tuple(fit.tree["sample_stats"]["lp"].shape)

    def error(values: Array) -> float:
        return float(array_stats.mcse(values.reshape(shape), method="mean"))

    return error


def duplicate_error(fit: Fit) -> Callable[[Array], float]:
    """Return the error of a mean of resampled draws, those of one proposal taken as a cluster.

    The number of copies of a proposal has its weight for its mean, so that the squares of the clusters' sums carry the
    noise of the weights and that of the resampling. Of draws without duplicates it is that of independent ones.
    """
    _, cluster = np.unique(fit.tree["sample_stats"]["proposal"].to_numpy().ravel(), return_inverse=True)

    def error(values: Array) -> float:
        sums = np.bincount(cluster, weights=values - values.mean())
        return float(np.sqrt((sums**2).sum()) / len(values))

    return error
