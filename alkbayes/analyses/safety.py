"""Adverse events: how little is known, rates by level where there are enough counts, and benefit beside harm.

Each measure is a question of its own. The rates of a level are pooled from its own counts alone, by the measure's model
(:data:`alkbayes.evidence.adverse_events.POOLED`), from three counts on; of fewer, the summed count is given with its
exact interval. A count of several cohorts together is one count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import pooled_table, posterior_of
from alkbayes.evidence.adverse_events import (
    EVENTS,
    MEASURE,
    MEASURES,
    MEMBERS,
    POOLED,
    AdverseEvents,
    measures_in_order,
)
from alkbayes.evidence.naming import COHORT, RESPONDERS, TRIAL, N, no_such_column
from alkbayes.evidence.table import Evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.names import listed
from alkbayes.text.wording import counted
from alkbayes.vocabulary import ALL, INTERVAL_PROB, Estimand, in_order, label_of

LEAST_COUNTS = 3
"""Counts of a level from which they are pooled: two say next to nothing of how cohorts differ."""
AGENT = "agent"
USUAL_LEVELS = "regimen_class"
"""Column by which counts are parted where the tables have it and nobody says otherwise."""
SOURCES = "source_id"
"""Column of source keys, which a table of one's own need not have."""
ANY = "any"
"""Stands for a count of any measure."""
BESIDE = ("discontinuation_ae", "serious_ae")
"""Measures that response is set beside."""
METHODS = (PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.GLMM_ML)
"""Classical methods beside the posterior."""
BENEFIT_COLUMNS = (
    *(MEASURE, AGENT, "level", TRIAL, COHORT, EVENTS, N, RESPONDERS, "patients"),
    *("response", "response_low", "response_high", "harm", "harm_low", "harm_high"),
)
"""Columns of `Safety.benefit`: nine of the counts, then rates with their limits."""
ESTIMANDS = (Estimand.TYPICAL, Estimand.MEAN, Estimand.NEXT_COHORT)


class SafetyRecord(TypedDict):
    """JSON record of :class:`Safety`, with its tables as rows; undefined numbers are None."""

    few: list[str]
    table: dict[str, str]
    by: str
    units: dict[str, str]
    trials: int | None
    converged: bool
    failures: list[str]
    interval_prob: float
    coverage: list[dict[str, Any]]
    counts: list[dict[str, Any]]
    pooled: list[dict[str, Any]]
    classical: list[dict[str, Any]]
    benefit: list[dict[str, Any]]
    without_response: list[str]
    source_ids: list[str]


@dataclass(frozen=True, slots=True)
class Safety:
    """Adverse events beside a table of cohorts; rates are proportions in [0, 1].

    Attributes
    ----------
    evidence, table
        The cohorts with their responses, and the counts of adverse events.
    by
        Column whose levels part the counts; empty for none.
    few
        Sentences on how little there is, to be given before any estimate; the first is the summary.
    coverage
        A row for each level, and for all cohorts together, and for each measure that is pooled and "any". Columns
        level, measure, cohorts_with and patients_with (cohorts of the table with a count, and their patients in the
        table), cohorts and patients (all of the table).
    counts
        A row for each measure and level: k (counts), events, n, observed, and low and high, the limits of the exact
        (Clopper-Pearson) interval of the summed count.
    pooled
        A row for each measure and level of three counts or more, and estimand (`typical`, `mean`, `next_cohort`).
        Columns measure, level, k, estimand, mean, median, sd, low, high and their Monte Carlo errors.
    classical
        The same by classical methods: measure, level, k, method, estimate, low, high, prediction_low and
        prediction_high.
    benefit
        A row for each count of the measures `BESIDE` whose cohorts are all in the table: measure, agent, level, trial,
        cohort_id, responders, patients, response, response_low, response_high (of those cohorts), events, n, harm,
        harm_low, harm_high; limits are of exact intervals.
    without_response
        Agent and trial of counts of these measures whose cohorts are not in the table.
    source_ids
        Source keys of the counts, a cell each as the table has them, in its order; empty if it names no sources.
    failures
        Sentences on each posterior that must not be used; empty if all may.
    interval_prob
        Probability of all intervals.
    """

    evidence: Evidence
    table: AdverseEvents
    by: str
    few: tuple[str, ...]
    coverage: pd.DataFrame
    counts: pd.DataFrame
    pooled: pd.DataFrame
    classical: pd.DataFrame
    benefit: pd.DataFrame
    without_response: tuple[str, ...]
    source_ids: tuple[str, ...]
    failures: tuple[str, ...]
    interval_prob: float

    @property
    def by_label(self) -> str:
        """Name of `by` in results; empty for none."""
        return label_of(self.by, self.evidence.frame.columns) if self.by else ""

    def to_dict(self) -> SafetyRecord:
        """Return everything as JSON values."""
        outcome = self.evidence.outcome
        record = SafetyRecord(
            few=list(self.few),
            table={"source": self.table.source, "sha256": self.table.sha256},
            by=self.by_label,
            units={"response": outcome.short, "units": outcome.units},
            trials=self.evidence.trials,
            converged=not self.failures,
            failures=list(self.failures),
            interval_prob=self.interval_prob,
            coverage=records(self.coverage),
            counts=records(self.counts),
            pooled=records(self.pooled),
            classical=records(self.classical),
            benefit=records(self.benefit),
            without_response=list(self.without_response),
            source_ids=list(self.source_ids),
        )
        plain: SafetyRecord = finite_or_none(record)
        return plain


def safety_of(
    evidence: Evidence,
    table: AdverseEvents,
    *,
    by: str | None = None,
    settings: SamplerSettings | None = None,
    prob: float = INTERVAL_PROB,
) -> Safety:
    """Analyse adverse events beside the responses of a table of cohorts.

    Parameters
    ----------
    evidence
        The cohorts, with the usual counts.
    table
        Counts of adverse events of these cohorts, and of others that stand in no row of it.
    by
        Column of either table whose levels part the counts. Default: regimen_class if there is one, else none.
    prob
        Probability of the intervals, in (0, 1).

    Raises
    ------
    EvidenceError
        If neither table has the column `by`.
    SamplingError
        If a posterior can be neither integrated nor sampled.
    """
    settings = settings or SamplerSettings()
    column = _column(evidence, table, by)
    used = with_columns(evidence, table, (TRIAL, AGENT, *filter(None, [column])))
    used["level"] = used[column] if column else ALL
    pooled, classical, failures = [], [], []
    for measure, level, frame in _groups(used, column):
        if measure in POOLED and len(frame) >= LEAST_COUNTS:
            fit = _fitted(measure, frame, table, settings, prob)
            place = {MEASURE: measure, "level": level, "k": len(frame)}
            pooled += [place | row for row in _estimands(fit)]
            classical += [place | row for row in _classical(frame, prob)]
            failures += [f"{measure}, {level}: {failure}" for failure in fit.diagnostics.failures]
    coverage = _coverage(evidence, used, column)
    benefit, without = _benefit(evidence, used, prob)
    return Safety(
        evidence=evidence,
        table=table,
        by=column,
        few=tuple(_few(evidence, used, coverage)),
        coverage=coverage,
        counts=_counts(used, column, prob),
        pooled=pd.DataFrame(pooled),
        classical=pd.DataFrame(classical),
        benefit=benefit,
        without_response=without,
        source_ids=tuple(dict.fromkeys(used[SOURCES])) if SOURCES in used else (),
        failures=tuple(failures),
        interval_prob=prob,
    )


def with_columns(evidence: Evidence, table: AdverseEvents, columns: Sequence[str]) -> pd.DataFrame:
    """Return the counted rows with some columns: the table's own, else what all cohorts of a row say.

    A row without a trial gets its cohorts' name for one. Counts of cohorts that a selection left out are dropped.
    """
    used, cohorts = _of_selection(evidence, table.used), evidence.frame.set_index(COHORT, drop=False)
    for column in columns:
        own = used[column] if column in used else pd.Series("", index=used.index, dtype="str")
        found = []
        for cell, members in zip(own, used[MEMBERS], strict=True):
            there = [name for name in members if name in cohorts.index and column in cohorts]
            said = {str(cohorts.loc[name, column]) for name in there}
            found.append(cell or (said.pop() if len(said) == 1 else ""))
        used[column] = pd.Series(found, index=used.index, dtype="str")
    if TRIAL in columns:
        used[TRIAL] = used[TRIAL].where(used[TRIAL] != "", used[COHORT])
    return used


def cohort_table(evidence: Evidence, table: AdverseEvents, by: str | None = None) -> pd.DataFrame:
    """Return the counts as a table of cohorts with a pair of columns for each pooled measure, as its model reads them.

    A count of several cohorts together is one row. Counts that a row has not are empty.
    """
    column = _column(evidence, table, by)
    columns = tuple(dict.fromkeys((TRIAL, AGENT, *filter(None, [column]))))
    used = with_columns(evidence, table, columns)
    used = used[used[MEASURE].isin(list(POOLED))]
    wide = used.drop_duplicates(COHORT)[[COHORT, *columns]].set_index(COHORT)
    wide = wide.loc[:, (wide != "").any()]
    for measure, model in POOLED.items():
        rows = used[used[MEASURE] == measure].set_index(COHORT)
        for name, own in zip(read_spec(model_path(model)).outcome.columns, (EVENTS, N), strict=True):
            wide[name] = rows[own].reindex(wide.index).astype("Int64")
    return wide.reset_index()


def _of_selection(evidence: Evidence, used: pd.DataFrame) -> pd.DataFrame:
    """Return the counts without those of cohorts that a selection left out of the table."""
    if evidence.part_of is None:
        return used
    chosen_out = set(evidence.part_of.frame[COHORT]) - set(evidence.frame[COHORT])
    return used[[chosen_out.isdisjoint(members) for members in used[MEMBERS]]].reset_index(drop=True)


def _column(evidence: Evidence, table: AdverseEvents, by: str | None) -> str:
    """Return the column by which counts are parted; empty for none."""
    there = [*table.frame.columns, *evidence.frame.columns]
    if by is None:
        return USUAL_LEVELS if USUAL_LEVELS in there else ""
    if by not in there or by == MEMBERS:
        raise no_such_column([by], [name for name in dict.fromkeys(there) if name != MEMBERS], "parting the counts")
    return by


def _groups(used: pd.DataFrame, column: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the counts of each measure and level."""
    for measure in measures_in_order(used):
        rows = used[used[MEASURE] == measure]
        for level in in_order(column, rows["level"]):
            yield measure, level, rows[rows["level"] == level].reset_index(drop=True)


def _fitted(measure: str, frame: pd.DataFrame, table: AdverseEvents, settings: SamplerSettings, prob: float) -> Fit:
    """Fit a measure's model to the counts of one level."""
    spec = read_spec(model_path(POOLED[measure]))
    cohorts = frame[[COHORT, TRIAL]].assign(responders=frame[EVENTS], n=frame[N])
    evidence = Evidence(cohorts, table.source, table.sha256, table.content, spec.outcome)
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, interval_prob=prob)


def _estimands(fit: Fit) -> Iterator[dict[str, Any]]:
    """Yield the pooled rates of a fit."""
    for row in records(pooled_table(posterior_of(fit), error_columns_of(fit))):
        if row["group"] == ALL and row["estimand"] in ESTIMANDS:
            kept = ("estimand", "mean", "median", "sd", "low", "high")
            yield {name: value for name, value in row.items() if name in kept or name.startswith("mcse")}


def _classical(frame: pd.DataFrame, prob: float) -> Iterator[dict[str, Any]]:
    """Yield the rates by classical pooling of the same counts."""
    for method in METHODS:
        found = pool(frame[EVENTS], frame[N], method=method, prob=prob)
        names = ("estimate", "low", "high", "prediction_low", "prediction_high")
        yield {"method": str(method)} | {name: getattr(found, name) for name in names}


def _exact(events: pd.Series, n: pd.Series, prob: float, names: tuple[str, str, str]) -> dict[str, Any]:
    """Return observed rates and the limits of their exact intervals."""
    low = high = np.empty(0)
    if len(events):
        low, high = proportion_interval(events, n, method=IntervalMethod.CLOPPER_PEARSON, prob=prob)
    return dict(zip(names, (events / n, low, high), strict=True))


def _counts(used: pd.DataFrame, column: str, prob: float) -> pd.DataFrame:
    """Return the summed counts of each measure and level, with exact intervals."""
    rows = [
        {MEASURE: measure, "level": level, "k": len(of), EVENTS: int(of[EVENTS].sum()), N: int(of[N].sum())}
        for measure, level, of in _groups(used, column)
    ]
    frame = pd.DataFrame(rows, columns=[MEASURE, "level", "k", EVENTS, N])
    return frame.assign(**_exact(frame[EVENTS], frame[N], prob, ("observed", "low", "high")))


def _coverage(evidence: Evidence, used: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how many cohorts of each level have a count, and of how many patients, out of all."""
    frame = evidence.frame
    levels = frame[column] if column in frame else pd.Series(ALL, index=frame.index)
    counted_in = {
        measure: {name for members in rows for name in members}
        for measure, rows in ((ANY, used[MEMBERS]), *((name, used[used[MEASURE] == name][MEMBERS]) for name in POOLED))
    }
    rows = []
    for level in (*(in_order(column, levels) if column in frame else ()), ALL):
        here = frame if level == ALL else frame[levels == level]
        for measure, names in counted_in.items():
            some = here[here[COHORT].isin(names)]
            rows.append(
                {
                    "level": level,
                    MEASURE: measure,
                    "cohorts_with": len(some),
                    "cohorts": len(here),
                    "patients_with": int(some[N].sum()),
                    "patients": int(here[N].sum()),
                }
            )
    return pd.DataFrame(rows)


def _benefit(evidence: Evidence, used: pd.DataFrame, prob: float) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return response beside harm of the counts whose cohorts are in the table, and whose are not."""
    cohorts = evidence.frame.set_index(COHORT)
    rows, without = [], []
    for measure in BESIDE:
        for row in used[used[MEASURE] == measure].to_dict("records"):
            members = list(row[MEMBERS])
            if not set(members) <= set(cohorts.index):
                without.append(f"{row[AGENT] or row[COHORT]} in {row[TRIAL]}")
                continue
            counts = cohorts.loc[members, [RESPONDERS, N]].sum()
            rows.append(
                {name: row[name] for name in (MEASURE, AGENT, "level", TRIAL, COHORT, EVENTS, N)}
                | {RESPONDERS: int(counts[RESPONDERS]), "patients": int(counts[N])}
            )
    frame = pd.DataFrame(rows, columns=list(BENEFIT_COLUMNS[:9]))
    response = _exact(frame[RESPONDERS], frame["patients"], prob, ("response", "response_low", "response_high"))
    harm = _exact(frame[EVENTS], frame[N], prob, ("harm", "harm_low", "harm_high"))
    return frame.assign(**response, **harm), tuple(dict.fromkeys(without))


def _few(evidence: Evidence, used: pd.DataFrame, coverage: pd.DataFrame) -> Iterator[str]:
    """Yield sentences on the amount of data."""
    units = evidence.outcome.units
    whole = coverage[(coverage["level"] == ALL) & (coverage[MEASURE] == ANY)].iloc[0]
    sparse = "Sparse data: " if 2 * whole["patients_with"] < whole["patients"] else ""
    yield (
        f"{sparse}{whole['cohorts_with']} of {counted(int(whole['cohorts']), 'cohort')}, {whole['patients_with']:,} of "
        f"{whole['patients']:,} {units}, have a count of adverse events of any kind."
    )
    known = set(evidence.frame[COHORT])
    outside = [name for members in used[MEMBERS] for name in members if name not in known]
    if outside:
        names = list(dict.fromkeys(outside))
        verb = "is" if len(names) == 1 else "are"
        yield f"Counted too, without a row in the table of cohorts, {verb} {listed(names)}."
    if any(len(members) > 1 for members in used[MEMBERS]):
        yield "A count of several cohorts together is one count."
    own = [name for name in measures_in_order(used) if name not in MEASURES]
    if own:
        yield f"Measures of the table's own, which are not pooled: {listed(own)}."
