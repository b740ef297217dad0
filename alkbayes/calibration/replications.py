"""One replication of a calibration study: simulate a table, draw its posterior, compare it with the truth.

Simulation-based calibration: with parameters drawn from the model's priors, the rank of a true value among independent
posterior draws is uniform (Talts et al. 2018, arXiv:1804.06788; Cook, Gelman & Rubin 2006,
doi:10.1198/106186006X136976), and a 95 % interval covers it in 95 % of the tables.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from alkbayes.calibration.scenarios import SCENARIOS, FixedTruth, evidence_of
from alkbayes.calibration.simulation import simulate
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.errors import SamplingError, UsageError
from alkbayes.estimates.rates import pooled_draws, posterior_from
from alkbayes.evidence.table import Evidence
from alkbayes.inference.fit import NO_CHAINS
from alkbayes.inference.importance.engine import Integrated, integrate
from alkbayes.inference.settings import MAX_SEED, Engine, SamplerSettings
from alkbayes.model.design import Design, build_design, parameters
from alkbayes.model.draws import Draws, from_unconstrained
from alkbayes.model.profiles import Group, groups_of
from alkbayes.model.summary import summarise
from alkbayes.spec.schema import Spec
from alkbayes.text.names import GROUP_TITLES
from alkbayes.vocabulary import ALL, INTERVAL_PROB, Estimand

type Array = NDArray[np.float64]

KEPT = 99
"""Posterior draws among which a true value is ranked, so that ranks run from 0 to 99. Ranks need independent draws:
these are evenly spaced among all draws, whose effective sample size must be at least as large."""
CHAINS = 2
TUNE = 600
"""Warm-up draws of each NUTS chain."""
LEAST_DRAWS = 2 * CHAINS * KEPT
"""Minimum draws of a posterior."""
LONGER = 8
"""Factor by which chains are lengthened if their effective sample size is too small for ranks."""
CLASSICAL = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML)
LINE = "line"


@dataclass(frozen=True, eq=False)
class Study:
    """Settings that determine every replication of a study, given its number.

    Attributes
    ----------
    scenario
        Name of cohorts of the bundled table and of the parameters for simulating their counts; None for `table`.
    engine
        Engine for the posteriors.
    seed
        Random seed for tables and draws.
    draws
        Draws of each posterior.
    table
        Cohorts as read for the model, whose counts are simulated with parameters from its priors; None for a scenario.

    Raises
    ------
    UsageError
        If a setting is outside its range, or scenario and table are not one or the other.
    """

    spec: Spec
    scenario: str | None
    engine: Engine
    seed: int
    draws: int
    table: Evidence | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"found {self.seed}; allowed: 0 to {MAX_SEED:,}.", parameter="seed")
        if not LEAST_DRAWS <= self.draws <= 100_000:
            raise UsageError(f"found {self.draws}; allowed: {LEAST_DRAWS} to 100,000.", parameter="draws")
        if (self.scenario is None) == (self.table is None):
            raise UsageError(
                "a study is of a scenario, which has cohorts of the bundled table, or of a table. Give one of them.",
                parameter="scenario",
            )

    @property
    def truth(self) -> FixedTruth | None:
        """Parameters of every table, with which ranks mean nothing and coverage is frequentist; None: from priors."""
        return None if self.scenario is None else SCENARIOS[self.scenario].truth

    @cached_property
    def design(self) -> Design:
        """The model for the cohorts, whose counts are placeholders. Worker processes receive it ready-made."""
        if self.table is None:
            return build_design(self.spec, evidence_of(str(self.scenario), self.spec))
        return build_design(self.spec, self.table)

    @property
    def groups(self) -> dict[str, Group]:
        """Groups of cohorts whose estimands are studied: all, and each level of line; of a table, each of any effect.

        Names are those of the levels of line alone; others have their column's name before them.
        """
        found = {}
        for group in groups_of(self.design):
            of_line = group.group == LINE and group.level not in {ALL, GROUP_TITLES[ALL]}
            if not group.levels or of_line:
                found[group.level] = group
            elif self.table is not None and len(group.levels) == 1:
                found[f"{group.group}: {group.level}"] = group
        return found


@dataclass(frozen=True, slots=True)
class Drawn:
    """Posterior draws.

    Attributes
    ----------
    draws
        The variables of :func:`alkbayes.model.draws.complete`, axes (chain, draw, ...).
    engine
        Engine that drew them.
    fallback_reason
        Reason for an engine other than requested; empty otherwise.
    chains
        True if successive draws are dependent.
    divergences
        Number of divergent transitions.
    """

    draws: Draws
    engine: Engine
    fallback_reason: str
    chains: bool
    divergences: int


type Sampler = Callable[[Design, SamplerSettings], Drawn]


def by_nuts(design: Design, settings: SamplerSettings, *, fallback_reason: str = "") -> Drawn:
    """Sample a posterior; like a fit, once more and longer if chains diverged."""
    from alkbayes.inference.nuts.sampler import NutsEngine, stricter

    sampler = NutsEngine(design)
    sampled = sampler.sample(settings)
    if sampled.stats["diverging"].any():
        sampled = sampler.sample(stricter(settings))
    divergences = int(sampled.stats["diverging"].sum())
    draws = from_unconstrained(design, sampled.positions)
    return Drawn(draws, Engine.NUTS, fallback_reason, chains=True, divergences=divergences)


def by_quadrature(design: Design, settings: SamplerSettings) -> Drawn:
    """Integrate a posterior; like a fit, fall back to NUTS if quadrature fails.

    Excluding those tables would exclude the hard ones, and the ranks of the others need not be uniform.

    Raises
    ------
    SamplingError
        If quadrature fails and units may be on their own, for which NUTS is no substitute.
    """
    found = integrate(design, settings)
    if isinstance(found, Integrated):
        return Drawn(found.draws, Engine.QUADRATURE, "", chains=False, divergences=0)
    if design.exnex is not None:
        raise SamplingError(f"{found.reason}; {NO_CHAINS}")
    return by_nuts(design, settings, fallback_reason=found.reason)


SAMPLERS: Mapping[Engine, Sampler] = {Engine.NUTS: by_nuts, Engine.QUADRATURE: by_quadrature}


def check_study(study: Study) -> None:
    """Check before sampling that tables can be simulated.

    Raises
    ------
    UsageError
        If the scenario does not exist or fixes parameters that the model lacks, or the engine does not cover the model.
    SpecError, EvidenceError
        If the model does not fit the cohorts.
    """
    if study.engine is Engine.NUTS and study.design.exnex is not None:
        raise UsageError(
            f"found {Engine.NUTS}; allowed: {Engine.QUADRATURE}, for model {study.spec.name!r}: {NO_CHAINS}.",
            parameter="engine",
        )
    simulate(study.design, study.truth, rng=np.random.default_rng(0))


def replicate_study(study: Study, number: int, *, sampler: Sampler | None = None) -> dict[str, Any]:
    """Return one replication as JSON values, the same wherever and whenever it is made.

    Parameters
    ----------
    number
        Number of the replication, from 0; each has its own random stream.
    sampler
        Function that draws the posterior; by default that of the study's engine.

    Returns
    -------
    dict
        `replication`; `engine`, `fallback_reason`, `divergences` and `ess` (the smallest over the quantities) of the
        posterior; `quantities`: true value, its rank among the kept draws, posterior mean and ends of the 95 % interval
        of each; `classical`: estimate with confidence and prediction limits for each of :attr:`Study.groups` and each
        method. Rates are proportions, other quantities on the logit scale. If the posterior could not be drawn,
        `failed`, with the reason, replaces all of these.
    """
    rngs = [
        np.random.default_rng(stream) for stream in np.random.SeedSequence(study.seed, spawn_key=(number,)).spawn(3)
    ]
    true, design = simulate(study.design, study.truth, rng=rngs[0])
    seeds = [int(seed) for seed in rngs[1].integers(0, MAX_SEED, size=3)]
    settings = SamplerSettings(seed=seeds[0], chains=CHAINS, draws=study.draws // CHAINS, tune=TUNE)
    groups = study.groups
    truths = {name: values.flat[0] for name, values in quantities_of(design, true, groups, seed=seeds[1])}
    for longer in (1, LONGER):
        try:
            drawn = (sampler or SAMPLERS[study.engine])(design, replace(settings, draws=longer * settings.draws))
        except SamplingError as error:
            return {"replication": number, "failed": str(error)}
        found = dict(quantities_of(design, drawn.draws, groups, seed=seeds[2]))
        ess = min(_ess(values) for values in found.values()) if drawn.chains else float(study.draws)
        if ess >= KEPT:
            break
    return {
        "replication": number,
        "engine": drawn.engine,
        "fallback_reason": drawn.fallback_reason,
        "divergences": drawn.divergences,
        "ess": round(ess, 1),
        "quantities": {
            name: {"truth": float(truths[name]), "rank": _rank(truths[name], values, rngs[2])} | _interval(values)
            for name, values in found.items()
        },
        "classical": {name: _classical(design, group) for name, group in groups.items()},
    }


def quantity_name(group: str, estimand: Estimand) -> str:
    """Return the name of an estimand of a group, a key that is never parsed."""
    return f"{group} {estimand}"


def quantities_of(
    design: Design, draws: Draws, groups: Mapping[str, Group], *, seed: int
) -> Iterator[tuple[str, Array]]:
    """Yield the global parameters and the four estimands of each group by name, axes (chain, draw, ...).

    For `next_cohort` the last axis holds new cohorts; the others have one value per draw.
    """
    names = {item.name: item.coords for item in parameters(design) if not item.name.startswith(("z_", "raw_"))}
    names |= {f"effect_{block.slug}": block.levels for block in design.effects if block.free not in names}
    for name, entries in names.items():
        if entries is None:
            yield design.in_words(name), draws[name]
        for position, entry in enumerate(entries or ()):
            yield f"{design.in_words(name)}[{entry}]", draws[name][..., position]
    shape = draws["alpha"].shape
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.items()}
    pooled = pooled_draws(posterior_from(design, flat, seed=seed), groups.values())
    for (group, estimand), (_, values) in zip(itertools.product(groups, Estimand), pooled, strict=True):
        yield quantity_name(group, estimand), values.reshape(*shape, *values.shape[1:])


def _rank(truth: float, values: Array, rng: np.random.Generator) -> int:
    """Return the number of kept draws below the truth, with ties broken at random."""
    flat = values.reshape(-1, *values.shape[2:])
    # One new cohort per draw: those of one draw share its parameters.
    one = flat if flat.ndim == 1 else flat[:, 0]
    kept = one[np.linspace(0, len(one) - 1, KEPT).astype(np.intp)]
    return int((kept < truth).sum() + rng.integers(0, (kept == truth).sum() + 1))


def _interval(values: Array) -> dict[str, float]:
    """Return the mean and the ends of the equal-tailed 95 % interval."""
    found = summarise(values, prob=INTERVAL_PROB)
    return {name: found[name] for name in ("mean", "low", "high")}


def _ess(values: Array) -> float:
    """Return the bulk effective sample size; the number of values if all are the same."""
    one = values if values.ndim == 2 else values[..., 0]
    if (one == one.flat[0]).all():
        return float(one.size)
    return float(array_stats.ess(one, chain_axis=0, draw_axis=1, method="bulk"))


def _classical(design: Design, group: Group) -> dict[str, dict[str, float | None]]:
    """Return the estimates of each classical method from the same counts."""
    responders, n = design.responders[group.members], design.n[group.members]
    fields = ("estimate", "low", "high", "prediction_low", "prediction_high")
    pooled = {method: asdict(pool(responders, n, method=method)) for method in CLASSICAL}
    return {str(method): {name: row[name] for name in fields} for method, row in pooled.items()}
