"""From a model and a table to a posterior: the frozen `Fit`, read by every later step."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.errors import EngineWarning, SamplingError
from alkbayes.inference.convergence import Diagnostics, diagnose
from alkbayes.inference.datatree import build_tree
from alkbayes.inference.importance.engine import Drawn, Fallback, Integrated, Weights, integrate, reweighted
from alkbayes.inference.importance.target import Target, positions
from alkbayes.inference.settings import Engine, SamplerSettings, versions
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import Design, build_design
from alkbayes.model.draws import Draws, from_unconstrained
from alkbayes.vocabulary import INTERVAL_PROB, Standard

NO_CHAINS = "chains hardly move a unit from exchangeable to on its own (EXNEX), while quadrature sums over both"
"""Reason for quadrature where NUTS was asked for."""

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.nuts.sampler import Progress
    from alkbayes.spec.schema import Spec

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exploration:
    """How an analysis was come upon, if by trying several.

    Attributes
    ----------
    settings_tried
        Number of different settings tried on the table, this one included.
    changes
        How this one differs from the analysis that was begun with, in words.
    """

    settings_tried: int
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Provenance of a posterior, sufficient to reproduce it.

    Attributes
    ----------
    engine, engine_asked
        Engine used, and engine requested.
    fallback_reason
        Reason for a fallback, else empty.
    settings
        Sampler settings of the attempt kept.
    tries
        1, or 2 if the first attempt failed the convergence gate.
    first_failures
        Failures of the first attempt, if there was a second.
    weights
        Importance weights of draws by quadrature; None for chains.
    versions
        Versions of the Python packages that affect the results.
    seconds
        Time for compiling, sampling or integrating.
    exploration
        Of an exploratory analysis; None for any other.
    """

    engine: Engine
    engine_asked: Engine
    fallback_reason: str
    settings: SamplerSettings
    tries: int
    first_failures: tuple[str, ...]
    weights: Weights | None
    versions: Mapping[str, str]
    seconds: Mapping[str, float]
    exploration: Exploration | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "engine": self.engine,
            "engine_asked": self.engine_asked,
            "fallback_reason": self.fallback_reason or None,
            "settings": asdict(self.settings),
            "tries": self.tries,
            "first_failures": list(self.first_failures),
            "weights": None if self.weights is None else asdict(self.weights),
            "versions": dict(self.versions),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            **({} if self.exploration is None else {"exploration": self._explored(self.exploration)}),
        }

    @staticmethod
    def _explored(exploration: Exploration) -> dict[str, Any]:
        return {"settings_tried": exploration.settings_tried, "changes": list(exploration.changes)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the recorded provenance."""
        explored = record.get("exploration")
        return cls(
            engine=Engine(record["engine"]),
            engine_asked=Engine(record["engine_asked"]),
            fallback_reason=record["fallback_reason"] or "",
            settings=SamplerSettings(**record["settings"]),
            tries=record["tries"],
            first_failures=tuple(record["first_failures"]),
            weights=None if record["weights"] is None else Weights(**record["weights"]),
            versions=record["versions"],
            seconds=record["seconds"],
            exploration=explored and Exploration(explored["settings_tried"], tuple(explored["changes"])),
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """A model, the table it was fitted to, and the posterior.

    Attributes
    ----------
    tree
        Groups posterior, sample_stats, prior, prior_predictive, posterior_predictive, log_likelihood, log_prior,
        observed_data and constant_data, with named coordinates.
    diagnostics
        The convergence verdict.
    standard
        Patients over whom its rows are averaged.
    interval_prob
        Probability of the intervals of its results.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design
    tree: xr.DataTree
    diagnostics: Diagnostics
    provenance: Provenance
    standard: Standard = Standard.OWN
    interval_prob: float = INTERVAL_PROB

    def __post_init__(self) -> None:
        _check_same_cohorts(self.design, self.evidence)

    @property
    def draws(self) -> dict[str, Array]:
        """The posterior's variables as arrays with axes (chain, draw, ...)."""
        return {str(name): values.to_numpy() for name, values in self.tree["posterior"].data_vars.items()}


def fit_model(
    spec: "Spec",
    evidence: "Evidence",
    *,
    engine: Engine = Engine.NUTS,
    settings: SamplerSettings | None = None,
    design: Design | None = None,
    standard: Standard = Standard.OWN,
    interval_prob: float = INTERVAL_PROB,
    progress: "Progress | None" = None,
) -> Fit:
    """Fit a model to a table of cohorts.

    NUTS replaces quadrature for a posterior that it does not cover, or with unreliable importance weights; quadrature
    replaces NUTS if units may be exchangeable or on their own, and there nothing replaces quadrature. Chains that
    fail the convergence gate are sampled once more with smaller steps and longer tuning, and returned with their
    verdict, passed or not.

    Parameters
    ----------
    spec, evidence
        Checked model, and a checked table with every column that it names.
    design
        Replaces the model's own design of the table, for levels absent from these cohorts, or structure that no model
        file declares. Must have the same cohorts.
    standard
        Patients over whom the reported rows are averaged; no draw depends on it.
    interval_prob
        Probability of the reported intervals, in (0, 1); no draw depends on it.
    progress
        Called during sampling, from another thread.

    Warns
    -----
    EngineWarning
        On fallback to another engine.
    ConvergenceWarning
        On a second attempt.

    Raises
    ------
    EvidenceError
        If a number of the model is missing or no number, unless such cohorts are to be left out.
    SamplingError
        If the sampler does not finish, or quadrature fails where NUTS cannot replace it.
    """
    settings = settings or SamplerSettings()
    evidence = stated_cohorts(spec, evidence)
    design = design or build_design(spec, evidence)
    _check_same_cohorts(design, evidence)
    fallback_reason = ""
    if design.exnex is not None and engine is Engine.NUTS:
        fallback_reason = NO_CHAINS
        warnings.warn(f"model {spec.name!r} is fitted by quadrature: {NO_CHAINS}.", EngineWarning, stacklevel=2)
    if design.exnex is not None or engine is Engine.QUADRATURE:
        fit = _by_quadrature(spec, evidence, design, settings, asked=engine, fallback_reason=fallback_reason)
        if isinstance(fit, Fit):
            return replace(fit, standard=standard, interval_prob=interval_prob)
        fallback_reason = fit.reason
        if design.exnex is not None:
            raise SamplingError(
                f"model {spec.name!r} could not be fitted by quadrature: {fit.reason}. NUTS cannot replace it: "
                f"{NO_CHAINS}. More draws may help, or a narrower prior of tau, or of a unit's own intercept."
            )
        warnings.warn(f"model {spec.name!r} is sampled by NUTS: {fallback_reason}.", EngineWarning, stacklevel=2)
    sampled = _sampled_fit(
        spec, evidence, design, settings, asked=engine, fallback_reason=fallback_reason, progress=progress
    )
    return replace(sampled, standard=standard, interval_prob=interval_prob)


def reweighted_fit(
    near: Fit,
    evidence: "Evidence",
    design: Design,
    log_ratios: Array,
    *,
    settings: SamplerSettings,
) -> Fit | None:
    """Return the posterior of a design near that of a fit by quadrature, from its draws weighted anew.

    None if these are too few for it; then :func:`fit_model` draws others.

    Parameters
    ----------
    near
        Fit of the same parameters.
    evidence, design
        Table and design wanted.
    log_ratios
        Log posterior density wanted over that of `near`, up to a constant, at its draws, shape (draw,).
    """
    found = reweighted(design, settings, drawn(near), log_ratios)
    if found is None:
        return None
    fit = _integrated_fit(near.spec, evidence, design, settings, found, asked=Engine.QUADRATURE, fallback_reason="")
    return replace(fit, standard=near.standard, interval_prob=near.interval_prob)


def drawn(fit: Fit) -> Drawn:
    """Return the draws of a fit by quadrature, to be weighted for another posterior."""
    weights = fit.provenance.weights
    if weights is None:
        raise ValueError("only independent draws can be weighted")
    stats = fit.tree["sample_stats"]
    psi, b = positions(Target(fit.design), fit.draws)
    return Drawn(psi, b, stats["lp"].to_numpy().ravel(), stats["proposal"].to_numpy().ravel(), weights)


def fit_by_quadrature(
    spec: "Spec",
    evidence: "Evidence",
    *,
    settings: SamplerSettings,
    standard: Standard = Standard.OWN,
    interval_prob: float = INTERVAL_PROB,
    probed: bool = True,
) -> Fit | Fallback:
    """Fit a model as :func:`fit_model` does by quadrature, but never by NUTS: return why that would be needed.

    Parameters
    ----------
    probed
        As of :func:`alkbayes.inference.importance.engine.integrate`.

    Raises
    ------
    EvidenceError
        As :func:`fit_model`.
    """
    evidence = stated_cohorts(spec, evidence)
    design = build_design(spec, evidence)
    fit = _by_quadrature(spec, evidence, design, settings, asked=Engine.QUADRATURE, fallback_reason="", probed=probed)
    return replace(fit, standard=standard, interval_prob=interval_prob) if isinstance(fit, Fit) else fit


def _check_same_cohorts(design: Design, evidence: "Evidence") -> None:
    if design.cohorts != tuple(evidence.frame["cohort_id"]):
        raise ValueError("design and evidence are not of the same cohorts, in one order")


def judged(posterior: xr.Dataset) -> xr.Dataset:
    """Return the variables judged by the convergence gate: all, but each quantity once.

    `p` is `theta` on another scale, and the contrasts of an exchangeable effect are its levels' effects in other units.
    """
    return posterior[[name for name in posterior.data_vars if name != "p" and not str(name).startswith("raw_")]]


def global_parameters(posterior: xr.Dataset) -> xr.Dataset:
    """Return the judged variables that importance weights concern; the others are drawn given these."""
    found = judged(posterior)
    drawn = ("theta", "z_", "exchangeable_")
    return found[[name for name in found.data_vars if not str(name).startswith(drawn)]]


def _by_quadrature(
    spec: "Spec",
    evidence: "Evidence",
    design: Design,
    settings: SamplerSettings,
    *,
    asked: Engine,
    fallback_reason: str,
    probed: bool = True,
) -> Fit | Fallback:
    found = integrate(design, settings, probed=probed)
    if isinstance(found, Fallback):
        return found
    return _integrated_fit(spec, evidence, design, settings, found, asked=asked, fallback_reason=fallback_reason)


def _integrated_fit(
    spec: "Spec",
    evidence: "Evidence",
    design: Design,
    settings: SamplerSettings,
    found: Integrated,
    *,
    asked: Engine,
    fallback_reason: str,
) -> Fit:
    tree = _tree(design, found.draws, found.stats, settings, library="alkbayes")
    return Fit(
        spec=spec,
        evidence=evidence,
        design=design,
        tree=tree,
        diagnostics=diagnose(
            global_parameters(tree["posterior"].to_dataset()),
            tree["sample_stats"].to_dataset(),
            pareto_k=found.weights.pareto_k,
            importance_ess=found.weights.ess,
            thin_share=found.weights.thin_share,
        ),
        provenance=Provenance(
            engine=Engine.QUADRATURE,
            engine_asked=asked,
            fallback_reason=fallback_reason,
            settings=settings,
            tries=1,
            first_failures=(),
            weights=found.weights,
            versions=versions(),
            seconds={"integrate": found.seconds},
        ),
    )


def _sampled_fit(
    spec: "Spec",
    evidence: "Evidence",
    design: Design,
    settings: SamplerSettings,
    *,
    asked: Engine,
    fallback_reason: str,
    progress: "Progress | None",
) -> Fit:
    # Here and not at the top: a fit by quadrature must not wait for PyMC to be imported.
    from alkbayes.inference.nuts.sampler import NutsEngine, sample_until_converged

    sampler = NutsEngine(design)
    seconds = {"compile": 0.0, "sample": 0.0}

    def sample(settings: SamplerSettings) -> tuple[xr.DataTree, Diagnostics]:
        sampled = sampler.sample(settings, progress=progress)
        seconds["compile"] = sampled.compile_seconds
        seconds["sample"] += sampled.sample_seconds
        draws = from_unconstrained(design, sampled.positions)
        tree = _tree(design, draws, sampled.stats, settings, library="nutpie")
        judged_ones = judged(tree["posterior"].to_dataset())
        return tree, diagnose(judged_ones, tree["sample_stats"].to_dataset())

    found = sample_until_converged(sample, settings, of="the posterior")
    return Fit(
        spec=spec,
        evidence=evidence,
        design=design,
        tree=found.result,
        diagnostics=found.diagnostics,
        provenance=Provenance(
            engine=Engine.NUTS,
            engine_asked=asked,
            fallback_reason=fallback_reason,
            settings=found.settings,
            tries=found.tries,
            first_failures=found.first_failures,
            weights=None,
            versions=versions(),
            seconds=seconds,
        ),
    )


def _tree(
    design: Design, draws: Draws, stats: Mapping[str, NDArray[Any]], settings: SamplerSettings, *, library: str
) -> xr.DataTree:
    attributes = {
        "inference_library": library,
        "inference_library_version": version(library),
        "creation_library": "alkbayes",
        "creation_library_version": version("alkbayes"),
    }
    return build_tree(design, draws, stats, seed=settings.seed, attributes=attributes)
