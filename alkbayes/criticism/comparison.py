"""Model comparison on one table by the predictive accuracy for left-out cohorts and trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import arviz_stats as az
import numpy as np
import pandas as pd
from arviz_stats.utils import ELPDData
from numpy.typing import NDArray

from alkbayes.criticism.integrated_likelihood import check_covered
from alkbayes.criticism.loo_cohorts import CohortsLeftOut, leave_one_cohort_out
from alkbayes.criticism.loo_trials import Refitted, completed, elpd_of, elpd_without_trial, tasks_of, weighted
from alkbayes.errors import RunError
from alkbayes.estimates.headline import Reported, headline_of, reported_of
from alkbayes.estimates.monte_carlo import error_columns_of, mean_error_of, mixture_errors
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit
from alkbayes.model.restriction import Trial, trials_of
from alkbayes.model.summary import summarise
from alkbayes.parallel import Progress
from alkbayes.text.json import records
from alkbayes.text.names import shown
from alkbayes.text.wording import counted
from alkbayes.vocabulary import INTERVAL_PROB, Standard

type Array = NDArray[np.float64]

ERRORS_APART = 2.0
"""Standard errors below which a difference is within its error."""
LEAST_DIFFERENCE = 4.0
"""Difference in elpd below which models predict so alike that its standard error is unreliable too (Sivula et al. 2020,
doi:10.48550/arXiv.2008.10296)."""
FEW = 100
"""Cohorts or trials below which the error of a difference is not normal, and its standard error too small (Sivula et
al.)."""
COHORT, TRIAL = "cohort", "trial"
STACKED = "(stacked)"
ERRORS = ("mcse_median", "mcse_low", "mcse_high")
"""Columns of Monte Carlo errors."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of runs.

    Attributes
    ----------
    elpd
        A row for each run and unit left out, best first. Columns left_out ("cohort": integrated leave-one-out by
        importance weights; "trial": the same), run, elpd and se, p (effective number of parameters), difference (from
        the best run, at most 0) and difference_se, weight (by stacking), mcse (Monte Carlo standard error of an elpd
        by trial, else NaN).
    pointwise
        A row for each run and unit. Columns left_out, unit, run, elpd, pareto_k (NaN by trial).
    stacked
        A row for each run and each headline estimate common to all runs, and one for `run` "(stacked)": the mixture of
        their posteriors with the weights of `weights_by`. Columns number, table, group, level, measure, run, weight,
        mean, sd, median, low, high, mcse_median, mcse_low, mcse_high (Monte Carlo standard errors); proportions in
        [0, 1], SDs on the logit scale, equal-tailed intervals.
    weights_by
        "trial", or "cohort" if the table names no trials.
    cautions
        Sentences of warning.
    interval_prob
        Probability of the intervals.
    """

    elpd: pd.DataFrame
    pointwise: pd.DataFrame
    stacked: pd.DataFrame
    weights_by: str
    cautions: tuple[str, ...]
    interval_prob: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything, with the verdict, as JSON values."""
        return {
            "interval_prob": self.interval_prob,
            "elpd": records(self.elpd),
            "weights_by": self.weights_by,
            "stacked": records(self.stacked),
            "pointwise": records(self.pointwise),
            "verdict": list(verdict(self)),
            "cautions": list(self.cautions),
        }


def check_comparable(fits: Mapping[str, Fit]) -> None:
    """Check that all fits have the same cohorts with the same counts.

    Raises
    ------
    RunError
        If they do not: elpds of different data are not comparable.
    UsageError
        If a model's deviations cannot be integrated out.
    """
    (first, reference), *others = fits.items()
    for name, fit in others:
        same_counts = (
            fit.design.cohorts == reference.design.cohorts
            and np.array_equal(fit.design.responders, reference.design.responders)
            and np.array_equal(fit.design.n, reference.design.n)
        )
        if fit.evidence.sha256 != reference.evidence.sha256 or not same_counts:
            raise RunError(
                f"{name} is of other evidence than {first}: {_evidence(fit)}, and {_evidence(reference)}. Only runs of "
                "the same cohorts and counts can be compared. Fit both models to one table."
            )
    for fit in fits.values():
        check_covered(fit.design, model=fit.spec.name)


def compare_fits(
    fits: Mapping[str, Fit], *, workers: int | None = None, progress: Progress | None = None
) -> Comparison:
    """Compare fits of several models to one table.

    Parameters
    ----------
    fits
        At least two, by their names in tables. Intervals have the probability of the first one's.
    workers, progress
        For the refits without each trial; the result does not depend on them.

    Raises
    ------
    RunError
        If their evidence differs.
    UsageError
        If a model's deviations cannot be integrated out.
    SamplingError
        If the sampler does not finish a refit.
    """
    check_comparable(fits)
    prob = next(iter(fits.values())).interval_prob
    fits = {name: replace(fit, interval_prob=prob) for name, fit in fits.items()}
    by_cohort = {name: leave_one_cohort_out(fit, workers=workers) for name, fit in fits.items()}
    elpds: dict[str, dict[str, ELPDData]] = {COHORT: {name: found.loo for name, found in by_cohort.items()}}
    cautions = _bad_weights(by_cohort)
    trials = trials_of(next(iter(fits.values())).evidence)
    refitted: dict[str, list[Refitted]] = {}
    if trials is None:
        cautions.append("Trials are not left out in turn: the table does not say which cohorts are of one trial.")
    elif len(trials) == 1:
        cautions.append(f"Trials are not left out in turn: all cohorts are of one trial, {shown(trials[0].name)}.")
    else:
        refitted = without_each_trial(fits, trials, workers=workers, progress=progress)
        elpds[TRIAL] = {name: elpd_of(fit, trials, refitted[name]) for name, fit in fits.items()}
        cautions += [
            f"{name}: the refit without {trial.name} did not converge ({'; '.join(found.failures)})."
            for name, made in refitted.items()
            for trial, found in zip(trials, made, strict=True)
            if found.failures
        ]
    tables = []
    for unit, found in elpds.items():
        table = compared(found)
        errors = _monte_carlo_errors(refitted) if unit == TRIAL else {}
        tables.append(table.assign(left_out=unit, mcse=[errors.get(run, np.nan) for run in table["run"]]))
        cautions += _too_close(table, unit, units=next(iter(found.values())).n_data_points)
    weights_by = TRIAL if TRIAL in elpds else COHORT
    weights = tables[-1].set_index("run")["weight"]
    return Comparison(
        elpd=pd.concat(tables, ignore_index=True)[
            ["left_out", "run", "elpd", "se", "p", "difference", "difference_se", "weight", "mcse"]
        ],
        pointwise=_pointwise(elpds, by_cohort),
        stacked=stacked_numbers(fits, {name: float(weights[name]) for name in fits}, prob=prob),
        weights_by=weights_by,
        cautions=tuple(cautions),
        interval_prob=prob,
    )


def without_each_trial(
    fits: Mapping[str, Fit],
    trials: Sequence[Trial],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, list[Refitted]]:
    """Return the elpd of every fit without each trial."""
    tasks = {name: tasks_of(fit, trials) for name, fit in fits.items()}
    found = [one for name, fit in fits.items() for one in weighted(fit, tasks[name], summaries=False)]
    every = [task for each in tasks.values() for task in each]
    made = completed(elpd_without_trial, every, found, workers=workers, progress=progress)
    return {name: made[place * len(trials) : (place + 1) * len(trials)] for place, name in enumerate(fits)}


def compared(elpds: Mapping[str, ELPDData]) -> pd.DataFrame:
    """Return ArviZ's comparison, best first: columns run, elpd, se, p, difference, difference_se, weight.

    Weights are by stacking of predictive distributions (Yao et al. 2018, doi:10.1214/17-BA1091).
    """
    table = az.compare(dict(elpds), method="stacking", round_to="none")
    renamed = table.rename(columns={"elpd_diff": "difference", "dse": "difference_se"}).rename_axis("run").reset_index()
    numbers = ("elpd", "se", "p", "difference", "difference_se", "weight")
    return pd.DataFrame({"run": renamed["run"]} | {name: renamed[name].to_numpy(dtype=np.float64) for name in numbers})


def stacked_numbers(
    fits: Mapping[str, Fit], weights: Mapping[str, float], *, prob: float = INTERVAL_PROB
) -> pd.DataFrame:
    """Return the headline estimates common to all fits, from each and from the mixture of their posteriors.

    `weights` are those of the fits, at least 0 and summing to one; `prob` is the probability of the intervals, those of
    the fits too.
    """
    # Over each row's own patients, which are the same in every model; a mix of other columns is not.
    posteriors = {name: posterior_of(replace(fit, standard=Standard.OWN)) for name, fit in fits.items()}
    reported = {name: {number.key: number for number in reported_of(each)} for name, each in posteriors.items()}
    errors = {name: error_columns_of(fit) for name, fit in fits.items()}
    headline = {number.key: number for each in posteriors.values() for number in headline_of(each)}
    rows = []
    for key, number in headline.items():
        if not all(key in numbers for numbers in reported.values()):
            continue
        draws = {name: numbers[key].draws for name, numbers in reported.items()}
        for name, values in draws.items():
            found = {error: value for error, value in errors[name](values).items() if error in ERRORS}
            rows.append(_row(number, name, weights[name]) | summarise(values, prob=prob) | found)
        shares = np.concatenate([np.full(values.size, weights[name] / values.size) for name, values in draws.items()])
        mixed = np.concatenate([values.ravel() for values in draws.values()])
        parts = [(values, weights[name], mean_error_of(fits[name])) for name, values in draws.items()]
        found = dict(zip(ERRORS, mixture_errors(parts, mixed, shares, prob=prob), strict=True))
        rows.append(_row(number, STACKED, 1.0) | summarise(mixed, shares, prob=prob) | found)
    return pd.DataFrame(rows)


def verdict(comparison: Comparison) -> tuple[str, ...]:
    """Return a sentence or two on the best-predicting run, and how certain that is."""
    rows = comparison.elpd[comparison.elpd["left_out"] == comparison.weights_by].to_dict(orient="records")
    best, *others = rows
    unit = comparison.weights_by
    alike = [row["run"] for row in others if not is_apart(row["difference"], row["difference_se"])]
    worse = [
        f"{row['run']} (by {-row['difference']:.1f}, SE {row['difference_se']:.1f})"
        for row in others
        if row["run"] not in alike
    ]
    sentences = []
    if worse:
        sentences.append(f"{best['run']} predicts a {unit} left out better than {', '.join(worse)}.")
    if alike:
        sentences.append(
            f"{best['run']} and {', '.join(alike)} predict a {unit} left out alike: choose between them by what they "
            "say of the question, not by elpd, and look whether the headline numbers agree."
        )
    return tuple(sentences)


def is_apart(difference: float, error: float) -> bool:
    """Return True if a difference in elpd is large enough, also against its standard error, to be meaningful."""
    return abs(difference) > ERRORS_APART * error and abs(difference) >= LEAST_DIFFERENCE


def _monte_carlo_errors(refitted: Mapping[str, Sequence[Refitted]]) -> dict[str, float]:
    """Return the Monte Carlo standard error of each run's elpd by trial; refits are independent."""
    return {name: float(np.sqrt(sum(each.elpd_mcse**2 for each in made))) for name, made in refitted.items()}


def _row(number: Reported, run: str, weight: float) -> dict[str, Any]:
    return {
        "number": number.name,
        "table": number.table,
        "group": number.group,
        "level": number.level,
        "measure": number.measure,
        "run": run,
        "weight": weight,
    }


def _evidence(fit: Fit) -> str:
    return f"{fit.evidence.source} ({counted(fit.evidence.cohorts, 'cohort')}, sha256 {fit.evidence.sha256[:12]}…)"


def _bad_weights(by_cohort: Mapping[str, CohortsLeftOut]) -> list[str]:
    """Return sentences on cohorts with unreliable weights."""
    found = []
    for name, left_out in by_cohort.items():
        cohorts = left_out.loo.elpd_i["cohort"].to_numpy()
        if left_out.refitted:
            names = ", ".join(str(cohorts[cohort]) for cohort in left_out.refitted)
            found.append(f"{name}: Pareto k was above {left_out.loo.good_k:.2f} for {names}; refitted exactly.")
        if left_out.unreliable:
            names = ", ".join(str(cohorts[cohort]) for cohort in left_out.unreliable)
            found.append(
                f"{name}: Pareto k is above {left_out.loo.good_k:.2f} for {names}, and no refit converged: its elpd by "
                "cohort is not to be relied on."
            )
    return found


def _too_close(table: pd.DataFrame, unit: str, *, units: int) -> list[str]:
    """Return sentences on differences too small to be meaningful."""
    best, *others = table.to_dict(orient="records")
    found = []
    for row in others:
        size, error = abs(row["difference"]), row["difference_se"]
        reasons = []
        if size <= ERRORS_APART * error:
            reasons.append(f"within {ERRORS_APART:.0f} standard errors")
        if size < LEAST_DIFFERENCE:
            reasons.append(f"less than {LEAST_DIFFERENCE:.0f}")
        if reasons:
            found.append(
                f"By {unit}, {row['run']} and {best['run']} are not told apart: the difference of {size:.1f} (SE "
                f"{error:.1f}) is {' and '.join(reasons)}."
            )
    if found:
        found.append(f"By {unit}, stacking weights are as uncertain as these differences, even where one is near 1.")
    if units < FEW:
        found.append(
            f"By {unit}, there are {units} {unit}s: with fewer than {FEW}, standard errors of differences tend to be "
            "too small."
        )
    return found


def _pointwise(elpds: Mapping[str, Mapping[str, ELPDData]], by_cohort: Mapping[str, CohortsLeftOut]) -> pd.DataFrame:
    parts = []
    for unit, found in elpds.items():
        for name, elpd in found.items():
            values = elpd.elpd_i
            parts.append(
                pd.DataFrame(
                    {
                        "left_out": unit,
                        "unit": values[unit].to_numpy().astype(str),
                        "run": name,
                        "elpd": values.to_numpy(),
                        "pareto_k": by_cohort[name].pareto_k if unit == COHORT else np.nan,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
