"""Two posteriors of one model by different engines, number by number, in units of their Monte Carlo error."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from alkbayes.design import build_design
from alkbayes.engines.target import unsupported
from alkbayes.errors import UsageError
from alkbayes.estimates import pooled_draws, posterior_of
from alkbayes.fit import Fit, fit_model
from alkbayes.monte_carlo import chain_error, duplicate_error, statistics
from alkbayes.records import records
from alkbayes.settings import Engine, SamplerSettings
from alkbayes.vocabulary import Standard

if TYPE_CHECKING:
    from alkbayes.engines.nuts import Progress
    from alkbayes.evidence import Evidence
    from alkbayes.spec import Spec

FALSE_ALARM = 0.01
"""Probability that two engines that agree have any number beyond the limit: Bonferroni's, so that it holds however the
numbers depend on each other."""
MORE_DRAWS = 3
"""Times as many draws where a first comparison finds a number beyond: the same difference has 1.7 times the z then."""


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
    standard: Standard = Standard.OWN,
    progress: "Progress | None" = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[Fit, CrossCheck | None]:
    """Fit a model by both engines.

    Where a number is beyond the limit, both are fitted once more, from another seed and with more draws, and these
    decide: the errors of tail quantiles are themselves estimates, so that engines that agree exceed the limit more
    often than Bonferroni's argument says, while those that differ are further apart, in units of the error, then.

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
    fitted = partial(fit_model, spec, evidence, standard=standard, progress=progress, warn=warn)
    settings = settings or SamplerSettings()
    integrated = fitted(engine=Engine.QUADRATURE, settings=settings)
    if integrated.provenance.handed_over:
        return integrated, None
    sampled = fitted(engine=Engine.NUTS, settings=settings)
    kept = sampled if keep is Engine.NUTS else integrated
    found = cross_check(sampled, integrated)
    if found.failures or found.beyond.empty:
        return kept, found
    more = replace(settings, seed=settings.seed + 1, draws=MORE_DRAWS * settings.draws)
    if warn is not None:
        warn(
            f"{len(found.beyond)} of {len(found.table)} numbers of the cross-check are beyond its limit. "
            f"Both engines once more, with {more.draws} draws a chain and seed {more.seed}, to tell chance from fault."
        )
    again = fitted(engine=Engine.QUADRATURE, settings=more)
    if again.provenance.handed_over:
        return kept, found
    return kept, cross_check(fitted(engine=Engine.NUTS, settings=more), again)


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
