"""From a model and a table to a posterior: the frozen `Fit`, which every later step reads."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.design import Design, build_design
from alkbayes.diagnostics import Diagnostics, diagnose
from alkbayes.engines.nuts import NutsEngine, Progress, Sampled, stricter
from alkbayes.groups import build_tree
from alkbayes.settings import SamplerSettings

if TYPE_CHECKING:
    from alkbayes.evidence import Evidence
    from alkbayes.spec import Spec

type Array = NDArray[np.float64]

RECORDED_PACKAGES = ("alkbayes", "arviz-stats", "numba", "numpy", "nutpie", "pymc", "pytensor", "scipy", "xarray")


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a posterior came about, so that it can be made again.

    Attributes
    ----------
    engine
        What sampled it.
    settings
        Of the try that is kept.
    tries
        1, or 2 where the first try failed the convergence gate.
    first_failures
        What the first try failed, if there was a second.
    versions
        Of Python's packages that the numbers depend on.
    seconds
        What compiling, sampling and the rest took.
    """

    engine: str
    settings: SamplerSettings
    tries: int
    first_failures: tuple[str, ...]
    versions: Mapping[str, str]
    seconds: Mapping[str, float]

    def as_record(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return {
            "engine": self.engine,
            "settings": asdict(self.settings),
            "tries": self.tries,
            "first_failures": list(self.first_failures),
            "versions": dict(self.versions),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


@dataclass(frozen=True, slots=True)
class Fit:
    """A model, the table it was fitted to, and the posterior.

    Attributes
    ----------
    spec, evidence, design
        What was fitted.
    tree
        Groups posterior, sample_stats, prior, prior_predictive, posterior_predictive, log_likelihood, log_prior,
        observed_data and constant_data, with named coordinates.
    diagnostics
        The convergence verdict.
    provenance
        How it came about.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design
    tree: xr.DataTree
    diagnostics: Diagnostics
    provenance: Provenance

    @property
    def draws(self) -> dict[str, Array]:
        """The posterior's variables as arrays with axes (chain, draw, ...)."""
        return {str(name): values.to_numpy() for name, values in self.tree["posterior"].data_vars.items()}


def fit_model(
    spec: "Spec",
    evidence: "Evidence",
    *,
    settings: SamplerSettings | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> Fit:
    """Fit a model to a table of cohorts.

    A posterior that fails the convergence gate is sampled once more with smaller steps and longer tuning; what comes of
    that is returned with its verdict, passed or not.

    Parameters
    ----------
    spec, evidence
        Both checked; the table has every column that the model names.
    settings
        Of the sampler.
    progress
        Called while it samples, from another thread.
    warn
        Called with a sentence when a second try is made.

    Raises
    ------
    SamplingError
        If the sampler cannot run to its end.
    """
    settings = settings or SamplerSettings()
    design = build_design(spec, evidence)
    engine = NutsEngine(design)
    tries = 1
    first_failures: tuple[str, ...] = ()
    tree, diagnostics, sampled = _one_try(design, engine, settings, progress)
    seconds = {"compile": sampled.compile_seconds, "sample": sampled.sample_seconds}
    if not diagnostics.converged:
        tries, first_failures, settings = 2, diagnostics.failures, stricter(settings)
        if warn is not None:
            warn(
                f"the posterior failed its convergence gate ({'; '.join(first_failures)}). "
                f"Sampling once more, with target_accept {settings.target_accept:.2f} and {settings.tune} tuning steps."
            )
        tree, diagnostics, sampled = _one_try(design, engine, settings, progress)
        seconds["sample"] += sampled.sample_seconds
    return Fit(
        spec=spec,
        evidence=evidence,
        design=design,
        tree=tree,
        diagnostics=diagnostics,
        provenance=Provenance(
            engine="nuts",
            settings=settings,
            tries=tries,
            first_failures=first_failures,
            versions={package: version(package) for package in RECORDED_PACKAGES},
            seconds=seconds,
        ),
    )


def judged(posterior: xr.Dataset) -> xr.Dataset:
    """Return the variables that the convergence gate judges: all, but each number once.

    `p` is `theta` on another scale, and the contrasts of an exchangeable effect are its levels' effects in other units.
    """
    return posterior[[name for name in posterior.data_vars if name != "p" and not str(name).startswith("raw_")]]


def _one_try(
    design: Design, engine: NutsEngine, settings: SamplerSettings, progress: Progress | None
) -> tuple[xr.DataTree, Diagnostics, Sampled]:
    sampled = engine.sample(settings, progress=progress)
    attributes = {
        "inference_library": "nutpie",
        "inference_library_version": version("nutpie"),
        "creation_library": "alkbayes",
        "creation_library_version": version("alkbayes"),
    }
    tree = build_tree(design, sampled.positions, sampled.stats, seed=settings.seed, attributes=attributes)
    return tree, diagnose(judged(tree["posterior"].to_dataset()), tree["sample_stats"].to_dataset()), sampled
