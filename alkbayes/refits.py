"""Posteriors made anew without some cohorts, in as many processes as there are processors."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.cross_check import chain_error, duplicate_error
from alkbayes.design import Array, Design, Index
from alkbayes.fit import Fit, fit_model
from alkbayes.restriction import restricted
from alkbayes.settings import Engine, SamplerSettings

if TYPE_CHECKING:
    from alkbayes.evidence import Evidence
    from alkbayes.spec import Spec

FEW = 8
"""Tasks below this number are done in this process: to start others takes as long as a few of them."""

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables by which libraries of linear algebra learn how many threads to take."""

type Progress = Callable[[int, int], None]
"""Called with how many pieces of work are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Without:
    """What a refit is made of.

    Attributes
    ----------
    spec, evidence
        Of the fit to all cohorts.
    design
        Without those that are left out.
    settings
        Those of the fit, with a seed of its own.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design
    settings: SamplerSettings


def without(fit: Fit, left_out: Index) -> Without:
    """Return what a refit without some cohorts is made of.

    Its seed follows from the fit's and from which cohorts are left out: it is the same whoever computes it, and
    whatever else is computed.
    """
    settings = fit.provenance.settings
    seed = int(np.random.SeedSequence([settings.seed, *left_out.tolist()]).generate_state(1)[0])
    kept = np.setdiff1d(np.arange(len(fit.design.cohorts)), left_out)
    return Without(fit.spec, fit.evidence, restricted(fit.design, kept), replace(settings, seed=seed))


def refit(what: Without) -> Fit:
    """Return the posterior by quadrature, or by NUTS where quadrature hands over.

    Raises
    ------
    SamplingError
        If the sampler cannot run to its end.
    """
    return fit_model(what.spec, what.evidence, engine=Engine.QUADRATURE, settings=what.settings, design=what.design)


def mean_error(fit: Fit) -> Callable[[Array], float]:
    """Return what gives the Monte Carlo standard error of the mean of numbers of shape (draw,), by the fit's engine."""
    return duplicate_error(fit) if fit.provenance.engine is Engine.QUADRATURE else chain_error(fit)


def in_processes[Task, Result](
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Return the results of tasks in their order, computed by several processes.

    Parameters
    ----------
    work
        A function of a module, which other processes can import.
    tasks
        What it is called with.
    workers
        Number of processes; as many as processors if None. A few tasks are done in this one.
    progress
        Called when a task is done.
    """
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    found: dict[int, Result] = {}
    if workers < 2 or len(tasks) < FEW:
        for place, task in enumerate(tasks):
            found[place] = work(task)
            if progress is not None:
                progress(len(found), len(tasks))
        return [found[place] for place in range(len(tasks))]
    # Spawned and not forked: numerical libraries have threads, which a fork leaves in any state.
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )
    with _one_thread_each():
        try:
            places = {pool.submit(work, task): place for place, task in enumerate(tasks)}
            for future in as_completed(places):
                found[places[future]] = future.result()
                if progress is not None:
                    progress(len(found), len(tasks))
        finally:
            # After an interrupt or an error, what has not begun never does.
            pool.shutdown(cancel_futures=True)
    return [found[place] for place in range(len(tasks))]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have processes that start meanwhile do linear algebra in one thread.

    Their matrices are small, and as many threads as processors in each of as many processes only wait for each other: a
    quarter of the time.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
