"""Refits without some cohorts: what they are made of, and that the number of processes decides nothing."""

import math
import os
from typing import Any

import numpy as np
import pytest

from alkbayes.fit import fit_model
from alkbayes.refits import FEW, THREADS, in_processes, mean_error, refit, without
from alkbayes.settings import Engine, SamplerSettings


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_tasks(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.delenv(THREADS[1], raising=False)
    done: list[tuple[int, int]] = []
    tasks = [9, 3, 7, 1, 12, 5, 2, 8]
    found = in_processes(math.factorial, tasks, workers=workers, progress=lambda *counts: done.append(counts))
    assert found == [math.factorial(task) for task in tasks]
    assert done == [(count, 8) for count in range(1, 9)]
    assert os.environ[THREADS[0]] == "7"
    assert THREADS[1] not in os.environ


def test_other_processes_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS[0], raising=False)
    assert in_processes(os.getenv, [THREADS[0]] * FEW, workers=2) == ["1"] * FEW


def test_an_error_of_a_task_comes_through() -> None:
    with pytest.raises(ValueError, match="not defined for negative values"):
        in_processes(math.factorial, [*range(FEW), -1], workers=2)


def test_nothing_to_do_is_done() -> None:
    assert in_processes(math.factorial, []) == []


def test_a_refit_leaves_out_what_it_says_with_a_seed_of_its_own(case_of: Any) -> None:
    case = case_of("cohort-only")
    settings = SamplerSettings(seed=5, chains=2, draws=500)
    fit = fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=settings)
    first, second = (without(fit, np.array([cohort])) for cohort in (2, 3))
    assert first.design.cohorts == tuple(name for name in fit.design.cohorts if name != fit.design.cohorts[2])
    assert len({fit.provenance.settings.seed, first.settings.seed, second.settings.seed}) == 3
    made = refit(first)
    assert made.provenance.settings.seed == first.settings.seed
    assert made.draws["theta"].shape == (2, 500, len(fit.design.cohorts) - 1)
    again = refit(without(fit, np.array([2])))
    np.testing.assert_array_equal(made.draws["theta"], again.draws["theta"])
    # Of independent draws, but for duplicates, which make it larger.
    alpha = made.draws["alpha"].ravel()
    assert 1.0 <= mean_error(made)(alpha) / (alpha.std() / np.sqrt(alpha.size)) < 2.0
