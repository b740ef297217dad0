"""Agreement of two posteriors of one model from different engines, each estimate in units of Monte Carlo error.

The error of a quantile is that of the probability below it over the density there. In the tails the density rests on a
dozen or two independent draws: it varies by a quarter from seed to seed, and a standardised difference has the tails of
a Student t. Quantiles are therefore compared as probabilities, below the midpoint of the two, whose error is known as
well as that of a mean.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from alkbayes.errors import UsageError
from alkbayes.estimates.monte_carlo import (
    QUANTILES,
    Array,
    MeanError,
    chain_error,
    duplicate_error,
    share_below,
    statistics,
)
from alkbayes.estimates.rates import pooled_draws, posterior_of
from alkbayes.inference.fit import NO_CHAINS, Fit, fit_model
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.text.json import records
from alkbayes.vocabulary import GROUP_COLUMNS, INTERVAL_PROB, Standard

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.nuts.sampler import Progress
    from alkbayes.spec.schema import Spec

FALSE_ALARM = 0.01
"""Probability that two agreeing engines have any value beyond the limit (Bonferroni, valid under any dependence)."""


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """Differences between two engines.

    Attributes
    ----------
    table
        Columns group, level, estimand, statistic (mean, sd, median, low, high), nuts, quadrature, error (Monte Carlo
        standard error of the difference) and z, the standardised difference; for a quantile that of the probabilities
        below the midpoint of the two. Rates are proportions in [0, 1].
    limit
        Largest |z| for agreement.
    failures
        Convergence failures of either.
    """

    table: pd.DataFrame
    limit: float
    failures: tuple[str, ...]

    @property
    def beyond(self) -> pd.DataFrame:
        """Rows with a difference beyond the limit."""
        # Written so that NaN is beyond.
        return self.table[~(self.table["z"].abs() <= self.limit)]

    @property
    def faults(self) -> tuple[str, ...]:
        """Reasons why the engines do not confirm each other, in words; empty if they do."""
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
        """Return the comparison as JSON values."""
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
    standard: Standard = Standard.OWN,
    interval_prob: float = INTERVAL_PROB,
    progress: "Progress | None" = None,
) -> tuple[Fit, CrossCheck | None]:
    """Fit a model by both engines.

    Returns
    -------
    Fit
        By the engine `keep`, or by NUTS if quadrature falls back to it.
    CrossCheck or None
        None after such a fallback.

    Raises
    ------
    UsageError
        If either engine does not cover the model.
    SamplingError
        If the sampler does not finish.
    """
    design = build_design(spec, evidence)
    if design.exnex is not None:
        raise UsageError(
            f"model {spec.name!r} is fitted by quadrature alone: {NO_CHAINS}. Leave the cross-check out.",
            parameter="cross_check",
        )
    if why := unsupported(design):
        raise UsageError(
            f"model {spec.name!r} has {why}, which the quadrature engine does not cover; there is nothing to hold NUTS "
            "against. Leave the cross-check out.",
            parameter="cross_check",
        )
    fitted = partial(
        fit_model,
        spec,
        evidence,
        settings=settings,
        standard=standard,
        interval_prob=interval_prob,
        progress=progress,
    )
    integrated = fitted(engine=Engine.QUADRATURE)
    if integrated.provenance.fallback_reason:
        return integrated, None
    sampled = fitted(engine=Engine.NUTS)
    return sampled if keep is Engine.NUTS else integrated, cross_check(sampled, integrated)


def cross_check(sampled: Fit, integrated: Fit) -> CrossCheck:
    """Compare the pooled estimates of a fit by NUTS and one by quadrature, of one model to one table.

    Raises
    ------
    ValueError
        If the fits are from other engines.
    """
    engines = (sampled.provenance.engine, integrated.provenance.engine)
    if engines != (Engine.NUTS, Engine.QUADRATURE):
        raise ValueError(f"expected fits by nuts and quadrature, got {engines}")
    chains, repeats = chain_error(sampled), duplicate_error(integrated)
    rows = []
    for (row, one), (_, other) in zip(
        pooled_draws(posterior_of(sampled)), pooled_draws(posterior_of(integrated)), strict=True
    ):
        common = {name: row[name] for name in (*GROUP_COLUMNS, "estimand")}
        rows += [common | each for each in differences(one, other, chains, repeats, prob=sampled.interval_prob)]
    return CrossCheck(
        table=pd.DataFrame(rows),
        limit=float(-ndtri(FALSE_ALARM / 2 / len(rows))),
        failures=tuple(
            f"{fit.provenance.engine} did not converge: {failure}"
            for fit in (sampled, integrated)
            for failure in fit.diagnostics.failures
        ),
    )


def differences(
    one: Array, other: Array, one_error: MeanError, other_error: MeanError, *, prob: float = INTERVAL_PROB
) -> list[dict[str, Any]]:
    """Return the statistics of two sets of draws, and their differences.

    Parameters
    ----------
    one, other
        Draws by NUTS and by quadrature, shape (draw,) or (draw, replicate).
    one_error, other_error
        Functions for the standard error of a mean of values of shape (draw,), for each set.
    prob
        Probability of the intervals.

    Returns
    -------
    list
        For each statistic its columns of :class:`CrossCheck`.
    """
    rows: list[dict[str, Any]] = []
    theirs = statistics(other, other_error, prob=prob)
    for name, (value, error) in statistics(one, one_error, prob=prob).items():
        second, second_error = theirs[name]
        difference, both = second - value, float(np.hypot(error, second_error))
        of_z = both
        if name in QUANTILES:
            middle = (value + second) / 2
            below, below_error = share_below(one, middle, one_error)
            also_below, also_error = share_below(other, middle, other_error)
            # The higher a quantile, the lower the probability below the midpoint.
            difference, of_z = below - also_below, float(np.hypot(below_error, also_error))
        z = difference / of_z if of_z > 0 else (0.0 if difference == 0 else np.nan)
        rows.append({"statistic": name, "nuts": value, "quadrature": second, "error": both, "z": z})
    return rows
