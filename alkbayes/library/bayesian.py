"""Bayesian meta-analysis from Python: fit a model, keep the run, open it again."""

import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

from alkbayes.criticism.confounding import columns_left_out
from alkbayes.errors import AlkbayesWarning, ConvergenceWarning, RunError, UsageError
from alkbayes.estimates.exceedance import exceedance_table
from alkbayes.estimates.results import Results, results_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.inference import fit as fits
from alkbayes.inference.settings import DEFAULT_SEED, Engine, SamplerSettings
from alkbayes.library.arguments import spelt
from alkbayes.library.display import Displayed
from alkbayes.library.evidence import Data, Names, table_of
from alkbayes.library.models import Model, model_file, read_model
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import build_design
from alkbayes.presentation.fit import contrast_rows, heterogeneity_rows, pooled_rows, subject, verdict
from alkbayes.presentation.key_results import key_results
from alkbayes.presentation.tables import Part, Sentence
from alkbayes.runs.analyses import keep_analysis
from alkbayes.runs.command import refit_command
from alkbayes.runs.run import MODEL_FILE, free_run_folder, read_fit, read_run, write_run
from alkbayes.spec.default_model import default_model, usual_standard
from alkbayes.vocabulary import INTERVAL_PROB, Standard, checked_level

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from alkbayes.inference.nuts.pymc_model import PyMCModel
    from alkbayes.inference.nuts.sampler import Progress
    from alkbayes.runs.document import FitDocument
    from alkbayes.spec.schema import Spec


@dataclass(frozen=True, repr=False, eq=False)
class Fit(Displayed):
    """A posterior with its tables, as `alkbayes fit` prints and keeps them.

    Attributes
    ----------
    posterior
        The record that the rest of the package takes.
    model
        The model file, as bytes.
    chosen
        Why this model, where none was named.
    folder
        The run's folder, where it was opened or saved.
    """

    posterior: fits.Fit
    model: bytes = field(repr=False)
    chosen: str | None = None
    folder: Path | None = None

    @property
    def tree(self) -> "xr.DataTree":
        """Draws, predictions and likelihoods with named coordinates, for every function of ArviZ."""
        return self.posterior.tree

    @property
    def spec(self) -> "Spec":
        """The model."""
        return self.posterior.spec

    @property
    def converged(self) -> bool:
        """Whether the posterior passed the convergence gate; if not, no number may be used."""
        return self.posterior.diagnostics.converged

    @cached_property
    def results(self) -> Results:
        """All tables, as the rest of the package takes them."""
        return results_of(self.posterior)

    @property
    def pooled(self) -> "pd.DataFrame":
        """Pooled rates, proportions in [0, 1]: a row for each group, level and estimand, with Monte Carlo errors."""
        return self.results.pooled

    @property
    def contrasts(self) -> "pd.DataFrame":
        """Differences between levels, as odds ratios and as differences of rates, with Monte Carlo errors."""
        return self.results.contrasts

    @property
    def heterogeneity(self) -> "pd.DataFrame":
        """Standard deviations between cohorts, on the scale of the link, and the shares derived from them."""
        return self.results.heterogeneity

    @property
    def cohorts(self) -> "pd.DataFrame":
        """Each cohort's observed rate beside the rate that it has given all cohorts, proportions in [0, 1]."""
        return self.results.cohorts

    @property
    def classical(self) -> "pd.DataFrame":
        """Classical pooling of the same groups, proportions in [0, 1]."""
        return self.results.classical

    @property
    def estimands(self) -> "xr.Dataset":
        """Draws of the pooled rates, proportions in [0, 1], with dimensions chain, draw and group."""
        return self.results.estimands

    def exceedance(self, above: Sequence[float]) -> "pd.DataFrame":
        """Return the probability that each pooled rate exceeds limits given as proportions, strictly in (0, 1)."""
        return exceedance_table(self.posterior, above)

    @cached_property
    def _document(self) -> "FitDocument":
        added = {"chosen": self.chosen, **columns_left_out(self.posterior)}
        return cast("FitDocument", self.results.document | added)

    def to_dict(self) -> "FitDocument":
        """Return everything but the cohorts as JSON values: what `alkbayes fit --json` prints, but for the run."""
        return self._document

    @property
    def key_results(self) -> tuple[tuple[str, str], ...]:
        """Pairs of topic and sentence, at most six."""
        return key_results(self._document)

    @property
    def subject(self) -> str:
        """Model and evidence."""
        return ". ".join(subject(self._document))

    @property
    def verdict(self) -> str:
        """Whether the draws may be used, and how they were made."""
        return ". ".join(verdict(self._document))

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: pooled, contrasts, heterogeneity, cohorts, classical; draws: tree, estimands"

    @property
    def failed(self) -> bool:
        """Whether its numbers must not be used."""
        return not self.converged

    def _parts(self) -> Iterator[Part]:
        document = self._document
        for topic, told in self.key_results[:-1]:
            yield Sentence(f"{topic}: {told}")
        yield pooled_rows(document)
        yield from contrast_rows(document)
        if document["heterogeneity"]:
            yield heterogeneity_rows(document)


def fit(
    data: Data = None,
    model: Model | None = None,
    *,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
    engine: str = "nuts",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int = DEFAULT_SEED,
    standard: str | None = None,
    level: float = INTERVAL_PROB,
    progress: "Progress | None" = None,
) -> Fit:
    """Fit a hierarchical model to a table of cohorts.

    Parameters
    ----------
    data
        A data frame; the path of a table; a table already read; None for the bundled one.
    model
        Name of a bundled model, path of a model file, or a declaration. Default: the richest bundled model that the
        table has columns for.
    cohort, trial, responders, n
        Your names for the columns of cohorts, trials and the two counts.
    engine
        "nuts", or "quadrature" for independent draws without chains.
    draws, tune, chains, random_seed
        Of the sampler; tuning steps are of NUTS alone.
    standard
        "same" averages the levels of a column over the same mix of the other columns, "own" each over its own. Default:
        as of `alkbayes fit`.
    level
        Probability of the intervals, from 0.5 to 0.999.
    progress
        Called with the draws made, their total and the divergent transitions, from another thread.

    Warns
    -----
    ConvergenceWarning
        If the posterior did not converge; the result is marked, and no number of it may be used.
    EngineWarning
        If another engine had to be used.

    Raises
    ------
    EvidenceError, SpecError
        If the table or the model breaks a rule, or the table lacks a column of the model.
    UsageError
        If a setting is out of range.
    SamplingError
        If the sampler does not finish.

    Examples
    --------
    >>> import pandas as pd, alkbayes as ab
    >>> table = pd.DataFrame({"study": ["a", "b", "c", "d"], "event": [12, 30, 8, 21], "total": [40, 52, 33, 60]})
    >>> fit = ab.fit(table, "overall", responders="event", n="total", cohort="study", engine="quadrature")
    >>> fit.converged
    True
    >>> fit.pooled.query("estimand == 'mean'")["median"].round(2).item()
    0.39
    """
    with spelt(seed="random_seed"):
        settings = SamplerSettings(seed=random_seed, chains=chains, draws=draws, tune=tune)
    prob = checked_level(level)
    drawn_by = _choice(Engine, engine, "engine")
    names = Names(cohort, trial, responders, n)
    named, why = _model_of(data, names, model)
    spec = read_model(named)
    over = usual_standard(model) if standard is None else _choice(Standard, standard, "standard")
    evidence = stated_cohorts(spec, table_of(data, names, spec.outcome, spec.needed))
    posterior = fits.fit_model(
        spec,
        evidence,
        engine=drawn_by,
        settings=settings,
        standard=over,
        interval_prob=prob,
        progress=progress,
    )
    if not posterior.diagnostics.converged:
        warnings.warn(
            f"the posterior did not converge: {'; '.join(posterior.diagnostics.failures)}. Do not use its numbers.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Fit(posterior, model_file(named), why)


def checked_fit(fit: object) -> Fit:
    """Return a fit; an error if it is something else, such as the path of a run."""
    if not isinstance(fit, Fit):
        raise UsageError(f"found {type(fit).__name__}; allowed: a fit, of `fit` or `open_run`.", parameter="fit")
    return fit


def _model_of(data: Data, names: Names, model: Model | None) -> tuple[Model, str | None]:
    """Return the model; where none is named, the richest that the table has columns for, and why."""
    if model is not None:
        return model, None
    chosen = default_model(table_of(data, names, ORR).frame)
    return chosen.name, chosen.why


def _choice[E: StrEnum](kind: type[E], value: str, parameter: str) -> E:
    """Return the member of an enumeration with this value."""
    if value not in set(kind):
        raise UsageError(f"found {value!r}; allowed: {', '.join(kind)}.", parameter=parameter)
    return kind(value)


def open_run(folder: str | PathLike[str]) -> Fit:
    """Open a finished run, after checking that none of its files was changed.

    Raises
    ------
    RunError, UsageError
        If this is not a finished run, or a file of it is missing or changed.
    """
    place = Path(folder)
    document = read_run(place)
    return Fit(read_fit(place, document), (place / MODEL_FILE).read_bytes(), document.get("chosen"), place)


def save_run(fit: Fit, folder: str | PathLike[str] | None = None) -> Fit:
    """Write a fit to a new folder, as `alkbayes fit --out` does, and return it with its folder.

    Parameters
    ----------
    fit
        The fit.
    folder
        A folder that does not exist. Default: runs/<model>-<timestamp>.

    Raises
    ------
    TakenError
        If the folder exists.
    RunError, UsageError
        If it cannot be written.
    """
    name = checked_fit(fit).spec.name
    place = free_run_folder(name, now=datetime.now().astimezone()) if folder is None else Path(folder)
    results = replace(fit.results, document=dict(fit.to_dict()))
    write_run(place, fit.posterior, results, model_file=fit.model, command=shlex.join(refit_command(fit.to_dict())))
    return replace(fit, folder=place)


def kept_with(fit: Fit, name: str, document: Mapping[str, object]) -> None:
    """Keep an analysis in the folder of a fit's run, if it has one; a failure is a warning."""
    if fit.folder is None:
        return
    try:
        keep_analysis(fit.folder, name, document)
    except RunError as error:
        warnings.warn(f"{error} Figures and reports of this run will do without.", AlkbayesWarning, stacklevel=3)


def pymc_model(
    data: Data = None,
    model: Model | None = None,
    *,
    cohort: str | None = None,
    trial: str | None = None,
    responders: str | None = None,
    n: str | None = None,
) -> "PyMCModel":
    """Return the PyMC model of a table, to sample it otherwise or to extend it.

    Parameters and errors are those of :func:`fit`.

    Examples
    --------
    >>> import alkbayes as ab
    >>> model = ab.pymc_model(None, "overall")
    >>> sorted(variable.name for variable in model.free_RVs)
    ['alpha', 'tau_cohort', 'tau_trial', 'z_cohort', 'z_trial']
    """
    # Here and not at the top: PyMC takes seconds to import.
    from alkbayes.inference.nuts.pymc_model import build_model

    names = Names(cohort, trial, responders, n)
    spec = read_model(_model_of(data, names, model)[0])
    evidence = stated_cohorts(spec, table_of(data, names, spec.outcome, spec.needed))
    return build_model(build_design(spec, evidence))
