"""What a model's priors say of response rates before any count is read, by simulation.

A prior is judged by what it implies where a reader has an opinion: on the scale of the response rate, of differences
between levels, and of differences between trials. The draws go through the design and :mod:`alkbayes.model.draws` as
those of a fit do, so they are the priors that a fit has, and not a second account of them.

All levels but the reference of a fixed effect have one prior, as have all levels of an exchangeable effect. One level,
or one pair, therefore stands for all.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.likelihood.links import Link, inverse, link_function, odds_ratio
from alkbayes.model.design import Design, build_design, level_codes, parameters
from alkbayes.model.draws import from_prior, linear_predictor, total_sd
from alkbayes.model.predictive import cohort_rates
from alkbayes.model.summary import equal_tailed
from alkbayes.vocabulary import Estimand

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

type Array = NDArray[np.float64]

DRAWS = 100_000
SEED = 20251
CHUNK = 20_000
"""Draws held at once."""

COLUMNS = ("quantity", "of", "scale", "median", "low", "high", "apart", "limit_low", "limit_high", "outside")

LIMITS = {
    "proportion": (0.01, 0.99),
    "risk_difference": (-0.5, 0.5),
    "odds_ratio": (0.1, 10.0),
    "logit_sd": (0.0, 2.0),
    "probit_sd": (0.0, 1.05),
    "cloglog_sd": (0.0, 1.35),
    "correlation": (0.0, 0.5),
}
"""For each scale, the values beyond which hardly any cohort of this field would be believed. A total heterogeneity of 2
on the logit scale spreads cohorts from 2 to 98 % about a typical rate of one half; those on the other scales are as far
from 2 to 98 %."""


EDGE = 1e-15
"""A rate nearer to 0 or 1 than this counts as this far away: its odds might overflow."""


type Key = tuple[str, str, str]
"""Quantity, of what, scale."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two levels of a column, and the profiles that differ in it alone."""

    name: str
    level: int
    against: int


@dataclass(frozen=True, slots=True)
class _Stage:
    """Cohorts made up to be compared.

    The first three have the first profile: two cohorts of one unit of the grouping column, and one of another unit.
    Each further profile has one cohort.

    Attributes
    ----------
    design
        Of these cohorts, with the levels and the priors of the model.
    profiles
        Names of the profiles that get a row of their own, with their positions.
    comparisons
        Of the levels of each effect.
    average
        Name of the profile of the intercept; empty where that is one of the profiles.
    """

    design: Design
    profiles: Mapping[str, int]
    comparisons: tuple[_Comparison, ...]
    average: str


def prior_implications(spec: "Spec", evidence: "Evidence", *, draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """Return what the priors of a model imply.

    Parameters
    ----------
    spec
        A checked model file.
    evidence
        A table that has its columns. Only the levels of the columns are read, no count.
    draws, seed
        Number of draws from the prior, and what decides them. The ends of an interval of rates have a Monte Carlo error
        of about 0.1 percentage points at 100,000, those of a difference of about 0.4.

    Returns
    -------
    pandas.DataFrame
        One row for each quantity, with columns

        quantity
            "typical", the rate of a cohort in the middle of the heterogeneity; "next_cohort", that of one cohort of a
            new trial; "levels", two levels of an effect against each other, for a cohort in the middle;
            "heterogeneity", two new trials or cohorts of the same profile against each other; "parameter".
        of
            The profile, the comparison or the parameter.
        scale
            "proportion", in [0, 1]; "risk_difference", in [-1, 1]; "odds_ratio"; "correlation"; by the model's
            link "logit_sd", "probit_sd" or "cloglog_sd".
        median, low, high
            Median and ends of the central 95 % of the prior.
        apart
            Of a comparison, how far apart its two sides are in the middle: the median size of the risk difference, or
            of the larger odds over the smaller. Missing for all else.
        limit_low, limit_high, outside
            Values that would hardly be believed lie outside the limits; the share of the prior there, in [0, 1].
    """
    stage = _stage(build_design(spec, evidence))
    chunks: dict[Key, list[Array]] = {}
    rng = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        for key, values in _quantities(stage, rng, min(CHUNK, draws - start)):
            chunks.setdefault(key, []).append(values)
    return pd.DataFrame([_row(*key, np.concatenate(parts)) for key, parts in chunks.items()], columns=COLUMNS)


def heterogeneity_priors(design: Design, *, draws: int = DRAWS, seed: int = SEED) -> dict[str, Array]:
    """Return draws from the prior of each parameter of heterogeneity, shape (draw,).

    Their names are those of :func:`alkbayes.estimates.rates.heterogeneity_draws`, of which shares of variance are not
    here: they depend on the table. SDs are on the logit scale; `tau_total` is that of all levels together.
    """
    rng = np.random.default_rng(seed)
    values = {
        parameter.name: parameter.prior.draw(rng, (draws,))
        for parameter in parameters(design)
        if parameter.support != "real"
    }
    if len(design.heterogeneity) > 1:
        values["tau_total"] = total_sd(design, values | {"alpha": np.zeros(draws)})
    return values


def _stage(design: Design) -> _Stage:
    single = [block for block in design.effects if len(block.columns) == 1]
    observed = {
        block.columns[0]: [level for level in block.levels if (design.profiles[block.columns[0]] == level).any()]
        for block in single
    }
    base = {column: levels[0] for column, levels in observed.items()}
    label = {block.columns[0]: block.label for block in single}
    profiles, comparisons = [base], []
    shown = {_profile_name(base, label): 0}
    for block in single:
        column = block.columns[0]
        # Two levels but the reference differ by more than either does from the reference.
        levels = observed[column][: 3 if block.sd_prior is None else 2]
        place = {levels[0]: 0}
        for level in levels[1:]:
            place[level] = len(profiles)
            profiles.append(base | {column: level})
        if block.sd_prior is None and len(levels) > 1:
            shown[_profile_name(profiles[place[levels[1]]], label)] = place[levels[1]]
        for against, level in itertools.pairwise(levels):
            name = f"{block.label} {level} vs {against}"
            comparisons.append(_Comparison(name, place[level], place[against]))
    average = ", ".join(
        f"{block.label} {block.levels[0]}" if block.sd_prior is None else f"average {block.label}" for block in single
    )
    return _Stage(
        design=_made_up(design, profiles),
        profiles=shown,
        comparisons=tuple(comparisons),
        average="" if average in shown else average,
    )


def _profile_name(profile: Mapping[str, str], label: Mapping[str, str]) -> str:
    return ", ".join(f"{label[column]} {level}" for column, level in profile.items()) or "any"


def _made_up(design: Design, profiles: Sequence[Mapping[str, str]]) -> Design:
    """Return the design of the cohorts of a stage."""
    rows = [profiles[0], profiles[0], *profiles]
    levels = {column: np.array([row[column] for row in rows], dtype=np.str_) for column in profiles[0]}
    cohorts = tuple(str(number) for number in range(len(rows)))
    unit = np.array([0, 0, 1] + [0] * (len(rows) - 3), dtype=np.intp)
    group, cohort = design.group, design.cohort
    return replace(
        design,
        cohorts=cohorts,
        responders=np.zeros(len(rows)),
        n=np.zeros(len(rows)),  # nobody has been treated: the rates are those of the prior
        effects=tuple(
            replace(block, index=level_codes(block.levels, block.columns, levels)) for block in design.effects
        ),
        group=None if group is None else replace(group, units=("0", "1"), index=unit),
        cohort=None if cohort is None else replace(cohort, units=cohorts, index=np.arange(len(rows), dtype=np.intp)),
        profiles=levels,
    )


def _quantities(stage: _Stage, rng: np.random.Generator, count: int) -> Iterator[tuple[Key, Array]]:
    """Yield each quantity with its draws, shape (draw,)."""
    design, link = stage.design, stage.design.link
    sample = {name: values[0] for name, values in from_prior(design, rng=rng, draws=count).items()}
    # The cohort at 2 is the first profile's, those after it are the further profiles'.
    middle = linear_predictor(design, sample, {block.label: block.index for block in design.effects})[:, 2:]
    cohorts = sample["theta"] if design.rho_prior is None else _rate_predictors(design, sample, rng)
    if stage.average:
        yield (str(Estimand.TYPICAL), stage.average, "proportion"), inverse(link, sample["alpha"])
    for name, place in stage.profiles.items():
        yield (str(Estimand.TYPICAL), name, "proportion"), inverse(link, middle[:, place])
    for name, place in stage.profiles.items():
        yield (str(Estimand.NEXT_COHORT), name, "proportion"), inverse(link, cohorts[:, place + 2])
    for comparison in stage.comparisons:
        sides = middle[:, comparison.level], middle[:, comparison.against]
        yield from _compared(link, "levels", comparison.name, *sides)
    for name, one, other in _units(design, sample, middle[:, 0], cohorts):
        yield from _compared(link, "heterogeneity", name, one, other)
    names = [f"tau_{term.label}" for term in design.heterogeneity]
    names += [f"sd_{block.slug}" for block in design.effects if block.sd_prior is not None]
    for name in names:
        yield ("parameter", name, f"{link}_sd"), sample[name]
    if len(design.heterogeneity) > 1:
        yield ("parameter", "tau_total", f"{link}_sd"), total_sd(design, sample)
    if design.rho_prior is not None:
        yield ("parameter", "rho", "correlation"), sample["rho"]


def _units(
    design: Design, sample: Mapping[str, Array], middle: Array, cohorts: Array
) -> Iterator[tuple[str, Array, Array]]:
    """Yield the comparisons of one new trial or cohort with another.

    Of each the name, and the linear predictors of both sides, shape (draw,).
    """
    group = design.group
    cohorts_differ = design.cohort is not None or design.rho_prior is not None
    if group is not None:
        deviations = sample[f"tau_{group.label}"][:, None] * sample[f"z_{group.label}"]
        yield f"another {group.unit}", middle + deviations[:, 1], middle + deviations[:, 0]
        if cohorts_differ:
            yield f"another cohort of the same {group.label}", cohorts[:, 1], cohorts[:, 0]
            yield f"another cohort of another {group.label}", cohorts[:, 2], cohorts[:, 0]
    elif cohorts_differ:
        yield "another cohort", cohorts[:, 1], cohorts[:, 0]


def _compared(link: Link, quantity: str, name: str, one: Array, other: Array) -> Iterator[tuple[Key, Array]]:
    """Yield the comparison of two linear predictors, shape (draw,), on both scales."""
    yield (quantity, name, "risk_difference"), inverse(link, one) - inverse(link, other)
    yield (quantity, name, "odds_ratio"), odds_ratio(link, one, other)


def _rate_predictors(design: Design, sample: Mapping[str, Array], rng: np.random.Generator) -> Array:
    """Return the cohorts' own rates on the scale of the link, shape (draw, cohort).

    In a beta-binomial model they vary about `p`.
    """
    inside = {name: np.clip(sample[name], EDGE, 1 - EDGE) for name in ("p", "rho")}
    return link_function(design.link, np.clip(cohort_rates(design, inside, rng=rng), EDGE, 1 - EDGE))


def _row(quantity: str, of: str, scale: str, values: Array) -> dict[str, str | float | None]:
    low, median, high = equal_tailed(values)
    limit_low, limit_high = LIMITS[scale]
    apart = None
    if quantity in {"levels", "heterogeneity"}:
        size = np.abs(values if scale == "risk_difference" else np.log(values))
        apart = float(np.median(size) if scale == "risk_difference" else np.exp(np.median(size)))
    return {
        "quantity": quantity,
        "of": of,
        "scale": scale,
        "median": float(median),
        "low": float(low),
        "high": float(high),
        "apart": apart,
        "limit_low": limit_low,
        "limit_high": limit_high,
        "outside": float(((values < limit_low) | (values > limit_high)).mean()),
    }
