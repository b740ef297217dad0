"""What `bench.py` holds `alkbayes fit` against: the same model of the same table under PyMC's own sampler.

The model is the package's own PyMC model, or, with `--textbook`, written as it stands in textbooks: non-centred, with
PyMC's own transforms and a matrix product.
"""

import argparse

import pymc as pm

from alkbayes.evidence.table import read_evidence
from alkbayes.inference.nuts.pymc_model import build_model
from alkbayes.inference.settings import SamplerSettings
from alkbayes.model.design import Design, build_design
from alkbayes.spec.priors import HalfNormal, Normal
from alkbayes.spec.schema import model_path, read_spec


def main() -> None:
    """Build the model and sample it."""
    defaults = SamplerSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--draws", type=int, default=defaults.draws)
    parser.add_argument("--tune", type=int, default=defaults.tune)
    parser.add_argument("--textbook", action="store_true")
    arguments = parser.parse_args()

    spec = read_spec(model_path(arguments.model))
    design = build_design(spec, read_evidence(needed=spec.columns))
    with textbook(design) if arguments.textbook else build_model(design):
        pm.sample(
            draws=arguments.draws,
            tune=arguments.tune,
            chains=defaults.chains,
            cores=2,
            target_accept=defaults.target_accept,
            random_seed=defaults.seed,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
        )


def textbook(design: Design) -> pm.Model:
    """Build a binomial model with normal and half-normal priors in its usual form."""
    with pm.Model() as model:
        eta = pm.Normal("alpha", normal(design.intercept_prior).mean, normal(design.intercept_prior).sd)
        for block in design.effects:
            sd = 1.0 if block.sd_prior is None else pm.HalfNormal(f"sd_{block.slug}", half_normal(block.sd_prior).sd)
            free = pm.Normal(block.free, 0, normal(block.prior).sd, shape=block.basis.shape[1])
            eta = eta + (sd * pm.math.dot(block.basis, free))[block.index]
        for term in design.heterogeneity:
            tau = pm.HalfNormal(f"tau_{term.label}", half_normal(term.sd_prior).sd)
            z = pm.Normal(f"z_{term.label}", 0, normal(term.unit_prior).sd, shape=len(term.units))
            eta = eta + tau * z[term.index]
        pm.Binomial("responders", n=design.n, logit_p=eta, observed=design.responders)
    return model


def normal(prior: object) -> Normal:
    """Return a prior that is normal; refuse another."""
    if not isinstance(prior, Normal):
        raise SystemExit(f"--textbook knows no {prior}")
    return prior


def half_normal(prior: object) -> HalfNormal:
    """Return a prior that is half-normal; refuse another."""
    if not isinstance(prior, HalfNormal):
        raise SystemExit(f"--textbook knows no {prior}")
    return prior


if __name__ == "__main__":
    main()
