"""The convergence gate for posteriors."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.inference.datatree import long_name
from alkbayes.text.json import finite_or_none
from alkbayes.text.names import shown
from alkbayes.text.wording import counted

TAILS = (0.05, 0.95)
"""Quantiles of the tail ESS, as in Vehtari et al. 2021; ArviZ defaults to another interval."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Requirements for the posterior of every parameter.

    Rank-normalised split R-hat and effective sample sizes: Vehtari et al. 2021, doi:10.1214/20-BA1221. E-BFMI:
    Betancourt 2016, arXiv:1604.00695. Pareto k of importance weights: Vehtari et al. 2024, arXiv:1507.02646. The share
    of the posterior that a proposal covers thinly is small relative to the 2.5 % beyond an interval's end.
    """

    rhat_max: float = 1.01
    ess_min: float = 400.0
    divergences: int = 0
    ebfmi_min: float = 0.3
    pareto_k_max: float = 0.7
    thin_max: float = 0.005


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion of the gate, and its result.

    Attributes
    ----------
    name
        The diagnostic: "R-hat", "bulk ESS", "Pareto k" ...
    passed
        True if the criterion is met, which a non-finite value never does.
    value, threshold
        Value of the diagnostic, NaN if not finite, and its limit.
    sentence
        Result, without a full stop.
    advice
        Advice on failure, a sentence.
    """

    name: str
    passed: bool
    value: float
    threshold: float
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """The checks of a posterior, and the worst value of each diagnostic with its parameter.

    Chains have no weights, and weighted draws no transitions: diagnostics that an engine lacks are None.

    Attributes
    ----------
    rhat_max, rhat_max_parameter
        Largest R-hat, and its parameter, "" without one. None for weighted draws, whose chains are a random split: it
        would be near 1 whatever their quality.
    ess_bulk_min, ess_bulk_min_parameter, ess_tail_min, ess_tail_min_parameter
        Smallest effective sample sizes. For weighted draws, the number of independent draws with the same Monte Carlo
        error of the mean, and of the probabilities below the 5 % and 95 % quantiles, with the copies of a draw as a
        cluster.
    divergences
        Divergent transitions after tuning.
    ebfmi_min
        Smallest energy Bayesian fraction of missing information of a chain.
    pareto_k, importance_ess
        Tail shape and effective sample size of importance weights.
    checks
        All checks of the gate, passed or failed.
    """

    rhat_max: float | None
    rhat_max_parameter: str
    ess_bulk_min: float
    ess_bulk_min_parameter: str
    ess_tail_min: float
    ess_tail_min_parameter: str
    divergences: int | None
    ebfmi_min: float | None
    pareto_k: float | None
    importance_ess: float | None
    checks: tuple[Check, ...]

    @property
    def converged(self) -> bool:
        """True if the gate was passed."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """Failures, in words; empty if there are none."""
        return failures_of(self.checks)

    def as_record(self) -> dict[str, Any]:
        """Return JSON values; a non-finite diagnostic is None."""
        numbers = asdict(self)
        checks = {"failures": self.failures, "checks": numbers.pop("checks")}
        record: dict[str, Any] = finite_or_none({"converged": self.converged} | numbers | checks)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the recorded diagnostics; NaN for a non-finite one that every engine has."""
        everywhere = {name: _number(record[name]) for name in ("ess_bulk_min", "ess_tail_min")}
        if record["divergences"] is not None:
            everywhere["rhat_max"] = _number(record["rhat_max"])
        checks = tuple(Check(**(each | {"value": _number(each["value"])})) for each in record["checks"])
        kept = {name: value for name, value in record.items() if name not in {"converged", "failures"}}
        return cls(**(kept | everywhere | {"checks": checks}))


def failures_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """Return the sentences of the checks that failed."""
    return tuple(check.sentence for check in checks if not check.passed)


def diagnose(
    posterior: xr.Dataset,
    sample_stats: xr.Dataset,
    *,
    pareto_k: float | None = None,
    importance_ess: float | None = None,
    thin_share: float | None = None,
    thresholds: Thresholds | None = None,
) -> Diagnostics:
    """Apply the convergence gate to a posterior.

    Parameters
    ----------
    posterior
        Variables to be judged, all of them, with dimensions (chain, draw, ...): those behind the results, or for
        weighted draws those that the weights concern.
    sample_stats
        With `diverging` and `energy`; for weighted draws with `proposal`, equal for duplicates.
    pareto_k, importance_ess, thin_share
        For draws weighted and resampled; None for chains.
    """
    limits = thresholds or Thresholds()
    if pareto_k is None:
        return _of_chains(posterior, sample_stats, limits)
    proposals = sample_stats["proposal"].to_numpy()
    names = _names(posterior)
    bulk, tail = (_worst(found, names, largest=False) for found in _weighted_sizes(posterior, proposals))
    checks = weight_checks(pareto_k, importance_ess, proposals, limits, thin_share=thin_share)
    return Diagnostics(None, "", *bulk, *tail, None, None, pareto_k, importance_ess, checks)


def _of_chains(posterior: xr.Dataset, sample_stats: xr.Dataset, limits: Thresholds) -> Diagnostics:
    """Return ArviZ's diagnostics of chains."""
    # Here and not at the top: a fit by quadrature must not wait a second for it and SciPy's distributions.
    import arviz_stats as az

    names = _names(posterior)
    # Constant chains have no variance to divide by; that gives NaN, which fails below.
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat = _worst(az.rhat(posterior), names, largest=True)
        bulk = _worst(az.ess(posterior, method="bulk"), names, largest=False)
        tail = _worst(az.ess(posterior, method="tail", prob=TAILS), names, largest=False)
        ebfmi = float(np.min(az.bfmi(sample_stats["energy"].to_numpy())))
    divergences = int(sample_stats["diverging"].sum())
    checks = _chain_checks(rhat, bulk, tail, divergences, ebfmi, limits)
    return Diagnostics(*rhat, *bulk, *tail, divergences, ebfmi, None, None, checks)


def _names(posterior: xr.Dataset) -> dict[Hashable, str]:
    """Return the names of variables for readers."""
    return {name: long_name(values) for name, values in posterior.data_vars.items()}


def _weighted_sizes(posterior: xr.Dataset, proposals: NDArray[np.integer]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return bulk and tail effective sample sizes of resampled draws, the copies of a proposal as a cluster."""
    order = np.argsort(proposals, axis=None, kind="stable")
    starts = np.flatnonzero(np.diff(proposals.ravel()[order], prepend=-1))

    def sizes(values: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = values - values.mean(axis=0)
        sums = np.add.reduceat(centred[order], starts, axis=0)
        # Constant draws have no variance; that gives NaN, as of chains.
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = len(values) * (centred**2).sum(axis=0) / (sums**2).sum(axis=0)
        return found

    def tail(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.minimum(*(sizes((values <= limit).astype(float)) for limit in np.quantile(values, TAILS, axis=0)))

    def by_entry(of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> xr.Dataset:
        return posterior.map(
            lambda draws: draws.isel(chain=0, draw=0, drop=True).copy(
                data=of(draws.to_numpy().reshape(proposals.size, -1)).reshape(draws.shape[2:])
            )
        )

    return by_entry(sizes), by_entry(tail)


def _chain_checks(
    rhat: tuple[float, str],
    bulk: tuple[float, str],
    tail: tuple[float, str],
    divergences: int,
    ebfmi: float,
    limits: Thresholds,
) -> tuple[Check, ...]:
    """Return the checks of chains, with comparisons written so that NaN fails."""
    value, name = rhat
    return (
        _check(
            "R-hat",
            value < limits.rhat_max,
            value,
            limits.rhat_max,
            f"R-hat is at most {value:.3f} ({shown(name)}), below {limits.rhat_max}: the chains agree",
            f"R-hat of {shown(name)} is {value:.3f}, not below {limits.rhat_max}: the chains do not agree",
            "Use longer tuning (2,000 steps) and more draws; if R-hat stays high, the data may not identify all "
            "parameters: use a simpler model, or refit by quadrature.",
        ),
        _ess_check("bulk ESS", *bulk, limits),
        _ess_check("tail ESS", *tail, limits),
        _check(
            "divergences",
            divergences <= limits.divergences,
            divergences,
            limits.divergences,
            "no divergent transitions",
            f"{counted(divergences, 'divergent transition')}, more than {limits.divergences}: part of the posterior "
            "may be missed",
            "Refit by quadrature, which is not affected; if it does not cover the model, use longer tuning, a tighter "
            "prior for the parameter named, or a simpler model.",
        ),
        _check(
            "E-BFMI",
            ebfmi > limits.ebfmi_min,
            ebfmi,
            limits.ebfmi_min,
            f"E-BFMI is at least {ebfmi:.2f}, above {limits.ebfmi_min}: the energy is explored well",
            f"E-BFMI is {ebfmi:.2f}, not above {limits.ebfmi_min}: the energy is explored slowly",
            "The chains rarely reach the tails of the posterior, often those of a heterogeneity SD: use longer tuning, "
            "a model with lighter tails, or quadrature.",
        ),
    )


def _ess_check(kind: str, value: float, name: str, limits: Thresholds) -> Check:
    return _check(
        kind,
        value > limits.ess_min,
        value,
        limits.ess_min,
        f"{kind} is at least {value:,.0f} ({shown(name)}), above {limits.ess_min:.0f}",
        f"{kind} of {shown(name)} is {value:,.0f}, not above {limits.ess_min:.0f}: too few effective draws",
        "Use more draws: the chains mix slowly.",
    )


def weight_checks(
    pareto_k: float,
    ess: float | None,
    proposals: NDArray[Any],
    limits: Thresholds,
    *,
    thin_share: float | None = None,
) -> tuple[Check, ...]:
    """Return the checks of importance weights, and of the draws kept by them, whose chains are just a random split.

    Parameters
    ----------
    pareto_k, ess
        Diagnostics of the weights; ess is None if unknown.
    proposals
        Index of the weighted draw behind each kept one, any shape.
    thin_share
        Share of the posterior over which the proposal is thin; None if not examined.
    """
    found = math.nan if ess is None else ess
    shown = "not known" if ess is None else f"{ess:,.0f}"
    copies = np.unique(proposals, return_counts=True)[1]
    kept, duplicates = float(proposals.size**2 / (copies**2).sum()), proposals.size - copies.size
    more = "Use more draws, or refit by NUTS."
    checks = [
        _check(
            "Pareto k",
            pareto_k <= limits.pareto_k_max,
            pareto_k,
            limits.pareto_k_max,
            f"Pareto k is {pareto_k:.2f}, at most {limits.pareto_k_max}: the importance weights are reliable",
            f"Pareto k is {pareto_k:.2f}, above {limits.pareto_k_max}: the importance weights are unreliable",
            "Refit by NUTS.",
        ),
        _check(
            "importance ESS",
            found > limits.ess_min,
            found,
            limits.ess_min,
            f"the importance ESS is {shown}, above {limits.ess_min:.0f}",
            f"the importance ESS is {shown}, not above {limits.ess_min:.0f}: too few effective draws",
            more,
        ),
    ]
    if thin_share is not None:
        beyond, most = f"{100 * thin_share:.2g} % of it", f"{100 * limits.thin_max:g} %"
        checks.append(
            _check(
                "thin proposal",
                thin_share <= limits.thin_max,
                thin_share,
                limits.thin_max,
                f"the proposal covers the posterior: it is thin over {beyond}, at most {most}",
                f"the proposal misses part of the posterior: it is thin over {beyond}, more than {most}",
                "Refit by NUTS.",
            )
        )
    of = f"{duplicates:,} of {proposals.size:,} kept draws are duplicates; together they are worth"
    checks.append(
        _check(
            "duplicates",
            kept > limits.ess_min,
            kept,
            limits.ess_min,
            f"{of} {kept:,.0f} independent ones, above {limits.ess_min:.0f}",
            f"{of} {kept:,.0f} independent ones, not above {limits.ess_min:.0f}: too few effective draws",
            more,
        )
    )
    return tuple(checks)


def _check(name: str, good: bool, value: float, threshold: float, passed: str, failed: str, advice: str) -> Check:
    return Check(name, bool(good), float(value), float(threshold), passed if good else failed, advice)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _worst(statistic: xr.Dataset, names: Mapping[Hashable, str], *, largest: bool) -> tuple[float, str]:
    """Return the worst value over all variables, NaN being worst of all, with its variable, by `names`, and entry."""
    worst, name = (-np.inf if largest else np.inf), ""
    for variable, values in statistic.data_vars.items():
        array = values.to_numpy()
        flat = np.where(np.isnan(array), np.inf if largest else -np.inf, array).ravel()
        if flat.size == 0:
            continue
        position = int(flat.argmax() if largest else flat.argmin())
        if (flat[position] > worst) if largest else (flat[position] < worst):
            entry = [
                str(values[dim].to_numpy()[i])
                for dim, i in zip(values.dims, np.unravel_index(position, array.shape), strict=True)
            ]
            worst, name = float(flat[position]), f"{names[variable]}[{', '.join(entry)}]" if entry else names[variable]
    return worst, name
