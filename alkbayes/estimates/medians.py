"""Pooled median PFS, contrasts, heterogeneity and shrunken cohorts from a posterior of log medians, in months.

Estimands are named as for response rates:

- `these_cohorts`: their patients, sum n_i m_i / sum n_i over the cohorts' own medians m_i. The counterpart of the
  patient-weighted mean of medians in reviews, including medians not reached.
- `typical`: a cohort at the centre of the heterogeneity, exp(mu).
- `mean`: the average over trials and cohorts, E[exp(mu + deviation)] = exp(mu + tau^2 / 2).
- `next_cohort`: a new cohort of a new trial; its interval is the prediction interval.

A group that mixes levels of another factor is averaged over its patients: `typical` on the log scale, `mean` and
`next_cohort` in months.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.estimates.monte_carlo import cluster_error, statistics
from alkbayes.estimates.rates import ERROR_COLUMNS, ErrorsOf, typical_variance
from alkbayes.evidence.medians import Medians
from alkbayes.inference.importance.medians import MedianPosterior
from alkbayes.model.design import Index, Structure
from alkbayes.model.draws import total_sd
from alkbayes.model.predictive import Heterogeneity, new_cohorts
from alkbayes.model.profiles import (
    compared_levels,
    describe_weights,
    distinct_profiles,
    groups_of,
    patient_shares,
    profile_predictors,
)
from alkbayes.model.summary import summarise
from alkbayes.vocabulary import INTERVAL_PROB, Estimand

type Array = NDArray[np.float64]

NO_DIFFERENCE = {"median_ratio": 1.0, "months": 0.0}
"""Null value on each scale of a contrast."""


@dataclass(frozen=True, slots=True)
class _Profiled:
    """A posterior with the profiles of its cohorts.

    `profiles` holds the levels of each profile by column, (profile,); `profile_of_cohort` is (cohort,). `predictors` is
    the log median at the centre of the heterogeneity, (draw, profile); `total` its total SD, (draw,).
    """

    posterior: MedianPosterior
    profiles: dict[str, NDArray[np.str_]]
    profile_of_cohort: Index
    predictors: Array
    total: Array

    @property
    def structure(self) -> Structure:
        return self.posterior.structure


def _profiled(posterior: MedianPosterior) -> _Profiled:
    profiles, of_cohort = distinct_profiles(posterior.structure)
    count = int(of_cohort.max()) + 1
    predictors = profile_predictors(posterior.structure, posterior.draws, profiles, count=count)
    return _Profiled(posterior, profiles, of_cohort, predictors, total_sd(posterior.structure, posterior.draws))


def median_errors(posterior: MedianPosterior, *, prob: float = INTERVAL_PROB) -> ErrorsOf:
    """Return a function from a row's draws to their Monte Carlo errors as table columns.

    `prob` is the probability of the interval.
    """
    error = cluster_error(posterior.proposal)

    def columns(draws: Array) -> dict[str, float]:
        found = statistics(draws, error, prob=prob)
        return {name: found[key][1] for name, key in zip(ERROR_COLUMNS, ("mean", "median", "low", "high"), strict=True)}

    return columns


def pooled_medians(
    posterior: MedianPosterior, medians: Medians, *, seed: int, prob: float = INTERVAL_PROB
) -> pd.DataFrame:
    """Return the pooled medians of every group, a row for each estimand.

    Parameters
    ----------
    posterior, medians
        Posterior, and the medians it was fitted to.
    seed
        Random seed for the predictions.
    prob
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS`, line, generation, k, not_reached, patients, weights, estimand,
        mean, median, sd, low, high and the Monte Carlo errors of mean, median, low and high (mcse, ...), in months. `k`
        is the number of cohorts in the model, `not_reached` the number of these with only a bound; see
        :func:`alkbayes.estimates.rates.pooled_table`.
    """
    of = _profiled(posterior)
    error = median_errors(posterior, prob=prob)
    rows = [row | summarise(draws, prob=prob) | dict(error(draws)) for row, draws in _pooled_draws(of, medians, seed)]
    return pd.DataFrame(rows)


def typical_medians(posterior: MedianPosterior, *, prob: float = INTERVAL_PROB) -> pd.DataFrame:
    """Return only `typical`, for all cohorts and each level of the first effect, with intervals of `prob`.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS`, median, low, high.
    """
    of = _profiled(posterior)
    groups = list(groups_of(of.structure))
    # All cohorts, and the levels of the first effect.
    first = list(dict.fromkeys(tuple(group.levels) for group in groups))[:2]
    rows = []
    for group in (group for group in groups if tuple(group.levels) in first):
        share = patient_shares(of.structure, group.members, of.profile_of_cohort)
        summary = summarise(np.exp(of.predictors @ share), prob=prob)
        shown = {name: summary[name] for name in ("median", "low", "high")}
        rows.append(group.as_row() | shown)
    return pd.DataFrame(rows)


def _pooled_draws(of: _Profiled, medians: Medians, seed: int) -> Iterator[tuple[dict[str, Any], Array]]:
    structure, draws = of.structure, of.posterior.draws
    own = np.exp(draws["theta"])
    heterogeneity = Heterogeneity(
        taus=tuple(draws[f"tau_{term.slug}"] for term in structure.heterogeneity),
        priors=tuple(term.unit_prior for term in structure.heterogeneity),
        rho=None,
    )
    means = np.exp(of.predictors + of.total[:, None] ** 2 / 2)
    # The same for all groups: a group's predictions do not depend on which other groups a table has.
    new = new_cohorts(heterogeneity, len(means), rng=np.random.default_rng([seed, 1]))
    for group in groups_of(structure):
        members, n = group.members, structure.n[group.members]
        weights = patient_shares(structure, members, of.profile_of_cohort)
        used = weights > 0
        common: dict[str, Any] = {
            **group.as_row(),
            "line": group.levels.get("line"),
            "generation": group.levels.get("generation"),
            "k": int(members.sum()),
            "not_reached": int((members & ~medians.reached).sum()),
            "patients": int(n.sum()),
            "weights": describe_weights(of.structure, of.profiles, group, weights),
        }
        predictors, share = of.predictors[:, used], weights[used]
        yield common | {"estimand": str(Estimand.THESE_COHORTS)}, own[:, members] @ (n / n.sum())
        yield common | {"estimand": str(Estimand.TYPICAL)}, np.exp(predictors @ share)
        yield common | {"estimand": str(Estimand.MEAN)}, means[:, used] @ share
        yield common | {"estimand": str(Estimand.NEXT_COHORT)}, np.exp(new.predictors(predictors, share))


def median_contrasts(posterior: MedianPosterior, *, prob: float = INTERVAL_PROB) -> pd.DataFrame:
    """Return contrasts between the levels of every one-column effect, averaged over the patients of both levels.

    `prob` is the probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns column, contrast ("pretreated vs naive"), first, second (its two levels), scale ("median_ratio", for
        `typical` medians; "months", the difference of `mean`), mean, median, low, high, prob_longer: the posterior
        probability that the first level has the longer median; and the Monte Carlo errors of mean, median, low and
        high.
    """
    of, errors = _profiled(posterior), median_errors(posterior, prob=prob)
    columns = ["column", "contrast", "first", "second", "scale", "mean", "median", "low", "high", "prob_longer"]
    spread = np.exp(of.total[:, None] ** 2 / 2)
    rows = []
    for compared in compared_levels(of.structure, posterior.draws, of.profiles, of.profile_of_cohort):
        one, other = compared.one, compared.other
        scales = {"median_ratio": np.exp((one - other) @ compared.share)}
        scales["months"] = ((np.exp(one) - np.exp(other)) * spread) @ compared.share
        common = compared.contrast.as_row()
        for scale, draws in scales.items():
            longer = float((draws > NO_DIFFERENCE[scale]).mean())
            rows.append(
                common | {"scale": scale, "prob_longer": longer} | summarise(draws, prob=prob) | dict(errors(draws))
            )
    return pd.DataFrame(rows, columns=[*columns, *ERROR_COLUMNS])


def median_heterogeneity(posterior: MedianPosterior, medians: Medians, *, prob: float = INTERVAL_PROB) -> pd.DataFrame:
    """Return the heterogeneity of the cohorts' medians, with intervals of the probability `prob`.

    Returns
    -------
    pandas.DataFrame
        Columns parameter, mean, median, low, high: the tau of each level and the total (`tau_total`), and `sd_...`, the
        SD of each exchangeable effect, on the scale of log months; `explained`, the share in [0, 1] of the variance
        between cohorts that the effects explain; `i2`, the share in [0, 1] of the observed variance that is
        heterogeneity; both omitted without heterogeneity. And their Monte Carlo errors.
    """
    of, errors = _profiled(posterior), median_errors(posterior, prob=prob)
    structure, draws = of.structure, posterior.draws
    values = {f"tau_{term.slug}": draws[f"tau_{term.slug}"] for term in structure.heterogeneity}
    if len(structure.heterogeneity) > 1:
        values["tau_total"] = of.total
    values |= {name: draw for name, draw in draws.items() if name.startswith("sd_")}
    if structure.heterogeneity and len(structure.cohorts) > 1:
        explained = of.predictors[:, of.profile_of_cohort].var(axis=1)
        if structure.effects:
            values["explained"] = explained / (explained + of.total**2)
        values["i2"] = of.total**2 / (of.total**2 + typical_variance(medians.se**2))
    columns = ["parameter", "mean", "median", "low", "high", *ERROR_COLUMNS]
    rows = [{"parameter": name} | summarise(draw, prob=prob) | dict(errors(draw)) for name, draw in values.items()]
    return pd.DataFrame(rows, columns=columns)


def median_cohorts(posterior: MedianPosterior, medians: Medians, *, prob: float = INTERVAL_PROB) -> pd.DataFrame:
    """Return each cohort's reported median, and its shrunken one with an interval of the probability `prob`.

    Returns
    -------
    pandas.DataFrame
        Columns cohort_id, the grouping column and the effects' columns, patients; observed, observed_low and
        observed_high, as reported; bound, the lower bound of a median not reached; se (of the log) and se_source;
        expected, the posterior median of the typical median of its profile; mean, median, sd, low, high of its own.
        Missing values are NaN.
    """
    of, structure = _profiled(posterior), posterior.structure
    columns: dict[str, Any] = {"cohort_id": list(structure.cohorts)}
    if structure.group is not None:
        columns[structure.group.unit] = [structure.group.units[unit] for unit in structure.group.index]
    columns |= {name: values.tolist() for name, values in structure.profiles.items()}
    table = pd.DataFrame(columns)
    table["patients"] = structure.n.astype(np.int64)
    table["observed"] = np.exp(medians.log_median)
    table["observed_low"], table["observed_high"] = medians.low, medians.high
    table["bound"] = np.exp(medians.log_bound)
    table["se"], table["se_source"] = medians.se, [str(kind) for kind in medians.source]
    table["expected"] = np.exp(np.median(of.predictors, axis=0))[of.profile_of_cohort]
    summaries = pd.DataFrame([summarise(draws, prob=prob) for draws in np.exp(posterior.draws["theta"]).T])
    return pd.concat([table, summaries], axis=1)
