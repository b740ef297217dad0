"""Systemic and intracranial response side by side, and the sensitivity of the intracranial contrasts to the priors.

Three fits: the systemic model on all cohorts; the intracranial model; and the intracranial model on the systemic counts
of the same cohorts, a like-for-like comparison of the two outcomes. The patients still differ: the systemic counts
include all patients of a cohort, the intracranial ones those with measurable brain lesions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alkbayes.errors import SamplingError
from alkbayes.estimates.monte_carlo import error_columns_of, mean_error_of
from alkbayes.estimates.rates import (
    ERROR_COLUMNS,
    NO_DIFFERENCE,
    contrast_draws,
    pooled_table,
    posterior_of,
)
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.restriction import trials_of
from alkbayes.model.summary import summarise
from alkbayes.parallel import Progress
from alkbayes.sensitivity_analysis import edits
from alkbayes.sensitivity_analysis.edits import Change, Edit, Inapplicable
from alkbayes.sensitivity_analysis.power_scaling import PowerScaling, power_scaling
from alkbayes.text.wording import counted
from alkbayes.vocabulary import INTERVAL_PROB, Estimand, label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

GENERATION = "regimen_class"
SYSTEMIC, SAME, BRAIN = "systemic", "systemic, same cohorts", "intracranial"
SHOWN = (Estimand.TYPICAL, Estimand.MEAN)
MAIN = "the model's own priors"
FEW = 3
"""Cohorts up to which a generation has them listed by name."""

CONTRAST_COLUMNS = (
    *(
        "alternative",
        "of_prior",
        "cohorts",
        "contrast",
        "first",
        "second",
        "scale",
        "mean",
        "median",
        "sd",
        "low",
        "high",
    ),
    *("prob_better", "mcse_prob", *ERROR_COLUMNS),
)

FIXED_SD = 2.0
"""Prior SD of the differences between generations when each has its own parameter."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """An alternative analysis: another prior for the intracranial model, or fewer cohorts.

    Attributes
    ----------
    name
        Label of its rows.
    of_prior
        True if it changes a prior, False if it leaves cohorts out.
    edit
        Function from model and table to the changed ones.
    """

    name: str
    of_prior: bool
    edit: Edit


@dataclass(frozen=True, slots=True)
class IntracranialAnalysis:
    """Systemic and intracranial response side by side.

    Attributes
    ----------
    rates
        Rows of :func:`alkbayes.estimates.rates.pooled_table` for `typical` and `mean`, preceded by `side`: "systemic",
        "systemic, same cohorts" or "intracranial". `patients` are those counted for that side.
    contrasts
        Contrasts between generations in the intracranial model, under its own priors first, then under each
        alternative: columns alternative, of_prior (True if it changes a prior), cohorts, contrast ("third vs first"),
        first, second (its two levels), scale and the other columns of
        :func:`alkbayes.estimates.rates.contrast_table`, with sd, and mcse_prob of prob_better.
    left_out
        Alternatives that could not be fitted, each with the reason.
    carried_by
        Sentences on the cohorts and trials behind the comparison of generations.
    brain, systemic
        Fits of the intracranial and of the systemic model.
    """

    rates: pd.DataFrame
    contrasts: pd.DataFrame
    left_out: dict[str, str]
    scaling: PowerScaling
    carried_by: tuple[str, ...]
    brain: Fit
    systemic: Fit

    @property
    def failures(self) -> tuple[str, ...]:
        """Convergence failures of the two fits."""
        return (*self.systemic.diagnostics.failures, *self.brain.diagnostics.failures)


def _generations_fixed(spec: "Spec", evidence: "Evidence") -> Change | Inapplicable:
    """Give each generation's difference from the first one a wide prior of its own."""
    levels = set(evidence.frame[GENERATION])
    reference = "first" if "first" in levels else min(levels)
    fixed = {
        "kind": "fixed",
        "column": GENERATION,
        "reference": reference,
        "prior": {"dist": "normal", "mean": 0.0, "sd": FIXED_SD},
        "why": "nothing is shared between generations",
    }
    effects = [fixed if effect.columns == (GENERATION,) else effect.model_dump() for effect in spec.effect]
    return Change(edits.rewritten(spec, effect=effects), evidence)


def _half_normal(sd: float) -> dict[str, str | float]:
    return {"dist": "half_normal", "sd": sd}


def _own_review(spec: "Spec", evidence: "Evidence") -> Change | Inapplicable:
    """Keep the cohorts with independently reviewed intracranial responses."""
    return edits.only("ic_assessor", "irc")(spec, evidence)


WHY = "another prior"
ALTERNATIVES = (
    Alternative("generations alike: SD half-normal 0.25", True, edits.every_effect_sd(0.25, WHY)),
    Alternative("as systemic: SD half-normal 0.5", True, edits.every_effect_sd(0.5, WHY)),
    Alternative("generations apart: SD half-normal 2", True, edits.every_effect_sd(2.0, WHY)),
    Alternative(f"generations fixed: normal 0, {FIXED_SD:g}", True, _generations_fixed),
    Alternative("heterogeneity small: half-normal 0.25", True, edits.every_tau(_half_normal(0.25), WHY)),
    Alternative("heterogeneity large: half-normal 1", True, edits.every_tau(_half_normal(1.0), WHY)),
    Alternative("lines apart: normal 0, 2", True, edits.first_fixed(2.0, WHY)),
    Alternative("read independently (ic_assessor irc)", False, _own_review),
)
"""Alternative analyses for the contrasts between generations."""


def intracranial_analysis(
    spec: "Spec",
    evidence: "Evidence",
    *,
    systemic: "tuple[Spec, Evidence]",
    settings: SamplerSettings | None = None,
    prob: float = INTERVAL_PROB,
    progress: Progress | None = None,
) -> IntracranialAnalysis:
    """Fit both models by quadrature, and the intracranial one under other priors too.

    Parameters
    ----------
    spec, evidence
        Intracranial model, and the table with its outcome.
    systemic
        Model and table of the systemic response.
    prob
        Probability of the intervals, in (0, 1).
    progress
        Called with the number of fits done and the total.

    Raises
    ------
    SamplingError
        If one of the three main fits fails.
    """
    settings = settings or SamplerSettings()
    total, done = 3 + len(ALTERNATIVES), 0

    def fitted(spec: "Spec", evidence: "Evidence") -> Fit:
        nonlocal done
        fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, interval_prob=prob)
        done += 1
        if progress is not None:
            progress(done, total)
        return fit

    brain = fitted(spec, evidence)
    whole = fitted(*systemic)
    same = fitted(edits.rewritten(spec, outcome=None), _same_cohorts(systemic[1], evidence))
    fits = {MAIN: brain}
    left_out = {}
    for alternative in ALTERNATIVES:
        changed = alternative.edit(spec, evidence)
        if isinstance(changed, Inapplicable):
            left_out[alternative.name] = changed.reason
            continue
        try:
            fit = fitted(changed.spec, changed.evidence)
        except SamplingError as error:
            left_out[alternative.name] = str(error)
            continue
        if fit.diagnostics.converged:
            fits[alternative.name] = fit
        else:
            left_out[alternative.name] = "; ".join(fit.diagnostics.failures)
    of_prior = {alternative.name: alternative.of_prior for alternative in ALTERNATIVES}
    return IntracranialAnalysis(
        rates=pd.concat(
            [_rates(side, fit) for side, fit in ((SYSTEMIC, whole), (SAME, same), (BRAIN, brain))], ignore_index=True
        ),
        contrasts=pd.concat(
            [_contrasts(name, fit, of_prior=of_prior.get(name, True)) for name, fit in fits.items()], ignore_index=True
        ),
        left_out=left_out,
        scaling=power_scaling(brain),
        carried_by=tuple(_carried_by(evidence)),
        brain=brain,
        systemic=whole,
    )


def _same_cohorts(systemic: "Evidence", brain: "Evidence") -> "Evidence":
    """Return the systemic counts of the cohorts with intracranial ones."""
    kept = systemic.frame["cohort_id"].isin(brain.frame["cohort_id"])
    return systemic.part(kept.to_numpy())


def _rates(side: str, fit: Fit) -> pd.DataFrame:
    pooled = pooled_table(posterior_of(fit), error_columns_of(fit))
    shown = pooled[pooled["estimand"].isin(SHOWN)].reset_index(drop=True)
    shown.insert(0, "side", side)
    return shown


def _contrasts(alternative: str, fit: Fit, *, of_prior: bool) -> pd.DataFrame:
    errors, mean_error = error_columns_of(fit), mean_error_of(fit)
    about = {"alternative": alternative, "of_prior": of_prior, "cohorts": len(fit.design.cohorts)}
    rows = []
    for compared, scale, draws in contrast_draws(posterior_of(fit)):
        contrast = compared.contrast
        if contrast.column == label_of(GENERATION):
            better = (draws > NO_DIFFERENCE[scale]).astype(np.float64)
            found = {"prob_better": float(better.mean()), "mcse_prob": mean_error(better)}
            shown = {name: value for name, value in contrast.as_row().items() if name != "column"} | {"scale": scale}
            rows.append(about | shown | summarise(draws, prob=fit.interval_prob) | found | dict(errors(draws)))
    return pd.DataFrame(rows, columns=list(CONTRAST_COLUMNS))


def _carried_by(evidence: "Evidence") -> Iterator[str]:
    """Yield the cohorts of sparse generations, and the trials with several generations."""
    frame = evidence.frame
    for level in dict.fromkeys(frame[GENERATION]):
        members = frame[frame[GENERATION] == level]
        if len(members) <= FEW:
            columns = (members[name].tolist() for name in ("cohort_id", "responders", "n"))
            each = ", ".join(f"{cohort} {y}/{n}" for cohort, y, n in zip(*columns, strict=True))
            yield (
                f"Generation {level} is {counted(len(members), 'cohort')} of {members['n'].sum():,} patients: {each}. "
                "Every contrast with it rests on these."
            )
    trials = trials_of(evidence) or ()
    several = [trial.name for trial in trials if len(set(frame[GENERATION].iloc[trial.cohorts])) > 1]
    if trials:
        named = f" ({', '.join(several)})" if several else ""
        yield (
            f"{counted(len(several), 'trial')} of {len(trials)}{named} {'has' if len(several) == 1 else 'have'} "
            "cohorts of several generations; all other comparisons are between trials."
        )
