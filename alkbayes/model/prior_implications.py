"""Prior predictive simulation: the response rates that a model's priors imply.

A prior is judged on scales where a reader has an opinion: response rates, differences between levels and between
trials. The draws pass through the design and :mod:`alkbayes.model.draws` as in a fit, so these are the priors of the
fit itself.

All levels of an exchangeable effect share one prior, as do all non-reference levels of a fixed one. One level, or one
pair, therefore stands for all.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.likelihood.links import Link, inverse, link_function, odds_ratio
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import (
    Design,
    EffectBlock,
    HeterogeneityBlock,
    Index,
    build_design,
    level_codes,
    parameters,
)
from alkbayes.model.draws import from_prior, level_taus, linear_predictor, tau_draws, total_sd, unit_deviations
from alkbayes.model.predictive import cohort_rates
from alkbayes.model.summary import equal_tailed
from alkbayes.vocabulary import TOTAL, Contrast, Estimand

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

type Array = NDArray[np.float64]

DRAWS = 100_000
CENTRAL = 0.95
"""Central probability by which a prior is described, whatever that of the intervals of results."""
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
    "sd_ratio": (0.2, 5.0),
}
"""Range of credible values by scale; hardly any cohort of this field lies beyond. A total heterogeneity of 2 on the
logit scale spreads cohorts from 2 to 98 % around a typical rate of one half; the limits for other links match."""


EDGE = 1e-15
"""Smallest distance of a rate from 0 and 1, below which its odds might overflow."""


type Key = tuple[str, str, str]
"""Quantity, profile or comparison or parameter, and scale."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two levels of an effect's columns, or two values of a number, and profiles that differ in it alone."""

    name: str
    level: int
    against: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """Hypothetical cohorts for comparisons.

    The first three have the first profile: two cohorts of one unit of the grouping column, and one of another unit.
    Each further profile has one cohort. `profiles` maps the profiles with rows of their own to positions; `average`
    names the intercept's profile, and is empty if `profiles` has it.
    """

    design: Design
    profiles: Mapping[str, int]
    comparisons: tuple[_Comparison, ...]
    average: str


def prior_implications(spec: "Spec", evidence: "Evidence", *, draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """Return the response rates that a model's priors imply.

    Only the levels of `evidence` are read, no counts. The ends of an interval of rates have a Monte Carlo error of
    about 0.1 percentage points at 100,000 draws, those of a difference of about 0.4.

    Returns
    -------
    pandas.DataFrame
        One row for each quantity, with columns

        quantity
            "typical", the rate of a cohort at zero deviation; "next_cohort", a cohort of a new trial; "levels", two
            levels of an effect compared at zero deviation, or two values of a number: one step apart, and the largest
            and smallest of the table; "heterogeneity", two new trials or cohorts of one profile
            compared; "parameter".
        of
            Profile, comparison or parameter.
        scale
            "proportion", in [0, 1]; "risk_difference", in [-1, 1]; "odds_ratio"; "correlation"; by the model's
            link "logit_sd", "probit_sd" or "cloglog_sd"; "sd_ratio", of the taus of two levels.
        median, low, high
            Prior median and ends of the central 95 % interval.
        apart
            For a comparison, the median absolute risk difference, or the median ratio of the larger odds to the
            smaller. Missing otherwise.
        limit_low, limit_high, outside
            Limits of credible values, and the prior probability outside them, in [0, 1].
    """
    stage = _stage(build_design(spec, stated_cohorts(spec, evidence)))
    chunks: dict[Key, list[Array]] = {}
    rng = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        for key, values in _quantities(stage, rng, min(CHUNK, draws - start)):
            chunks.setdefault(key, []).append(values)
    return pd.DataFrame([_row(*key, np.concatenate(parts)) for key, parts in chunks.items()], columns=COLUMNS)


@dataclass(frozen=True, slots=True)
class Implied:
    """Rates that one prior of a model implies.

    Attributes
    ----------
    of
        What is compared, such as "line pretreated vs naive"; for the intercept, the profile.
    low, high
        Ends of the central 95 % interval of the rate under the intercept's prior, or of the difference of two rates.
    apart
        Median absolute difference of two rates; None for the intercept.
    """

    of: str
    low: float
    high: float
    apart: float | None


def implied_rates(
    spec: "Spec", evidence: "Evidence", *, draws: int = CHUNK, seed: int = SEED
) -> dict[tuple[str, ...], Implied]:
    """Return what each prior implies on the scale of rates, in [0, 1], for a reader who moves one of them.

    Returns
    -------
    dict
        By the columns of an effect, or the label of a level of heterogeneity, for two units that differ in nothing
        else; of no columns, the intercept. Priors that the table cannot tell apart, and those of other parameters, are
        left out. The Monte Carlo error of `apart` is about 0.2 percentage points at 20,000 draws.
    """
    design = build_design(spec, stated_cohorts(spec, evidence))
    stage = _stage(design)
    rng = np.random.default_rng(seed)
    sample = {name: values[0] for name, values in from_prior(stage.design, rng=rng, draws=draws).items()}
    at = linear_predictor(stage.design, sample, {block.label: block.index for block in stage.design.effects})[:, 2:]
    middle = stage.average or next(iter(stage.profiles))
    found: dict[tuple[str, ...], Implied] = {(): _implied(middle, inverse(design.link, sample["alpha"]))}
    for each in stage.comparisons:
        rates = inverse(design.link, at[:, each.level]), inverse(design.link, at[:, each.against])
        found.setdefault(each.columns, _implied(each.name, *rates))
    for term in stage.design.heterogeneity:
        if term.exnex is None and term.label != TOTAL:
            deviations = unit_deviations(term, sample)
            rates = inverse(design.link, at[:, 0] + deviations[:, 1]), inverse(design.link, at[:, 0] + deviations[:, 0])
            found[term.label,] = _implied(f"another {design.declared.name(term.unit)}", *rates)
    return found


def _implied(of: str, rate: Array, other: Array | None = None) -> Implied:
    values = rate if other is None else rate - other
    low, _, high = equal_tailed(values, prob=CENTRAL)
    return Implied(of, float(low), float(high), None if other is None else float(np.median(np.abs(values))))


def heterogeneity_priors(design: Design, *, draws: int = DRAWS, seed: int = SEED) -> dict[str, Array]:
    """Return prior draws of each heterogeneity parameter, shape (draw,).

    Names are those of :func:`alkbayes.estimates.rates.heterogeneity_draws`, without shares of variance, which depend on
    the table. SDs are on the logit scale; `tau_total` combines all levels.
    """
    rng = np.random.default_rng(seed)
    drawn = {
        parameter.name: parameter.prior.draw(rng, (draws,) if parameter.coords is None else (draws, parameter.size))
        for parameter in parameters(design)
        if parameter.support != "real" or parameter.name.startswith("raw_tau_")
    }
    values = {name: value for name, value in drawn.items() if value.ndim == 1}
    for term in design.heterogeneity:
        values |= tau_draws(term, drawn)
    if len(design.heterogeneity) > 1:
        values["tau_total"] = total_sd(design, drawn | {"alpha": np.zeros(draws)})
    return values


def _stage(design: Design) -> _Stage:
    single = [block for block in design.effects if len(block.columns) == 1]
    observed = {block.columns[0]: _shown_levels(design, block) for block in single}
    base = {column: levels[0] for column, levels in observed.items()}
    named = design.declared.name
    label = {block.columns[0]: named(block.label) for block in single}
    by_level = [term.by for term in design.heterogeneity if term.by is not None]
    # All levels have the same prior.
    base = {by.column: by.levels[0] for by in by_level} | base
    label |= {by.column: named(by.label) for by in by_level}
    profiles = [base]
    comparisons: list[_Comparison] = []
    shown = {_profile_name(base, label): 0}
    for block in single:
        column = block.columns[0]
        levels = observed[column]
        place = {levels[0]: 0}
        for level in levels[1:]:
            place[level] = len(profiles)
            profiles.append(base | {column: level})
        if block.numbers:
            comparisons += _stepped(block, place, named(block.label))
            continue
        if block.sd_prior is None and len(levels) > 1:
            shown[_profile_name(profiles[place[levels[1]]], label)] = place[levels[1]]
        for against, level in itertools.pairwise(levels):
            name = f"{named(block.label)} {level} vs {against}"
            comparisons.append(_Comparison(name, place[level], place[against], block.columns))
    for block in design.effects:
        if block.factors and all(len(observed[column]) > 1 for column in block.columns):
            # At a reference or a centre there is no interaction: the second column is at another level.
            column, crossed = block.columns
            (against, level), other = observed[column][:2], observed[crossed][1]
            step = design.numbers[column].step if column in design.numbers else ""
            name = f"{label[column]} {Contrast(label[column], level, against, step).name}, {label[crossed]} {other}"
            comparisons.append(_Comparison(name, len(profiles) + 1, len(profiles), block.columns))
            profiles += [base | {column: value, crossed: other} for value in (against, level)]
    average = ", ".join(_middle_name(block, base, named(block.label)) for block in single)
    return _Stage(
        design=_made_up(design, profiles),
        profiles=shown,
        comparisons=tuple(comparisons),
        average="" if average in shown else average,
    )


def _shown_levels(design: Design, block: EffectBlock) -> list[str]:
    """Return the levels compared: a number's centre, one step above, and the ends of the table if not among these."""
    if block.numbers:
        ends = next(iter(block.numbers.values())).ends
        return [*dict.fromkeys((*ends, block.levels[0], block.levels[-1]))]
    observed = [level for level in block.levels if (design.profiles[block.columns[0]] == level).any()]
    # Two non-reference levels differ by more than either does from the reference.
    return observed[: 3 if block.sd_prior is None else 2]


def _stepped(block: EffectBlock, place: Mapping[str, int], title: str) -> Iterator[_Comparison]:
    """Yield a number compared at values one step apart, and at the ends of the table."""
    number = next(iter(block.numbers.values()))
    pairs = {number.ends: number.step}
    if len(block.levels) > 1:
        pairs.setdefault((block.levels[0], block.levels[-1]), "the range of the table")
    for (low, high), step in pairs.items():
        name = f"{title} {Contrast(block.label, high, low, step).name}"
        yield _Comparison(name, place[high], place[low], block.columns)


def _middle_name(block: EffectBlock, base: Mapping[str, str], title: str) -> str:
    """Return the intercept's level of a column."""
    if block.sd_prior is not None:
        return f"average {title}"
    return f"{title} {base[block.columns[0]] if block.numbers else block.levels[0]}"


def _profile_name(profile: Mapping[str, str], label: Mapping[str, str]) -> str:
    return ", ".join(f"{label[column]} {level}" for column, level in profile.items()) or "any"


def _made_up(design: Design, profiles: Sequence[Mapping[str, str]]) -> Design:
    """Return the design of hypothetical cohorts."""
    rows = [profiles[0], profiles[0], *profiles]
    levels = {column: np.array([row[column] for row in rows], dtype=np.str_) for column in profiles[0]}
    cohorts = tuple(str(number) for number in range(len(rows)))
    unit = np.array([0, 0, 1] + [0] * (len(rows) - 3), dtype=np.intp)
    group, cohort = design.group, design.cohort
    return replace(
        design,
        cohorts=cohorts,
        responders=np.zeros(len(rows)),
        n=np.zeros(len(rows)),  # no patients treated: the rates are those of the prior
        effects=tuple(block.over(levels) for block in design.effects),
        group=None if group is None else _units_of(group, ("0", "1"), unit, levels),
        cohort=None if cohort is None else _units_of(cohort, cohorts, np.arange(len(rows), dtype=np.intp), levels),
        profiles=levels,
    )


def _units_of(
    term: HeterogeneityBlock, units: tuple[str, ...], index: Index, levels: Mapping[str, NDArray[np.str_]]
) -> HeterogeneityBlock:
    """Return heterogeneity between hypothetical units, each of the level of its first cohort."""
    if term.exnex is not None:
        new = (term.exnex.of_new,) * len(units)
        return replace(term, units=units, index=index, exnex=replace(term.exnex, probabilities=new))
    if term.by is None:
        return replace(term, units=units, index=index)
    _, first = np.unique(index, return_index=True)
    codes = level_codes(term.by.levels, (term.by.column,), levels)[first]
    return replace(term, units=units, index=index, by=replace(term.by, of_unit=codes))


def _quantities(stage: _Stage, rng: np.random.Generator, count: int) -> Iterator[tuple[Key, Array]]:
    """Yield each quantity with its draws, shape (draw,)."""
    design, link = stage.design, stage.design.link
    sample = {name: values[0] for name, values in from_prior(design, rng=rng, draws=count).items()}
    # The cohort at 2 has the first profile, those after it the further profiles.
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
    for name, scale, values in _parameters(design, sample):
        yield ("parameter", name, scale), values


def _parameters(design: Design, sample: Mapping[str, Array]) -> Iterator[tuple[str, str, Array]]:
    """Yield name, scale and draws of each standard deviation, or ratio of two, and correlation."""
    names = [f"tau_{term.slug}" for term in design.heterogeneity]
    names += [f"sd_{block.slug}" for block in design.effects if block.sd_prior is not None]
    for name in names:
        yield name, f"{design.link}_sd", sample[name]
    for term in design.heterogeneity:
        if term.by is not None:
            taus, (one, other) = level_taus(term, sample), term.by.levels[:2]
            yield (
                f"tau_{term.slug}, {design.declared.name(term.by.label)} {other} over {one}",
                "sd_ratio",
                taus[:, 1] / taus[:, 0],
            )
    if len(design.heterogeneity) > 1:
        yield "tau_total", f"{design.link}_sd", total_sd(design, sample)
    if design.rho_prior is not None:
        yield "rho", "correlation", sample["rho"]


def _units(
    design: Design, sample: Mapping[str, Array], middle: Array, cohorts: Array
) -> Iterator[tuple[str, Array, Array]]:
    """Yield comparisons of two new trials or cohorts: name, and both linear predictors, shape (draw,)."""
    group = design.group
    cohorts_differ = design.cohort is not None or design.rho_prior is not None
    if group is not None:
        deviations = unit_deviations(group, sample)
        title = design.declared.name(group.unit)
        yield f"another {title}", middle + deviations[:, 1], middle + deviations[:, 0]
        if cohorts_differ:
            yield f"another cohort of the same {title}", cohorts[:, 1], cohorts[:, 0]
            yield f"another cohort of another {title}", cohorts[:, 2], cohorts[:, 0]
    elif cohorts_differ:
        yield "another cohort", cohorts[:, 1], cohorts[:, 0]


def _compared(link: Link, quantity: str, name: str, one: Array, other: Array) -> Iterator[tuple[Key, Array]]:
    """Yield the comparison of two linear predictors, shape (draw,), on both scales."""
    yield (quantity, name, "risk_difference"), inverse(link, one) - inverse(link, other)
    yield (quantity, name, "odds_ratio"), odds_ratio(link, one, other)


def _rate_predictors(design: Design, sample: Mapping[str, Array], rng: np.random.Generator) -> Array:
    """Return the cohorts' own rates on the link's scale, shape (draw, cohort); beta-binomial ones vary around `p`."""
    inside = {name: np.clip(sample[name], EDGE, 1 - EDGE) for name in ("p", "rho")}
    return link_function(design.link, np.clip(cohort_rates(design, inside, rng=rng), EDGE, 1 - EDGE))


def _row(quantity: str, of: str, scale: str, values: Array) -> dict[str, str | float | None]:
    low, median, high = equal_tailed(values, prob=CENTRAL)
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
