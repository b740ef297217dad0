"""Median progression-free survival of a table: the mean of medians that reviews print, and a model beside it.

The model is fitted to every median and every bound, once more without the medians that were not reached, and once under
each other assumption about printed medians.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.classical.published.mean_of_medians import RESAMPLES, weighted_mean
from alkbayes.errors import UsageError
from alkbayes.estimates.medians import (
    median_cohorts,
    median_contrasts,
    median_heterogeneity,
    pooled_medians,
    typical_medians,
)
from alkbayes.evidence.medians import (
    BASE,
    EXPONENTIAL,
    Assumptions,
    Known,
    Medians,
    check_medians,
    known_of,
    medians_of,
)
from alkbayes.evidence.table import RECONSTRUCTION, trial_labels
from alkbayes.inference.importance.medians import MedianPosterior, prior_medians, sample_medians
from alkbayes.inference.settings import DEFAULT_SEED, MAX_SEED, MAX_STEPS
from alkbayes.model.design import Structure, build_structure
from alkbayes.model.profiles import groups_of
from alkbayes.spec.medians import MedianSpec, read_median_spec
from alkbayes.spec.schema import model_path
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.notes import Note, NoteKind, notes_of
from alkbayes.text.wording import counted
from alkbayes.vocabulary import GROUP_COLUMNS, MEDIAN_MODEL, NOT_RANDOMISED, Estimand

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

type Array = NDArray[np.float64]

DEFAULT_DRAWS = 8000
"""Of the posterior; the command line has the same."""
LEAST_DRAWS = 100
PRIOR_DRAWS = 20_000
ASSUMPTION_DRAWS = 2000
"""Of a fit under other assumptions, at most: it is there to be compared, not quoted."""
REVIEW = {"naive": 13.8, "pretreated": 9.8}
"""Weighted median PFS in months that the review printed."""
WITH_ERRORS = ["median", "low", "high", "mcse_median", "mcse_low", "mcse_high"]
ASSUMPTION_COLUMNS = ["assumption", *GROUP_COLUMNS, *WITH_ERRORS, "failed"]
WITHOUT = Assumptions("not reached left out", not_reached="left out")

MEAN_NO_MEDIAN = (
    "A mean of medians is not the median of the pooled patients, and its bootstrap interval knows nothing of how "
    "uncertain each median is."
)
DIFFERENT_FOLLOW_UP = (
    "Medians of different cohorts come from different follow-up, scan schedules and assessors (independent or "
    "investigator)."
)
RATIO_NO_HAZARD = (
    "A ratio of medians is the inverse of a hazard ratio only where survival is exponential in both; with other "
    "curves it is not."
)
CAUTIONS = (MEAN_NO_MEDIAN, DIFFERENT_FOLLOW_UP, RATIO_NO_HAZARD)


class PfsRecord(TypedDict):
    """What is said of median PFS as JSON holds it; a number that there is none of is None.

    Rows are those of the tables of :class:`PfsResults`.
    """

    evidence: dict[str, Any]
    model: str
    question: str
    known: dict[str, Any]
    weighted: list[dict[str, Any]]
    pooled: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    heterogeneity: list[dict[str, Any]]
    cohorts: list[dict[str, Any]]
    left_out: list[dict[str, Any]]
    assumptions: list[dict[str, Any]]
    diagnostics: dict[str, Any]
    settings: dict[str, int]
    notes: list[str]
    cautions: list[str]


@dataclass(frozen=True, slots=True)
class PfsResults:
    """What is said of median PFS; months throughout.

    Attributes
    ----------
    evidence
        The table.
    spec
        The model.
    known
        How many medians there are, how many were not reached, how many not reported.
    weighted
        Columns group, level, k, trials, patients, estimate, low, high, note (the mean of medians with its bootstrap
        interval over trials); not_reached, the cohorts that it cannot use; at_least, the mean with these at their
        bounds; review, what the published review printed (NaN where it printed nothing, and for other tables).
    pooled, contrasts, heterogeneity, cohorts
        Of the model; see :mod:`alkbayes.estimates.medians`.
    left_out
        Columns group, level, estimand, k, median, low, high and their Monte Carlo errors (mcse_median, ...), and
        the same with the ending "_without": without the medians that were not reached. No rows where all were reached.
    assumptions
        Columns assumption, group, level, median, low, high and their Monte Carlo errors: `typical` of all cohorts and
        of each level of the first effect, under other assumptions about printed medians; failed: what failed the gate
        there, empty if nothing did.
    posterior
        Draws of the model, with the convergence gate.
    failures
        What failed the gate in the fit of everything or in that without those not reached; empty if nothing did.
    notes
        Sentences on what the numbers come to.
    cautions
        How none of them may be read.
    settings
        Seed, draws and resamples.
    """

    evidence: "Evidence"
    spec: MedianSpec
    known: Known
    weighted: pd.DataFrame
    pooled: pd.DataFrame
    contrasts: pd.DataFrame
    heterogeneity: pd.DataFrame
    cohorts: pd.DataFrame
    left_out: pd.DataFrame
    assumptions: pd.DataFrame
    posterior: MedianPosterior
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    cautions: tuple[Note, ...]
    settings: dict[str, int]

    @property
    def converged(self) -> bool:
        """Whether the posterior passed its gate."""
        return not self.failures

    @property
    def table(self) -> pd.DataFrame:
        """The pooled medians with, in each row of a group, its mean of medians in columns `weighted_...`."""
        key = ["group", "level"]
        weighted = self.weighted.drop(columns="not_reached").set_index(key).add_prefix("weighted_").reset_index()
        return self.pooled.merge(weighted, on=key).assign(converged=self.converged)

    def to_dict(self) -> PfsRecord:
        """Return everything as values that JSON can hold."""
        posterior, named = self.posterior, ("source", "sha256", "cohorts", "trials", "patients")
        record = PfsRecord(
            evidence={name: getattr(self.evidence, name) for name in named},
            model=self.spec.name,
            question=self.spec.question,
            known=asdict(self.known),
            weighted=records(self.weighted),
            pooled=records(self.pooled),
            contrasts=records(self.contrasts),
            heterogeneity=records(self.heterogeneity),
            cohorts=records(self.cohorts),
            left_out=records(self.left_out),
            assumptions=records(self.assumptions),
            diagnostics={
                "converged": self.converged,
                "pareto_k": posterior.pareto_k,
                "importance_ess": posterior.ess,
                "weighted": posterior.weighted,
                "failures": list(self.failures),
            },
            settings=self.settings,
            notes=list(self.notes),
            cautions=[note.text for note in self.cautions],
        )
        plain: PfsRecord = finite_or_none(record)
        return plain


def pfs_results(
    evidence: "Evidence",
    spec: MedianSpec | None = None,
    *,
    seed: int = DEFAULT_SEED,
    draws: int = DEFAULT_DRAWS,
) -> PfsResults:
    """Return what is said of median PFS.

    Parameters
    ----------
    evidence
        A table with columns of median PFS (alkbayes/data/SCHEMA.md) and those of the model.
    spec
        The model; the bundled one if None.
    seed
        Decides the draws and the resamples.
    draws
        Of the posterior.

    Raises
    ------
    UsageError
        If seed or draws are out of range.
    EvidenceError
        If the table lacks a column, breaks a rule, or knows no median.
    SamplingError
        If no posterior could be drawn.
    """
    for name, value, low, high in (("seed", seed, 0, MAX_SEED), ("draws", draws, LEAST_DRAWS, MAX_STEPS)):
        if not low <= value <= high:
            raise UsageError(f"--{name}: found {value}; allowed: {low} to {high:,}.")
    spec = spec or read_median_spec(model_path(MEDIAN_MODEL))
    check_medians(evidence, needed=spec.columns)
    medians = medians_of(evidence)
    known = known_of(evidence, medians)
    structure = build_structure(spec, medians.frame, medians.patients)
    posterior = sample_medians(structure, medians, seed=seed, draws=draws)
    pooled = pooled_medians(posterior, medians, seed=seed)
    failures = list(posterior.failures)
    left_out = pd.DataFrame()
    if known.not_reached and known.medians:
        fewer, other = _fitted(evidence, spec, WITHOUT, seed=seed, draws=draws)
        left_out = _side_by_side(pooled, pooled_medians(other, fewer, seed=seed))
        failures += [f"without those not reached: {failure}" for failure in other.failures]
    weighted = _weighted_table(structure, medians, bundled=evidence.bundled, seed=seed)
    assumptions = [_typical(pooled, BASE, posterior)]
    for alternative in other_assumptions(medians):
        read, other = _fitted(evidence, spec, alternative, seed=seed, draws=min(draws, ASSUMPTION_DRAWS))
        assumptions.append(_typical(pooled_medians(other, read, seed=seed), alternative, other))
    contrasts = median_contrasts(posterior)
    return PfsResults(
        evidence=evidence,
        spec=spec,
        known=known,
        weighted=weighted,
        pooled=pooled,
        contrasts=contrasts,
        heterogeneity=median_heterogeneity(posterior, medians),
        cohorts=median_cohorts(posterior, medians),
        left_out=left_out,
        assumptions=pd.concat(assumptions, ignore_index=True)[ASSUMPTION_COLUMNS],
        posterior=posterior,
        failures=tuple(failures),
        notes=(*_sentences(known, medians, weighted, left_out), *structure.notes),
        cautions=notes_of(
            *CAUTIONS,
            *([Note(NoteKind.NOT_RANDOMISED, NOT_RANDOMISED)] if len(contrasts) else []),
            *([Note(NoteKind.RECONSTRUCTION, RECONSTRUCTION)] if evidence.bundled else []),
        ),
        settings={"seed": seed, "draws": draws, "resamples": RESAMPLES},
    )


def other_assumptions(medians: Medians) -> tuple[Assumptions, ...]:
    """Return the other assumptions about printed medians that change something in a table."""
    kinds = {str(kind) for kind in medians.source}
    found = []
    if "patients" in kinds:
        found += [
            Assumptions("SE without limits: exponential, none censored", se_constant=EXPONENTIAL),
            Assumptions("SE without limits: twice as large", se_constant=2 * medians.se_constant),
        ]
    if "both limits" in kinds:
        found.append(Assumptions("intervals by their wider side", wider_side=True))
    if kinds & {"lower limit", "upper limit"}:
        found.append(Assumptions("one-sided limits not used", one_sided=False))
    if not medians.reached.all():
        found.append(Assumptions("not reached: bound as lower limit", not_reached="limit"))
    return tuple(found)


def prior_table(evidence: "Evidence", spec: MedianSpec, *, seed: int = DEFAULT_SEED) -> pd.DataFrame:
    """Return what a model's priors say of medians before any is read.

    Returns
    -------
    pandas.DataFrame
        Columns quantity ("typical median, months"; "ratio of medians"), of, median, low, high.
    """
    check_medians(evidence, needed=spec.columns)
    medians = medians_of(evidence)
    structure = build_structure(spec, medians.frame, medians.patients)
    prior = prior_medians(structure, medians, seed=seed, draws=PRIOR_DRAWS)
    rows = [
        {"quantity": "typical median, months", "of": " ".join(dict.fromkeys((row["group"], row["level"])))} | row
        for row in records(typical_medians(prior))
    ]
    rows += [
        {"quantity": "ratio of medians", "of": f"{row['column']} {row['contrast']}"} | row
        for row in records(median_contrasts(prior))
        if row["scale"] == "median_ratio"
    ]
    return pd.DataFrame(rows)[["quantity", "of", "median", "low", "high"]]


def _fitted(
    evidence: "Evidence", spec: MedianSpec, assumptions: Assumptions, *, seed: int, draws: int
) -> tuple[Medians, MedianPosterior]:
    """Return the medians under these assumptions, and their posterior."""
    medians = medians_of(evidence, assumptions)
    structure = build_structure(spec, medians.frame, medians.patients)
    return medians, sample_medians(structure, medians, seed=seed, draws=draws)


def _typical(pooled: pd.DataFrame, assumptions: Assumptions, posterior: MedianPosterior) -> pd.DataFrame:
    """Return `typical` of all cohorts and of each level of the first effect, under these assumptions."""
    first = list(dict.fromkeys(pooled["group"]))[:2]
    rows = pooled[(pooled["estimand"] == Estimand.TYPICAL) & pooled["group"].isin(first)]
    return rows.assign(assumption=assumptions.name, failed="; ".join(posterior.failures))


def _side_by_side(pooled: pd.DataFrame, without: pd.DataFrame) -> pd.DataFrame:
    key, numbers = [*GROUP_COLUMNS, "estimand"], ["k", *WITH_ERRORS]
    return pooled[key + numbers].merge(without[key + numbers], on=key, how="left", suffixes=("", "_without"))


def _weighted_table(structure: Structure, medians: Medians, *, bundled: bool, seed: int) -> pd.DataFrame:
    trials = np.array(trial_labels(medians.frame) or medians.frame["cohort_id"])
    months = np.exp(np.where(medians.reached, medians.log_median, medians.log_bound))
    rows = []
    for group in groups_of(structure):
        used = group.members & medians.reached
        # One seed for all groups: an interval does not depend on which other groups a table has.
        rng = np.random.default_rng([seed, 2])
        mean = weighted_mean(months[used], medians.patients[used], trials[used].tolist(), rng=rng)
        weights = medians.patients[group.members]
        rows.append(
            group.as_row()
            | asdict(mean)
            | {
                "not_reached": int((group.members & ~medians.reached).sum()),
                "at_least": float(months[group.members] @ weights / weights.sum()),
                "review": REVIEW.get(group.level, np.nan) if bundled else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _sentences(known: Known, medians: Medians, weighted: pd.DataFrame, left_out: pd.DataFrame) -> Iterator[str]:
    """Yield what the numbers come to."""
    yield (
        f"{known.medians} of {counted(known.cohorts, 'cohort')} have a median PFS: {known.both_limits} with both "
        f"limits of its interval, {known.one_limit} with one, {known.no_limit} with none. {_missed(known, medians)} "
        f"{known.not_reported} have none that was read."
    )
    if known.no_limit or known.not_reached:
        yield (
            f"Where no limit is printed, the standard error of the log median is {medians.se_constant:.2f} / "
            "sqrt(patients), by the cohorts that print both."
        )
    if known.skewed:
        yield (
            f"Skewed on the log scale, one side of the interval more than twice the other: {', '.join(known.skewed)}. "
            "Their standard error is the mean of both sides'."
        )
    for row in records(left_out):
        if row["group"] == "line" and row["estimand"] == Estimand.TYPICAL and row["k"] != row["k_without"]:
            missed = row["k"] - (row["k_without"] or 0)
            if row["median_without"] is None:
                continue
            plain = next(r for r in records(weighted) if (r["group"], r["level"]) == ("line", row["level"]))
            yield (
                f"{row['level']}: leaving the {counted(int(missed), 'cohort')} not reached out takes the typical "
                f"median from {row['median']:.1f} to {row['median_without']:.1f} months; the mean of medians leaves "
                f"them out ({plain['estimate']:.1f}), and would be at least {plain['at_least']:.1f} with them."
            )
    printed = [row for row in records(weighted) if row["review"] is not None]
    for row in printed:
        yield (
            f"{row['level']}: the review printed a weighted median of {row['review']:.1f} months; of this table it is "
            f"{row['estimate']:.1f} ({row['low']:.1f}-{row['high']:.1f})."
        )


def _missed(known: Known, medians: Medians) -> str:
    """Return what becomes of the medians that were not reached."""
    if not known.not_reached and not known.unusable:
        return "Of none is it known that it was not reached."
    bounds = zip(medians.frame["cohort_id"], np.exp(medians.log_bound).tolist(), strict=True)
    used = ", ".join(f"{name} > {bound:g}" for name, bound in bounds if np.isfinite(bound))
    text = f"In {len(known.not_reached) + len(known.unusable)} more the median was not reached"
    if known.not_reached:
        text += f"; {len(known.not_reached)} of these are used as bounds, in months ({used})"
    if known.unusable:
        text += f"; {len(known.unusable)} cannot be used, since no bound is known ({', '.join(known.unusable)})"
    return f"{text}."
