"""Published networks, and how far two Monte Carlo computations of a number may be apart."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alkbayes.randomised.network import CountTrial, Network, RatioTrial

FOLDER = Path(__file__).parents[1] / "fixtures" / "randomised"


@pytest.fixture(scope="session")
def published() -> Callable[..., Network[CountTrial]]:
    """Return a function that reads a published network of counts with its treatments in an order."""

    def read(name: str, treatments: tuple[str, ...]) -> Network[CountTrial]:
        frame = pd.read_csv(FOLDER / f"{name}.csv")
        trials = []
        for study, arms in frame.groupby("study", sort=False):
            place = tuple(treatments.index(treatment) for treatment in arms["treatment"])
            counts = (arms[column].to_numpy(np.float64) for column in ("r", "n"))
            trials.append(CountTrial(str(study), place, *counts))
        return Network(treatments, tuple(trials))

    return read


@pytest.fixture(scope="session")
def means() -> Callable[..., Network[RatioTrial]]:
    """Return a function that makes a network of differences from arms' means and their variances."""

    def make(frame: pd.DataFrame, treatments: tuple[str, ...]) -> Network[RatioTrial]:
        trials = []
        for study, unordered in frame.groupby("study", sort=False):
            arms = unordered.assign(at=[treatments.index(str(t)) for t in unordered["treatment"]]).sort_values("at")
            mean, variance = arms["mean"].to_numpy(), arms["variance"].to_numpy()
            covariance = np.diag(variance[1:]) + variance[0]
            n = np.full(len(arms), np.nan)
            trials.append(RatioTrial(str(study), tuple(arms["at"]), mean[1:] - mean[0], covariance, n))
        return Network(treatments, tuple(trials))

    return make
