"""Coverage of the intervals of a network meta-analysis in simulated networks of the bundled shape.

    python validation/network/study.py 300        # writes validation/network/coverage.json

Each network has the trials and arms of the bundled table, by class of treatment, with effects near those estimated;
baselines vary between trials. Odds ratios are estimated from simulated counts, hazard ratios from simulated log ratios
with the bundled standard errors, without heterogeneity and with a tau of 0.3.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from alkbayes.evidence.randomised import read_randomised
from alkbayes.model.summary import equal_tailed
from alkbayes.randomised.contrasts import difference
from alkbayes.randomised.counts import estimate_counts, posterior_of_counts
from alkbayes.randomised.network import CountTrial, Network, RatioTrial, count_network, design_of, ratio_network
from alkbayes.randomised.posterior import Estimates, NetworkPosterior
from alkbayes.randomised.priors import Priors
from alkbayes.randomised.ratios import estimate_ratios, posterior_of_ratios

type Array = NDArray[np.float64]

HERE = Path(__file__).parent
SEED = 11
TAUS = (0.0, 0.3)
DRAWS = 2000
PROB = 0.95
ODDS = np.array([1.75, 2.25, 2.6])
"""Log odds ratios against chemotherapy of the first, second and third generation."""
HAZARDS = np.array([-0.8, -1.4, -2.0])
BASELINES = (-0.8, 0.5)
"""Mean and SD of a trial's logit with chemotherapy."""


def counts_of(network: Network[CountTrial], tau: float, rng: np.random.Generator) -> Network[CountTrial]:
    """Return a network with simulated counts."""
    trials = []
    for trial, design in zip(network.trials, design_of(network), strict=True):
        deviations = tau / np.sqrt(2) * rng.standard_normal(len(trial.n))
        logits = rng.normal(*BASELINES) + design @ ODDS + deviations
        trials.append(replace(trial, responders=rng.binomial(trial.n.astype(int), expit(logits)).astype(float)))
    return replace(network, trials=tuple(trials))


def ratios_of(network: Network[RatioTrial], tau: float, rng: np.random.Generator) -> Network[RatioTrial]:
    """Return a network with simulated log ratios."""
    trials = []
    for trial, design in zip(network.trials, design_of(network), strict=True):
        between = tau**2 * (np.eye(len(trial.log_ratios)) + 1) / 2
        mean = (design[1:] - design[0]) @ HAZARDS
        trials.append(replace(trial, log_ratios=rng.multivariate_normal(mean, trial.covariance + between)))
    return replace(network, trials=tuple(trials))


def covers(
    network: Network[CountTrial] | Network[RatioTrial],
    truth: Array,
    tau: float,
    posterior: NetworkPosterior,
    estimates: Estimates,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """Return for each pair whether the intervals hold its effect, and the prediction interval that of a new trial."""
    rows: list[dict[str, object]] = []
    z = norm.ppf((1 + PROB) / 2)
    for pair in network.pairs:
        value = float(difference(truth, pair))
        draws = difference(posterior.effects, pair)
        low, _, high = equal_tailed(draws, prob=PROB)
        new_low, _, new_high = equal_tailed(draws + posterior.tau * rng.standard_normal(len(draws)), prob=PROB)
        weights = difference(np.eye(len(truth)), pair)
        middle, se = weights @ estimates.effects, np.sqrt(weights @ estimates.covariance @ weights)
        following = value + tau * rng.standard_normal()
        rows.append(
            {
                "pair": f"{network.treatments[pair[1]]} vs {network.treatments[pair[0]]}",
                "bayes": bool(low <= value <= high),
                "classical": bool(abs(middle - value) <= z * se),
                "prediction": bool(new_low <= following <= new_high),
            }
        )
    return rows


def study(replications: int) -> list[dict[str, object]]:
    """Return the coverage of each pair's intervals for each outcome and tau, in percent."""
    table, priors = read_randomised(), Priors()
    counts, ratios = count_network(table), ratio_network(table)
    if counts is None or ratios is None:
        raise SystemExit("the bundled table lacks counts or hazard ratios")
    found: dict[tuple[str, float, str], list[dict[str, object]]] = {}
    failed = 0
    for replication in range(replications):
        for tau in TAUS:
            rng = np.random.default_rng([SEED, replication, int(100 * tau)])
            simulated = counts_of(counts, tau, rng)
            posterior = posterior_of_counts(simulated, priors=priors, draws=DRAWS, rng=rng)
            failed += bool(posterior.failures)
            rows = covers(simulated, ODDS, tau, posterior, estimate_counts(simulated), rng)
            logs = ratios_of(ratios, tau, rng)
            exact = posterior_of_ratios(logs, priors=priors, draws=DRAWS, rng=rng)
            more = covers(logs, HAZARDS, tau, exact, estimate_ratios(logs), rng)
            for outcome, of in (("odds ratio", rows), ("hazard ratio", more)):
                for row in of:
                    found.setdefault((outcome, tau, str(row["pair"])), []).append(row)
    print(f"{failed} of {2 * replications} posteriors failed their gate")
    return [
        {"outcome": outcome, "tau": tau, "pair": pair, "replications": len(rows)}
        | {
            name: round(100 * float(np.mean([row[name] for row in rows])), 1)
            for name in ("bayes", "classical", "prediction")
        }
        for (outcome, tau, pair), rows in found.items()
    ]


if __name__ == "__main__":
    results = study(int(sys.argv[1]))
    (HERE / "coverage.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for result in results:
        print(result)
