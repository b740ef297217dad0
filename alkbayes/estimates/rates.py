"""Pooled response rates, contrasts, heterogeneity and shrunken cohorts from a posterior.

Every pooled rate has the name of its estimand:

- `these_cohorts`: patients of these cohorts, sum n_i p_i / sum n_i. The finite-population counterpart of crude pooling.
- `typical`: a cohort at the centre of the heterogeneity, the inverse link at mu.
- `mean`: the average over trials and cohorts, E[inverse link of (mu + deviation)].
- `next_cohort`: a new cohort of a new trial; its interval is the prediction interval.

A group of cohorts that differ in another factor has no mu of its own. It is averaged over profiles (combinations of the
levels of the model's effects) weighted by patients, its own or those of :mod:`alkbayes.model.standardisation`:
`typical` on the link scale, `mean` and `next_cohort` on the probability scale. `these_cohorts` always uses its own.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.inference.fit import Fit
from alkbayes.likelihood.links import Link, inverse, odds_ratio
from alkbayes.model.design import Design, Index
from alkbayes.model.draws import cohort_taus, tau_draws, total_sd
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.parametrisation import empirical_predictors
from alkbayes.model.predictive import Heterogeneity, cohort_rates, heterogeneity_of, new_cohorts
from alkbayes.model.profiles import (
    Comparison,
    Group,
    Mask,
    compared_levels,
    describe_weights,
    distinct_profiles,
    groups_of,
    mix_of,
    patient_shares,
    profile_predictors,
)
from alkbayes.model.summary import summarise
from alkbayes.vocabulary import INTERVAL_PROB, Estimand, Standard

type Array = NDArray[np.float64]
type ErrorsOf = Callable[[Array], Mapping[str, float]]
"""Function from a row's draws to their Monte Carlo errors as table columns."""

NO_DIFFERENCE = {"odds_ratio": 1.0, "risk_difference": 0.0}
"""Null value on each scale of a contrast."""

ERROR_COLUMNS = ("mcse", "mcse_median", "mcse_low", "mcse_high")
"""Monte Carlo standard errors of mean, median and the ends of the interval."""

CONTRAST_COLUMNS = (
    *("column", "contrast", "first", "second", "over", "predicted"),
    *("scale", "mean", "median", "low", "high", "prob_better"),
)
"""Columns of the table of contrasts, without Monte Carlo errors."""

OWN_NAMES = frozenset({"mean", "median", "low", "high", *ERROR_COLUMNS})
"""Columns also given for a row's own patients."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Input of all estimates: draws on one axis, and the profiles of the cohorts.

    Attributes
    ----------
    draws
        The posterior's variables, axes (draw, ...).
    rates
        Response rate of each cohort, shape (draw, cohort).
    profiles, profile_of_cohort
        For each column, the level of each profile, shape (profile,); the profile of each cohort, shape (cohort,).
    predictors
        Linear predictor at the centre of the heterogeneity, shape (draw, profile).
    heterogeneity
        Distribution about it.
    seed
        Random seed for predictive draws.
    standard
        Patients over whom the rows of a column's levels, and its contrasts, are averaged.
    interval_prob
        Probability of the intervals of all tables.
    """

    design: Design
    draws: Mapping[str, Array]
    rates: Array
    profiles: Mapping[str, NDArray[np.str_]]
    profile_of_cohort: Index
    predictors: Array
    heterogeneity: Heterogeneity
    seed: int
    standard: Standard = Standard.OWN
    interval_prob: float = INTERVAL_PROB


def posterior_of(fit: Fit) -> Posterior:
    """Return the posterior of a fit in the form of this module."""
    draws = {name: values.reshape(-1, *values.shape[2:]) for name, values in fit.draws.items()}
    posterior = posterior_from(fit.design, draws, seed=fit.provenance.settings.seed, interval_prob=fit.interval_prob)
    return replace(posterior, standard=fit.standard)


def posterior_from(
    design: Design, draws: Mapping[str, Array], *, seed: int, interval_prob: float = INTERVAL_PROB
) -> Posterior:
    """Return a posterior from draws with axes (draw, ...); `seed` is for the predictive draws."""
    profiles, profile_of_cohort = distinct_profiles(design)
    return Posterior(
        design=design,
        draws=draws,
        rates=cohort_rates(design, draws, rng=np.random.default_rng([seed, 1])),
        profiles=profiles,
        profile_of_cohort=profile_of_cohort,
        predictors=profile_predictors(design, draws, profiles, count=int(profile_of_cohort.max()) + 1),
        heterogeneity=heterogeneity_of(design, draws, profiles),
        seed=seed,
        interval_prob=interval_prob,
    )


type DrawnRow = tuple[dict[str, str | int | float | None], Array]
"""Identifying columns of a row of :func:`pooled_table`, and its draws."""


def pooled_table(
    posterior: Posterior, errors: ErrorsOf | None = None, drawn: Iterable[DrawnRow] | None = None
) -> pd.DataFrame:
    """Return the pooled response rates of every group, a row for each estimand.

    Parameters
    ----------
    errors
        Function for the Monte Carlo errors of draws; without it the table has no such columns.
    drawn
        The rows of :func:`pooled_draws`, if they are at hand.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS`, line, generation, k, patients, responders, weights, estimand, mean,
        median, sd, low, high. Rates are proportions in [0, 1]; low and high are the ends of the equal-tailed
        credible interval, or of the prediction interval for `next_cohort`. `weights` lists the profiles a row is
        averaged over with their share of its patients; it is empty for a single profile. With `errors` also mcse,
        mcse_median, mcse_low and mcse_high, the Monte Carlo standard errors of mean, median, low and high. With the
        standard `same` also `over`, the patients averaged over (empty: the row's own), `predicted`, the share in [0, 1]
        of them with a combination found in no cohort, and own_mean, own_median, own_low and own_high, the row over its
        own patients, with own_mcse and so on if there are `errors`.
    """
    prob = posterior.interval_prob
    rows = [
        row | summarise(draws, prob=prob) | with_errors(errors, draws)
        for row, draws in drawn or pooled_draws(posterior)
    ]
    if posterior.standard is Standard.SAME:
        # Other rows are over their own patients already.
        single = [group for group in groups_of(posterior.design) if len(group.levels) == 1]
        own = {
            (row["group"], row["level"], row["estimand"]): summarise(draws, prob=prob) | with_errors(errors, draws)
            for row, draws in pooled_draws(replace(posterior, standard=Standard.OWN), single)
        }
        for row in rows:
            of = own.get((row["group"], row["level"], row["estimand"]), row)
            row |= {f"own_{name}": value for name, value in of.items() if name in OWN_NAMES}
    return pd.DataFrame(rows)


def pooled_draws(posterior: Posterior, groups: Iterable[Group] | None = None) -> Iterator[DrawnRow]:
    """Yield the identifying columns of each row of :func:`pooled_table`, for all groups by default, and its draws.

    Draws have shape (draw,); those of `next_cohort` (draw, new cohort).
    """
    design = posterior.design
    means = expected_rate(posterior.predictors, posterior.heterogeneity)
    # The same for all groups: a group's predictions do not depend on which other groups a table has.
    rng = np.random.default_rng(posterior.seed)
    new = new_cohorts(posterior.heterogeneity, len(means), rng=rng)
    for group in groups_of(design) if groups is None else groups:
        members, n = group.members, design.n[group.members]
        mix = mix_of(design, posterior.profiles, posterior.profile_of_cohort, group, posterior.standard)
        if mix.over:
            predictors = profile_predictors(design, posterior.draws, mix.profiles, count=len(mix.share))
            heterogeneity = heterogeneity_of(design, posterior.draws, mix.profiles)
            rates = expected_rate(predictors, heterogeneity)
        else:
            used = profile_weights(posterior, members) > 0
            predictors, rates = posterior.predictors[:, used], means[:, used]
            heterogeneity = posterior.heterogeneity.over(used)
        common: dict[str, str | int | float | None] = {
            **group.as_row(),
            "line": group.levels.get("line"),
            "generation": group.levels.get("generation"),
            "k": int(members.sum()),
            "patients": int(n.sum()),
            "responders": int(design.responders[members].sum()),
            "weights": describe_weights(design, mix.profiles, group, mix.share),
        }
        if posterior.standard is Standard.SAME:
            common |= {"over": mix.over, "predicted": mix.predicted}
        own = common
        if mix.over:
            weights = describe_weights(design, posterior.profiles, group, profile_weights(posterior, members))
            own = common | {"weights": weights, "over": "", "predicted": 0.0}
        yield own | {"estimand": str(Estimand.THESE_COHORTS)}, posterior.rates[:, members] @ (n / n.sum())
        yield common | {"estimand": str(Estimand.TYPICAL)}, inverse(design.link, predictors @ mix.share)
        yield common | {"estimand": str(Estimand.MEAN)}, rates @ mix.share
        following = new.over(heterogeneity).rates(predictors, mix.share, rng=copy.deepcopy(rng))
        yield common | {"estimand": str(Estimand.NEXT_COHORT)}, following


def contrast_table(posterior: Posterior, errors: ErrorsOf | None = None) -> pd.DataFrame:
    """Return contrasts between the levels of every one-column effect, averaged over the same patients.

    The patients of the two levels, or with the standard `same` those of both rows, are assigned first one level, then
    the other: the comparison holds the other factors fixed. It remains one between trials that were not randomised
    against each other.

    Returns
    -------
    pandas.DataFrame
        Columns column, contrast ("pretreated vs naive"), first, second (its two levels), over, the patients averaged
        over (empty: those of both levels), predicted, the share in [0, 1] of them with a combination found in no cohort
        on at least one side, scale ("odds_ratio", of the odds of `typical`; "risk_difference", on `mean`, in [-1, 1]),
        mean, median, low, high, prob_better: the posterior probability that the first level has the higher response
        rate. With `errors` also those of :func:`pooled_table`, in units of the contrast's scale.
    """
    rows = []
    for compared, scale, draws in contrast_draws(posterior):
        summary = summarise(draws, prob=posterior.interval_prob)
        del summary["sd"]
        better = float((draws > NO_DIFFERENCE[scale]).mean())
        about = compared.contrast.as_row() | {"over": compared.over, "predicted": compared.predicted, "scale": scale}
        rows.append(about | summary | {"prob_better": better} | with_errors(errors, draws))
    return pd.DataFrame(rows, columns=[*CONTRAST_COLUMNS, *_error_columns(errors)])


def contrast_draws(posterior: Posterior) -> Iterator[tuple[Comparison, str, Array]]:
    """Yield the levels of each row of :func:`contrast_table`, its scale and its draws, shape (draw,)."""
    design = posterior.design
    # A profile is in the contrasts of its level with every other level; its rate takes most of the time.
    known: dict[tuple[bytes, ...], Array] = {}
    by = [term.by.column for term in design.heterogeneity if term.by is not None]
    for compared in compared_levels(
        design, posterior.draws, posterior.profiles, posterior.profile_of_cohort, posterior.standard
    ):
        means = []
        for side, given in zip((compared.one, compared.other), compared.given, strict=True):
            levels = [[given[column][place].encode() for column in by] for place in range(side.shape[1])]
            keys = [(profile.tobytes(), *own) for profile, own in zip(side.T, levels, strict=True)]
            new = {key: at for at, key in enumerate(keys) if key not in known}
            chosen = np.array(list(new.values()), dtype=np.intp)
            heterogeneity = heterogeneity_of(design, posterior.draws, given).over(chosen)
            known |= zip(new, expected_rate(side[:, chosen], heterogeneity).T, strict=True)
            means.append(np.column_stack([known[key] for key in keys]))
        odds = profile_odds_ratio(design.link, compared.one, compared.other, compared.share)
        yield compared, "odds_ratio", odds
        yield compared, "risk_difference", (means[0] - means[1]) @ compared.share


def profile_odds_ratio(link: Link, one: Array, other: Array, weights: Array) -> Array:
    """Return the odds ratio, shape (draw,), of averages over profiles of linear predictors of shape (draw, profile).

    Of weights of both signs, the ratio of two odds ratios.
    """
    if link is Link.LOGIT:
        return np.exp((one - other) @ weights)
    first, second = np.maximum(weights, 0), np.maximum(-weights, 0)
    ratio = odds_ratio(link, one @ first, other @ first)
    return ratio / odds_ratio(link, one @ second, other @ second) if second.any() else ratio


def heterogeneity_table(posterior: Posterior, errors: ErrorsOf | None = None) -> pd.DataFrame:
    """Return the heterogeneity between cohorts.

    Returns
    -------
    pandas.DataFrame
        Columns parameter, mean, median, low, high. Parameters are the tau of each level of heterogeneity and the total
        (`tau_total`), SDs on the link scale; if heterogeneity differs by level, that of each level, such as
        `tau_cohort[line naive]`, their geometric mean `tau_cohort`, and `spread_cohort`, the SD of their logs;
        `sd_...`, the SD of each exchangeable effect; `rho`, the intraclass correlation of a beta-binomial model;
        `explained`, the share in [0, 1] of the variance between cohorts on the link scale that the effects explain;
        `i2`, the share in [0, 1] of the variance of the observed rates on that scale that is heterogeneity and not
        sampling error (Higgins and Thompson 2002, doi:10.1002/sim.1186, with the posterior's tau); a model without
        heterogeneity has neither share, nor has EXNEX, whose tau is that of exchangeable units alone. With `errors`
        also those of :func:`pooled_table`, in units of the parameter.
    """
    rows = []
    for parameter, draws in heterogeneity_draws(posterior):
        summary = summarise(draws, prob=posterior.interval_prob)
        shown = {key: summary[key] for key in ("mean", "median", "low", "high")}
        rows.append({"parameter": parameter} | shown | with_errors(errors, draws))
    return pd.DataFrame(rows, columns=["parameter", "mean", "median", "low", "high", *_error_columns(errors)])


def heterogeneity_draws(posterior: Posterior) -> Iterator[tuple[str, Array]]:
    """Yield each parameter of :func:`heterogeneity_table`, and its draws, shape (draw,)."""
    design, draws = posterior.design, posterior.draws
    values: dict[str, Array] = {}
    for term in design.heterogeneity:
        values |= tau_draws(term, draws)
    total = total_sd(design, draws)
    if len(design.heterogeneity) > 1:
        values["tau_total"] = total
    values |= {f"sd_{block.slug}": draws[f"sd_{block.slug}"] for block in design.effects if block.sd_prior is not None}
    if design.rho_prior is not None:
        values["rho"] = draws["rho"]
    elif design.heterogeneity and design.exnex is None and len(design.cohorts) > 1:
        explained = posterior.predictors[:, posterior.profile_of_cohort].var(axis=1)
        if design.effects:
            values["explained"] = explained / (explained + total**2)
        _, variance = empirical_predictors(design)
        values["i2"] = total**2 / (total**2 + typical_variance(variance))
    yield from values.items()


def cohort_table(posterior: Posterior) -> pd.DataFrame:
    """Return each cohort's shrunken response rate.

    Returns
    -------
    pandas.DataFrame
        Columns cohort_id, the grouping column and the effects' columns, n, responders, observed (y / n), expected
        (posterior median of the typical rate of its profile), mean, median, sd, low, high of its own rate, and
        shrinkage from the observed towards the expected rate on the link scale, 0 to 1 (posterior mean of s² / (s² +
        tau²), s² the sampling variance on that scale). With EXNEX there is no shrinkage towards one rate; instead
        `exchangeable` is the posterior probability in [0, 1] that the cohort's unit is exchangeable, and `expected` is
        that of an exchangeable unit. Rates are in [0, 1].
    """
    design = posterior.design
    _, variance = empirical_predictors(design)
    total = sum((cohort_taus(term, posterior.draws) ** 2 for term in design.heterogeneity), np.zeros((1, 1)))
    columns = {"cohort_id": list(design.cohorts)}
    if design.group is not None:
        columns[design.group.unit] = [design.group.units[unit] for unit in design.group.index]
    table = pd.DataFrame(columns | {name: values.tolist() for name, values in design.covariates.items()})
    table["n"], table["responders"] = design.n.astype(np.int64), design.responders.astype(np.int64)
    table["observed"] = design.responders / design.n
    table["expected"] = np.median(inverse(design.link, posterior.predictors), axis=0)[posterior.profile_of_cohort]
    summaries = pd.DataFrame([summarise(draws, prob=posterior.interval_prob) for draws in posterior.rates.T])
    table = pd.concat([table, summaries], axis=1)
    if (term := design.exnex) is not None:
        table["exchangeable"] = posterior.draws[term.exchangeable].mean(axis=0)[term.index]
    elif design.rho_prior is None:
        table["shrinkage"] = (variance / (variance + total)).mean(axis=0)
    return table


def unit_draws(posterior: Posterior) -> Iterator[tuple[str, Mask, Array, Array]]:
    """Yield the units that may be exchangeable or on their own (EXNEX), in order of appearance.

    Each comes with its name, its cohorts, shape (cohort,), the draws of its rate over its patients, a proportion in
    [0, 1], and whether it is exchangeable, 1 or 0, both of shape (draw,).
    """
    design, term = posterior.design, posterior.design.exnex
    if term is None:
        return
    for unit in dict.fromkeys(term.index.tolist()):
        members = term.index == unit
        share = design.n[members] / design.n[members].sum()
        yield (
            term.units[unit],
            members,
            posterior.rates[:, members] @ share,
            posterior.draws[term.exchangeable][:, unit],
        )


def exchangeability_table(posterior: Posterior, errors: ErrorsOf) -> pd.DataFrame:
    """Return the rate of each unit that may be exchangeable or on its own, a row for each; empty without EXNEX.

    Returns
    -------
    pandas.DataFrame
        Columns column (the units' column, by its name in results), unit, k, patients, responders, median, low, high
        (posterior median and equal-tailed credible interval of the unit's rate, in [0, 1]), prior (prior
        probability that it is exchangeable), exchangeable (the posterior one), mean, mcse, mcse_median, mcse_low,
        mcse_high (mean and Monte Carlo standard errors of the rate) and mcse_exchangeable.
    """
    design, term = posterior.design, posterior.design.exnex
    if term is None or term.exnex is None:
        return pd.DataFrame()
    prior = dict(zip(term.units, term.exnex.probabilities, strict=True))
    rows = []
    for unit, members, rates, exchangeable in unit_draws(posterior):
        summary = summarise(rates, prob=posterior.interval_prob)
        del summary["sd"]
        about: dict[str, Any] = {
            "column": term.label,
            "unit": unit,
            "k": int(members.sum()),
            "patients": int(design.n[members].sum()),
            "responders": int(design.responders[members].sum()),
        }
        probability = {
            "prior": prior[unit],
            "exchangeable": float(exchangeable.mean()),
            "mcse_exchangeable": errors(exchangeable)["mcse"],
        }
        rows.append(about | summary | dict(errors(rates)) | probability)
    return pd.DataFrame(rows)


def profile_weights(posterior: Posterior, members: Mask) -> Array:
    """Return the share of the members' patients with each profile, shape (profile,)."""
    return patient_shares(posterior.design, members, posterior.profile_of_cohort)


def with_errors(errors: ErrorsOf | None, draws: Array) -> dict[str, Any]:
    """Return the Monte Carlo errors of a row's draws as columns; empty without `errors`."""
    return {} if errors is None else dict(errors(draws))


def _error_columns(errors: ErrorsOf | None) -> list[str]:
    return [] if errors is None else list(ERROR_COLUMNS)


def typical_variance(variance: Array) -> float:
    """Return the sampling variance compared with tau² in I² (Higgins and Thompson 2002, doi:10.1002/sim.1186)."""
    weight = 1 / variance
    return float((len(weight) - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum()))
