"""The No-U-Turn sampler: the PyMC model of a design, sampled by nutpie."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import nutpie
from numpy.typing import NDArray

from alkbayes.errors import ConvergenceWarning, SamplingError
from alkbayes.inference.convergence import Diagnostics
from alkbayes.inference.nuts.compiled import VARIABLE, compile_design
from alkbayes.inference.settings import MAX_STEPS, SamplerSettings
from alkbayes.model.design import Design

type Array = NDArray[np.float64]
type Progress = Callable[[int, int, int], None]
"""Called from time to time with draws finished, draws in total (tuning included) and divergences so far."""

POLL_SECONDS = 0.05

SAMPLE_STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "logp": "lp",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
    "maxdepth_reached": "reached_max_treedepth",
}
"""nutpie's sampler statistics that are kept, and their names in ArviZ's schema."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Output of the sampler.

    Attributes
    ----------
    positions
        Draws on the sampler's scale, shape (chain, draw, parameter), see
        :func:`alkbayes.model.draws.from_unconstrained`.
    stats
        Sampler statistics under ArviZ's names, each of shape (chain, draw).
    compile_seconds, sample_seconds
        Time for each part.
    """

    positions: Array
    stats: dict[str, NDArray[Any]]
    compile_seconds: float
    sample_seconds: float


class NutsEngine:
    """Sampler for one design; compiled once, however often it samples."""

    def __init__(self, design: Design) -> None:
        started = time.perf_counter()
        self._compiled = compile_design(design)
        self._compile_seconds = time.perf_counter() - started

    def sample(self, settings: SamplerSettings, *, progress: Progress | None = None) -> Sampled:
        """Sample the posterior.

        Raises
        ------
        SamplingError
            If no chain finds a starting point, or the sampler stops by itself.
        """
        started = time.perf_counter()

        def report(chains: list[Any]) -> None:
            if progress is not None:
                progress(
                    sum(chain.finished_draws for chain in chains),
                    sum(chain.total_draws for chain in chains),
                    sum(chain.divergences for chain in chains),
                )

        # In the background: nutpie's own blocking call takes Ctrl-C for "that is enough" and returns half a posterior.
        sampler = nutpie.sample(
            self._compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            seed=settings.seed,
            target_accept=settings.target_accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=report,
            blocking=False,
        )
        try:
            tree = _wait(sampler)
        except RuntimeError as error:
            raise SamplingError(
                f"the sampler stopped: {error}. Check the table for counts far out of scale."
            ) from error
        except BaseException:
            sampler.cancel()
            raise
        return Sampled(
            positions=tree.posterior[VARIABLE].to_numpy(),
            stats={name: tree.sample_stats[ours].to_numpy() for ours, name in SAMPLE_STATS.items()},
            compile_seconds=self._compile_seconds,
            sample_seconds=time.perf_counter() - started,
        )


def _wait(sampler: Any) -> Any:
    while True:
        try:
            return sampler.wait(timeout=POLL_SECONDS)
        except TimeoutError:  # still sampling; between two waits Python sees a Ctrl-C
            continue


def stricter(settings: SamplerSettings) -> SamplerSettings:
    """Return the settings of the second attempt: smaller steps, and twice the tuning within the settings' limits."""
    tune = min(2 * settings.tune, MAX_STEPS)
    return replace(settings, target_accept=1 - (1 - settings.target_accept) / 5, tune=tune)


@dataclass(frozen=True, slots=True)
class Tried[T]:
    """Result of sampling, at the first attempt or the second.

    Attributes
    ----------
    result, diagnostics, settings
        Those of the last attempt, converged or not.
    tries
        1 or 2.
    first_failures
        Failures of the first attempt, in words; empty if it was the last.
    """

    result: T
    diagnostics: Diagnostics
    settings: SamplerSettings
    tries: int
    first_failures: tuple[str, ...]


def sample_until_converged[T](
    sample: Callable[[SamplerSettings], tuple[T, Diagnostics]],
    settings: SamplerSettings,
    *,
    of: str,
) -> Tried[T]:
    """Sample, and once more with :func:`stricter` settings if the convergence gate fails.

    Parameters
    ----------
    sample
        Function that samples with given settings, and diagnoses the draws.
    settings
        Settings of the first attempt.
    of
        Object of the sampling, as the subject of a sentence.

    Warns
    -----
    ConvergenceWarning
        On a second attempt.
    """
    result, diagnostics = sample(settings)
    if diagnostics.converged:
        return Tried(result, diagnostics, settings, 1, ())
    failures = diagnostics.failures
    settings = stricter(settings)
    warnings.warn(
        f"{of} failed its convergence gate ({'; '.join(failures)}). "
        f"Sampling once more, with target_accept {settings.target_accept:.2f} and {settings.tune} tuning steps.",
        ConvergenceWarning,
        stacklevel=2,
    )
    result, diagnostics = sample(settings)
    return Tried(result, diagnostics, settings, 2, failures)
