"""Joint model of systemic and intracranial response, compared with a separate model for each."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from alkbayes.estimates.rates import (
    NO_DIFFERENCE,
    Posterior,
    contrast_draws,
    pooled_draws,
    posterior_from,
)
from alkbayes.inference.convergence import Diagnostics, diagnose
from alkbayes.inference.fit import Fit
from alkbayes.inference.nuts.joint import JointEngine
from alkbayes.inference.nuts.sampler import sample_until_converged
from alkbayes.inference.settings import SamplerSettings
from alkbayes.model.draws import level_effects
from alkbayes.model.joint import Joint, JointDraws, from_positions, lay_together
from alkbayes.model.summary import summarise
from alkbayes.vocabulary import GROUP_COLUMNS, INTERVAL_PROB, Contrast, Estimand

if TYPE_CHECKING:
    from alkbayes.inference.nuts.sampler import Progress

type Array = NDArray[np.float64]

SHOWN = (Estimand.TYPICAL, Estimand.MEAN)
BINS = 20
"""Number of bins of (-1, 1) in which the posterior of rho is compared with its uniform prior."""
PRIOR_SD = 1 / np.sqrt(3)
"""SD of the uniform distribution on (-1, 1)."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Prior and posterior of the correlation between the deviations of two outcomes.

    Attributes
    ----------
    mean, median, sd, low, high
        Posterior summary; low and high are the ends of the equal-tailed interval.
    mcse
        Monte Carlo standard error of the mean.
    prob_positive
        Posterior probability of a correlation above 0; 0.5 in the prior.
    sd_ratio
        Posterior SD over prior SD: 1 if the data are uninformative.
    information
        Kullback-Leibler divergence of the posterior from the prior, in nats, from `shares`.
    shares
        Posterior probability of each of 20 bins of equal width, from -1 to 1.
    """

    mean: float
    median: float
    sd: float
    low: float
    high: float
    mcse: float
    prob_positive: float
    sd_ratio: float
    information: float
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JointFit:
    """A joint fit of a systemic and an intracranial model.

    Attributes
    ----------
    joint, draws
        The joint model and its draws.
    diagnostics
        Convergence verdict over all parameters.
    settings, seconds
        Sampler settings of the attempt kept, and its time for compiling and sampling.
    interval_prob
        Probability of the intervals, that of the intracranial fit.
    """

    joint: Joint
    draws: JointDraws
    correlation: Correlation
    diagnostics: Diagnostics
    settings: SamplerSettings
    seconds: float
    interval_prob: float

    @property
    def brain(self) -> Posterior:
        """Posterior of the intracranial part."""
        return self._posterior(self.draws.second)

    @property
    def body(self) -> Posterior:
        """Posterior of the systemic part over the profiles of the intracranial patients: same cohorts, same weights."""
        # In the intracranial design, so that both are averaged alike; levels absent from it are not used.
        return self._posterior(_over(self.joint, self.draws.first))

    def _posterior(self, draws: Mapping[str, Array]) -> Posterior:
        return posterior_from(self.joint.second, flat(draws), seed=self.settings.seed, interval_prob=self.interval_prob)


def fit_joint(
    systemic: Fit,
    brain: Fit,
    *,
    settings: SamplerSettings | None = None,
    progress: "Progress | None" = None,
) -> JointFit:
    """Fit the two models jointly, with correlated deviations.

    Chains that fail the convergence gate are sampled once more, as for a single model.

    Raises
    ------
    SpecError
        If the models cannot be joined.
    SamplingError
        If the sampler does not finish.
    """
    started = time.perf_counter()
    settings = settings or SamplerSettings()
    joint = lay_together(systemic.design, brain.design)
    engine = JointEngine(joint)
    found = sample_until_converged(
        lambda settings: _sampled(engine, joint, settings, progress), settings, of="the joint model"
    )
    return JointFit(
        joint,
        found.result,
        correlation_of(found.result.rho, prob=brain.interval_prob),
        found.diagnostics,
        found.settings,
        seconds=time.perf_counter() - started,
        interval_prob=brain.interval_prob,
    )


def correlation_of(rho: Array, *, prob: float = INTERVAL_PROB) -> Correlation:
    """Summarise draws of rho, shape (chain, draw), against its uniform prior, with an interval of a probability."""
    shares = np.histogram(rho, bins=BINS, range=(-1.0, 1.0))[0] / rho.size
    there = shares[shares > 0]
    found = summarise(rho, prob=prob)
    return Correlation(
        **found,
        mcse=float(array_stats.mcse(rho, method="mean")),
        prob_positive=float((rho > 0).mean()),
        sd_ratio=found["sd"] / float(PRIOR_SD),
        information=float((there * np.log(there * BINS)).sum()),
        shares=tuple(shares.tolist()),
    )


def sceptical(rho: Array, *, prob: float = INTERVAL_PROB) -> dict[str, float]:
    """Reweight draws of rho to the prior LKJ(2), which favours 0.

    Its density is proportional to 1 - rho^2 (Lewandowski, Kurowicka and Joe 2009, doi:10.1016/j.jmva.2009.04.008), so
    draws at 0 carry the largest weight. `prob` is the probability of the interval.

    Returns
    -------
    dict
        median, low and high (the ends of the interval), and prob_positive.
    """
    values = rho.ravel()
    weights = 1 - values**2
    found = summarise(values, weights, prob=prob)
    positive = float(weights[values > 0].sum() / weights.sum())
    return {name: found[name] for name in ("median", "low", "high")} | {"prob_positive": positive}


def beside_separate(found: JointFit, separate: Posterior) -> pd.DataFrame:
    """Compare the intracranial estimates of the joint model with those of the intracranial model alone.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS`, first and second (levels of a contrast) and measure (an estimand,
        or the scale of a contrast); median, sd, low, high of the joint model and, prefixed `separate_`, of the
        intracranial model alone; shift_in_sds, the difference of the medians in SDs of the separate model, and
        width_ratio, the joint over the separate interval width, both on the log scale for odds ratios; prob_better and
        separate_prob_better for contrasts. Rates are in [0, 1].
    """
    rows, prob = [], found.interval_prob
    alone = {key: draws for key, _, draws in _numbers(separate)}
    for key, about, draws in _numbers(found.brain):
        other = alone[key]
        one, two = summarise(draws, prob=prob), summarise(other, prob=prob)
        logs = (np.log(draws), np.log(other)) if key[2] == "odds_ratio" else (draws, other)
        ours, theirs = summarise(logs[0], prob=prob), summarise(logs[1], prob=prob)
        rows.append(
            about
            | {name: one[name] for name in ("median", "sd", "low", "high")}
            | {f"separate_{name}": two[name] for name in ("median", "sd", "low", "high")}
            | {
                "prob_better": _better(key[2], draws),
                "separate_prob_better": _better(key[2], other),
                "shift_in_sds": (ours["median"] - theirs["median"]) / theirs["sd"],
                "width_ratio": (ours["high"] - ours["low"]) / (theirs["high"] - theirs["low"]),
            }
        )
    return pd.DataFrame(rows)


def brain_less_body(found: JointFit) -> pd.DataFrame:
    """Return the intracranial minus the systemic rate, over the same cohorts and weights.

    Returns
    -------
    pandas.DataFrame
        Columns `alkbayes.vocabulary.GROUP_COLUMNS`, k, patients (those with brain lesions, the weights of both rates),
        systemic and intracranial (posterior medians of `mean`), difference, low, high (intracranial minus systemic, in
        [-1, 1]) and prob_higher, the probability of a higher intracranial rate.
    """
    rows = []
    for (about, brain), (_, body) in zip(pooled_draws(found.brain), pooled_draws(found.body), strict=True):
        if about["estimand"] == Estimand.MEAN:
            gap = summarise(brain - body, prob=found.interval_prob)
            rows.append(
                {name: about[name] for name in (*GROUP_COLUMNS, "k", "patients")}
                | {"systemic": float(np.median(body)), "intracranial": float(np.median(brain))}
                | {"difference": gap["median"], "low": gap["low"], "high": gap["high"]}
                | {"prob_higher": float((brain > body).mean())}
            )
    return pd.DataFrame(rows)


def flat(draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return draws with chains and draws on one axis."""
    return {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.items()}


def _numbers(
    posterior: Posterior,
) -> Iterator[tuple[tuple[str, str | Contrast, str], dict[str, str | int | float | None], Array]]:
    """Yield for each estimate its key across models, its identifying columns, and its draws."""
    for row, draws in pooled_draws(posterior):
        if row["estimand"] in SHOWN:
            about = {name: row[name] for name in GROUP_COLUMNS} | dict.fromkeys(("first", "second"))
            key = str(row["group"]), str(row["level"]), str(row["estimand"])
            yield key, about | {"measure": row["estimand"]}, draws
    for compared, scale, draws in contrast_draws(posterior):
        contrast = compared.contrast
        about = dict.fromkeys(GROUP_COLUMNS) | {"group": contrast.column, "level": contrast.name}
        about |= {"first": contrast.first, "second": contrast.second, "measure": scale}
        yield (contrast.column, contrast, scale), about, draws


def _better(measure: str, draws: Array) -> float:
    """Return the probability that the first level of a contrast is better; NaN for a rate."""
    return float((draws > NO_DIFFERENCE[measure]).mean()) if measure in NO_DIFFERENCE else float("nan")


def _over(joint: Joint, first: Mapping[str, Array]) -> dict[str, Array]:
    """Return draws of the first outcome's parameters under the names of the second design."""
    draws = {"alpha": first["alpha"], "p": first["p"][..., joint.cohort_of]}
    share = joint.second.n / joint.second.n.sum()
    second = {block.columns: block for block in joint.second.effects}
    for block in joint.first.effects:
        effects = level_effects(block, first)
        if (same := second.get(block.columns)) is None:
            # Dropped from the second, whose cohorts share one level: this is that level's effect.
            draws["alpha"] = draws["alpha"] + effects[..., block.index[joint.cohort_of]] @ share
        else:
            draws[f"effect_{same.slug}"] = effects[..., [block.levels.index(level) for level in same.levels]]
    return draws | {f"tau_{term.slug}": first[f"tau_{term.slug}"] for term in joint.second.heterogeneity}


def _sampled(
    engine: JointEngine, joint: Joint, settings: SamplerSettings, progress: "Progress | None"
) -> tuple[JointDraws, Diagnostics]:
    sampled = engine.sample(settings, progress=progress)
    draws = from_positions(joint, sampled.positions)
    named = {"rho": draws.rho}
    for prefix, found in (("systemic ", draws.first), ("intracranial ", draws.second)):
        # Each quantity once: rates are logits on another scale, and contrasts are the levels' effects in other units.
        named |= {f"{prefix}{name}": x for name, x in found.items() if name != "p" and not name.startswith("raw_")}
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name} {axis}" for axis in range(values.ndim - 2))), values)
            for name, values in named.items()
        }
    )
    stats = xr.Dataset({name: (("chain", "draw"), values) for name, values in sampled.stats.items()})
    return draws, diagnose(posterior, stats)
