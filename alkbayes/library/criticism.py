"""Criticism of a fit from Python: diagnostics, predictive checks, leave-one-out, comparison, sensitivity."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alkbayes.appraisal.judgements import with_low_risk
from alkbayes.criticism import comparison, diagnosis, predictive
from alkbayes.criticism.loo_cohorts import CohortsLeftOut, leave_one_cohort_out
from alkbayes.criticism.outliers import fit_record, outlier_record, outlier_table
from alkbayes.errors import ConvergenceError, UsageError
from alkbayes.evidence.cuts import with_cuts
from alkbayes.evidence.table import cohort_labels
from alkbayes.library.arguments import several
from alkbayes.library.bayesian import Fit, checked_fit, kept_with
from alkbayes.library.display import Displayed
from alkbayes.presentation.comparison import comparison_parts
from alkbayes.presentation.diagnosis import finding_rows, headline_rows
from alkbayes.presentation.outliers import outlier_parts
from alkbayes.presentation.predictive import posterior_parts, prior_parts
from alkbayes.presentation.sensitivity import scaling_rows, shift_rows, shift_sentences
from alkbayes.presentation.tables import Part, not_converged
from alkbayes.runs.appraisal import appraisal_of
from alkbayes.sensitivity_analysis.alternatives import BY_NAME
from alkbayes.sensitivity_analysis.conclusions import SensitivityRecord, sensitivity_record
from alkbayes.sensitivity_analysis.power_scaling import PowerScaling, power_scaling
from alkbayes.sensitivity_analysis.refit import over_own, run_grid
from alkbayes.sensitivity_analysis.table import Grid, grid_table
from alkbayes.text.wording import counted, figure

if TYPE_CHECKING:
    import pandas as pd
    from arviz_stats.utils import ELPDData


@dataclass(frozen=True, repr=False, eq=False)
class _OfFit(Displayed):
    """A result about one fit."""

    fit: Fit

    @property
    def failed(self) -> bool:
        """Whether its numbers must not be used: the posterior did not converge."""
        return self.fit.failed

    def _warning(self) -> tuple[Part, ...]:
        return not_converged(self.fit.posterior.diagnostics.failures)


@dataclass(frozen=True, repr=False, eq=False)
class Diagnosis(_OfFit):
    """Convergence diagnostics and Monte Carlo errors of a fit.

    Attributes
    ----------
    analysis
        The record that the rest of the package takes, with every finding and its advice.
    """

    analysis: diagnosis.Diagnosis

    @property
    def quantities(self) -> "pd.DataFrame":
        """A row for each reported number and each parameter, with R-hat, ESS and Monte Carlo errors."""
        return self.analysis.quantities

    @property
    def subject(self) -> str:
        """Model and engine."""
        return f"Diagnosis of model {self.fit.spec.name}, {self.analysis.engine}"

    @property
    def verdict(self) -> str:
        """Whether the numbers can be used."""
        return self.analysis.conclusion

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: quantities; analysis.findings"

    @property
    def failed(self) -> bool:
        """Whether the numbers of the fit must not be used."""
        return bool(self.analysis.failures)

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes diagnose --json` prints of it."""
        return self.analysis.as_record()

    def _parts(self) -> Iterator[Part]:
        yield finding_rows(self.analysis)
        yield headline_rows(self.analysis)


@dataclass(frozen=True, repr=False, eq=False)
class PosteriorChecks(_OfFit):
    """Posterior predictive checks.

    Attributes
    ----------
    analysis
        The record that the rest of the package takes.
    """

    analysis: predictive.PosteriorChecks

    @property
    def cohorts(self) -> "pd.DataFrame":
        """Each cohort's rate beside its predictions, proportions in [0, 1]."""
        return self.analysis.cohorts

    @property
    def subject(self) -> str:
        """Model."""
        return f"Posterior predictive checks of model {self.fit.spec.name}"

    @property
    def verdict(self) -> str:
        """Whether the model expects what was observed."""
        return self.analysis.conclusion

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: cohorts; analysis.statistics"

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes predictive --json` prints of it."""
        return self.analysis.as_record()

    def _parts(self) -> Iterator[Part]:
        yield from self._warning()
        yield from posterior_parts(self.analysis, cohort_labels(self.fit.posterior.evidence.frame))


@dataclass(frozen=True, repr=False, eq=False)
class PriorChecks(_OfFit):
    """Prior predictive checks: what the priors expect before any count is used.

    Attributes
    ----------
    analysis
        The record that the rest of the package takes.
    """

    analysis: predictive.PriorChecks

    @property
    def cells(self) -> "pd.DataFrame":
        """The rate of each group of cohorts beside what the priors expect, proportions in [0, 1]."""
        return self.analysis.cells

    @property
    def subject(self) -> str:
        """Model."""
        return f"Prior predictive checks of model {self.fit.spec.name}"

    @property
    def verdict(self) -> str:
        """Whether the priors expect what was observed."""
        return self.analysis.conclusion

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: cells; analysis.statistics"

    @property
    def failed(self) -> bool:
        """No: these checks are of the priors, whatever became of the posterior."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes predictive --prior --json` prints of it."""
        return self.analysis.as_record()

    def _parts(self) -> Iterator[Part]:
        yield from prior_parts(self.analysis)


@dataclass(frozen=True, repr=False, eq=False)
class LeaveOneOut(_OfFit):
    """Each cohort left out in turn, with its deviations integrated out.

    Attributes
    ----------
    analysis
        The record that the rest of the package takes: weights, and exact refits where these are unreliable.
    """

    analysis: CohortsLeftOut

    @property
    def elpd(self) -> "ELPDData":
        """The result as ArviZ has it, for `arviz.compare`."""
        return self.analysis.loo

    @cached_property
    def cohorts(self) -> "pd.DataFrame":
        """Each cohort beside its prediction from the others, the least expected first."""
        return outlier_table(self.fit.posterior, self.analysis)

    @property
    def subject(self) -> str:
        """Model."""
        return f"Leave-one-cohort-out of model {self.fit.spec.name}"

    @property
    def verdict(self) -> str:
        """The expected log predictive density, and the weights that cannot be relied on."""
        loo = self.analysis.loo
        bad = len(self.analysis.unreliable)
        weights = "all weights reliable or refitted" if not bad else f"{counted(bad, 'cohort')} with unreliable weights"
        return (
            f"elpd {figure(loo.elpd, 1)} (SE {figure(loo.se, 1)}), {figure(loo.p, 1)} effective parameters; {weights}"
        )

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: cohorts; elpd for ArviZ"

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes outliers --json` prints of it."""
        fit = self.fit.posterior
        return {"outliers": fit_record(fit) | outlier_record(fit, self.analysis, self.cohorts)}

    def _parts(self) -> Iterator[Part]:
        yield from self._warning()
        evidence = self.fit.posterior.evidence
        yield from outlier_parts(self.to_dict()["outliers"], evidence.outcome, cohort_labels(evidence.frame))


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(Displayed):
    """Models compared by how well they predict cohorts and trials left out.

    Attributes
    ----------
    fits
        The fits by name.
    analysis
        The record that the rest of the package takes.
    """

    fits: Mapping[str, Fit]
    analysis: comparison.Comparison

    @property
    def elpd(self) -> "pd.DataFrame":
        """A row for each fit and unit left out, best first."""
        return self.analysis.elpd

    @property
    def stacked(self) -> "pd.DataFrame":
        """Headline estimates of each fit, and of the mixture of all by stacking weights."""
        return self.analysis.stacked

    @property
    def subject(self) -> str:
        """Names of the fits."""
        return f"Comparison of {', '.join(self.fits)}"

    @property
    def verdict(self) -> str:
        """Which predicts better, and whether the difference can be told from noise."""
        return " ".join(comparison.verdict(self.analysis))

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: elpd, stacked; analysis.pointwise"

    @property
    def failed(self) -> bool:
        """Whether any of the posteriors did not converge."""
        return any(fit.failed for fit in self.fits.values())

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes compare --json` prints of it, but for the runs."""
        return self.analysis.to_dict()

    def _parts(self) -> Iterator[Part]:
        yield from comparison_parts(self.to_dict())


@dataclass(frozen=True, repr=False, eq=False)
class Sensitivity(_OfFit):
    """Results under other priors, data choices and models.

    Attributes
    ----------
    grid, scaling
        The records that the rest of the package takes.
    """

    grid: Grid
    scaling: PowerScaling

    @cached_property
    def alternatives(self) -> "pd.DataFrame":
        """A row for each alternative and number, as `alkbayes sensitivity --csv` prints them."""
        return grid_table(self.grid)

    @cached_property
    def record(self) -> SensitivityRecord:
        """The analysis as JSON values, with its conclusions."""
        return sensitivity_record(self.fit.posterior, self.grid, self.scaling)

    @property
    def subject(self) -> str:
        """Model."""
        return f"Sensitivity analysis of model {self.fit.spec.name}, {counted(len(self.grid.outcomes), 'alternative')}"

    @property
    def verdict(self) -> str:
        """What the conclusions depend on."""
        return " ".join(self.record["conclusions"])

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: alternatives; record, grid, scaling"

    def to_dict(self) -> SensitivityRecord:
        """Return what `alkbayes sensitivity --json` prints of it."""
        return self.record

    def _parts(self) -> Iterator[Part]:
        outcome = self.fit.posterior.evidence.outcome
        yield scaling_rows(self.record)
        yield shift_rows(self.record, outcome)
        yield from shift_sentences(self.record, outcome)


def diagnose(fit: Fit) -> Diagnosis:
    """Return convergence diagnostics and Monte Carlo errors of every parameter and reported number, with advice.

    Examples
    --------
    >>> import alkbayes as ab
    >>> fit = ab.fit(None, "overall", engine="quadrature")
    >>> ab.diagnose(fit).failed
    False
    """
    return Diagnosis(fit, diagnosis.diagnosis_of(checked_fit(fit).posterior))


def posterior_checks(fit: Fit) -> PosteriorChecks:
    """Return posterior predictive checks, by cohort and overall.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.posterior_checks(ab.fit(None, "overall", engine="quadrature")).cohorts.shape[0]
    66
    """
    return PosteriorChecks(fit, predictive.posterior_checks(checked_fit(fit).posterior))


def prior_checks(fit: Fit) -> PriorChecks:
    """Return prior predictive checks: what the model expects before any count is used.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.prior_checks(ab.fit(None, "overall", engine="quadrature")).cells["inside"].all()
    np.True_
    """
    return PriorChecks(fit, predictive.prior_checks(checked_fit(fit).posterior))


def leave_one_out(fit: Fit, *, workers: int | None = None) -> LeaveOneOut:
    """Leave out each cohort in turn, its deviations integrated out; refit where the weights are unreliable.

    The deviations of cohorts make the weights of `arviz.loo` unreliable for such models: here they are integrated out
    of the likelihood first (Merkle, Furr & Rabe-Hesketh 2019, doi:10.1007/s11336-019-09679-0).

    Parameters
    ----------
    fit
        The fit. The result is kept in its run's folder, if it has one, for figures and reports.
    workers
        Processes for the refits. Default: one for each processor.

    Raises
    ------
    EvidenceError
        If there is only one cohort.
    UsageError
        If the model's deviations cannot be integrated out.

    Examples
    --------
    >>> import alkbayes as ab
    >>> found = ab.leave_one_out(ab.fit(None, "overall", engine="quadrature"))
    >>> int(found.elpd.n_data_points)
    66
    """
    found = LeaveOneOut(fit, leave_one_cohort_out(checked_fit(fit).posterior, workers=workers))
    kept_with(fit, "outliers", found.to_dict())
    return found


def compare(fits: Mapping[str, Fit], *, workers: int | None = None) -> Comparison:
    """Compare fits of one table by leave-one-cohort-out and leave-one-trial-out predictive accuracy.

    Parameters
    ----------
    fits
        Two or more, by name.
    workers
        Processes for the refits without each trial. Default: one for each processor.

    Raises
    ------
    RunError
        If they are not of one table.
    UsageError
        If there is one fit alone, or a model's deviations cannot be integrated out.

    Examples
    --------
    >>> import pandas as pd, alkbayes as ab
    >>> table = pd.DataFrame({"cohort_id": list("abcd"), "responders": [12, 30, 8, 21], "n": [40, 42, 33, 60]})
    >>> table["line"] = ["pretreated", "naive", "pretreated", "pretreated"]
    >>> fits = {name: ab.fit(table, name, engine="quadrature") for name in ("overall", "line")}
    >>> sorted(ab.compare(fits).elpd["run"])
    ['line', 'overall']
    """
    if not isinstance(fits, Mapping):
        raise UsageError(f"found {type(fits).__name__}; allowed: a mapping of names to fits.", parameter="fits")
    if len(fits) < 2:
        raise UsageError(f"found {len(fits)}; allowed: two fits or more.", parameter="fits")
    return Comparison(
        fits, comparison.compare_fits({name: checked_fit(fit).posterior for name, fit in fits.items()}, workers=workers)
    )


def sensitivity(
    fit: Fit,
    *,
    alternatives: str | Sequence[str] | None = None,
    cuts: Path | str | None = None,
    workers: int | None = None,
) -> Sensitivity:
    """Refit under other priors, data choices and models, and scale priors and likelihood by powers.

    Parameters
    ----------
    fit
        A converged fit. The result is kept in its run's folder, if it has one, for figures and reports.
    alternatives
        Name of an alternative, or names. Default: all that make sense for the table.
    cuts
        File with other counts of the cohorts (columns `cohort_id`, `cut`, `responders`, `n`), for the alternative
        "later cut". Default: those of the bundled trials.
    workers
        Processes. Default: one for each processor.

    Raises
    ------
    ConvergenceError
        If the fit did not converge.
    EvidenceError
        If the file of `cuts` breaks a rule.
    UsageError
        If there is no such alternative.

    Examples
    --------
    >>> import alkbayes as ab
    >>> fit = ab.fit(None, "overall", engine="quadrature")
    >>> found = ab.sensitivity(fit, alternatives=["tau half-normal 1"])
    >>> found.alternatives["alternative"].unique().tolist()
    ['main', 'main model again', 'tau half-normal 1']
    """
    chosen = None if alternatives is None else several(alternatives)
    if unknown := [name for name in chosen or () if name not in BY_NAME]:
        raise UsageError(f"found {unknown[0]!r}; allowed: {', '.join(BY_NAME)}.", parameter="alternatives")
    if not checked_fit(fit).converged:
        raise ConvergenceError("the posterior did not converge: there is nothing to compare alternatives with.")
    scaling = power_scaling(over_own(fit.posterior))
    evidence = with_cuts(fit.posterior.evidence, None if cuts is None else Path(cuts))
    posterior = replace(fit.posterior, evidence=with_low_risk(evidence, appraisal_of(fit.folder, evidence)))
    found = Sensitivity(fit, run_grid(posterior, names=chosen, workers=workers), scaling)
    if chosen is None:
        kept_with(fit, "sensitivity", {"sensitivity": {"run": str(fit.folder), **found.record}})
    return found
