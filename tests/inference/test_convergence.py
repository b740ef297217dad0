"""The convergence gate on posteriors with one thing wrong each."""

import json
from collections.abc import Callable
from types import NoneType
from typing import Any

import numpy as np
import pytest
import xarray as xr

from alkbayes.inference.convergence import Diagnostics, Thresholds, diagnose

CHAINS, DRAWS = 4, 500


def posterior(seed: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return xr.Dataset(
        {
            "alpha": (("chain", "draw"), rng.normal(size=(CHAINS, DRAWS))),
            "theta": (("chain", "draw", "cohort"), rng.normal(size=(CHAINS, DRAWS, 3))),
        },
        coords={"cohort": ["one", "two", "three"]},
    )


def stats(seed: int = 2) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros((CHAINS, DRAWS), dtype=bool)),
            "energy": (("chain", "draw"), rng.normal(size=(CHAINS, DRAWS))),
        }
    )


def test_independent_draws_pass() -> None:
    found = diagnose(posterior(), stats())
    assert found.converged
    assert found.failures == ()
    assert found.rhat_max < 1.01
    assert found.ess_bulk_min > 1500
    assert found.divergences == 0
    assert 1.7 < found.ebfmi_min < 2.2


def shifted_chain(data: xr.Dataset, sample_stats: xr.Dataset) -> None:
    data["theta"].values[2, :, 1] += 0.5


def scaled_chain(data: xr.Dataset, sample_stats: xr.Dataset) -> None:
    data["theta"].values[2, :, 1] *= 3.0  # only the rank-normalised, folded R-hat sees it


def drifting(data: xr.Dataset, sample_stats: xr.Dataset) -> None:
    data["theta"].values[:, :, 1] += np.linspace(-1, 1, DRAWS)  # chains agree, but not their halves


def one_missing(data: xr.Dataset, sample_stats: xr.Dataset) -> None:
    data["theta"].values[0, 7, 1] = np.nan


def constant(data: xr.Dataset, sample_stats: xr.Dataset) -> None:
    data["theta"].values[:, :, 1] = 0.3  # every chain stuck at its start


@pytest.mark.parametrize("doctor", [shifted_chain, scaled_chain, drifting, one_missing])
def test_chains_that_disagree_fail_and_name_the_entry(doctor: Callable[[xr.Dataset, xr.Dataset], None]) -> None:
    data, sample_stats = posterior(), stats()
    doctor(data, sample_stats)
    found = diagnose(data, sample_stats)
    assert not found.converged
    assert found.rhat_max_parameter == "theta[two]"
    assert any(failure.startswith("R-hat of theta[two] is") for failure in found.failures)


def test_a_name_of_several_lines_stays_on_one_in_a_sentence() -> None:
    data = posterior().assign_coords(cohort=["one", "a\nb", "three"])
    shifted_chain(data, stats())
    sentences = diagnose(data, stats()).failures
    assert sentences
    assert not any("\n" in sentence for sentence in sentences)
    assert sentences[0].startswith("R-hat of theta[a\\nb] is ")


def test_stuck_chains_fail() -> None:
    data = posterior()
    constant(data, stats())
    found = diagnose(data, stats())
    assert not found.converged
    assert any("theta[two]" in failure for failure in found.failures)


def test_everything_not_a_number_fails_every_criterion() -> None:
    data, sample_stats = posterior() * np.nan, stats()
    sample_stats["energy"].values[:] = np.nan
    found = diagnose(data, sample_stats)
    assert not found.converged
    assert len(found.failures) == 4


@pytest.mark.parametrize("kind", ["bulk", "tail"])
def test_too_few_effective_draws_fail(kind: str) -> None:
    data, rng = posterior(), np.random.default_rng(4)
    if kind == "bulk":
        innovations = rng.normal(size=(CHAINS, DRAWS))
        walk = np.zeros((CHAINS, DRAWS))
        for draw in range(1, DRAWS):
            walk[:, draw] = 0.93 * walk[:, draw - 1] + innovations[:, draw]
        data["alpha"].values[:] = walk
        found = diagnose(data, stats(), thresholds=Thresholds(rhat_max=9.0))
        assert found.ess_bulk_min < 400
        assert found.ess_bulk_min_parameter == "alpha"
        assert any(failure.startswith("bulk ESS of alpha") for failure in found.failures)
    else:
        # Volatility that lasts: the middle mixes at once, the tails come in clusters.
        scale = np.exp(2 * np.repeat(rng.normal(size=(CHAINS, DRAWS // 25)), 25, axis=1))
        data["alpha"].values[:] = scale * rng.normal(size=(CHAINS, DRAWS))
        found = diagnose(data, stats(), thresholds=Thresholds(rhat_max=9.0))
        assert found.ess_bulk_min > 400 > found.ess_tail_min
        assert [failure[:17] for failure in found.failures] == ["tail ESS of alpha"]
    assert not found.converged


def test_one_divergence_fails() -> None:
    sample_stats = stats()
    sample_stats["diverging"].values[3, 77] = True
    found = diagnose(posterior(), sample_stats)
    assert not found.converged
    assert found.divergences == 1
    assert found.failures[0].startswith("1 divergent")
    assert diagnose(posterior(), sample_stats, thresholds=Thresholds(divergences=1)).converged


def test_the_slowest_chains_energy_decides() -> None:
    sample_stats = stats()
    sample_stats["energy"].values[1] = np.cumsum(sample_stats["energy"].values[1])
    found = diagnose(posterior(), sample_stats)
    assert found.ebfmi_min < 0.3
    assert [failure[:6] for failure in found.failures] == ["E-BFMI"]


@pytest.mark.parametrize(
    ("thresholds", "word"),
    [
        (Thresholds(rhat_max=1.0), "R-hat"),
        (Thresholds(ess_min=1e9), "bulk ESS"),
        (Thresholds(ebfmi_min=5.0), "E-BFMI"),
        (Thresholds(divergences=-1), "divergent"),
    ],
)
def test_each_threshold_is_looked_at(thresholds: Thresholds, word: str) -> None:
    found = diagnose(posterior(), stats(), thresholds=thresholds)
    assert not found.converged
    assert any(word in failure for failure in found.failures)


def test_the_gate_is_strict_at_its_edge() -> None:
    found = diagnose(posterior(), stats())
    for edge in (
        Thresholds(rhat_max=found.rhat_max),
        Thresholds(ess_min=min(found.ess_bulk_min, found.ess_tail_min)),
        Thresholds(ebfmi_min=found.ebfmi_min),
    ):
        assert not diagnose(posterior(), stats(), thresholds=edge).converged


def test_the_record_is_plain_values() -> None:
    record: dict[str, Any] = diagnose(posterior(), stats()).as_record()
    assert {type(value) for value in record.values()} <= {bool, float, int, str, list, NoneType}
    assert [name for name, value in record.items() if value is None] == ["pareto_k", "importance_ess"]
    wanted = {"converged", "rhat_max", "ess_bulk_min", "ess_tail_min", "divergences", "ebfmi_min"}
    assert wanted <= set(record)


def weighted(data: xr.Dataset, **weights: Any) -> Any:
    shape = (data.sizes["chain"], data.sizes["draw"])
    proposals = weights.pop("proposals", np.arange(shape[0] * shape[1]).reshape(shape))
    drawn = xr.Dataset({"proposal": (("chain", "draw"), proposals)})
    return diagnose(data, drawn, **({"pareto_k": 0.3, "importance_ess": 2500.0} | weights))


def test_weighted_draws_are_judged_by_their_weights() -> None:
    found = weighted(posterior())
    assert found.converged
    assert (found.pareto_k, found.importance_ess) == (0.3, 2500.0)
    assert found.divergences is found.ebfmi_min is found.rhat_max is None
    # Each draw once: as many independent ones as there are.
    assert found.ess_bulk_min == pytest.approx(2000)
    assert found.ess_tail_min == pytest.approx(2000)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"pareto_k": 0.71}, "Pareto k is 0.71, above 0.7"),
        ({"pareto_k": float("inf")}, "Pareto k is inf, above 0.7"),
        ({"pareto_k": float("nan")}, "Pareto k is nan, above 0.7"),
        ({"importance_ess": 400.0}, "the importance ESS is 400, not above 400"),
        ({"importance_ess": float("nan")}, "the importance ESS is nan, not above 400"),
        ({"importance_ess": None}, "the importance ESS is not known, not above 400"),
    ],
)
def test_weights_that_cannot_be_relied_on_fail(weights: dict[str, Any], words: str) -> None:
    found = weighted(posterior(), **weights)
    assert not found.converged
    (failure,) = found.failures
    assert failure.startswith(words)


def test_the_gate_of_weights_is_strict_at_its_edge() -> None:
    assert weighted(posterior(), pareto_k=0.7, importance_ess=400.1).converged


def test_r_hat_of_a_random_split_is_not_judged_but_too_few_draws_are() -> None:
    data = posterior()
    shifted_chain(data, stats())
    assert diagnose(data, stats()).rhat_max > 1.01
    found = weighted(data)
    assert not any("R-hat" in failure for failure in found.failures)
    few = weighted(posterior().isel(draw=slice(50)))
    assert few.failures[0].endswith(
        "together they are worth 200 independent ones, not above 400: too few effective draws"
    )
    copies = np.arange(data.sizes["chain"] * data.sizes["draw"]).reshape(data.sizes["chain"], -1) // 6
    (failure,) = weighted(data, proposals=copies).failures
    assert "are worth 33" in failure  # 2,000 in sixes


@pytest.mark.parametrize("found", [diagnose(posterior(), stats()), weighted(posterior(), pareto_k=0.9)])
def test_the_verdict_is_that_of_the_checks_and_survives_the_record(found: Diagnostics) -> None:
    assert found.converged == all(check.passed for check in found.checks)
    assert found.failures == tuple(check.sentence for check in found.checks if not check.passed)
    again = Diagnostics.from_record(json.loads(json.dumps(found.as_record(), allow_nan=False)))
    assert again == found
    assert len({check.name for check in found.checks}) == len(found.checks)
    assert all(check.advice.endswith(".") and not check.sentence.endswith(".") for check in found.checks)
