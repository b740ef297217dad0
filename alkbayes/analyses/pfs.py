"""Median progression-free survival: the weighted mean of medians that reviews report, beside a model.

The model is fitted to every median and every bound, then without the medians not reached, and then under each
alternative assumption about reported medians.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import MEDIAN_MODEL
from alkbayes.alk.review import RECONSTRUCTION
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
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import trial_labels
from alkbayes.inference.importance.medians import MedianPosterior, prior_medians, sample_medians
from alkbayes.inference.settings import DEFAULT_SEED, MAX_SEED, MAX_STEPS
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import Structure, build_structure
from alkbayes.model.prior_implications import CENTRAL
from alkbayes.model.profiles import groups_of
from alkbayes.spec.medians import MedianSpec, read_median_spec
from alkbayes.spec.schema import model_path
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.notes import Note, NoteKind, notes_of
from alkbayes.text.wording import counted
from alkbayes.vocabulary import GROUP_COLUMNS, INTERVAL_PROB, Estimand

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

type Array = NDArray[np.float64]

DEFAULT_DRAWS = 8000
"""Posterior draws; the command line has the same default."""
LEAST_DRAWS = 100
PRIOR_DRAWS = 20_000
ASSUMPTION_DRAWS = 2000
"""Maximum draws of a fit under other assumptions, which is for comparison and not for quotation."""
REVIEW = {"naive": 13.8, "pretreated": 9.8}
"""Weighted median PFS in months as published in the review."""
WITH_ERRORS = ["median", "low", "high", "mcse_median", "mcse_low", "mcse_high"]
ASSUMPTION_COLUMNS = ["assumption", *GROUP_COLUMNS, *WITH_ERRORS, "failed"]
WITHOUT = Assumptions("not reached left out", not_reached="left out")

MEAN_NO_MEDIAN = (
    "A mean of medians is not the median of the pooled patients, and its bootstrap interval ignores how "
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
    """JSON record of :class:`PfsResults`, with its tables as rows; undefined numbers are None."""

    evidence: dict[str, Any]
    interval_prob: float
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
    declared: NotRequired[dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class PfsResults:
    """Results for median PFS, in months throughout.

    Attributes
    ----------
    known
        Numbers of medians reported, not reached and not reported.
    weighted
        Columns group, level, k, trials, patients, estimate, low, high, note (mean of medians with its bootstrap
        interval over trials); not_reached, the number of cohorts it cannot use; at_least, the mean with these at their
        bounds; review, the value published in the review (NaN if it has none, and for other tables).
    pooled, contrasts, heterogeneity, cohorts
        Results of the model; see :mod:`alkbayes.estimates.medians`.
    left_out
        Columns group, level, estimand, k, median, low, high and their Monte Carlo errors (mcse_median, ...), and the
        same with the suffix "_without": without the medians not reached. Empty if all were reached.
    assumptions
        Columns assumption, group, level, median, low, high and their Monte Carlo errors: `typical` for all cohorts and
        each level of the first effect, under other assumptions about reported medians; failed: failures of the
        convergence gate, empty if there are none.
    posterior
        Draws of the model, with the convergence gate.
    failures
        Gate failures of the fit to everything or of that without medians not reached; empty if there are none.
    notes, cautions
        Sentences on the results, and warnings against misreading them.
    interval_prob
        Probability of all intervals but those that were printed.
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
    interval_prob: float

    @property
    def converged(self) -> bool:
        """True if the posterior passed its gate."""
        return not self.failures

    @property
    def table(self) -> pd.DataFrame:
        """Pooled medians with each group's mean of medians in columns `weighted_...`."""
        key = ["group", "level"]
        weighted = self.weighted.drop(columns="not_reached").set_index(key).add_prefix("weighted_").reset_index()
        return self.pooled.merge(weighted, on=key).assign(converged=self.converged)

    def to_dict(self) -> PfsRecord:
        """Return everything as JSON values."""
        posterior, named = self.posterior, ("source", "sha256", "cohorts", "trials", "patients")
        record = PfsRecord(
            evidence={name: getattr(self.evidence, name) for name in named},
            interval_prob=self.interval_prob,
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
            declared=self.spec.declared.as_record(),
        )
        plain: PfsRecord = finite_or_none(record)
        return plain


def pfs_results(
    evidence: "Evidence",
    spec: MedianSpec | None = None,
    *,
    seed: int = DEFAULT_SEED,
    draws: int = DEFAULT_DRAWS,
    prob: float = INTERVAL_PROB,
) -> PfsResults:
    """Analyse median PFS.

    Parameters
    ----------
    evidence
        Table with the columns for median PFS (alkbayes/data/SCHEMA.md) and those of the model.
    spec
        Model; the bundled one if None.
    seed
        Random seed for draws and resamples.
    draws
        Number of posterior draws.
    prob
        Probability of the intervals, in (0, 1).

    Raises
    ------
    UsageError
        If seed or draws are out of range.
    EvidenceError
        If the table lacks a column, breaks a rule, or has no median.
    SamplingError
        If no posterior could be drawn.
    """
    for name, value, low, high in (("seed", seed, 0, MAX_SEED), ("draws", draws, LEAST_DRAWS, MAX_STEPS)):
        if not low <= value <= high:
            raise UsageError(f"--{name}: found {value}; allowed: {low} to {high:,}.")
    spec = spec or read_median_spec(model_path(MEDIAN_MODEL))
    check_medians(evidence, needed=spec.needed)
    said, evidence = len(evidence.notes), stated_cohorts(spec, evidence)
    medians = medians_of(evidence)
    known = known_of(evidence, medians)
    structure = build_structure(spec, medians.frame, medians.patients)
    posterior = sample_medians(structure, medians, seed=seed, draws=draws)
    pooled = pooled_medians(posterior, medians, seed=seed, prob=prob)
    failures = list(posterior.failures)
    left_out = pd.DataFrame()
    if known.not_reached and known.medians:
        fewer, other = _fitted(evidence, spec, WITHOUT, seed=seed, draws=draws)
        left_out = _side_by_side(pooled, pooled_medians(other, fewer, seed=seed, prob=prob))
        failures += [f"without those not reached: {failure}" for failure in other.failures]
    weighted = _weighted_table(structure, medians, bundled=evidence.bundled, seed=seed, prob=prob)
    assumptions = [_typical(pooled, BASE, posterior)]
    for alternative in other_assumptions(medians):
        read, other = _fitted(evidence, spec, alternative, seed=seed, draws=min(draws, ASSUMPTION_DRAWS))
        assumptions.append(_typical(pooled_medians(other, read, seed=seed, prob=prob), alternative, other))
    contrasts = median_contrasts(posterior, prob=prob)
    return PfsResults(
        evidence=evidence,
        spec=spec,
        known=known,
        weighted=weighted,
        pooled=pooled,
        contrasts=contrasts,
        heterogeneity=median_heterogeneity(posterior, medians, prob=prob),
        cohorts=median_cohorts(posterior, medians, prob=prob),
        left_out=left_out,
        assumptions=pd.concat(assumptions, ignore_index=True)[ASSUMPTION_COLUMNS],
        posterior=posterior,
        failures=tuple(failures),
        notes=(*evidence.notes[said:], *_sentences(known, medians, weighted, left_out), *structure.notes),
        cautions=notes_of(
            *CAUTIONS,
            *([Note(NoteKind.NOT_RANDOMISED, ORR.not_randomised(evidence.trials))] if len(contrasts) else []),
            *([Note(NoteKind.RECONSTRUCTION, RECONSTRUCTION)] if evidence.bundled else []),
        ),
        settings={"seed": seed, "draws": draws, "resamples": RESAMPLES},
        interval_prob=prob,
    )


def other_assumptions(medians: Medians) -> tuple[Assumptions, ...]:
    """Return the alternative assumptions about reported medians that matter for this table."""
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
    """Return the implications of a model's priors for medians.

    Returns
    -------
    pandas.DataFrame
        Columns quantity ("typical median, months"; "ratio of medians"), of, median, low, high.
    """
    check_medians(evidence, needed=spec.needed)
    evidence = stated_cohorts(spec, evidence)
    medians = medians_of(evidence)
    structure = build_structure(spec, medians.frame, medians.patients)
    prior = prior_medians(structure, medians, seed=seed, draws=PRIOR_DRAWS)
    rows = [
        {"quantity": "typical median, months", "of": " ".join(dict.fromkeys((row["group"], row["level"])))} | row
        for row in records(typical_medians(prior, prob=CENTRAL))
    ]
    rows += [
        {"quantity": "ratio of medians", "of": f"{row['column']} {row['contrast']}"} | row
        for row in records(median_contrasts(prior, prob=CENTRAL))
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
    """Return `typical` for all cohorts and each level of the first effect, under these assumptions."""
    first = list(dict.fromkeys(pooled["group"]))[:2]
    rows = pooled[(pooled["estimand"] == Estimand.TYPICAL) & pooled["group"].isin(first)]
    return rows.assign(assumption=assumptions.name, failed="; ".join(posterior.failures))


def _side_by_side(pooled: pd.DataFrame, without: pd.DataFrame) -> pd.DataFrame:
    key, numbers = [*GROUP_COLUMNS, "estimand"], ["k", *WITH_ERRORS]
    return pooled[key + numbers].merge(without[key + numbers], on=key, how="left", suffixes=("", "_without"))


def _weighted_table(structure: Structure, medians: Medians, *, bundled: bool, seed: int, prob: float) -> pd.DataFrame:
    trials = np.array(trial_labels(medians.frame) or medians.frame["cohort_id"])
    months = np.exp(np.where(medians.reached, medians.log_median, medians.log_bound))
    rows = []
    for group in groups_of(structure):
        used = group.members & medians.reached
        # One seed for all groups: an interval does not depend on which other groups a table has.
        rng = np.random.default_rng([seed, 2])
        mean = weighted_mean(months[used], medians.patients[used], trials[used].tolist(), rng=rng, prob=prob)
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
    """Yield sentences on the results."""
    has = "has" if known.medians == 1 else "have"
    yield (
        f"{known.medians} of {counted(known.cohorts, 'cohort')} {has} a median PFS: {known.both_limits} with both "
        f"limits of its interval, {known.one_limit} with one, {known.no_limit} with none. {_missed(known, medians)} "
        f"For {known.not_reported} none was extracted."
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
                f"{row['level']}: without the {counted(int(missed), 'cohort')} not reached, the typical median changes "
                f"from {row['median']:.1f} to {row['median_without']:.1f} months; the mean of medians leaves them out "
                f"({plain['estimate']:.1f}), and would be at least {plain['at_least']:.1f} with them."
            )
    printed = [row for row in records(weighted) if row["review"] is not None]
    for row in printed:
        yield (
            f"{row['level']}: the review printed a weighted median of {row['review']:.1f} months; in this table it is "
            f"{row['estimate']:.1f} ({row['low']:.1f}–{row['high']:.1f})."
        )


def _missed(known: Known, medians: Medians) -> str:
    """Return a sentence on the medians not reached."""
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
