"""Simulation-based calibration of the default model (Talts et al. 2018, arXiv:1804.06788; Cook et al. 2006).

Parameters drawn from the prior, a table drawn from them, a posterior from the table: the rank of the truth among the
draws is uniform, and a 95 % interval holds the truth in 95 % of the tables, if everything from the prior's draws to the
sampler is right. About 10 minutes on one core: `pytest -m slow -s tests/calibration`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from alkbayes.design import build_design
from alkbayes.draws import from_prior, from_unconstrained
from alkbayes.engines.nuts import NutsEngine
from alkbayes.evidence import Evidence
from alkbayes.predictive import replicate
from alkbayes.settings import SamplerSettings
from alkbayes.spec import model_path, read_spec

REPLICATES = 200
KEPT = 99  # ranks 0 to 99
BINS = 10  # 20 tables in each
SMALLEST_P = 0.001
TABLE = """
a1 A naive first 40 0
a2 A pretreated first 15 0
b1 B naive second 25 0
b2 B naive first 60 0
c1 C pretreated second 30 0
d1 D mixed second 12 0
d2 D pretreated third 50 0
e1 E naive third 80 0
f1 F mixed first 8 0
g1 G pretreated third 20 0
g2 G pretreated second 35 0
h1 H naive third 10 0
"""
QUANTITIES = ("alpha", "beta_line", "sd_generation", "effect_generation", "tau_trial", "tau_cohort", "z_trial", "theta")


@pytest.mark.slow
def test_truth_ranks_uniformly_among_posterior_draws(table_of: Callable[..., Evidence]) -> None:
    spec = read_spec(model_path("line-generation"))
    design = build_design(spec, table_of(TABLE))
    rng = np.random.default_rng(20260101)
    ranks: dict[str, list[int]] = {}
    inside: dict[float, list[bool]] = {0.5: [], 0.95: []}
    divergences = 0
    for number in range(REPLICATES):
        truth = from_prior(design, rng=rng, draws=1)
        table = replace(design, responders=replicate(design, truth, rng=rng)[0, 0].astype(np.float64))
        sampled = NutsEngine(table).sample(SamplerSettings(seed=number, chains=2, draws=1000, tune=600))
        divergences += int(sampled.stats["diverging"].sum())
        draws = from_unconstrained(table, sampled.positions)
        for name in QUANTITIES:
            true = np.atleast_1d(truth[name][0, 0])
            all_draws = draws[name].reshape(draws[name].shape[0] * draws[name].shape[1], -1)
            thinned = all_draws[:: len(all_draws) // (KEPT + 1)][:KEPT]
            for entry, value in enumerate(true.tolist()):
                if name in {"theta", "z_trial"} and entry > 1:
                    continue
                ranks.setdefault(f"{name}[{entry}]", []).append(int((thinned[:, entry] < value).sum()))
                for prob, hits in inside.items():
                    low, high = np.quantile(all_draws[:, entry], [(1 - prob) / 2, (1 + prob) / 2])
                    hits.append(bool(low <= value <= high))
    p_values = {}
    for name, values in ranks.items():
        counts = np.histogram(values, bins=np.linspace(0, KEPT + 1, BINS + 1) - 0.5)[0]
        p_values[name] = float(stats.chisquare(counts, np.full(BINS, len(values) / BINS)).pvalue)
        print(f"{name:24s} p {p_values[name]:.3f}  mean rank {np.mean(values):.1f}  {counts.tolist()}")
    coverage = {prob: float(np.mean(hits)) for prob, hits in inside.items()}
    print(f"coverage {coverage}, {divergences} divergences in {REPLICATES} tables")
    assert min(p_values.values()) > SMALLEST_P / len(p_values), p_values
    # Quantities of one table depend on each other; three binomial standard errors of the tables alone is generous.
    for prob, found in coverage.items():
        assert found == pytest.approx(prob, abs=3 * np.sqrt(prob * (1 - prob) / REPLICATES)), prob
