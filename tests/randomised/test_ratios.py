"""Networks of normal contrasts against TSD 2's posteriors, and against metafor."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.randomised.contrasts import difference
from alkbayes.randomised.network import Network, RatioTrial
from alkbayes.randomised.priors import Priors, TauPrior
from alkbayes.randomised.ratios import estimate_ratios, posterior_of_ratios

type Make = Callable[..., Network[RatioTrial]]

ROOT = Path(__file__).parents[1]
TSD = Priors(TauPrior("uniform", 5.0), effect_sd=100.0)
PARKINSONS = ("1", "2", "3", "4", "5")
TABLE_A9 = {
    # NICE DSU TSD 2 (update of April 2014), table A9, example 5: mean, SD, 2.5 % and 97.5 % against placebo.
    True: {
        "2": (-1.81, 0.33, -2.46, -1.16),
        "3": (-0.47, 0.49, -1.43, 0.49),
        "4": (-0.52, 0.48, -1.46, 0.43),
        "5": (-0.82, 0.52, -1.84, 0.22),
    },
    False: {
        "2": (-1.85, 0.54, -2.91, -0.85),
        "3": (-0.50, 0.66, -1.78, 0.75),
        "4": (-0.53, 0.65, -1.77, 0.71),
        "5": (-0.83, 0.80, -2.35, 0.69),
    },
}
DRAWS = 40_000


@pytest.fixture(scope="module")
def parkinsons(means: Make) -> Network[RatioTrial]:
    frame = pd.read_csv(ROOT / "fixtures" / "randomised" / "parkinsons.csv", dtype={"treatment": str})
    return means(frame.assign(mean=frame["y"], variance=frame["se"] ** 2), PARKINSONS)


@pytest.mark.parametrize("common", TABLE_A9)
def test_parkinsons_is_tsd2s(parkinsons: Network[RatioTrial], common: bool) -> None:
    found = posterior_of_ratios(parkinsons, priors=TSD, common=common, draws=DRAWS, rng=np.random.default_rng(20251))
    for name, (mean, sd, low, high) in TABLE_A9[common].items():
        draws = difference(found.effects, (0, PARKINSONS.index(name)))
        # Half a digit of print, and 4 errors of two computations of 20,000 draws or more that mix slowly in tau: their
        # 1,000 effective draws or so. Tails are worth fewer.
        error = 4 * draws.std() * np.sqrt(1 / DRAWS + (1 / 20_000 if common else 1 / 4000))
        assert draws.mean() == pytest.approx(mean, abs=0.005 + error)
        assert draws.std() == pytest.approx(sd, abs=0.005 + error)
        ends = np.quantile(draws, [0.025, 0.975])
        assert ends == pytest.approx([low, high], abs=0.005 + 3 * error)


@pytest.fixture(scope="module")
def senn() -> dict:
    return json.loads((ROOT / "reference" / "network_senn2013.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("method", ["common", "REML"])
def test_senn_is_metafors(senn: dict, means: Make, method: str) -> None:
    """Differences of means of 26 trials, one of them of three arms; `rma.mv` by validation/metafor/run_network.R."""
    theirs = senn[method]
    treatments = ("placebo", *theirs["treatments"])
    network = means(pd.DataFrame(senn["arms"]), treatments)
    found = estimate_ratios(network, common=method == "common")
    # metafor writes the variance between arms; with rho = 1/2 it is that between contrasts.
    assert found.tau**2 == pytest.approx(theirs["tau2"], abs=1e-6)
    assert found.effects == pytest.approx(theirs["effects"], abs=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(theirs["se"], abs=1e-6)


def test_given_tau_the_posterior_is_normal(parkinsons: Network[RatioTrial]) -> None:
    """With vague priors and common effects, draws have the mean and covariance of least squares."""
    found = posterior_of_ratios(parkinsons, priors=TSD, common=True, draws=DRAWS, rng=np.random.default_rng(1))
    exact = estimate_ratios(parkinsons, common=True)
    error = np.sqrt(np.diag(exact.covariance) / DRAWS)
    assert np.abs(found.effects.mean(axis=0) - exact.effects).max() < 4 * error.max()
    assert stats.kstest((found.effects[:, 0] - exact.effects[0]) / (error[0] * np.sqrt(DRAWS)), "norm").pvalue > 1e-4
