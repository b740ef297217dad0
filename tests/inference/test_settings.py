"""Ranges of the sampler's settings."""

import json
from typing import Any

import numpy as np
import pytest

from alkbayes.errors import UsageError
from alkbayes.inference.nuts.sampler import stricter
from alkbayes.inference.settings import MAX_STEPS, SamplerSettings


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("seed", 0, 2**32 - 1), ("chains", 2, 64), ("draws", 100, 100_000), ("tune", 100, 100_000)],
)
def test_whole_numbers_of_either_kind(name: str, low: int, high: int) -> None:
    kept = getattr(SamplerSettings(**{name: np.int64(low)}), name)
    assert type(kept) is int
    assert json.dumps(kept) == str(low), "as a run's record has it"
    for value in (low + 0.5, str(low), None, True):
        with pytest.raises(UsageError, match=rf"^{name}: found {value!r}; allowed: a whole number, {low} to {high:,}"):
            SamplerSettings(**{name: value})


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("seed", 0, 2**32 - 1), ("chains", 2, 64), ("draws", 100, 100_000), ("tune", 100, 100_000)],
)
def test_ranges(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(SamplerSettings(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(UsageError, match=rf"^{name}: found {value}; allowed: {low} to {high:,}") as caught:
            SamplerSettings(**{name: value})
        assert caught.value.exit_code == 2


def test_one_chain_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageError, match="one chain cannot show that chains agree"):
        SamplerSettings(chains=1)


def test_the_second_try_is_stricter_in_everything_but_the_seed_and_the_draws() -> None:
    found = stricter(SamplerSettings(seed=5, chains=3, draws=200, tune=300, target_accept=0.9))
    assert found == SamplerSettings(seed=5, chains=3, draws=200, tune=600, target_accept=pytest.approx(0.98))


@pytest.mark.parametrize("tune", [60_000, MAX_STEPS])
def test_the_second_try_stays_in_range(tune: int) -> None:
    assert stricter(SamplerSettings(tune=tune)).tune == MAX_STEPS


def test_defaults_are_what_the_documentation_says() -> None:
    defaults: Any = SamplerSettings()
    assert (defaults.chains, defaults.draws, defaults.tune, defaults.target_accept) == (4, 1000, 1000, 0.95)
