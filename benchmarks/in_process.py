"""What a part takes once everything is imported; run by `bench.py`, after the whole processes.

The cohorts of the last table are made up: three or so in each trial, of 5 to 200 patients, one covariate.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd

from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.importance.engine import Integrated, integrate
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.likelihood.binomial_normal.marginal import marginal
from alkbayes.model.design import Design, build_design
from alkbayes.spec.schema import Spec, model_path, read_spec

MOST_FIT, MOST_GLMM = 1.0, 0.2
KERNEL, ENGINE = (100, 1000, 10_000, 100_000), (100, 1000, 10_000)
VALUES, DRAWS = 8, 250
"""Parameter values of the kernel; draws of each of the engine's four chains."""


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Return the median time of some work, after one round that does not count."""
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return median(times)


def made_up(cohorts: int, spec: Spec) -> Design:
    """Return a design over a table of this many cohorts."""
    rng = np.random.default_rng(1)
    trials = max(1, round(0.3 * cohorts))
    trial, pretreated = rng.integers(0, trials, cohorts), rng.integers(0, 2, cohorts)
    logit = 0.8 - pretreated + 0.4 * rng.standard_normal(trials)[trial] + 0.4 * rng.standard_normal(cohorts)
    n = rng.integers(5, 201, cohorts)
    frame = pd.DataFrame(
        {
            "cohort_id": [f"c{i}" for i in range(cohorts)],
            "trial": [f"t{i}" for i in trial],
            "line": np.where(pretreated == 1, "pretreated", "naive"),
            "n": n,
            "responders": rng.binomial(n, 1 / (1 + np.exp(-logit))),
        }
    )
    return build_design(spec, Evidence(frame=frame, source="made up", sha256="", content=b""))


def kernel_seconds(design: Design) -> float:
    """Return what the kernel's value and gradient take for each cohort and parameter value."""
    rng = np.random.default_rng(1)
    eta = rng.normal(0.3, 0.3, (VALUES, 1)) + np.zeros(len(design.n))
    assert design.group is not None  # noqa: S101
    work = seconds(
        lambda: marginal(design.responders, design.n, eta=eta, group=design.group.index, tau_group=0.4, tau_cohort=0.4),
        rounds=1,
    )
    return work / VALUES / len(design.n)


def engine_seconds(design: Design) -> float:
    """Return what a fit by quadrature takes."""
    started = time.perf_counter()
    if not isinstance(integrate(design, SamplerSettings(draws=DRAWS)), Integrated):
        raise SystemExit("the made-up table fell back to NUTS")
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="line-generation")
    parser.add_argument("--quick", action="store_true", help="no table by number of cohorts")
    arguments = parser.parse_args()
    spec = read_spec(model_path(arguments.model))
    evidence = read_evidence(needed=spec.columns)
    responders, n = (evidence.frame[name].to_numpy() for name in ("responders", "n"))
    fit = seconds(lambda: fit_model(spec, evidence, engine=Engine.QUADRATURE))
    glmm = seconds(lambda: fit_glmm(responders, n))
    print("| computing alone | seconds | target |\n|---|--:|--:|")
    for what, took, most in (
        ("4,000 draws by quadrature, all groups of the fit", fit, MOST_FIT),
        ("ML GLMM of the bundled cohorts", glmm, MOST_GLMM),
    ):
        print(f"| {what} | {took:.2f} | ≤ {most:g}: {'met' if took <= most else '**missed**'} |")
    if arguments.quick:
        return
    spec = read_spec(model_path("line"))
    print("\n| cohorts | kernel with gradient, µs a cohort and value | engine, 1,000 draws, s | ms a cohort |")
    print("|--:|--:|--:|--:|")
    for cohorts in KERNEL:
        design = made_up(cohorts, spec)
        line = f"| {cohorts:,} | {1e6 * kernel_seconds(design):.1f} |"
        if cohorts in ENGINE:
            took = engine_seconds(design)
            line += f" {took:.1f} | {1000 * took / cohorts:.1f} |"
        else:
            line += " | |"
        print(line, flush=True)


if __name__ == "__main__":
    main()
