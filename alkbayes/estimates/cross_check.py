"""Two posteriors of one model by different engines, number by number, in units of their Monte Carlo error.

The error of a quantile is that of the probability below it over the density there. In the tails a dozen or two
independent draws tell the density, so that it varies by a fourth from seed to seed, and a difference over it has the
tails of a Student t. Quantiles are therefore compared as probabilities: of draws below the middle between both, whose
error is known as well as that of a mean.
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
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.text.json import records
from alkbayes.vocabulary import GROUP_COLUMNS, Standard

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.nuts.sampler import Progress
    from alkbayes.spec.schema import Spec

FALSE_ALARM = 0.01
"""Probability that two engines that agree have any number beyond the limit: Bonferroni's, so that it holds however the
numbers depend on each other."""


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How far two engines differ.

    Attributes
    ----------
    table
        Columns group, level, estimand, statistic (mean, sd, median, low, high), nuts, quadrature, error (Monte Carlo
        standard error of the difference) and z, the difference in units of it; of a quantile that of the probabilities
        below the middle between both, in units of its own error. Rates are proportions in [0, 1].
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
    standard: Standard = Standard.OWN,
    progress: "Progress | None" = None,
) -> tuple[Fit, CrossCheck | None]:
    """Fit a model by both engines.

    Returns
    -------
    Fit
        By the engine `keep`, or by NUTS if quadrature falls back to it.
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
            f"model {spec.name!r} has {why}, which the quadrature engine does not cover; there is nothing to hold NUTS "
            "against. Leave the cross-check out.",
            parameter="cross_check",
        )
    fitted = partial(fit_model, spec, evidence, settings=settings, standard=standard, progress=progress)
    integrated = fitted(engine=Engine.QUADRATURE)
    if integrated.provenance.fallback_reason:
        return integrated, None
    sampled = fitted(engine=Engine.NUTS)
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
        common = {name: row[name] for name in (*GROUP_COLUMNS, "estimand")}
        rows += [common | each for each in differences(one, other, chains, repeats)]
    return CrossCheck(
        table=pd.DataFrame(rows),
        limit=float(-ndtri(FALSE_ALARM / 2 / len(rows))),
        failures=tuple(
            f"{fit.provenance.engine} did not converge: {failure}"
            for fit in (sampled, integrated)
            for failure in fit.diagnostics.failures
        ),
    )


def differences(one: Array, other: Array, one_error: MeanError, other_error: MeanError) -> list[dict[str, Any]]:
    """Return the statistics of two sets of draws, and what they differ by.

    Parameters
    ----------
    one, other
        By NUTS and by quadrature, shape (draw,) or (draw, replicate).
    one_error, other_error
        Return the standard error of the mean of numbers of shape (draw,), of the one set and of the other.

    Returns
    -------
    list
        For each statistic the columns of :class:`CrossCheck` that are of it.
    """
    rows: list[dict[str, Any]] = []
    theirs = statistics(other, other_error)
    for name, (value, error) in statistics(one, one_error).items():
        second, second_error = theirs[name]
        difference, both = second - value, float(np.hypot(error, second_error))
        of_z = both
        if name in QUANTILES:
            middle = (value + second) / 2
            below, below_error = share_below(one, middle, one_error)
            also_below, also_error = share_below(other, middle, other_error)
            # The higher a quantile, the less is below the middle.
            difference, of_z = below - also_below, float(np.hypot(below_error, also_error))
        z = difference / of_z if of_z > 0 else (0.0 if difference == 0 else np.nan)
        rows.append({"statistic": name, "nuts": value, "quadrature": second, "error": both, "z": z})
    return rows
