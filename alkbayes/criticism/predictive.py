"""Prior and posterior predictive checks: observed data against data replicated from the model.

Two kinds of replicated tables are compared with the observed one. Those of the `same` cohorts keep each cohort's own
rate: they nearly always fit, since that rate was shrunk from these very counts. Those of `new` cohorts of new trials
with the same profiles and sizes draw their deviations anew, trials with their cohorts together (the mixed predictive
distribution of Marshall and Spiegelhalter 2007, doi:10.1214/07-BA218): these can fail, and show whether line,
generation and heterogeneity describe how cohorts differ. Both use the counts twice, to fit and to check, so p-values
are biased towards one half, for `new` cohorts only slightly if cohorts are many.

A cohort's PIT value is the predictive probability of fewer responders than observed plus half that of as many (mid-p),
or for tests of uniformity a uniformly drawn share of it (Czado, Gneiting and Held 2009,
doi:10.1111/j.1541-0420.2009.01191.x); it is uniform if the predictive distribution is that of the data.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.stats import binom

from alkbayes.alk.levels import Line
from alkbayes.evidence.outcomes import Outcome
from alkbayes.inference.fit import Fit
from alkbayes.model.design import Design
from alkbayes.model.draws import complete, from_prior
from alkbayes.model.predictive import response_rates
from alkbayes.model.summary import equal_tailed
from alkbayes.spec.priors import Indicators
from alkbayes.text.json import records
from alkbayes.vocabulary import group_row, label_of

type Array = NDArray[np.float64]
type Counts = NDArray[np.int64]

PRIOR_DRAWS = 4000
INNER_PROB = 0.9
"""Probability of a cohort's inner interval, outside which cohorts are counted."""
EXTREME = 0.025
"""Predictive p-value, in either tail, below which it is called unusual."""
LEAST_UNIFORM = 0.05
"""Minimum p-value of uniformity."""
LEAST_COHORTS = 8
"""Fewer PIT values are too few for a test of their distribution."""
OUTSIDE = "cohorts outside 90 %"
CELL_COLUMNS = ("line", "regimen_class")
UNBELIEVED = (0.05, 0.95)
"""Cell rates below and above which hardly any are credible."""


class Scale(StrEnum):
    """What a test statistic is: a proportion or a difference of two, a count, or an SD."""

    RATE = "rate"
    COUNT = "count"
    SD = "sd"


class Kind(StrEnum):
    """Replication of these cohorts, or of new cohorts of new trials with these profiles."""

    SAME = "same"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Statistic:
    """A test statistic of a table, observed and replicated.

    Attributes
    ----------
    scale
        What it is; an SD is on the logit scale.
    kind
        "same", "new" or "prior": the kind of replication.
    observed
        Observed value.
    median, low, high
        Median and equal-tailed interval of the replicated tables.
    p
        Share of the replicated tables with a larger value, ties counted half: near 0 or 1 if the observed one is
        unusual.
    meaning
        Its interpretation, a sentence.
    """

    name: str
    scale: Scale
    kind: str
    observed: float
    median: float
    low: float
    high: float
    p: float
    meaning: str

    @property
    def unusual(self) -> bool:
        """True if the observed value lies in the outer 5 % of the replicated ones.

        For `same` cohorts, few outside their intervals are expected: each rate was fitted to its own counts.
        """
        few_is_fine = self.name == OUTSIDE and self.kind == Kind.SAME
        return self.p < EXTREME or (self.p > 1 - EXTREME and not few_is_fine)


@dataclass(frozen=True, slots=True)
class Replicates:
    """Replicated tables of one kind.

    Attributes
    ----------
    rates
        Rate behind each cohort's responders, shape (draw, cohort).
    responders
        Replicated responders, shape (draw, cohort).
    """

    kind: str
    rates: Array
    responders: Counts


@dataclass(frozen=True, slots=True)
class PosteriorChecks:
    """Posterior predictive checks.

    Attributes
    ----------
    cohorts
        A row for each cohort: cohort_id, trial if the table has trials, n, responders, observed (proportion), and for
        either kind (`same_`, `new_`) median, low, high, low90, high90, as proportions, and pit, by mid-p.
    uniform
        For either kind the p-value of the uniformity of the randomised PIT values over cohorts (Tesso et al. 2026,
        arXiv:2603.02928, by ArviZ), which allows for their dependence; None with fewer than 8 cohorts.
    pit
        These values for either kind, shape (cohort,).
    statistics
        Each for either kind.
    outcome
        What the cohorts count.
    unit
        What a new cohort has a new one of, such as "trial"; None if the model has no such heterogeneity.
    interval_prob
        Probability of the intervals, except for low90 to high90.
    """

    cohorts: pd.DataFrame
    uniform: Mapping[str, float | None]
    pit: Mapping[str, Array]
    statistics: tuple[Statistic, ...]
    outcome: Outcome
    unit: str | None
    interval_prob: float

    @property
    def conclusion(self) -> str:
        """Conclusion of the checks, a sentence."""
        named = [f"{each.name} ({each.kind} cohorts)" for each in self.statistics if each.unusual]
        named += [
            f"the calibration over {kind} cohorts"
            for kind, p in self.uniform.items()
            if kind == Kind.NEW and p is not None and p < LEAST_UNIFORM
        ]
        if named:
            return f"The model does not expect what was observed: {'; '.join(named)}."
        return "What was observed is what the model expects, by every statistic looked at."

    def as_record(self) -> dict[str, Any]:
        """Return the checks as JSON values."""
        return {
            "conclusion": self.conclusion,
            "interval_prob": self.interval_prob,
            "uniform": dict(self.uniform),
            "statistics": _statistic_records(self.statistics),
            "cohorts": records(self.cohorts),
        }


@dataclass(frozen=True, slots=True)
class PriorChecks:
    """Prior predictive checks.

    Attributes
    ----------
    cells
        A row for each combination of line and TKI generation with cohorts (a single row for a table without these
        columns): cell ("naive:first"), first_column, first_level, second_column, second_level, k, patients, responders,
        observed (crude rate), median, low, high of the crude rate predicted from the priors for the same
        cohorts, below and above: its probability below 5 % and above 95 %; inside: True if the interval contains the
        observed rate.
    statistics, outcome, interval_prob
        As for the posterior.
    """

    cells: pd.DataFrame
    statistics: tuple[Statistic, ...]
    outcome: Outcome
    interval_prob: float

    @property
    def conclusion(self) -> str:
        """Conclusion of the checks, a sentence."""
        outside = self.cells.loc[~self.cells["inside"], "cell"].tolist()
        named = [f"the rate of {cell}" for cell in outside] + [each.name for each in self.statistics if each.unusual]
        if named:
            return f"The priors do not expect what was observed: {'; '.join(named)}. Look whether they were meant so."
        return "What was observed lies within what the priors expect, in every cell and by every statistic."

    def as_record(self) -> dict[str, Any]:
        """Return the checks as JSON values."""
        return {
            "conclusion": self.conclusion,
            "interval_prob": self.interval_prob,
            "cells": records(self.cells),
            "statistics": _statistic_records(self.statistics),
        }


def posterior_checks(fit: Fit) -> PosteriorChecks:
    """Return the posterior predictive checks of a fit, with the run's seed."""
    design = fit.design
    rng = np.random.default_rng([fit.provenance.settings.seed, 2])
    draws = {name: values.reshape(-1, *values.shape[2:]) for name, values in fit.draws.items()}
    found = [replicates(design, draws, kind=kind, rng=rng) for kind in Kind]
    observed = design.responders.astype(np.int64)
    pits: dict[str, Array] = {}
    statistics: list[Statistic] = []
    columns: dict[str, Any] = {"cohort_id": list(design.cohorts)}
    if "trial" in fit.evidence.frame:
        columns["trial"] = fit.evidence.frame["trial"].tolist()
    columns |= {"n": design.n.astype(np.int64), "responders": observed, "observed": observed / design.n}
    for each in found:
        columns |= {
            f"{each.kind}_{name}": values for name, values in predicted(design, each, prob=fit.interval_prob).items()
        }
        below, equal = tail_probabilities(design, each.rates)
        columns[f"{each.kind}_pit"] = below + equal / 2
        pits[each.kind] = below + rng.uniform(size=len(below)) * equal
        statistics += _statistics(fit, each)
    return PosteriorChecks(
        cohorts=pd.DataFrame(columns),
        uniform={kind: uniformity(pit) for kind, pit in pits.items()},
        pit=pits,
        statistics=tuple(statistics),
        outcome=fit.evidence.outcome,
        unit=fit.design.new_unit,
        interval_prob=fit.interval_prob,
    )


def prior_checks(fit: Fit) -> PriorChecks:
    """Return the prior predictive checks of a fit's model, with the run's seed."""
    design = fit.design
    rng = np.random.default_rng([fit.provenance.settings.seed, 3])
    draws = {name: values[0] for name, values in from_prior(design, rng=rng, draws=PRIOR_DRAWS).items()}
    rates = response_rates(design, draws, rng=rng)
    found = Replicates("prior", rates, rng.binomial(design.n.astype(np.int64), rates))
    rows = []
    for levels, members in _cells(fit):
        n = design.n[members].sum()
        predicted_rates = found.responders[:, members].sum(axis=1) / n
        low, median, high = equal_tailed(predicted_rates, prob=fit.interval_prob, occurring=True, axis=0)
        observed = float(design.responders[members].sum() / n)
        rows.append(
            {
                **_cell(levels),
                "k": int(members.sum()),
                "patients": int(n),
                "responders": int(design.responders[members].sum()),
                "observed": observed,
                "median": median,
                "low": low,
                "high": high,
                "below": float((predicted_rates < UNBELIEVED[0]).mean()),
                "above": float((predicted_rates > UNBELIEVED[1]).mean()),
                "inside": bool(low <= observed <= high),
            }
        )
    return PriorChecks(pd.DataFrame(rows), tuple(_statistics(fit, found)), fit.evidence.outcome, fit.interval_prob)


def replicates(design: Design, draws: Mapping[str, Array], *, kind: Kind, rng: np.random.Generator) -> Replicates:
    """Return replicated tables, one for each draw.

    Parameters
    ----------
    draws
        The variables of :func:`alkbayes.model.draws.complete`, axes (draw, ...).
    kind
        Cohorts keep their rates, or deviations are drawn anew.
    """
    if kind is Kind.NEW:
        fresh = {}
        for term in design.heterogeneity:
            shape = draws[f"z_{term.slug}"].shape
            fresh[f"z_{term.slug}"] = term.unit_prior.draw(rng, shape)
            if term.exnex is not None:
                fresh[term.exchangeable] = Indicators(term.exnex.probabilities).draw(rng, shape)
        draws = complete(design, {name: values for name, values in draws.items() if name not in ("theta", "p")} | fresh)
    rates = response_rates(design, draws, rng=rng)
    return Replicates(str(kind), rates, rng.binomial(design.n.astype(np.int64), rates))


def predicted(design: Design, found: Replicates, *, prob: float) -> dict[str, Array]:
    """Return median and ends of two intervals, `prob` and 90 %, of each cohort's replicated rate, (cohort,)."""
    low, median, high = equal_tailed(found.responders, prob=prob, occurring=True, axis=0)
    low90, _, high90 = equal_tailed(found.responders, prob=INNER_PROB, occurring=True, axis=0)
    ends = {"median": median, "low": low, "high": high, "low90": low90, "high90": high90}
    return {name: values / design.n for name, values in ends.items()}


def tail_probabilities(design: Design, rates: Array) -> tuple[Array, Array]:
    """Return the predictive probabilities of fewer and of as many responders as each cohort had, shape (cohort,).

    Averages of binomial probabilities over `rates`, shape (draw, cohort): less noisy than counting replicated tables,
    and never zero.
    """
    # The distribution's own functions: scipy.special.bdtr takes five times as long.
    up_to = np.asarray(binom.cdf(design.responders, design.n, rates)).mean(axis=0)
    equal = np.asarray(binom.pmf(design.responders, design.n, rates)).mean(axis=0)
    return np.maximum(up_to - equal, 0.0), equal


def uniformity(pit: Array) -> float | None:
    """Return the p-value of ArviZ's test of uniformity; None with too few values."""
    if len(pit) < LEAST_COHORTS:
        return None
    tiny = np.finfo(np.float64).eps
    return float(array_stats.uniformity_test(np.clip(pit, tiny, 1 - tiny), method="pot_c")[0])


def _statistics(fit: Fit, found: Replicates) -> Iterator[Statistic]:
    """Yield the test statistics of the observed table against replicated ones."""
    design = fit.design
    low, _, high = equal_tailed(found.responders, prob=INNER_PROB, occurring=True, axis=0)
    for name, scale, of, meaning in _measures(fit, low, high):
        values = of(found.responders)
        observed = float(of(design.responders[None].astype(np.int64))[0])
        ends = equal_tailed(values, prob=fit.interval_prob, occurring=True, axis=0)
        yield Statistic(
            name=name,
            scale=scale,
            kind=found.kind,
            observed=observed,
            median=float(ends[1]),
            low=float(ends[0]),
            high=float(ends[2]),
            p=float((values > observed).mean() + (values == observed).mean() / 2),
            meaning=meaning,
        )


def _measures(fit: Fit, low: Array, high: Array) -> Iterator[tuple[str, Scale, Callable[[Counts], Array], str]]:
    """Yield names, scales, functions of tables (table, cohort), and interpretations of the test statistics."""
    n, short = fit.design.n, fit.evidence.outcome.short
    if len(n) > 1:
        yield (
            "SD of the logits",
            Scale.SD,
            lambda counts: np.log((counts + 0.5) / (n - counts + 0.5)).std(axis=1, ddof=1),
            "spread of the observed rates, chance included; if unusual, the model misjudges heterogeneity",
        )
    yield (
        f"smallest {short}",
        Scale.RATE,
        lambda counts: (counts / n).min(axis=1),
        "lowest observed rate; if unusual, the model cannot accommodate it, or the cohort is outlying",
    )
    yield (
        f"largest {short}",
        Scale.RATE,
        lambda counts: (counts / n).max(axis=1),
        "highest observed rate; if unusual, the model cannot accommodate it, or the cohort is outlying",
    )
    frame = fit.evidence.frame
    if "line" in frame:
        naive, treated = (frame["line"].to_numpy() == level for level in (Line.NAIVE, Line.PRETREATED))
        if naive.any() and treated.any():
            yield (
                "naive less pretreated",
                Scale.RATE,
                lambda counts: (
                    counts[:, naive].sum(axis=1) / n[naive].sum() - counts[:, treated].sum(axis=1) / n[treated].sum()
                ),
                "crude difference between lines; if unusual, the model lacks an effect of line, or shrinks it too much",
            )
    yield (
        OUTSIDE,
        Scale.COUNT,
        lambda counts: ((counts < low) | (counts > high)).sum(axis=1).astype(np.float64),
        "number outside their 90 % interval; too many: intervals too narrow; too few: too wide",
    )


def _cell(levels: Mapping[str, str]) -> dict[str, str | None]:
    """Return the identifying columns of a cell."""
    row = group_row(levels)
    return {"cell": row.pop("level")} | {name: value for name, value in row.items() if name != "group"}


def _cells(fit: Fit) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
    """Yield the cells with cohorts, in order: the level of each column, and members."""
    frame = fit.evidence.frame
    columns = [column for column in CELL_COLUMNS if column in frame]
    if not columns:
        yield {}, np.ones(len(frame), dtype=np.bool_)
        return
    in_order = fit.evidence.outcome.declared.in_order
    levels = [in_order(column, frame[column].tolist()) for column in columns]
    for first in levels[0]:
        for second in levels[1] if len(levels) > 1 else ("",):
            members = frame[columns[0]].to_numpy() == first
            if second:
                members &= frame[columns[1]].to_numpy() == second
            if members.any():
                named = zip(columns, (first, second), strict=False)
                yield {label_of(column): level for column, level in named if level}, members


def _statistic_records(statistics: tuple[Statistic, ...]) -> list[dict[str, Any]]:
    names = ("name", "kind", "observed", "median", "low", "high", "p", "unusual", "meaning")
    return [{name: getattr(each, name) for name in names} for each in statistics]
