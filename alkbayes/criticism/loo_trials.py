"""Leave-one-trial-out: each trial's influence on the headline estimates, and its prediction from the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.utils import ELPDDataLOOKFold
from numpy.typing import NDArray
from scipy.special import logsumexp
from xarray import DataArray

from alkbayes.criticism.integrated_likelihood import log_likelihood_given_others
from alkbayes.criticism.loo_cohorts import log_mean
from alkbayes.criticism.refits import Without, by_quadrature, refit, without
from alkbayes.errors import EvidenceError
from alkbayes.estimates.headline import Key, headline_of
from alkbayes.estimates.monte_carlo import error_columns_of, mean_error_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit, reweighted_fit
from alkbayes.inference.importance.engine import nearby
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine
from alkbayes.model.design import Design
from alkbayes.model.restriction import Trial, trials_of, vanished_levels
from alkbayes.model.summary import summarise
from alkbayes.parallel import Progress, in_processes, in_threads
from alkbayes.text.json import records
from alkbayes.text.wording import signed

type Array = NDArray[np.float64]
type Summary = dict[str, float]
"""Summary of an estimate with its Monte Carlo errors, by column."""

SHOWN = ("median", "low", "high")
"""Numbers of a summary in a table of moves."""

NOISE = 2.0
"""Monte Carlo errors above which a shift is more than noise."""
LARGE = 1.0
"""Posterior SDs from which a shift is reported."""


@dataclass(frozen=True, slots=True)
class TrialsLeftOut:
    """Results of leaving out each trial in turn.

    Attributes
    ----------
    moves
        A row for each trial and headline estimate, the trial with the largest shift first. Columns trial, cohorts,
        patients; number (its name), table, group, level, measure (see :class:`alkbayes.estimates.headline.Reported`);
        median, low and high (posterior median and ends of the interval with all trials) and without_median,
        without_low and without_high (without the trial), each with its Monte Carlo standard error (mcse_median,
        mcse_without_median and so on); move (the difference of the medians), mcse (its Monte Carlo standard error),
        move_sd (the shift in posterior SDs of the whole fit) and beyond_noise, True if the shift exceeds 2 mcse.
        Proportions are in [0, 1], SDs on the logit scale. What is without the trial, and derived from it, is NaN for an
        estimate undefined without it.
    trials
        A row for each trial in the same order. Columns trial, cohorts, patients, responders, elpd (log predictive
        density of all its cohorts given the other trials; NaN if the deviations cannot be integrated out), elpd_mcse,
        largest (the largest move_sd beyond noise in absolute value, 0 without one), engine, failures (of the refit's
        convergence gate) and lost (levels of effects found only in this trial).
    elpd
        elpd of all trials in the order of the table, in ArviZ's form for comparison; None if unavailable.
    interval_prob
        Probability of the intervals.
    """

    moves: pd.DataFrame
    trials: pd.DataFrame
    elpd: ELPDDataLOOKFold | None
    interval_prob: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything, with the verdict, as JSON values."""
        elpd = None if self.elpd is None else {"elpd": float(self.elpd.elpd), "se": float(self.elpd.se)}
        return {
            "interval_prob": self.interval_prob,
            "leave_one_trial_out": elpd,
            "verdict": list(verdict(self)),
            "trials": records(self.trials),
            "moves": records(self.moves),
        }


@dataclass(frozen=True, slots=True)
class LeftOutTrial:
    """A trial, the design of all cohorts, and the task of refitting without the trial."""

    trial: Trial
    design: Design
    task: Without


@dataclass(frozen=True, slots=True)
class Refitted:
    """Results kept from a refit: summaries of the headline estimates with Monte Carlo errors, elpd, engine."""

    summaries: dict[Key, Summary]
    elpd: float
    elpd_mcse: float
    engine: Engine
    failures: tuple[str, ...]


def leave_one_trial_out(fit: Fit, *, workers: int | None = None, progress: Progress | None = None) -> TrialsLeftOut:
    """Leave out each trial in turn: its draws weighted anew, or a refit by quadrature, falling back to NUTS.

    Weights are by the likelihood of the whole trial with its deviations integrated out, a function of the global
    parameters alone, and smoothed (Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4). A trial with a
    Pareto k above 0.5 or few effective draws is refitted.

    A level found only in that trial keeps its prior; its estimates are undefined without the trial. Estimates for all
    cohorts are averaged over the remaining patients. `workers` and `progress`, see
    :func:`alkbayes.parallel.in_processes`, do not affect the result.

    Raises
    ------
    EvidenceError
        If the table names no trial, or only one.
    SamplingError
        If the sampler does not finish a refit.
    """
    trials = trials_to_leave_out(fit)
    tasks = tasks_of(fit, trials)
    made = completed(without_trial, tasks, weighted(fit, tasks), workers=workers, progress=progress)
    numbers, whole = headline_of(posterior_of(fit)), _summaries(fit)
    moves = pd.DataFrame(
        [
            _counts(fit, task.trial)
            | {"number": number.name, "table": number.table, "group": number.group, "level": number.level}
            | {"measure": number.measure}
            | _move(whole[number.key], found.summaries.get(number.key))
            for task, found in zip(tasks, made, strict=True)
            for number in numbers
        ]
    )
    # Trials are identified by position: a cohort without a trial may have the name of one.
    moves["place"] = np.repeat(np.arange(len(tasks)), len(numbers))
    largest = moves["move_sd"].abs().where(moves["beyond_noise"], 0.0).groupby(moves["place"]).max()
    table = pd.DataFrame([_trial_row(fit, task, found) for task, found in zip(tasks, made, strict=True)])
    table["largest"] = largest
    order = table["largest"].sort_values(ascending=False, kind="stable").index
    ranked = moves.assign(rank=moves["place"].map({place: rank for rank, place in enumerate(order)}))
    return TrialsLeftOut(
        moves=ranked.sort_values("rank", kind="stable", ignore_index=True).drop(columns=["place", "rank"]),
        trials=table.loc[order].reset_index(drop=True),
        elpd=None if unsupported(fit.design) else elpd_of(fit, trials, made),
        interval_prob=fit.interval_prob,
    )


def weighted(fit: Fit, tasks: Sequence[LeftOutTrial], *, summaries: bool = True) -> list[Refitted | None]:
    """Return what a refit without each trial would give, from the draws of all; None where they are too few for it.

    Without `summaries`, the elpd alone.
    """
    near = by_quadrature(fit)
    if near is None:
        return [None] * len(tasks)
    logs = log_likelihood_given_others(near.design, near.draws, [task.trial.cohorts for task in tasks])
    proposal = near.tree["sample_stats"]["proposal"].to_numpy().ravel()
    return in_threads(
        lambda place: _weighted(near, tasks[place], logs[..., place].ravel(), proposal, summaries=summaries),
        range(len(tasks)),
    )


def _weighted(
    near: Fit, left_out: LeftOutTrial, logs: Array, proposal: NDArray[np.intp], *, summaries: bool
) -> Refitted | None:
    """Return the results without a trial, given its log-likelihood at each draw, shape (draw,)."""
    found = nearby(-logs, proposal)
    if found is None:
        return None
    weights, relative = np.exp(found[0]), np.exp(logs - logs.max())
    mean = float(weights @ relative)
    # By the delta method, with the copies of a draw as a cluster.
    sums = np.bincount(np.unique(proposal, return_inverse=True)[1], weights=weights * (relative - mean))
    elpd, error = float(logs.max() + np.log(mean)), float(np.sqrt((sums**2).sum())) / mean
    if not summaries:
        return Refitted({}, elpd, error, Engine.QUADRATURE, ())
    what = left_out.task
    fit = reweighted_fit(near, what.evidence, what.design, -logs, settings=what.settings)
    if fit is None or not fit.diagnostics.converged:
        return None
    return Refitted(_summaries(fit), elpd, error, Engine.QUADRATURE, ())


def completed(
    work: Callable[[LeftOutTrial], Refitted],
    tasks: Sequence[LeftOutTrial],
    found: Sequence[Refitted | None],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Refitted]:
    """Return the results of all tasks: those found, and refits of the others."""
    left = [task for task, one in zip(tasks, found, strict=True) if one is None]
    made = iter(in_processes(work, left, workers=workers, progress=progress))
    return [next(made) if one is None else one for one in found]


def without_trial(left_out: LeftOutTrial) -> Refitted:
    """Fit without a trial, and keep the headline estimates and elpd."""
    fit = refit(left_out.task)
    return Refitted(_summaries(fit), *_predicted(left_out, fit), fit.provenance.engine, fit.diagnostics.failures)


def elpd_without_trial(left_out: LeftOutTrial) -> Refitted:
    """Fit without a trial, and keep only its elpd, no headline estimates."""
    fit = refit(left_out.task)
    return Refitted({}, *_predicted(left_out, fit), fit.provenance.engine, fit.diagnostics.failures)


def trials_to_leave_out(fit: Fit) -> tuple[Trial, ...]:
    """Return the trials of a fit's evidence.

    Raises
    ------
    EvidenceError
        If the table names no trial, or only one.
    """
    trials = trials_of(fit.evidence)
    if trials is None:
        raise EvidenceError(
            "The evidence table does not say which cohorts are of one trial. Leaving out trials needs a column trial."
        )
    if len(trials) < 2:
        raise EvidenceError(f"All cohorts are of one trial, {trials[0].name}: without it, nothing is left to fit.")
    return trials


def tasks_of(fit: Fit, trials: Sequence[Trial]) -> list[LeftOutTrial]:
    """Return the tasks of leaving out each of some trials, for other processes."""
    return [LeftOutTrial(trial, fit.design, without(fit, trial.cohorts)) for trial in trials]


def elpd_of(fit: Fit, trials: Sequence[Trial], made: Sequence[Refitted]) -> ELPDDataLOOKFold:
    """Return the elpd of all trials as a cross-validation with as many folds."""
    elpd_i = np.array([found.elpd for found in made])
    known = log_likelihood_given_others(fit.design, fit.draws, [trial.cohorts for trial in trials])
    size = known[..., 0].size
    lppd_i = logsumexp(known, axis=(0, 1)) - np.log(size)
    names = {"trial": [trial.name for trial in trials]}
    values = DataArray(elpd_i, dims="trial", coords=names)
    elpd, se, p, _ = values.azstats.loo_summary(DataArray(lppd_i, dims="trial", coords=names) - values)
    return ELPDDataLOOKFold(
        elpd=elpd,
        se=se,
        p=p,
        n_samples=size,
        n_data_points=len(trials),
        scale="log",
        warning=False,
        good_k=None,
        elpd_i=values,
        n_folds=len(trials),
    )


def _predicted(left_out: LeftOutTrial, fit: Fit) -> tuple[float, float]:
    """Return the log predictive density of a trial, and its Monte Carlo error; NaN if not computable."""
    if unsupported(left_out.design):
        return np.nan, np.nan
    logs = log_likelihood_given_others(left_out.design, fit.draws, [left_out.trial.cohorts]).ravel()
    relative = np.exp(logs - logs.max())
    # By the delta method: the error of a mean, on the scale of its logarithm.
    return log_mean(logs), mean_error_of(fit)(relative) / float(relative.mean())


def verdict(found: TrialsLeftOut) -> tuple[str, ...]:
    """Return paragraphs on the trials that the results depend on."""
    moved = found.moves[found.moves["beyond_noise"]]
    large = moved[moved["move_sd"].abs() >= LARGE].to_dict(orient="records")
    sentences = []
    if moved.empty:
        sentences.append("No headline number moves beyond its Monte Carlo error, whichever trial is left out.")
    elif large:
        numbers = "; ".join(f"{row['number']} without {row['trial']} ({signed(row['move_sd'])} SD)" for row in large)
        sentences.append(
            f"Shifts of a posterior SD or more: {numbers}. Report these numbers with and without the trial, and check "
            "its counts and classification."
        )
    else:
        most = max(moved.to_dict(orient="records"), key=lambda row: abs(row["move_sd"]))
        sentences.append(
            f"No headline number moves by a posterior SD, whichever trial is left out. The largest move is that of "
            f"{most['number']} without {most['trial']}, {signed(most['move_sd'], 2)} posterior SDs."
        )
    for row in found.trials.to_dict(orient="records"):
        if row["lost"]:
            sentences.append(
                f"{row['lost']} has cohorts in {row['trial']} alone: without it, its numbers are not defined."
            )
        if row["failures"]:
            sentences.append(
                f"The refit without {row['trial']} did not converge ({row['failures']}): do not use its row."
            )
    return tuple(sentences)


def _summaries(fit: Fit) -> dict[Key, Summary]:
    """Return the summary of each headline estimate, with its Monte Carlo errors."""
    errors = error_columns_of(fit)
    return {
        number.key: summarise(number.draws, prob=fit.interval_prob) | dict(errors(number.draws))
        for number in headline_of(posterior_of(fit))
    }


def _move(whole: Summary, without: Summary | None) -> dict[str, float | bool]:
    there = dict.fromkeys(whole, np.nan) if without is None else without
    move, both = there["median"] - whole["median"], float(np.hypot(whole["mcse_median"], there["mcse_median"]))
    return (
        {name: whole[name] for name in SHOWN}
        | {f"mcse_{name}": whole[f"mcse_{name}"] for name in SHOWN}
        | {f"without_{name}": there[name] for name in SHOWN}
        | {f"mcse_without_{name}": there[f"mcse_{name}"] for name in SHOWN}
        | {
            "move": move,
            "mcse": both,
            "move_sd": move / whole["sd"] if whole["sd"] > 0 else np.nan,
            "beyond_noise": bool(abs(move) > NOISE * both),
        }
    )


def _counts(fit: Fit, trial: Trial) -> dict[str, object]:
    return {
        "trial": trial.name,
        "cohorts": len(trial.cohorts),
        "patients": int(fit.design.n[trial.cohorts].sum()),
    }


def _trial_row(fit: Fit, task: LeftOutTrial, found: Refitted) -> dict[str, object]:
    kept = np.setdiff1d(np.arange(len(fit.design.cohorts)), task.trial.cohorts)
    return _counts(fit, task.trial) | {
        "responders": int(fit.design.responders[task.trial.cohorts].sum()),
        "elpd": found.elpd,
        "elpd_mcse": found.elpd_mcse,
        "engine": str(found.engine),
        "failures": "; ".join(found.failures),
        "lost": ", ".join(vanished_levels(fit.design, kept)),
    }
