"""The contrasts that single arms suggest: from cohorts of other trials, unpaired, by the hierarchical models.

Trials of the randomised table are left out of the cohorts, so that the two sources are independent and the distance
between them has the variance of both.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import DEFAULT_MODEL, MEDIAN_MODEL
from alkbayes.estimates.rates import contrast_draws, posterior_of
from alkbayes.evidence.medians import medians_of
from alkbayes.evidence.randomised import CLASS, TRIAL, RandomisedTable
from alkbayes.evidence.table import Evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.medians import sample_medians
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import build_structure
from alkbayes.model.profiles import compared_levels, distinct_profiles
from alkbayes.spec.medians import read_median_spec
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import label_of

type Array = NDArray[np.float64]
type Contrasts = dict[tuple[str, str], Array]
"""Log ratios of the first named treatment against the second, shape (draw,)."""

MODELS = {CLASS: DEFAULT_MODEL, "agent": "agent"}
"""Model of the cohorts' response for each column of treatments."""
ADJUSTED = {
    DEFAULT_MODEL: "treatment line and prior ALK TKI",
    "agent": "treatment line, not for prior ALK TKIs",
    MEDIAN_MODEL: "treatment line, not for prior ALK TKIs",
}
"""What each model adjusts for."""
GENERATION = "regimen_class"
NOT_ALONE = ("combination", "experimental")
"""Classes of regimens whose agents are not those of the trials."""


@dataclass(frozen=True, slots=True)
class SingleArms:
    """What cohorts of single arms say of treatments.

    Attributes
    ----------
    model
        Name of the model.
    contrasts
        Log odds ratios, or log ratios of medians.
    cohorts, patients
        By treatment.
    failures
        Failures of the convergence gate.
    """

    model: str
    contrasts: Contrasts
    cohorts: dict[str, int]
    patients: dict[str, int]
    failures: tuple[str, ...]


def other_cohorts(evidence: Evidence, table: RandomisedTable) -> Evidence:
    """Return the cohorts of trials that are not in the table of randomised trials."""
    trials = set(table.frame[TRIAL])
    registered = set(table.frame["registry_id"]) - {""}
    frame = evidence.frame
    return evidence.part(~(frame["trial"].isin(trials) | frame["registry_id"].isin(registered)).to_numpy())


def response_contrasts(evidence: Evidence, by: str, settings: SamplerSettings) -> SingleArms:
    """Return log odds ratios of response between treatments, for the same patients.

    Raises
    ------
    SamplingError
        If the posterior can be neither integrated nor sampled.
    """
    fit = fit_model(read_spec(model_path(MODELS[by])), evidence, engine=Engine.QUADRATURE, settings=settings)
    contrasts = _class_contrasts(fit) if by == CLASS else _agent_contrasts(fit, evidence)
    return SingleArms(MODELS[by], contrasts, *_sizes(evidence.frame, by), fit.diagnostics.failures)


def median_contrasts(evidence: Evidence, *, seed: int, draws: int) -> SingleArms:
    """Return log ratios of median PFS between classes, for the same patients."""
    spec = read_median_spec(model_path(MEDIAN_MODEL))
    medians = medians_of(stated_cohorts(spec, evidence))
    structure = build_structure(spec, medians.frame, medians.patients)
    posterior = sample_medians(structure, medians, seed=seed, draws=draws)
    profiles, of_cohort = distinct_profiles(structure)
    contrasts: Contrasts = {}
    for compared in compared_levels(structure, posterior.draws, profiles, of_cohort):
        if compared.contrast.column == label_of(GENERATION):
            log_ratio = (compared.one - compared.other) @ compared.share
            first, second = compared.contrast.first, compared.contrast.second
            contrasts |= {(first, second): log_ratio, (second, first): -log_ratio}
    frame = medians.frame.assign(n=medians.patients)
    return SingleArms(spec.name, contrasts, *_sizes(frame, CLASS), posterior.failures)


def _class_contrasts(fit: Fit) -> Contrasts:
    """Return the contrasts of classes that a fit prints, in both directions."""
    contrasts: Contrasts = {}
    for compared, scale, draws in contrast_draws(posterior_of(fit)):
        if compared.contrast.column == label_of(GENERATION) and scale == "odds_ratio":
            first, second = compared.contrast.first, compared.contrast.second
            contrasts |= {(first, second): np.log(draws), (second, first): -np.log(draws)}
    return contrasts


def _agent_contrasts(fit: Fit, evidence: Evidence) -> Contrasts:
    """Return the contrasts of agents, each with the effect of its class: the model has agents within classes."""
    posterior = fit.tree["posterior"]

    def levels(label: str) -> dict[str, Array]:
        values = posterior[f"effect_{label}"].to_numpy()
        return dict(zip(map(str, posterior[label].to_numpy()), values.reshape(-1, values.shape[-1]).T, strict=True))

    generations, agents = levels(label_of(GENERATION)), levels("agent")
    alone = evidence.frame[~evidence.frame[GENERATION].isin(NOT_ALONE)]
    pairs = dict(zip(alone["agent"], alone[GENERATION], strict=True))
    effects = {name: generations[generation] + agents[name] for name, generation in pairs.items()}
    return {
        (first, second): effects[first] - effects[second] for first in effects for second in effects if first != second
    }


def _sizes(frame: pd.DataFrame, by: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of cohorts and of patients of each treatment given alone."""
    alone = frame[~frame[GENERATION].isin(NOT_ALONE)]
    groups = alone.groupby(GENERATION if by == CLASS else by)["n"]
    cohorts, patients = groups.size().to_dict(), groups.sum().to_dict()
    return {str(k): int(v) for k, v in cohorts.items()}, {str(k): int(v) for k, v in patients.items()}
