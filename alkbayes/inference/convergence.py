"""Whether a posterior can be trusted: the convergence gate."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import arviz_stats as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.text.json import finite_or_none

TAILS = (0.05, 0.95)
"""Quantiles of the tail ESS, as Vehtari et al. 2021 have them; ArviZ's own are those of another interval."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the posterior of every parameter must meet.

    Rank-normalised split R-hat and effective sample sizes: Vehtari et al. 2021, doi:10.1214/20-BA1221. E-BFMI:
    Betancourt 2016, arXiv:1604.00695. Pareto k of importance weights: Vehtari et al. 2024, arXiv:1507.02646. The share
    of the posterior that a proposal covers thinly is small beside the 2.5 % beyond an interval's end.
    """

    rhat_max: float = 1.01
    ess_min: float = 400.0
    divergences: int = 0
    ebfmi_min: float = 0.3
    pareto_k_max: float = 0.7
    thin_max: float = 0.005


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """The worst value of each diagnostic over all parameters, and which parameter it was.

    Chains have no weights, and weighted draws no transitions: what an engine does not have is None.

    Attributes
    ----------
    converged
        Whether the gate was passed.
    rhat_max, rhat_max_parameter
        Largest R-hat. Where the chains are a random split of independent draws it is near 1 whatever these are worth,
        and is not judged.
    ess_bulk_min, ess_bulk_min_parameter, ess_tail_min, ess_tail_min_parameter
        Smallest effective sample sizes.
    divergences
        Divergent transitions after tuning.
    ebfmi_min
        Smallest energy Bayesian fraction of missing information of a chain.
    pareto_k, importance_ess
        Shape of the tail and effective sample size of importance weights.
    failures
        What failed, in words; empty if nothing did.
    """

    converged: bool
    rhat_max: float
    rhat_max_parameter: str
    ess_bulk_min: float
    ess_bulk_min_parameter: str
    ess_tail_min: float
    ess_tail_min_parameter: str
    divergences: int | None
    ebfmi_min: float | None
    pareto_k: float | None
    importance_ess: float | None
    failures: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON; a diagnostic that is no number is None."""
        record: dict[str, Any] = finite_or_none(asdict(self))
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return what was recorded; a diagnostic that every engine has and that was no number is NaN."""
        everywhere = {name: record[name] for name in ("rhat_max", "ess_bulk_min", "ess_tail_min")}
        numbers = {name: math.nan if value is None else value for name, value in everywhere.items()}
        return cls(**(dict(record) | numbers | {"failures": tuple(record["failures"])}))


def diagnose(
    posterior: xr.Dataset,
    sample_stats: xr.Dataset,
    *,
    pareto_k: float | None = None,
    importance_ess: float | None = None,
    thresholds: Thresholds | None = None,
) -> Diagnostics:
    """Hold a posterior against the convergence gate.

    Parameters
    ----------
    posterior
        Every variable is judged, with dimensions (chain, draw, ...); give what results are made of, or where draws were
        weighted, what the weights are about.
    sample_stats
        With `diverging` and `energy`; where the draws were weighted, with `proposal`, which is alike for duplicates.
    pareto_k, importance_ess
        Of draws that were weighted and resampled; None for chains.
    thresholds
        What must be met; the default gate if None.
    """
    limits = thresholds or Thresholds()
    # Chains that stand still have no variance to divide by; that gives NaN, which fails below.
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat, rhat_name = _worst(az.rhat(posterior), largest=True)
        bulk, bulk_name = _worst(az.ess(posterior, method="bulk"), largest=False)
        tail, tail_name = _worst(az.ess(posterior, method="tail", prob=TAILS), largest=False)

    # Written so that a value that is not a number fails.
    failures = []
    if pareto_k is None and not rhat < limits.rhat_max:
        failures.append(f"R-hat of {rhat_name} is {rhat:.3f}, not below {limits.rhat_max}: the chains do not agree")
    if pareto_k is None:
        failures += _judge_chains(bulk, bulk_name, tail, tail_name, limits)
    divergences = ebfmi = None
    if pareto_k is None:
        divergences, ebfmi, more = _judge_transitions(sample_stats, limits)
    else:
        more = judge_weights(pareto_k, importance_ess, sample_stats["proposal"].to_numpy(), limits)
    failures += more
    return Diagnostics(
        converged=not failures,
        rhat_max=rhat,
        rhat_max_parameter=rhat_name,
        ess_bulk_min=bulk,
        ess_bulk_min_parameter=bulk_name,
        ess_tail_min=tail,
        ess_tail_min_parameter=tail_name,
        divergences=divergences,
        ebfmi_min=ebfmi,
        pareto_k=pareto_k,
        importance_ess=importance_ess,
        failures=tuple(failures),
    )


def _judge_transitions(sample_stats: xr.Dataset, limits: Thresholds) -> tuple[int, float, list[str]]:
    """Return the divergences and the smallest E-BFMI of chains, and what they fail."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ebfmi = float(np.min(az.bfmi(sample_stats["energy"].to_numpy())))
    divergences = int(sample_stats["diverging"].sum())
    failures = []
    if divergences > limits.divergences:
        failures.append(
            f"{divergences} divergent transitions, more than {limits.divergences}: part of the posterior is hard to "
            "reach"
        )
    if not ebfmi > limits.ebfmi_min:
        failures.append(f"E-BFMI is {ebfmi:.2f}, not above {limits.ebfmi_min}: the energy is explored slowly")
    return divergences, ebfmi, failures


def _judge_chains(bulk: float, bulk_name: str, tail: float, tail_name: str, limits: Thresholds) -> list[str]:
    """Return what the effective sample sizes of chains fail."""
    return [
        f"{kind} ESS of {name} is {value:.0f}, not above {limits.ess_min:.0f}: too few effective draws "
        "(--draws gives more)"
        for kind, value, name in (("bulk", bulk, bulk_name), ("tail", tail, tail_name))
        if not value > limits.ess_min
    ]


def judge_weights(pareto_k: float, ess: float | None, proposals: NDArray[Any], limits: Thresholds) -> list[str]:
    """Return what importance weights fail, and the draws kept by them, whose chains are but a random split."""
    failures = []
    copies = np.unique(proposals, return_counts=True)[1]
    kept = float(proposals.size**2 / (copies**2).sum())
    if not kept > limits.ess_min:
        failures.append(
            f"the draws that are kept, with their duplicates, are worth {kept:.0f}, not above {limits.ess_min:.0f}: "
            "too few effective draws (--draws gives more)"
        )
    if not pareto_k <= limits.pareto_k_max:
        failures.append(
            f"Pareto k is {pareto_k:.2f}, above {limits.pareto_k_max}: the importance weights are not to be relied on"
        )
    if ess is None or not ess > limits.ess_min:
        found = "not known" if ess is None else f"{ess:.0f}"
        failures.append(f"the importance ESS is {found}, not above {limits.ess_min:.0f}: too few effective draws")
    return failures


def _worst(statistic: xr.Dataset, *, largest: bool) -> tuple[float, str]:
    """Return the worst value over all variables, and its variable and entry; what is not a number is worst of all."""
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
            worst, name = float(flat[position]), f"{variable}[{', '.join(entry)}]" if entry else str(variable)
    return worst, name
