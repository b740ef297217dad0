"""Posterior probabilities that pooled rates, and those of single units, exceed a limit."""

from collections.abc import Sequence

import pandas as pd

from alkbayes.estimates.monte_carlo import mean_error_of, share_below
from alkbayes.estimates.rates import pooled_draws, posterior_of, unit_draws
from alkbayes.inference.fit import Fit
from alkbayes.vocabulary import GROUP_COLUMNS, Estimand, group_row

EXCEEDANCE_COLUMNS = (*GROUP_COLUMNS, "estimand", "over", "above", "probability", "mcse")
"""Columns of the table, in order."""
ESTIMANDS = (Estimand.TYPICAL, Estimand.MEAN, Estimand.NEXT_COHORT)


def exceedance_table(fit: Fit, limits: Sequence[float]) -> pd.DataFrame:
    """Return the probability that each pooled rate exceeds each limit; with EXNEX also the rate of each unit.

    Parameters
    ----------
    fit
        A fit.
    limits
        Rates, proportions in (0, 1).

    Returns
    -------
    DataFrame
        Columns `EXCEEDANCE_COLUMNS`, one row per limit, group and estimand (typical, mean and next cohort), and with
        EXNEX one per limit and unit for its own rate, the estimand `these_cohorts`, with the unit as level. `above` is
        the limit, a proportion; `over` the patients averaged over (empty: the group's own); `probability` is in [0, 1]:
        for `next_cohort` the predictive probability for the rate of a new cohort, averaged over the draws. `mcse` is
        its Monte Carlo standard error.
    """
    error, posterior = mean_error_of(fit), posterior_of(fit)
    drawn = [(row, draws) for row, draws in pooled_draws(posterior) if row["estimand"] in ESTIMANDS]
    if (term := fit.design.exnex) is not None:
        drawn += [
            ({**group_row({term.label: unit}), "estimand": str(Estimand.THESE_COHORTS)}, rates)
            for unit, _, rates, _ in unit_draws(posterior)
        ]
    rows = []
    for limit in limits:
        for row, draws in drawn:
            below, mcse = share_below(draws, limit, error)
            place = {name: row[name] for name in (*GROUP_COLUMNS, "estimand")} | {"over": row.get("over", "")}
            rows.append(place | {"above": limit, "probability": 1 - below, "mcse": mcse})
    return pd.DataFrame(rows, columns=list(EXCEEDANCE_COLUMNS))
