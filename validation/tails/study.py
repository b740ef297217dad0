"""Whether an engine is right to its own Monte Carlo errors where a tau ranges over orders of magnitude.

    python validation/tails/study.py quadrature 0 200        # writes validation/tails/quadrature.json
    python validation/tails/study.py nuts 0 200

Tables of 3 to 6 cohorts of 5 to 1,000,000 patients, half of them with several cohorts a trial, are fitted with the
bundled model `overall` and held against exact integration (exact.py).
"""

import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from alkbayes.estimates.monte_carlo import errors_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.spec.schema import Spec, model_path, read_spec

HERE = Path(__file__).parent
SEED = 7
PROBS = {"low": 0.025, "median": 0.5, "high": 0.975}
REPLICATES = 50
"""Cohorts to come of each draw."""


def exact_module() -> ModuleType:
    """Return exact.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("exact", HERE / "exact.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["exact"] = module
    spec.loader.exec_module(module)
    return module


def simulated(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return responders, patients and trials of a table; those of even numbers have one cohort a trial."""
    rng = np.random.default_rng([SEED, number])
    k = int(rng.integers(3, 7))
    small, large = (np.exp(rng.uniform(*np.log(ends), k)) for ends in ((5, 50), (1e3, 1e6)))
    n = np.where(rng.random(k) < 0.5, small, large).astype(np.int64)
    trial = np.arange(k) if number % 2 == 0 else np.sort(rng.integers(0, max(2, k - 2), k))
    tau_trial, tau_cohort = np.exp(rng.uniform(np.log(0.003), np.log(1.5), 2))
    theta = rng.normal() + tau_trial * rng.standard_normal(k)[trial] + tau_cohort * rng.standard_normal(k)
    return rng.binomial(n, expit(theta)), n, trial


def evidence_of(y: NDArray[np.int64], n: NDArray[np.int64], trial: NDArray[np.int64], spec: Spec) -> Evidence:
    """Return counts as a table."""
    rows = [f"c{i},T{trial[i]},{y[i]},{n[i]}" for i in range(len(y))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text("\n".join(["cohort_id,trial,responders,n", *rows]) + "\n", encoding="utf-8")
        return read_evidence(path, needed=spec.columns)


def exact_quantiles(
    y: NDArray[np.int64], n: NDArray[np.int64], trial: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Return the exact quantiles of each quantity; the two taus apart where a trial has several cohorts."""
    exact = exact_module()
    trials = [[(int(y[i]), int(n[i])) for i in np.flatnonzero(trial == each)] for each in np.unique(trial)]
    apart = len(trials) < len(y)
    found = exact.posterior(trials, **(exact.COARSE if apart else {}))
    names = ("typical", "next", "total", *(("trial", "cohort") if apart else ()))
    return {name: {end: found.quantile(name, prob) for end, prob in PROBS.items()} for name in names}


def distances(fit: Fit, true: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return each number's distance from the exact one, in its own Monte Carlo errors."""
    draws = {name: values.reshape(-1, *values.shape[2:]) for name, values in fit.draws.items()}
    taus = {term.label: draws[f"tau_{term.label}"] for term in fit.design.heterogeneity}
    total = np.sqrt(sum(tau**2 for tau in taus.values()))
    deviation = total[:, None] * np.random.default_rng(SEED).standard_normal((len(total), REPLICATES))
    values = {
        **taus,
        "total": total,
        "typical": expit(draws["alpha"]),
        "next": expit(draws["alpha"][:, None] + deviation),
    }
    errors = errors_of(fit)
    found = {}
    for name, quantiles in true.items():
        error = errors(values[name])
        for end, prob in PROBS.items():
            off = float(np.quantile(values[name], prob)) - quantiles[end]
            found[f"{name} {end}"] = round(off / getattr(error, end), 2)
    return found


def held(number: int, engine: Engine) -> dict[str, object]:
    """Return the row of a table."""
    spec = read_spec(model_path("overall"))
    y, n, trial = simulated(number)
    fit = fit_model(spec, evidence_of(y, n, trial, spec), engine=engine, settings=SamplerSettings(seed=number))
    row: dict[str, object] = {"table": number, "fallback_reason": fit.provenance.fallback_reason}
    row |= {"converged": fit.diagnostics.converged, "failures": list(fit.diagnostics.failures)}
    true = exact_quantiles(y, n, trial)
    return row | {"distances": distances(fit, true)}


def main(engine: Engine, start: int, stop: int) -> None:
    """Fit, hold against the exact quantiles, and record."""
    path = HERE / f"{engine}.json"
    rows = []
    for number in range(start, stop):
        rows.append(held(number, engine))
        print(number, max(map(abs, rows[-1]["distances"].values())), flush=True)
        record = {"source": f"python validation/tails/study.py {engine} {start} {stop}", "seed": SEED, "rows": rows}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Engine(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
