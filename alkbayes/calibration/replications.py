"""One replication of a calibration study: a table simulated, its posterior drawn, and the truth held against it.

Simulation-based calibration: where the parameters are drawn from the model's priors, the rank of a true value among
independent posterior draws is uniform (Talts et al. 2018, arXiv:1804.06788; Cook, Gelman & Rubin 2006,
doi:10.1198/106186006X136976), and a 95 % interval holds it in 95 % of the tables.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from alkbayes.calibration.scenarios import SCENARIOS, evidence_of
from alkbayes.calibration.simulation import simulate
from alkbayes.classical import PoolingMethod, pool
from alkbayes.errors import SamplingError, UsageError
from alkbayes.estimates.rates import pooled_draws, posterior_from
from alkbayes.inference.importance.engine import Integrated, integrate
from alkbayes.inference.settings import MAX_SEED, Engine, SamplerSettings
from alkbayes.model.design import Design, build_design, parameters
from alkbayes.model.draws import Draws, from_unconstrained
from alkbayes.model.profiles import Group, groups_of
from alkbayes.model.summary import summarise
from alkbayes.spec.schema import Spec
from alkbayes.vocabulary import ALL

type Array = NDArray[np.float64]

KEPT = 99
"""Posterior draws that a truth is ranked among, so that ranks go from 0 to 99. Ranks need independent draws: these are
evenly spaced ones of all, whose effective sample size must be at least as large."""
CHAINS = 2
TUNE = 600
"""Of each of NUTS's chains."""
LEAST_DRAWS = 2 * CHAINS * KEPT
"""Of a posterior."""
LONGER = 8
"""Times as many draws for chains that have fewer effective ones than ranks need."""
CLASSICAL = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK, PoolingMethod.GLMM_ML)
LINE = "line"


@dataclass(frozen=True, slots=True)
class Study:
    """What decides every replication of a study, beside its number.

    Attributes
    ----------
    spec
        The model.
    scenario
        Name of the cohorts and of what their responders are simulated with.
    engine
        What draws the posteriors.
    seed
        Decides every table and every draw.
    draws
        Of each posterior.

    Raises
    ------
    UsageError
        If a setting is outside its range.
    """

    spec: Spec
    scenario: str
    engine: Engine
    seed: int
    draws: int

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"found {self.seed}; allowed: 0 to {MAX_SEED:,}.", parameter="seed")
        if not LEAST_DRAWS <= self.draws <= 100_000:
            raise UsageError(f"found {self.draws}; allowed: {LEAST_DRAWS} to 100,000.", parameter="draws")

    @property
    def fixed(self) -> bool:
        """Whether every table has the same parameters; then ranks say nothing, and coverage is the frequentist one."""
        return SCENARIOS[self.scenario].truth is not None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A posterior's draws.

    Attributes
    ----------
    draws
        The variables of :func:`alkbayes.model.draws.complete`, axes (chain, draw, ...).
    engine
        What drew them.
    fallback_reason
        Why that is another than was asked for; empty where it is not.
    chains
        Whether successive draws depend on each other.
    divergences
        Of the chains.
    """

    draws: Draws
    engine: Engine
    fallback_reason: str
    chains: bool
    divergences: int


type Sampler = Callable[[Design, SamplerSettings], Drawn]


def by_nuts(design: Design, settings: SamplerSettings, *, fallback_reason: str = "") -> Drawn:
    """Sample a posterior; once more and longer where chains diverged, as a fit does."""
    from alkbayes.inference.nuts.sampler import NutsEngine, stricter

    sampler = NutsEngine(design)
    sampled = sampler.sample(settings)
    if sampled.stats["diverging"].any():
        sampled = sampler.sample(stricter(settings))
    divergences = int(sampled.stats["diverging"].sum())
    draws = from_unconstrained(design, sampled.positions)
    return Drawn(draws, Engine.NUTS, fallback_reason, chains=True, divergences=divergences)


def by_quadrature(design: Design, settings: SamplerSettings) -> Drawn:
    """Integrate a posterior; fall back to NUTS where quadrature cannot, as a fit does.

    Leaving those tables out would leave out the hard ones, and the ranks of the others need not be uniform.
    """
    found = integrate(design, settings)
    if isinstance(found, Integrated):
        return Drawn(found.draws, Engine.QUADRATURE, "", chains=False, divergences=0)
    return by_nuts(design, settings, fallback_reason=found.reason)


SAMPLERS: Mapping[Engine, Sampler] = {Engine.NUTS: by_nuts, Engine.QUADRATURE: by_quadrature}


def check_study(study: Study) -> None:
    """Check, before anything is drawn, that tables can be simulated.

    Raises
    ------
    UsageError
        If the scenario fixes what the model has not.
    """
    simulate(_design(study.spec, study.scenario), SCENARIOS[study.scenario].truth, rng=np.random.default_rng(0))


def replicate_study(study: Study, number: int, *, sampler: Sampler | None = None) -> dict[str, Any]:
    """Return one replication as plain values for JSON, the same wherever and whenever it is made.

    Parameters
    ----------
    study
        What is replicated.
    number
        Which replication, from 0 on. It has a random stream of its own.
    sampler
        What draws the posterior; that of the study's engine where there is none.

    Returns
    -------
    dict
        `replication`; `engine`, `fallback_reason`, `divergences` and `ess` (the smallest over the quantities) of the
        posterior; `quantities`: for each, its true value, the rank of that among the kept draws, and mean, low and high
        end of the 95 % interval; `classical`: for each level of line and all, and each method, the estimate with
        confidence and prediction limits. Rates are proportions, other quantities on the logit scale. Of a posterior
        that could not be drawn there is `failed`, the reason, in place of all that.
    """
    rngs = [
        np.random.default_rng(stream) for stream in np.random.SeedSequence(study.seed, spawn_key=(number,)).spawn(3)
    ]
    empty = _design(study.spec, study.scenario)
    true, design = simulate(empty, SCENARIOS[study.scenario].truth, rng=rngs[0])
    seeds = [int(seed) for seed in rngs[1].integers(0, MAX_SEED, size=3)]
    settings = SamplerSettings(seed=seeds[0], chains=CHAINS, draws=study.draws // CHAINS, tune=TUNE)
    groups = [group for group in groups_of(design) if group.group in {ALL, LINE}]
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
        "classical": {group.level: _classical(design, group) for group in groups},
    }


def quantities_of(design: Design, draws: Draws, groups: list[Group], *, seed: int) -> Iterator[tuple[str, Array]]:
    """Yield the global parameters and the four estimands of each group by name, axes (chain, draw, ...).

    Those of `next_cohort` have cohorts to come in their last axis; the others are of one value a draw.
    """
    names = {item.name: item.coords for item in parameters(design) if not item.name.startswith(("z_", "raw_"))}
    names |= {f"effect_{block.slug}": block.levels for block in design.effects if block.free not in names}
    for name, entries in names.items():
        if entries is None:
            yield name, draws[name]
        for position, entry in enumerate(entries or ()):
            yield f"{name}[{entry}]", draws[name][..., position]
    shape = draws["alpha"].shape
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.items()}
    for row, values in pooled_draws(posterior_from(design, flat, seed=seed), groups):
        yield f"{row['level']} {row['estimand']}", values.reshape(*shape, *values.shape[1:])


def _rank(truth: float, values: Array, rng: np.random.Generator) -> int:
    """Return how many of the kept draws lie below the truth; among those equal to it its place is drawn."""
    flat = values.reshape(-1, *values.shape[2:])
    # Of a draw's cohorts to come one: they share the draw's parameters.
    one = flat if flat.ndim == 1 else flat[:, 0]
    kept = one[np.linspace(0, len(one) - 1, KEPT).astype(np.intp)]
    return int((kept < truth).sum() + rng.integers(0, (kept == truth).sum() + 1))


def _interval(values: Array) -> dict[str, float]:
    """Return mean and the ends of the equal-tailed 95 % interval."""
    found = summarise(values)
    return {name: found[name] for name in ("mean", "low", "high")}


def _ess(values: Array) -> float:
    """Return the bulk effective sample size; of values that are all the same, as many as there are."""
    one = values if values.ndim == 2 else values[..., 0]
    if (one == one.flat[0]).all():
        return float(one.size)
    return float(array_stats.ess(one, chain_axis=0, draw_axis=1, method="bulk"))


def _classical(design: Design, group: Group) -> dict[str, dict[str, float | None]]:
    """Return what each classical method makes of the same counts."""
    responders, n = design.responders[group.members], design.n[group.members]
    fields = ("estimate", "low", "high", "prediction_low", "prediction_high")
    pooled = {method: asdict(pool(responders, n, method=method)) for method in CLASSICAL}
    return {str(method): {name: row[name] for name in fields} for method, row in pooled.items()}


@cache
def _cached_design(model: str, scenario: str) -> Design:
    spec = Spec.model_validate_json(model)
    return build_design(spec, evidence_of(scenario, spec))


def _design(spec: Spec, scenario: str) -> Design:
    return _cached_design(spec.model_dump_json(by_alias=True), scenario)
