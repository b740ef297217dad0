"""Prevalence of ALK resistance mutations after each inhibitor, from few data.

Each question, a set of mutations in one assay, is a binomial model over its sets of samples; no sample counts twice
(:mod:`alkbayes.evidence.resistance`). Each posterior summary stands beside its prior counterpart: with one row per
level they differ little, and a reader must see that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import (
    Posterior,
    cohort_table,
    heterogeneity_table,
    pooled_table,
    posterior_from,
    posterior_of,
)
from alkbayes.evidence.resistance import COUNTS, QUESTION, SHARED, ResistanceTable, read_responses
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design
from alkbayes.model.draws import from_prior
from alkbayes.spec.schema import other_model_path, read_spec
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted, level_text, percent_interval, rate, size_text
from alkbayes.vocabulary import ALL, INTERVAL_PROB, Estimand, in_order

MODEL = "resistance"
AFTER = "after_generation"
ANY = "any ALK mutation"
SHOWN = (Estimand.TYPICAL, Estimand.MEAN, Estimand.NEXT_COHORT)
FEW = 10
"""Rows after one generation below which they are called few: the SD between fewer depends heavily on its prior."""
PRIOR_DRAWS = 50_000
"""Enough for the ends of a prior interval to move by less than a percentage point between seeds."""
INTERVALS = {"exact": IntervalMethod.CLOPPER_PEARSON, "jeffreys": IntervalMethod.JEFFREYS}


class ResistanceRecord(TypedDict):
    """JSON record of :class:`Resistance`, with its tables as rows; undefined numbers are None."""

    few: list[str]
    gaps: list[str]
    table: dict[str, str]
    converged: bool
    failures: list[str]
    interval_prob: float
    rows: list[dict[str, Any]]
    prevalence: list[dict[str, Any]]
    spread: list[dict[str, Any]]
    responses: list[dict[str, Any]]
    printed: list[dict[str, Any]]
    findings: list[str]


@dataclass(frozen=True, slots=True)
class Resistance:
    """Resistance mutations in a table; proportions are in [0, 1].

    Attributes
    ----------
    few, gaps
        Sentences on the amount of data and on the missing data, to be given before any estimate; the first of `few` is
        the summary.
    rows
        The table with observed (n_with / n_biopsies), exact_low, exact_high (Clopper-Pearson) and jeffreys_low,
        jeffreys_high, the ends of confidence intervals; for rows with counts also median, low, high of the row's
        prevalence given the other rows of its question, with its credible interval, else NaN.
    prevalence
        A row for each question, generation and estimand (`typical`, `mean`, `next_cohort`: the next set of samples).
        Columns mutation_set, assay, after_generation, agents, k (sets of samples), samples, with_mutation, estimand,
        mean, median, sd, low, high, their Monte Carlo errors, prior_median, prior_low, prior_high, and narrowed: the
        fraction by which the data narrow the interval.
    spread
        A row for each question and parameter (tau_cohort: between sets of samples; sd_after_generation). Columns
        mutation_set, assay, k, generations (their number), parameter, median, low, high, their Monte Carlo errors,
        prior_median, prior_low, prior_high; SDs on the logit scale.
    responses
        Response by mutation status where counts exist: the columns of the table with observed and the limits of `rows`.
    printed
        Rows of that table with only a printed percentage, used in no calculation.
    findings
        Sentences on the results.
    failures
        Sentences on each posterior that must not be used; empty if all may.
    interval_prob
        Probability of all intervals, those of priors included.
    """

    table: ResistanceTable
    few: tuple[str, ...]
    gaps: tuple[str, ...]
    rows: pd.DataFrame
    prevalence: pd.DataFrame
    spread: pd.DataFrame
    responses: pd.DataFrame
    printed: pd.DataFrame
    findings: tuple[str, ...]
    failures: tuple[str, ...]
    interval_prob: float

    def to_dict(self) -> ResistanceRecord:
        """Return everything as JSON values."""
        record = ResistanceRecord(
            few=list(self.few),
            gaps=list(self.gaps),
            table={"source": self.table.source, "sha256": self.table.sha256},
            converged=not self.failures,
            failures=list(self.failures),
            interval_prob=self.interval_prob,
            rows=records(self.rows),
            prevalence=records(self.prevalence),
            spread=records(self.spread),
            responses=records(self.responses),
            printed=records(self.printed),
            findings=list(self.findings),
        )
        plain: ResistanceRecord = finite_or_none(record)
        return plain


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its rows, posterior and prior draws."""

    mutation_set: str
    assay: str
    frame: pd.DataFrame
    fit: Fit
    posterior: Posterior
    prior: Posterior

    @property
    def words(self) -> dict[str, str]:
        return dict(zip(QUESTION, (self.mutation_set, self.assay), strict=True))


def resistance_of(
    table: ResistanceTable, *, settings: SamplerSettings | None = None, prob: float = INTERVAL_PROB
) -> Resistance:
    """Analyse the resistance mutations in a table.

    Parameters
    ----------
    table
        A checked table. Response by mutation status is analysed for the bundled one only.
    prob
        Probability of the intervals, in (0, 1).

    Raises
    ------
    SamplingError
        If a posterior can be neither integrated nor sampled.
    """
    settings = settings or SamplerSettings()
    asked = [
        _ask(str(mutation_set), str(assay), frame, table, settings, prob)
        for (mutation_set, assay), frame in table.frame[table.frame["counted"]].groupby(list(QUESTION), sort=False)
    ]
    responses = read_responses() if table.bundled else read_responses().iloc[:0]
    with_counts = (responses["n"] != "") & (responses["responders"] != "")
    prevalence = pd.DataFrame([row for each in asked for row in _prevalence(each)])
    spread = pd.DataFrame([row for each in asked for row in _spread(each)])
    return Resistance(
        table=table,
        few=tuple(_few(table.frame)),
        gaps=tuple(_gaps(table.frame)),
        rows=_rows(table.frame, asked, prob),
        prevalence=prevalence,
        spread=spread,
        responses=_with_limits(
            responses[with_counts].astype({"responders": "int64", "n": "int64"}), "responders", "n", prob
        ),
        printed=responses[~with_counts].reset_index(drop=True),
        findings=tuple(_findings(prevalence, spread, responses, prob)),
        failures=tuple(
            f"{each.mutation_set} in {each.assay}: {failure}"
            for each in asked
            for failure in each.fit.diagnostics.failures
        ),
        interval_prob=prob,
    )


def _ask(
    mutation_set: str,
    assay: str,
    frame: pd.DataFrame,
    table: ResistanceTable,
    settings: SamplerSettings,
    prob: float,
) -> _Asked:
    """Fit the model to the rows of one question, each a separate set of samples."""
    responders, n = COUNTS
    cohorts = frame.rename(columns={"sample_set": "cohort_id", responders: "responders", n: "n"}).reset_index(drop=True)
    evidence = Evidence(cohorts, table.source, table.sha256, table.content)
    spec = read_spec(other_model_path(MODEL))
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, interval_prob=prob)
    return _Asked(mutation_set, assay, frame, fit, posterior_of(fit), _prior(fit.design, settings.seed, prob))


def _prior(design: Design, seed: int, prob: float) -> Posterior:
    """Return prior draws of a design in the form of a posterior."""
    draws = from_prior(design, rng=np.random.default_rng([seed, 2]), draws=PRIOR_DRAWS)
    flat = {name: values[0] for name, values in draws.items()}
    return posterior_from(design, flat, seed=seed, interval_prob=prob)


def _prevalence(asked: _Asked) -> Iterator[dict[str, Any]]:
    """Yield prior and posterior prevalence after each generation."""
    tables = pooled_table(asked.posterior, error_columns_of(asked.fit)), pooled_table(asked.prior)
    # With one generation the model has no such effect, and all rows belong to it.
    group = AFTER if AFTER in asked.posterior.design.profiles else ALL
    for level in in_order(AFTER, asked.frame[AFTER]):
        agents = dict.fromkeys(asked.frame.loc[asked.frame[AFTER] == level, "after_agent"])
        place = {"group": group, "level": level if group == AFTER else ALL}
        for estimand in SHOWN:
            own, prior = (_only(table, place | {"estimand": str(estimand)}) for table in tables)
            yield asked.words | {
                AFTER: level,
                "agents": ", ".join(agents),
                "k": own["k"],
                "samples": own["patients"],
                "with_mutation": own["responders"],
                "estimand": str(estimand),
                **{
                    name: own[name] for name in own if name in {"mean", "median", "sd", "low", "high"} or "mcse" in name
                },
                **{f"prior_{name}": prior[name] for name in ("median", "low", "high")},
                "narrowed": 1 - (own["high"] - own["low"]) / (prior["high"] - prior["low"]),
            }


def _only(table: pd.DataFrame, values: dict[str, str]) -> dict[str, Any]:
    """Return the one row with these values."""
    found: list[dict[str, Any]] = [row for row in records(table) if values.items() <= row.items()]
    (row,) = found
    return row


def _spread(asked: _Asked) -> Iterator[dict[str, Any]]:
    """Yield prior and posterior SDs between sets of samples and between generations."""
    before = {row["parameter"]: row for row in records(heterogeneity_table(asked.prior))}
    for row in records(heterogeneity_table(asked.posterior, error_columns_of(asked.fit))):
        if not row["parameter"].startswith(("tau_", "sd_")):
            continue
        prior = before[row["parameter"]]
        names = ("median", "low", "high")
        yield asked.words | {
            "k": len(asked.frame),
            "generations": asked.frame[AFTER].nunique(),
            "parameter": row["parameter"],
            **{name: row[name] for name in (*names, *(f"mcse_{name}" for name in names))},
            **{f"prior_{name}": prior[name] for name in names},
        }


def _rows(frame: pd.DataFrame, asked: list[_Asked], prob: float) -> pd.DataFrame:
    """Return the table with the interval of each row, alone and given the other rows of its question."""
    rows = _with_limits(frame, *COUNTS, prob)
    own = pd.concat([cohort_table(each.posterior).set_index(each.frame.index) for each in asked])
    return rows.join(own[["median", "low", "high"]])


def _with_limits(frame: pd.DataFrame, count: str, n: str, prob: float) -> pd.DataFrame:
    """Return a table with the observed proportion of each row and its confidence limits, in [0, 1]."""
    table = frame.assign(observed=frame[count] / frame[n])
    for name, method in INTERVALS.items():
        # A table without rows has no counts to check.
        low = high = np.empty(0)
        if len(frame):
            low, high = proportion_interval(frame[count], frame[n], method=method, prob=prob)
        table[f"{name}_low"], table[f"{name}_high"] = low, high
    return table


def _few(frame: pd.DataFrame) -> Iterator[str]:
    """Yield sentences on the amount of data."""
    used = frame[frame["counted"]]
    most = int(used.groupby([*QUESTION, AFTER]).size().max())
    yield (
        f"{'Sparse data: ' if most < FEW else ''}{counted(len(frame), 'count')} from "
        f"{counted(frame['sample_set'].nunique(), 'set')} of samples, on "
        f"{counted(len(used[list(QUESTION)].drop_duplicates()), 'question')} that are not pooled together. "
        f"No question has more than {counted(most, 'row')} after one generation of inhibitor."
    )
    for (mutation_set, assay), rows in used.groupby(list(QUESTION), sort=False):
        after = [
            f"{counted(len(of), 'row')} after {after_words(str(level))} "
            f"({of[COUNTS[0]].sum():,} of {counted(int(of[COUNTS[1]].sum()), 'sample')})"
            for level, of in rows.groupby(AFTER)
        ]
        yield f"{shown(str(mutation_set))} in {assay}: {listed(after)}."


def _gaps(frame: pd.DataFrame) -> Iterator[str]:
    """Yield sentences on missing data and on rows with the same samples."""
    used = frame[frame["counted"]]
    of_any = used[used["mutation_set"] == ANY]
    agents = _agents()
    without = [agent for agent in agents if agent not in set(used["after_agent"])]
    if without:
        yield f"No row of any kind after {listed(without)}."
    if some := [agent for agent in agents if agent not in [*without, *of_any["after_agent"]]]:
        yield f"After {listed(some)} particular mutations were counted, but not {ANY}."
    for column, verb in zip(SHARED, ("share", "may share"), strict=True):
        names = frame.loc[frame[column] != "", column].value_counts(sort=False)
        if several := [f"{shown(str(name))} ({count} rows)" for name, count in names.items() if count > 1]:
            yield f"Rows that {verb} samples: {listed(several)}. No question counts two of them."


def _agents() -> tuple[str, ...]:
    """Return the ALK inhibitors of the bundled cohorts, by generation."""
    frame = read_evidence().frame
    pairs = sorted(set(zip(frame["generation"], frame["agent"], strict=True)))
    return tuple(agent for generation, agent in pairs if generation)


def _findings(prevalence: pd.DataFrame, spread: pd.DataFrame, responses: pd.DataFrame, prob: float) -> Iterator[str]:
    """Yield posterior results beside their prior."""
    for row in records(prevalence[prevalence["estimand"] == Estimand.MEAN]):
        yield (
            f"{shown(row['mutation_set'])} in {row['assay']} after {after_words(row[AFTER])}: mean prevalence "
            f"{_percent(row, prob)} by {counted(row['k'], 'row')}; before any count "
            f"{percent_interval(row['prior_low'], row['prior_high'], 0)}."
        )
    for row in records(spread):
        what = "sets of samples" if row["parameter"].startswith("tau_") else "generations"
        alone = ": one row a generation says next to nothing of it" if row["k"] == row["generations"] else ""
        yield (
            f"{shown(row['mutation_set'])} in {row['assay']}: the SD between {what} is {size_text(row)} by "
            f"{counted(row['k'], 'row')} and {size_text(row, prefix='prior_')} before any count{alone}."
        )
    if len(responses):
        counts = int(((responses["n"] != "") & (responses["responders"] != "")).sum())
        yield (
            f"Response by mutation status: {counts} of {len(responses)} rows have counts; the others print a "
            "percentage of an unknown number of patients, have no interval and are not used."
        )


def _percent(row: dict[str, float], prob: float) -> str:
    middle, interval = rate(row)
    return f"{middle} % ({level_text(prob)} credible interval {interval})"


def after_words(level: str) -> str:
    """Return the treatment before sampling, worded for a sentence."""
    return "mixed inhibitors" if level == "mixed" else f"generation {level}"
