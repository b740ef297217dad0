"""The document of a run, field by field with its unit: what `fit --json` prints and `run.json` contains.

Rates and probabilities are proportions in [0, 1], heterogeneity is on the scale of the link, and undefined numbers are
null. The JSON Schema beside this module is generated from these types.
"""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import ConfigDict, Field, TypeAdapter, with_config

from alkbayes.inference.settings import Engine
from alkbayes.vocabulary import Estimand, Standard

SCHEMA_FILE = "run.schema.json"

closed = with_config(ConfigDict(extra="forbid", strict=True))
"""Of a record that has these fields and no others."""

type Proportion = Annotated[float, Field(ge=0, le=1)]
type Fraction = Annotated[float | None, Field(ge=0, le=1)]


@closed
class DeclaredRecord(TypedDict):
    """A column of the table as the model file declares it."""

    label: Annotated[str, Field(description="heading for readers; empty: none")]
    levels: Annotated[list[str], Field(description="levels in order; empty: those of the table, sorted")]


@closed
class OutcomeRecord(TypedDict):
    """What was counted."""

    responders: Annotated[str, Field(description="column with the number of responders, or other events")]
    n: Annotated[str, Field(description="column with the number of patients, or other units")]
    label: Annotated[str, Field(description="name of the rate, responders over patients")]
    patients: Annotated[str, Field(description="which patients, or what else, are counted")]
    short: Annotated[str, Field(description="the rate as a heading")]
    event: Annotated[str, Field(description="one of what `responders` counts")]
    events: Annotated[str, Field(description="several of them")]
    had: Annotated[str, Field(description="what happened to them, a verb in the past")]
    unit: Annotated[str, Field(description="one of what `n` counts")]
    units: Annotated[str, Field(description="several of them")]
    declared: NotRequired[
        Annotated[dict[str, DeclaredRecord], Field(description="what the model file says of columns of the table")]
    ]


@closed
class EvidenceRecord(TypedDict):
    """The table that was fitted."""

    source: Annotated[str, Field(description='"bundled", or the path of the file')]
    cohorts: int
    trials: Annotated[int | None, Field(description="null if the table does not name trials")]
    patients: int
    responders: int
    sha256: Annotated[str, Field(description="of the file")]
    file: Annotated[str, Field(description="the copy of the file in the run's folder")]
    sheet: Annotated[str | None, Field(description="of a workbook; null for any other file")]
    columns: Annotated[dict[str, str], Field(description="the file's own name for a column, where it has another")]
    where: Annotated[str, Field(description="condition that selected cohorts; empty: none")]
    exclude: Annotated[list[str], Field(description="cohorts left out by name")]
    reason: Annotated[str, Field(description="reason for the selection, as stated")]


@closed
class CheckRecord(TypedDict):
    """One check of the convergence gate."""

    name: str
    passed: bool
    value: float | None
    threshold: float
    sentence: Annotated[str, Field(description="the finding in words")]
    advice: Annotated[str, Field(description="what to do if it failed")]


@closed
class DiagnosticsRecord(TypedDict):
    """The convergence gate: its verdict, and the worst value of each diagnostic with its parameter."""

    converged: bool
    rhat_max: float | None
    rhat_max_parameter: str
    ess_bulk_min: Annotated[float | None, Field(description="effective draws")]
    ess_bulk_min_parameter: str
    ess_tail_min: Annotated[float | None, Field(description="effective draws")]
    ess_tail_min_parameter: str
    divergences: Annotated[int | None, Field(description="divergent transitions; null by quadrature")]
    ebfmi_min: Annotated[float | None, Field(description="null by quadrature")]
    pareto_k: Annotated[float | None, Field(description="Pareto k of the importance weights; null by NUTS")]
    importance_ess: Annotated[float | None, Field(description="effective draws; null by NUTS")]
    failures: Annotated[list[str], Field(description="sentences of the checks that failed")]
    checks: list[CheckRecord]


@closed
class GroupRow(TypedDict):
    """The cohorts that a row is about."""

    group: Annotated[
        str,
        Field(
            description='"all", a column, or two joined by a colon; `generation` is the column `regimen_class` of the '
            "table, `prior_tki` is `prior_alk_tki`"
        ),
    ]
    level: Annotated[str, Field(description='"all", a level, or two joined by a colon')]
    first_column: Annotated[
        str | None, Field(description="the column, or the first of two, under the same names as in `group`")
    ]
    first_level: str | None
    second_column: str | None
    second_level: str | None


@closed
class ErrorsRow(TypedDict):
    """Monte Carlo standard errors, in the unit of the row."""

    mcse: Annotated[float | None, Field(description="Monte Carlo standard error of the mean")]
    mcse_median: float | None
    mcse_low: float | None
    mcse_high: float | None


@closed
class PooledRow(GroupRow, ErrorsRow):
    """A pooled rate. With levels over the same patients it also has `over`, `predicted` and `own_…`."""

    line: str | None
    generation: str | None
    k: Annotated[int, Field(description="number of cohorts")]
    patients: int
    responders: int
    weights: Annotated[str, Field(description="the profiles averaged over, in percent of patients")]
    over: NotRequired[Annotated[str, Field(description="the patients averaged over; empty: the row's own")]]
    predicted: NotRequired[
        Annotated[float, Field(ge=0, le=1, description="share of these patients with a combination that no cohort has")]
    ]
    estimand: Estimand
    mean: Proportion
    median: Proportion
    sd: Annotated[float, Field(ge=0, description="posterior SD, a proportion")]
    low: Annotated[float, Field(ge=0, le=1, description="lower limit of the equal-tailed interval")]
    high: Annotated[float, Field(ge=0, le=1, description="upper limit of the equal-tailed interval")]
    own_mean: NotRequired[Annotated[float, Field(ge=0, le=1, description="the mean over the row's own patients")]]
    own_median: NotRequired[Proportion]
    own_low: NotRequired[Proportion]
    own_high: NotRequired[Proportion]
    own_mcse: NotRequired[float | None]
    own_mcse_median: NotRequired[float | None]
    own_mcse_low: NotRequired[float | None]
    own_mcse_high: NotRequired[float | None]


@closed
class HeterogeneityRow(ErrorsRow):
    """A measure of heterogeneity: SDs on the scale of the link; `explained`, `i2` and `rho` in [0, 1]."""

    parameter: str
    mean: float
    median: float
    low: float
    high: float


@closed
class ExchangeabilityRow(ErrorsRow):
    """The rate of a unit that may be exchangeable with the others or on its own (EXNEX)."""

    column: Annotated[str, Field(description="the units' column, by its name in results")]
    unit: str
    k: Annotated[int, Field(description="number of cohorts")]
    patients: int
    responders: int
    mean: Proportion
    median: Proportion
    low: Proportion
    high: Proportion
    prior: Annotated[float, Field(ge=0, le=1, description="prior probability that the unit is exchangeable")]
    exchangeable: Annotated[float, Field(ge=0, le=1, description="the posterior probability")]
    mcse_exchangeable: Annotated[float | None, Field(description="its Monte Carlo standard error")]


@closed
class ContrastRow(ErrorsRow):
    """Two levels of a column, compared over the same patients."""

    column: str
    contrast: Annotated[str, Field(description='"FIRST vs SECOND", for readers')]
    first: str
    second: str
    over: Annotated[str, Field(description="the patients averaged over; empty: those of both levels")]
    predicted: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="share of these patients for whom either side is a prediction",
        ),
    ]
    scale: Literal["odds_ratio", "risk_difference"]
    mean: Annotated[float, Field(description="an odds ratio, or a difference of proportions, first minus second")]
    median: float
    low: float
    high: float
    prob_better: Annotated[
        float, Field(ge=0, le=1, description="posterior probability that the first has the higher rate")
    ]


@closed
class NoteRecord(TypedDict):
    """A note on a row."""

    kind: Annotated[str, Field(description="its subject")]
    text: str
    source: Annotated[str, Field(description="the method to use instead; empty: none")]
    result: Annotated[str, Field(description="its rate with interval, in percent")]
    caution: NotRequired[Annotated[str, Field(description="a limit of this result itself; empty: none")]]


@closed
class ClassicalRow(GroupRow):
    """Classical pooling of a group by one method; statistics that the method does not define are null."""

    method: str
    scale: str
    k: int
    patients: int
    responders: int
    estimate: Fraction
    low: Fraction
    high: Fraction
    prediction_low: Fraction
    prediction_high: Fraction
    tau2: Annotated[float | None, Field(description="variance between cohorts on the method's scale")]
    i2: Fraction
    h2: float | None
    q: float | None
    q_df: float | None
    q_p: Fraction
    tau2_low: float | None
    tau2_high: float | None
    i2_low: Fraction
    i2_high: Fraction
    h2_low: float | None
    h2_high: float | None
    tau2_trial: Annotated[float | None, Field(description="the part of tau2 that is between trials")]
    rho: Fraction
    corrected: Annotated[float | None, Field(description="cohorts with 1/2 added to both counts")]
    note: Annotated[str, Field(description="all notes as one text")]
    notes: list[NoteRecord]


@closed
class UnevennessRecord(TypedDict):
    """How unevenly a column is distributed over a column of the model."""

    factor: str
    measure: Annotated[float, Field(ge=0, le=1, description="Cramér's V, or the correlation ratio for numbers")]


@closed
class UnnamedRecord(TypedDict):
    """A column that is not in the model and would improve it."""

    column: str
    uneven: list[UnevennessRecord]
    numeric: bool
    gain: Annotated[float, Field(description="gain in leave-one-cohort-out elpd")]
    se: float


@closed
class UnexaminedRecord(TypedDict):
    """A column that was not tested."""

    column: str
    reason: str
    count: int
    cohorts: int


@closed
class CrossCheckRow(GroupRow):
    """The difference of one number between engines, quadrature minus NUTS."""

    estimand: str
    statistic: str
    quadrature: float
    nuts: float
    error: Annotated[float | None, Field(description="Monte Carlo standard error of the difference")]
    z: Annotated[float | None, Field(description="the difference in units of its Monte Carlo error")]


@closed
class CrossCheckRecord(TypedDict):
    """The two engines side by side; only `faults` if the fit fell back to NUTS."""

    numbers: NotRequired[int]
    limit: NotRequired[Annotated[float, Field(description="largest z allowed")]]
    false_alarm: NotRequired[Proportion]
    largest: NotRequired[float]
    faults: list[str]
    differences: NotRequired[list[CrossCheckRow]]


@closed
class SettingsRecord(TypedDict):
    """The settings of the sampler."""

    seed: int
    chains: int
    draws: Annotated[int, Field(description="draws per chain")]
    tune: Annotated[int, Field(description="tuning steps per chain")]
    target_accept: Proportion


@closed
class WeightsRecord(TypedDict):
    """How the draws were weighted."""

    pareto_k: float
    ess: float
    weighted: Annotated[int, Field(description="number of weighted draws")]
    duplicates: Annotated[int, Field(description="kept draws that repeat the global parameters of another")]
    rounds: int
    components: Annotated[int, Field(description="mixture components of the proposal for the SDs")]
    thin_share: Annotated[float, Field(description="share of the posterior beyond ten times the proposal's density")]
    quadrature_error: Annotated[float, Field(description="SD of the error of log L over the posterior")]


@closed
class ExplorationRecord(TypedDict):
    """How an exploratory analysis was come upon."""

    settings_tried: Annotated[int, Field(description="different settings tried on the table, this one included")]
    changes: Annotated[list[str], Field(description="how it differs from the analysis that was begun with, in words")]


@closed
class ProvenanceRecord(TypedDict):
    """How the posterior was computed."""

    engine: Engine
    engine_asked: Engine
    fallback_reason: Annotated[str | None, Field(description="why the engine is not the one asked for")]
    settings: SettingsRecord
    tries: int
    first_failures: Annotated[list[str], Field(description="why a second attempt was made")]
    weights: Annotated[WeightsRecord | None, Field(description="null by NUTS")]
    versions: dict[str, str]
    seconds: Annotated[dict[str, float], Field(description="wall time of each step")]
    exploration: NotRequired[
        Annotated[ExplorationRecord, Field(description="only of an analysis kept from `explore` that is not its base")]
    ]


@closed
class ExceedanceRow(GroupRow):
    """The probability that a rate exceeds a limit."""

    estimand: Annotated[
        Literal["typical", "mean", "next_cohort", "these_cohorts"],
        Field(description="these_cohorts: of a unit that may be on its own, its own rate"),
    ]
    over: Annotated[str, Field(description="the patients averaged over; empty: the row's own")]
    above: Annotated[float, Field(gt=0, lt=1, description="the limit, a proportion")]
    probability: Annotated[float, Field(ge=0, le=1)]
    mcse: Annotated[float, Field(ge=0, description="Monte Carlo standard error of the probability")]


@closed
class RateAtRow(ErrorsRow):
    """A rate at values of moderators."""

    at: Annotated[dict[str, str], Field(description="the values, by column of the table")]
    over: Annotated[str, Field(description="the patients averaged over")]
    averaged: Annotated[
        str, Field(description="the model's other columns, which keep these patients' values; empty if there is none")
    ]
    predicted: Annotated[
        float, Field(ge=0, le=1, description="share of these patients with a combination that no cohort has")
    ]
    extrapolated: Annotated[
        bool,
        Field(description="true if a number lies beyond those of the cohorts, of the levels that it interacts with"),
    ]
    estimand: Literal["typical", "mean", "next_cohort"]
    mean: Proportion
    median: Proportion
    sd: Annotated[float, Field(ge=0, description="posterior SD, a proportion")]
    low: Proportion
    high: Proportion


@closed
class FitDocument(TypedDict):
    """The results of a fit."""

    model: str
    question: str
    link: Literal["logit", "probit", "cloglog"]
    outcome: OutcomeRecord
    standard: Annotated[
        Standard,
        Field(description="over whose patients levels are averaged: the same ones, or each level's own"),
    ]
    interval_prob: Annotated[
        float, Field(ge=0.5, lt=1, description="probability of every interval: credible, confidence and prediction")
    ]
    chosen: Annotated[str | None, Field(description="why this model was chosen, if none was named")]
    unnamed: Annotated[list[UnnamedRecord] | None, Field(description="null if not tested")]
    unexamined: Annotated[list[UnexaminedRecord] | None, Field(description="null if not tested")]
    engine: Engine
    evidence: EvidenceRecord
    diagnostics: DiagnosticsRecord
    pooled: list[PooledRow]
    heterogeneity: list[HeterogeneityRow]
    heterogeneity_unit: Annotated[
        str | None,
        Field(description='units above cohorts that differ in the model, such as "trial"; null if it has none'),
    ]
    exchangeability: NotRequired[
        Annotated[list[ExchangeabilityRow], Field(description="empty unless units may be on their own (EXNEX)")]
    ]
    contrasts: list[ContrastRow]
    classical: list[ClassicalRow]
    exceedance: Annotated[list[ExceedanceRow], Field(description="empty if no limit was asked for")]
    rates_at: NotRequired[
        Annotated[list[RateAtRow], Field(description="only in the output of `summary`, where values were asked for")]
    ]
    notes: list[str]
    note_kinds: Annotated[list[str], Field(description="the subject of each note")]
    provenance: ProvenanceRecord
    cross_check: NotRequired[CrossCheckRecord]


@closed
class RunDocument(FitDocument):
    """The contents of `run.json`."""

    schema: Literal[2]
    command: Annotated[str, Field(description="the command line that made the run")]
    written: Annotated[str, Field(description="local time, ISO 8601")]
    files: Annotated[dict[str, str], Field(description="SHA-256 of every other file of the run")]
    content_sha256: Annotated[str, Field(description="SHA-256 of everything else in this document")]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `run.json`."""
    return TypeAdapter(RunDocument).json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "run.json of alkbayes",
    }
