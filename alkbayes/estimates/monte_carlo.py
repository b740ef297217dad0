"""Monte Carlo errors: how far an estimate would move if the posterior were recomputed with another seed.

Draws of chains are autocorrelated, which their effective sample size reflects (Vehtari et al. 2021,
doi:10.1214/20-BA1221). Draws by quadrature are independent except for duplicates, and their chains are a random split:
for these the copies of one proposal are treated as a cluster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alkbayes.estimates.rates import ERROR_COLUMNS, ErrorsOf
from alkbayes.inference.convergence import TAILS
from alkbayes.inference.fit import Fit
from alkbayes.inference.settings import Engine
from alkbayes.vocabulary import INTERVAL_PROB

type Array = NDArray[np.float64]
type MeanError = Callable[[Array], float]
"""Function for the standard error of a mean of values of shape (draw,)."""

QUANTILES = ("median", "low", "high")
"""Statistics that are quantiles: the median and the ends of the equal-tailed interval."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Monte Carlo standard errors of mean, median and ends of the equal-tailed interval, in the draws' unit."""

    mean: float
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Worth:
    """Quality of draws for one estimate.

    Attributes
    ----------
    rhat
        Rank-normalised split R-hat; None for draws by quadrature, whose chains are a random split.
    ess_bulk, ess_tail
        Bulk effective sample size, and the smaller of those for the 5 % and 95 % quantiles. For draws by quadrature,
        the number of independent draws with the same Monte Carlo error of the mean, and of the probabilities below
        these quantiles.
    errors
        Monte Carlo standard errors.
    """

    rhat: float | None
    ess_bulk: float
    ess_tail: float
    errors: Errors


def errors_of(fit: Fit) -> Callable[[Array], Errors]:
    """Return a function from draws of a fit, shape (draw,) or (draw, replicate), to their Monte Carlo errors.

    The interval is that of the fit's results.
    """
    prob = fit.interval_prob
    error = mean_error_of(fit)
    shape = _shape(fit)
    chains = fit.provenance.engine is Engine.NUTS

    def errors(draws: Array) -> Errors:
        if chains and draws.ndim == 1:
            return _errors_of_chains(draws.reshape(shape), prob=prob)
        found = {name: of for name, (_, of) in statistics(draws, error, prob=prob).items()}
        return Errors(mean=found["mean"], median=found["median"], low=found["low"], high=found["high"])

    return errors


def error_columns_of(fit: Fit) -> ErrorsOf:
    """Return a function from draws to these errors as table columns."""
    errors = errors_of(fit)

    def columns(draws: Array) -> dict[str, float]:
        found = errors(draws)
        return dict(zip(ERROR_COLUMNS, (found.mean, found.median, found.low, found.high), strict=True))

    return columns


def worth_of(fit: Fit) -> Callable[[Array], Worth]:
    """Return a function from draws of a fit, shape (draw,) or (draw, replicate), to their quality.

    With several replicates per draw, R-hat and bulk ESS are those of their mean, and the tail ESS that of the share of
    them below the quantile.
    """
    errors, error, shape = errors_of(fit), mean_error_of(fit), _shape(fit)
    chains = fit.provenance.engine is Engine.NUTS

    def worth(draws: Array) -> Worth:
        columns = draws.reshape(len(draws), -1)
        means = columns.mean(axis=1)
        below = [(columns <= limit).mean(axis=1) for limit in np.quantile(columns, TAILS)]
        found = errors(draws)
        # Constant draws have no variance to divide by; that gives NaN, which no gate passes.
        with np.errstate(invalid="ignore", divide="ignore"):
            if not chains:
                bulk = float(means.var() / np.float64(found.mean) ** 2)
                tail = min(float(share.var() / np.float64(error(share)) ** 2) for share in below)
                return Worth(rhat=None, ess_bulk=bulk, ess_tail=tail, errors=found)
            from arviz_stats.base import array_stats

            by_chain = means.reshape(shape)
            if draws.ndim == 1:
                tail = float(array_stats.ess(by_chain, method="tail", prob=TAILS))
            else:
                tail = min(float(array_stats.ess(share.reshape(shape), method="mean")) for share in below)
            return Worth(
                rhat=float(array_stats.rhat(by_chain)),
                ess_bulk=float(array_stats.ess(by_chain, method="bulk")),
                ess_tail=tail,
                errors=found,
            )

    return worth


def mean_error_of(fit: Fit) -> MeanError:
    """Return the function for the error of a mean of a fit's draws, by its engine."""
    return chain_error(fit) if fit.provenance.engine is Engine.NUTS else duplicate_error(fit)


def statistics(draws: Array, mean_error: MeanError, *, prob: float = INTERVAL_PROB) -> dict[str, tuple[float, float]]:
    """Return mean, SD, median and the ends of the interval, each with its Monte Carlo standard error.

    `draws` have shape (draw,) or (draw, replicate); `prob` is the probability of the interval.
    """
    columns = draws.reshape(len(draws), -1)
    mean, sd = float(columns.mean()), float(columns.std())
    found = {
        "mean": (mean, mean_error(columns.mean(axis=1))),
        # By the delta method, from the error of the variance.
        "sd": (sd, mean_error(((columns - mean) ** 2).mean(axis=1)) / (2 * sd) if sd > 0 else 0.0),
    }
    probs = np.array(_probs(prob))
    values = np.quantile(columns, probs)
    # The error of the probability below, mapped to the quantile by the draws' own distribution.
    reach = np.array([share_below(columns, float(value), mean_error)[1] for value in values])
    low, high = np.quantile(columns, [np.maximum(probs - reach, 0.0), np.minimum(probs + reach, 1.0)])
    for name, value, width in zip(QUANTILES, values, high - low, strict=True):
        found[name] = (float(value), float(width) / 2)
    return found


def mixture_errors(
    parts: Sequence[tuple[Array, float, MeanError]], mixed: Array, shares: Array, *, prob: float = INTERVAL_PROB
) -> tuple[float, float, float]:
    """Return the Monte Carlo errors of median, lower and upper end of the interval of a mixture of posteriors.

    Parameters
    ----------
    parts
        Of each posterior the draws, shape (draw,) or (draw, replicate), its weight, and the error of a mean. The
        weights sum to one and are taken as known, the posteriors as independent.
    mixed, shares
        All draws, shape (draw,), and the weight of each.
    prob
        Probability of the interval.
    """
    found = []
    for below in _probs(prob):
        at = float(np.quantile(mixed, below, weights=shares, method="inverted_cdf"))
        reach = float(np.sqrt(sum((weight * share_below(draws, at, error)[1]) ** 2 for draws, weight, error in parts)))
        ends = [max(below - reach, 0.0), min(below + reach, 1.0)]
        low, high = np.quantile(mixed, ends, weights=shares, method="inverted_cdf")
        found.append(float(high - low) / 2)
    median, low, high = found
    return median, low, high


def share_below(draws: Array, value: float, mean_error: MeanError) -> tuple[float, float]:
    """Return the share of draws of shape (draw,) or (draw, replicate) up to a value, with its Monte Carlo error."""
    share = (draws.reshape(len(draws), -1) <= value).mean(axis=1)
    return float(share.mean()), mean_error(share)


def chain_error(fit: Fit) -> MeanError:
    """Return the error of a mean of chains, by their autocorrelation (Vehtari et al. 2021, doi:10.1214/20-BA1221)."""
    # Here and not at the top: a fit by quadrature must not wait a second for it and SciPy's distributions.
    from arviz_stats.base import array_stats

    shape = _shape(fit)

    def error(values: Array) -> float:
        return float(array_stats.mcse(values.reshape(shape), method="mean"))

    return error


def duplicate_error(fit: Fit) -> MeanError:
    """Return the error of a mean of resampled draws, with those of one proposal as a cluster.

    The number of copies of a proposal has its weight as expectation, so the squared sums of the clusters contain the
    noise of both weighting and resampling. Without duplicates it is the error of independent draws.
    """
    return cluster_error(fit.tree["sample_stats"]["proposal"].to_numpy().ravel())


def cluster_error(proposal: NDArray[np.integer]) -> MeanError:
    """Return the error of a mean of draws of shape (draw,); duplicates share a value of `proposal`."""
    _, cluster = np.unique(proposal, return_inverse=True)

    def error(values: Array) -> float:
        sums = np.bincount(cluster, weights=values - values.mean())
        return float(np.sqrt((sums**2).sum()) / len(values))

    return error


def _errors_of_chains(draws: Array, *, prob: float) -> Errors:
    """Return ArviZ's errors of draws of shape (chain, draw)."""
    from arviz_stats.base import array_stats

    quantiles = {
        name: float(array_stats.mcse(draws, method="quantile", prob=below))
        for name, below in zip(QUANTILES, _probs(prob), strict=True)
    }
    return Errors(mean=float(array_stats.mcse(draws, method="mean")), **quantiles)


def _probs(prob: float) -> tuple[float, float, float]:
    """Return the probability below each of `QUANTILES`."""
    tail = (1 - prob) / 2
    return 0.5, tail, 1 - tail


def _shape(fit: Fit) -> tuple[int, ...]:
    return tuple(fit.tree["sample_stats"]["lp"].shape)
