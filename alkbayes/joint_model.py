"""Two outcomes with correlated deviations as one PyMC model; nothing is compiled or sampled here."""

import pymc as pm
import pytensor.tensor as pt

from alkbayes.joint import Joint
from alkbayes.model import add_counts, add_effects, add_heterogeneity, coords_of, variable

SECOND = "second_"
"""Stands before the names of the second outcome's variables."""


def build_joint_model(joint: Joint) -> pm.Model:
    """Build the PyMC model of two outcomes.

    Its free variables are those of the first design, `rho`, and those of the second, whose deviations are the
    innovations e: they have a standard normal prior, and few patients say little of them.
    """
    first, second = joint.first, joint.second
    coords = coords_of(first) | coords_of(second, SECOND)
    with pm.Model(coords=coords, check_bounds=False) as model:
        counts, others = add_counts(first), add_counts(second, SECOND)
        theta = add_heterogeneity(first, counts, add_effects(first), None)
        pm.Binomial("responders", n=counts["n"], logit_p=theta, observed=counts["observed"], dims="cohort")
        rho = pm.Uniform("rho", -1.0, 1.0)
        eta = add_effects(second, SECOND)
        own = pt.sqrt(1 - rho**2)
        taus = [variable(f"{SECOND}tau_{term.label}", term.sd_prior) for term in second.heterogeneity]
        for term, tau, of in zip(second.heterogeneity, taus, (joint.group_of, joint.cohort_of), strict=True):
            e = pm.Normal(f"{SECOND}z_{term.label}", 0.0, 1.0, dims=f"{SECOND}{term.label}")
            eta = eta + tau * (rho * model[f"z_{term.label}"][of] + own * e)[term.index]
        name = f"{SECOND}responders"
        pm.Binomial(name, n=others["n"], logit_p=eta, observed=others["observed"], dims=f"{SECOND}cohort")
    return model
