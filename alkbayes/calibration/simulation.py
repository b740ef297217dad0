"""Tables simulated from a model: parameters drawn from its priors or fixed, then responders."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alkbayes.calibration.scenarios import FixedTruth
from alkbayes.errors import UsageError
from alkbayes.likelihood.links import link_function
from alkbayes.model.design import Design, EffectBlock
from alkbayes.model.draws import Draws, complete, from_prior
from alkbayes.model.predictive import replicate

type Array = NDArray[np.float64]


def simulate(design: Design, truth: FixedTruth | None, *, rng: np.random.Generator) -> tuple[Draws, Design]:
    """Draw parameters, from the priors if `truth` is None, and a table; the responders of `design` are ignored.

    Returns
    -------
    dict
        The parameters as one draw, the variables of :func:`alkbayes.model.draws.complete`.
    Design
        The same cohorts with simulated responders.

    Raises
    ------
    UsageError
        If the truth is fixed and the model is beta-binomial.
    """
    drawn = from_prior(design, rng=rng, draws=1) if truth is None else fixed_parameters(design, truth, rng=rng)
    responders = replicate(design, drawn, rng=rng)[0, 0].astype(np.float64)
    return drawn, replace(design, responders=responders)


def fixed_parameters(design: Design, truth: FixedTruth, *, rng: np.random.Generator) -> Draws:
    """Return a fixed truth as one draw of a model's variables, with random deviations of trials and cohorts.

    Units that may be on their own (EXNEX) are exchangeable.

    Raises
    ------
    UsageError
        If the model is beta-binomial.
    """
    if design.rho_prior is not None:
        raise UsageError(
            "A fixed truth gives the heterogeneity as tau, and this model is beta-binomial, with a correlation. "
            "Choose a scenario whose parameters are drawn from the priors, such as bundled, or a binomial model."
        )
    free: Draws = {"alpha": link_function(design.link, np.full((1, 1), truth.orr))}
    for block in design.effects:
        differences = _differences(block, truth)
        if block.sd_prior is None:
            # Numbers and interactions have no effect.
            given = np.zeros(block.basis.shape[1]) if block.numbers or block.factors else differences[1:]
            free[block.free] = given[None, None, :]
        else:
            # The SD of a zero-sum normal most likely to produce the levels' effects.
            scale = float(np.sqrt((differences**2).sum() / (len(differences) - 1)))
            free[f"sd_{block.slug}"] = np.full((1, 1), scale)
            free[block.free] = (differences @ block.basis / (scale or 1.0))[None, None, :]
    for term in design.heterogeneity:
        free[f"tau_{term.slug}"] = np.full((1, 1), truth.tau / np.sqrt(len(design.heterogeneity)))
        if term.by is not None:
            # All levels alike.
            free[f"spread_{term.slug}"] = np.zeros((1, 1))
            free[f"raw_tau_{term.slug}"] = np.zeros((1, 1, len(term.by.levels) - 1))
        if term.exnex is not None:
            free[term.exchangeable] = np.ones((1, 1, len(term.units)))
        free[f"z_{term.slug}"] = term.unit_prior.draw(rng, (1, 1, len(term.units)))
    return complete(design, free)


def _differences(block: EffectBlock, truth: FixedTruth) -> Array:
    """Return each level's difference from the reference, or from the average of exchangeable levels."""
    named = truth.effects.get(block.label, {})
    differences = np.array([named.get(level, 0.0) for level in block.levels])
    return differences - (differences[0] if block.sd_prior is None else differences.mean())
