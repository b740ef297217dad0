"""Posteriors without some cohorts: refitted, or from the draws of the whole one, weighted anew."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design, Index
from alkbayes.model.restriction import restricted
from alkbayes.vocabulary import Standard

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec


@dataclass(frozen=True, slots=True)
class Without:
    """Inputs of a refit.

    Attributes
    ----------
    spec, standard, interval_prob
        Those of the fit.
    evidence, design
        Without the cohorts left out. Effects have the levels of the whole table.
    settings
        Those of the fit, with another seed.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design
    settings: SamplerSettings
    standard: Standard
    interval_prob: float


def without(fit: Fit, left_out: Index) -> Without:
    """Return the inputs of a refit without some cohorts.

    Its seed follows from the fit's and the cohorts left out, so it is reproducible in any process and order.
    """
    settings = fit.provenance.settings
    seed = int(np.random.SeedSequence([settings.seed, *left_out.tolist()]).generate_state(1)[0])
    kept = np.setdiff1d(np.arange(len(fit.design.cohorts)), left_out)
    return Without(
        fit.spec,
        fit.evidence.part(kept),
        restricted(fit.design, kept),
        replace(settings, seed=seed),
        fit.standard,
        fit.interval_prob,
    )


def refit(what: Without) -> Fit:
    """Return the posterior by quadrature, falling back to NUTS.

    Raises
    ------
    SamplingError
        If the sampler does not finish.
    """
    return fit_model(
        what.spec,
        what.evidence,
        engine=Engine.QUADRATURE,
        settings=what.settings,
        design=what.design,
        standard=what.standard,
        interval_prob=what.interval_prob,
    )


def by_quadrature(fit: Fit) -> Fit | None:
    """Return a posterior by quadrature, whose independent draws can be weighted for others nearby.

    The fit itself, or one more of the same model and table; None if quadrature does not cover it.
    """
    if fit.provenance.weights is not None:
        return fit
    if unsupported(fit.design):
        return None
    everything = Without(fit.spec, fit.evidence, fit.design, fit.provenance.settings, fit.standard, fit.interval_prob)
    found = refit(everything)
    return None if found.provenance.weights is None else found
