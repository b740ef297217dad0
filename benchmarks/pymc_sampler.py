"""What `bench.py` holds `alkbayes fit` against: the same PyMC model of the same table under PyMC's own sampler."""

import argparse

import pymc as pm

from alkbayes.design import build_design
from alkbayes.evidence import read_evidence
from alkbayes.model import build_model
from alkbayes.settings import SamplerSettings
from alkbayes.spec import model_path, read_spec


def main() -> None:
    """Build the model and sample it."""
    defaults = SamplerSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--draws", type=int, default=defaults.draws)
    parser.add_argument("--tune", type=int, default=defaults.tune)
    arguments = parser.parse_args()

    spec = read_spec(model_path(arguments.model))
    with build_model(build_design(spec, read_evidence(columns=spec.columns))):
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


if __name__ == "__main__":
    main()
