"""What the worker computes: the fit of a setting, a preview without one cohort, the run and the report to keep."""

import time
import warnings
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alkbayes.criticism.integrated_likelihood import log_likelihood_given_others
from alkbayes.errors import AlkbayesError, AlkbayesWarning
from alkbayes.estimates.rates import pooled_table, posterior_from
from alkbayes.estimates.results import CLASSICAL_METHODS, results_of
from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.table import Evidence, chosen
from alkbayes.explore.base import Base, ModelOf, checked_table, model_of, selection_of, settings_of, spec_before
from alkbayes.explore.jobs import (
    Answer,
    FitJob,
    Fitted,
    Job,
    KeepJob,
    Kept,
    Made,
    NoPreview,
    Previewed,
    PreviewJob,
    Refused,
    ReportJob,
    Unreliable,
)
from alkbayes.explore.setting import Setting
from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.fit import Exploration, Fit, fit_by_quadrature, fit_model
from alkbayes.inference.importance.engine import Fallback
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.importance.weights import resample, smooth
from alkbayes.inference.settings import Engine
from alkbayes.library import bayesian
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.prior_implications import implied_rates
from alkbayes.model.restriction import restricted, vanished_levels
from alkbayes.text.json import records

MOST_FITS = 6
"""Fits remembered, of a few megabytes each."""
QUICK_METHODS = CLASSICAL_METHODS[:2]
"""Classical methods of a first answer: all but the GLMM, which takes most of their time."""


class Analyst:
    """Answers jobs about one base, and remembers its last fits."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self._read: dict[str, tuple[Evidence, Evidence]] = {}
        self._fits: OrderedDict[tuple[Setting, bool], Fit] = OrderedDict()

    def answer(self, job: Job) -> Answer:
        """Return the answer to a job; an error that a user can mend is one."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AlkbayesWarning)
                match job:
                    case FitJob():
                        return self._fit(job)
                    case PreviewJob():
                        return self._preview(job)
                    case KeepJob():
                        return self._keep(job)
                    case ReportJob():
                        return _report(job.folder)
        except AlkbayesError as error:
            return Refused(str(error))

    def _fit(self, job: FitJob) -> Answer:
        started = time.perf_counter()
        spec, table = self._model(job.setting).spec, self.table(job.setting)
        implied = implied_rates(spec, table)
        fit = self._posterior(job.setting, quick=job.quick)
        if isinstance(fit, Fallback):
            # NUTS cannot replace quadrature where units may be on their own.
            exnex = any(term.distribution == "exnex" for term in spec.heterogeneity)
            return Unreliable(fit.reason, not exnex, implied)
        results = results_of(fit, methods=QUICK_METHODS if job.quick else CLASSICAL_METHODS)
        return Fitted(
            job.setting.analysis,
            job.quick,
            results.document,
            tuple(records(results.cohorts)),
            implied,
            time.perf_counter() - started,
        )

    def table(self, setting: Setting) -> Evidence:
        """Return the table of a setting.

        Raises
        ------
        EvidenceError, UsageError
            If it cannot be read for the setting's model, or the setting does not fit it, or leaves nothing of it.
        """
        checked, whole = self._tables(setting)
        return chosen(checked, selection_of(self.base, setting, whole))

    def _model(self, setting: Setting) -> ModelOf:
        return model_of(self.base, setting, self._tables(setting)[1])

    def _tables(self, setting: Setting) -> tuple[Evidence, Evidence]:
        """Return every cohort of the file, and those of the base, for the setting's model; each file is read once."""
        if setting.model not in self._read:
            checked = checked_table(self.base, spec_before(self.base, setting))
            self._read[setting.model] = checked, chosen(checked, self.base.selection)
        return self._read[setting.model]

    def _posterior(self, setting: Setting, *, quick: bool) -> Fit | Fallback:
        wanted = (setting.analysis, quick)
        if wanted in self._fits:
            return self._fits[wanted]
        spec, table = self._model(setting).spec, self.table(setting)
        settings = settings_of(self.base, setting, quick=quick)
        kind: dict[str, Any] = {"standard": self.base.standard, "interval_prob": self.base.interval_prob}
        fit: Fit | Fallback
        if setting.engine is Engine.NUTS:
            fit = fit_model(spec, table, engine=Engine.NUTS, settings=settings, **kind)
        else:
            fit = fit_by_quadrature(spec, table, settings=settings, probed=not quick, **kind)
        if isinstance(fit, Fit):
            self._fits[wanted] = fit
            if len(self._fits) > MOST_FITS:
                self._fits.popitem(last=False)
        return fit

    def _preview(self, job: PreviewJob) -> Answer:
        before = job.before.analysis
        fit = self._fits.get((before, False)) or self._fits.get((before, True))
        if fit is None:
            return NoPreview()
        names = fit.evidence.frame[COHORT].tolist()
        if job.cohort not in names or unsupported(fit.design):
            return NoPreview()
        return without_one(fit, names.index(job.cohort))

    def _keep(self, job: KeepJob) -> Kept | Refused:
        fit = self._posterior(job.setting, quick=False)
        if isinstance(fit, Fallback):
            return Refused(f"There is nothing to keep: {fit.reason}.")
        model, table = self._model(job.setting), self.table(job.setting)
        # The table with its reasons, on which no number depends.
        fit = replace(fit, spec=model.spec, evidence=stated_cohorts(model.spec, table))
        exploration = None if job.tried is None else Exploration(job.tried, job.changes)
        fit = replace(fit, provenance=replace(fit.provenance, exploration=exploration))
        why = self.base.chosen if exploration is None else None
        saved = bayesian.save_run(bayesian.Fit(fit, model.content, why))
        return Kept(saved.folder or Path())


def without_one(fit: Fit, position: int) -> Previewed | NoPreview:
    """Return the pooled rates of a fit without one of its cohorts, by importance weights of the integrated likelihood.

    Typical, mean and next cohort depend on the global parameters alone, which the weights are a function of; the rates
    of the other cohorts of its trial do not, and are not returned.
    """
    kept = np.setdiff1d(np.arange(len(fit.design.cohorts)), [position])
    if not len(kept) or vanished_levels(fit.design, kept):
        return NoPreview()
    left_out = np.array([position], dtype=np.intp)
    log_ratios = -log_likelihood_given_others(fit.design, fit.draws, [left_out])[..., 0].ravel()
    log_weights, k = smooth(log_ratios)
    if not k <= Thresholds().pareto_k_max:
        return NoPreview()
    seed = fit.provenance.settings.seed
    chosen = resample(np.exp(log_weights), len(log_weights), np.random.default_rng(seed))
    design = restricted(fit.design, kept)
    of_cohorts = {"theta", "p"}
    draws = {
        name: (
            values.reshape(-1, *values.shape[2:])[chosen][:, kept]
            if name in of_cohorts
            else values.reshape(-1, *values.shape[2:])[chosen]
        )
        for name, values in fit.draws.items()
    }
    posterior = posterior_from(design, draws, seed=seed, interval_prob=fit.interval_prob)
    rows = records(pooled_table(replace(posterior, standard=fit.standard)))
    return Previewed(tuple(row for row in rows if row["estimand"] != "these_cohorts"))


def _report(folder: Path) -> Made:
    # Here and not at the top: figures are needed for a report alone.
    from alkbayes.reporting.document import report_of
    from alkbayes.reporting.renderers.html import html_of

    return Made(html_of(report_of(folder)).encode())
