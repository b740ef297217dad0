"""Two outcomes with correlated deviations as one PyMC model, neither compiled nor sampled here."""

import pymc as pm
import pytensor.tensor as pt

from alkbayes.inference.nuts.pymc_model import build_model, variable
from alkbayes.model.joint import Joint
from alkbayes.model.parametrisation import counts_of

SECOND = "second_"
"""Prefix of the second outcome's variables."""


def build_joint_model(joint: Joint) -> pm.Model:
    """Build the PyMC model of two outcomes.

    Its free variables are those of the first design, `rho`, and those of the second, whose deviations are the
    innovations e: they have a standard normal prior, and few patients inform them. Shared data are those of
    :func:`alkbayes.model.parametrisation.counts_of`, for the first design and then for the second.
    """
    second = joint.second
    model = build_model(joint.first)
    model.add_coords({f"{SECOND}cohort": second.cohorts})
    with model:
        counts = {
            name: pm.Data(f"{SECOND}{name}", values, dims=f"{SECOND}cohort", shape=values.shape)
            for name, values in counts_of(second).items()
        }
        rho = pm.Uniform("rho", -1.0, 1.0)
        eta = variable(f"{SECOND}alpha", second.intercept_prior)
        for block in second.effects:
            model.add_coord(f"{SECOND}{block.slug}_contrast", block.free_coords)
            sd = 1.0 if block.sd_prior is None else variable(f"{SECOND}sd_{block.slug}", block.sd_prior)
            free = variable(f"{SECOND}{block.free}", block.prior, dims=f"{SECOND}{block.slug}_contrast")
            # A product and a sum, as in a single model: numba compiles these in seconds.
            eta = eta + (sd * (block.basis * free[None, :]).sum(axis=1))[block.index]
        own = pt.sqrt(1 - rho**2)
        taus = [variable(f"{SECOND}tau_{term.slug}", term.sd_prior) for term in second.heterogeneity]
        for term, tau, of in zip(second.heterogeneity, taus, (joint.group_of, joint.cohort_of), strict=True):
            # The cohort dimension exists already, and is the same.
            model.add_coord(f"{SECOND}{term.slug}", term.units)
            e = pm.Normal(f"{SECOND}z_{term.slug}", 0.0, 1.0, dims=f"{SECOND}{term.slug}")
            eta = eta + tau * (rho * model[f"z_{term.slug}"][of] + own * e)[term.index]
        name = f"{SECOND}responders"
        pm.Binomial(name, n=counts["n"], logit_p=eta, observed=counts["observed"], dims=f"{SECOND}cohort")
    return model
