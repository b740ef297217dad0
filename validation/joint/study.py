"""Whether the joint model finds a correlation that is known: tables of the bundled size, simulated and fitted.

    python validation/joint/study.py [TABLES]        # writes validation/joint/record.json; 1 s a table

Rates and SDs are those of the bundled table's first 63 cohorts, the design of the recorded calibration studies
(alkbayes/data/calibration.csv). In half of the scenarios a patient's two responses are independent given the cohort's
rates, as the model has it; in the other half each patient with brain lesions is one patient in both counts, whose
responses are correlated (a normal copula of 0.6) whatever rho is.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from alkbayes.analyses.joint import correlation_of
from alkbayes.calibration.scenarios import evidence_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.nuts.joint import JointEngine
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.joint import Joint, from_positions, lay_together
from alkbayes.spec.schema import model_path, read_spec

RECORD = Path(__file__).parent / "record.json"
RHOS = (0.0, 0.5, 0.9)
COPULA = 0.6
SEED = 7
SETTINGS = {"chains": 4, "draws": 250, "tune": 400}


def fitted(name: str) -> Fit:
    """Return the fit of a bundled model to the cohorts that calibration studies are of, which do not change."""
    spec = read_spec(model_path(name))
    return fit_model(spec, evidence_of("bundled", spec), engine=Engine.QUADRATURE)


def simulated(joint: Joint, fits: tuple[Fit, Fit], rho: float, copula: float, rng: np.random.Generator) -> Joint:
    """Return the same structure with counts drawn at the medians of the two fits."""
    z = {}
    thetas = []
    for place, (design, fit) in enumerate(zip((joint.first, joint.second), fits, strict=True)):
        posterior = posterior_of(fit)
        theta = np.median(posterior.predictors, axis=0)[posterior.profile_of_cohort]
        for term, of in zip(design.heterogeneity, (joint.group_of, joint.cohort_of), strict=True):
            drawn = rng.standard_normal(len(term.units))
            if place == 0:
                z[term.label] = drawn
            else:
                drawn = rho * z[term.label][of] + np.sqrt(1 - rho**2) * drawn
            theta = theta + np.median(fit.draws[f"tau_{term.label}"]) * drawn[term.index]
        thetas.append(theta)
    first, second = joint.first, joint.second
    body, brain = expit(thetas[0]), expit(thetas[1])
    responders = np.zeros(len(first.n))
    lesions = np.zeros(len(first.n), dtype=int)
    lesions[joint.cohort_of] = second.n.astype(int)
    in_brain = np.zeros(len(second.n))
    for cohort, n in enumerate(first.n.astype(int)):
        alone = n - lesions[cohort]
        responders[cohort] = rng.binomial(alone, body[cohort])
    for place, cohort in enumerate(joint.cohort_of):
        pairs = rng.multivariate_normal([0, 0], [[1, copula], [copula, 1]], lesions[cohort])
        responders[cohort] += (pairs[:, 0] < norm.ppf(body[cohort])).sum()
        in_brain[place] = (pairs[:, 1] < norm.ppf(brain[place])).sum()
    return replace(joint, first=replace(first, responders=responders), second=replace(second, responders=in_brain))


def main(tables: int) -> None:
    """Simulate, fit and record."""
    fits = fitted("line-generation"), fitted("intracranial")
    joint = lay_together(*(build_design(fit.spec, fit.evidence) for fit in fits))
    rows = []
    for rho in RHOS:
        for copula in (0.0, COPULA):
            for table in range(tables):
                rng = np.random.default_rng([SEED, int(100 * rho), int(100 * copula), table])
                made = simulated(joint, fits, rho, copula, rng)
                sampled = JointEngine(made).sample(SamplerSettings(seed=table, **SETTINGS))
                found = asdict(correlation_of(from_positions(made, sampled.positions).rho))
                del found["shares"]
                divergences = int(sampled.stats["diverging"].sum())
                rows.append({"rho": rho, "copula": copula, "table": table, "divergences": divergences} | found)
                print(rho, copula, table, round(found["median"], 2), flush=True)
    record = {"source": f"python validation/joint/study.py {tables}", "seed": SEED, "settings": SETTINGS, "rows": rows}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
