"""Posteriors made anew without some cohorts."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design, Index
from alkbayes.model.restriction import restricted
from alkbayes.vocabulary import Standard

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec


@dataclass(frozen=True, slots=True)
class Without:
    """What a refit is made of.

    Attributes
    ----------
    spec
        That of the fit.
    evidence, design
        Without the cohorts that are left out. Effects have the levels of the whole table.
    settings
        Those of the fit, with a seed of its own.
    standard
        That of the fit.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design
    settings: SamplerSettings
    standard: Standard


def without(fit: Fit, left_out: Index) -> Without:
    """Return what a refit without some cohorts is made of.

    Its seed follows from the fit's and from which cohorts are left out: it is the same whoever computes it, and
    whatever else is computed.
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
    )


def refit(what: Without) -> Fit:
    """Return the posterior by quadrature, falling back to NUTS.

    Raises
    ------
    SamplingError
        If the sampler cannot run to its end.
    """
    return fit_model(
        what.spec,
        what.evidence,
        engine=Engine.QUADRATURE,
        settings=what.settings,
        design=what.design,
        standard=what.standard,
    )
