"""Power-scaling sensitivity of the reported numbers to each prior and to the likelihood.

Importance weights (Kallioinen, Paananen, Bürkner and Vehtari 2024, doi:10.1007/s11222-023-10366-5) are ArviZ's
`psense`. Only the priors of the model file are scaled: the distributions of deviations and of standardised effects are
part of the model, as the paper advises for hierarchical models.

The scaled likelihood is that of the global parameters, with the deviations integrated out: a power of 1.01 means one
percent more cohorts. Given each cohort's own rate it would mean one percent more patients per cohort, which hardly
affects numbers about cohorts in general, and whose noise between draws alone reaches the usual threshold. It is used
only if the integral is not available.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import arviz_stats as az
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from alkbayes.estimates.headline import Reported, headline_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.importance.target import Target, unsupported
from alkbayes.model.design import Design

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit

type Array = NDArray[np.float64]

THRESHOLD = 0.05
"""Sensitivity from which a number is said to depend on a part of the model, as in the paper and ArviZ."""
PERMUTATIONS = 5
"""Permutations of each number's draws that measure the noise of the sensitivity."""
NOISE_PROB = 0.95
"""Quantile of the sensitivities of permuted draws that defines the noise."""

INTEGRATED = "integrated"
CONDITIONAL = "conditional"


class Diagnosis(StrEnum):
    """Joint diagnosis from the sensitivities to prior and likelihood."""

    NONE = "none"
    CONFLICT = "prior-data conflict"
    STRONG = "strong prior or weak likelihood"


FROM_ARVIZ = {
    "✓": Diagnosis.NONE,
    "potential prior-data conflict": Diagnosis.CONFLICT,
    "potential strong prior / weak likelihood": Diagnosis.STRONG,
}


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Sensitivity of one reported number to the priors and to the likelihood.

    Attributes
    ----------
    number
        Number with its draws.
    prior, likelihood
        Cumulative Jensen-Shannon distance of the posterior per doubling of the power of all priors, or of the
        likelihood; 0 for no change.
    by_prior
        The same for each prior alone.
    diagnosis
        Joint diagnosis.
    responsible
        Priors above the threshold on their own, or else the most influential one; empty without a diagnosis.
    """

    number: Reported
    prior: float
    likelihood: float
    by_prior: Mapping[str, float]
    diagnosis: Diagnosis
    responsible: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PowerScaling:
    """Sensitivities of a fit's headline numbers.

    Attributes
    ----------
    sensitivities
        Sensitivity of each number.
    likelihood
        Scaled likelihood, "integrated" or "conditional".
    threshold
        Threshold: 0.05, or the noise if larger.
    prior_noise, likelihood_noise
        95 % quantile of the sensitivities of randomly permuted draws.
    """

    sensitivities: tuple[Sensitivity, ...]
    likelihood: str
    threshold: float
    prior_noise: float
    likelihood_noise: float

    @property
    def flagged(self) -> tuple[Sensitivity, ...]:
        """Sensitivities with a diagnosis."""
        return tuple(found for found in self.sensitivities if found.diagnosis is not Diagnosis.NONE)

    def as_record(self) -> dict[str, Any]:
        """Return the fields as JSON-serialisable values."""
        return {
            "likelihood": self.likelihood,
            "threshold": self.threshold,
            "prior_noise": self.prior_noise,
            "likelihood_noise": self.likelihood_noise,
            "numbers": [
                {
                    "number": found.number.name,
                    "prior": found.prior,
                    "likelihood": found.likelihood,
                    "diagnosis": str(found.diagnosis),
                    "responsible": list(found.responsible),
                    "by_prior": dict(found.by_prior),
                }
                for found in self.sensitivities
            ],
        }


def power_scaling(fit: "Fit") -> PowerScaling:
    """Power-scale the priors and the likelihood of a fit for each headline number."""
    numbers = headline_of(posterior_of(fit))
    design, draws = fit.design, fit.draws
    stored = fit.tree["log_prior"].to_dataset()
    names = prior_names(design)
    # Standardised effects are intermediate quantities: standard normal whatever the file says.
    priors = stored[[name for name in stored.data_vars if name in names]]
    if unsupported(design):
        kind, likelihood = CONDITIONAL, fit.tree["log_likelihood"].to_dataset()
    else:
        values = integrated_log_likelihood(design, draws)
        kind, likelihood = INTEGRATED, xr.Dataset({"responders": (("chain", "draw"), values)})
    # One future cohort per draw: its distribution is the predictive one.
    columns = [number.draws if number.draws.ndim == 1 else number.draws[:, 0] for number in numbers]
    seed = fit.provenance.settings.seed
    table, noise = scaled(columns, priors, likelihood, rng=np.random.default_rng([seed, 2]))
    threshold = max(THRESHOLD, *noise)
    sensitivities = []
    for number, row in zip(numbers, table.to_dict(orient="records"), strict=True):
        by_prior = {names[str(name)]: float(row[str(name)]) for name in priors.data_vars}
        diagnosis = Diagnosis(row["diagnosis"])
        responsible: tuple[str, ...] = ()
        if diagnosis is not Diagnosis.NONE:
            above = tuple(name for name, value in by_prior.items() if value >= threshold)
            responsible = above or (max(by_prior, key=lambda name: by_prior[name]),)
        found = Sensitivity(number, float(row["prior"]), float(row["likelihood"]), by_prior, diagnosis, responsible)
        sensitivities.append(found)
    return PowerScaling(tuple(sensitivities), kind, threshold, *noise)


def scaled(
    columns: Sequence[Array], priors: xr.Dataset, likelihood: xr.Dataset, *, rng: np.random.Generator
) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Return ArviZ's power-scaling sensitivities of some numbers, and their noise.

    Parameters
    ----------
    columns
        Draws of each number, chains concatenated, shape (draw,).
    priors, likelihood
        Log densities of the same draws, dimensions (chain, draw, ...).
    rng
        Random generator for the permutations.

    Returns
    -------
    pandas.DataFrame
        Row by number: prior and likelihood, diagnosis, and the sensitivity to each variable of `priors` alone.
    tuple
        Noise of the sensitivity to all priors together and to the likelihood.
    """
    shape = priors.sizes["chain"], priors.sizes["draw"]
    groups = {"log_prior": priors, "log_likelihood": likelihood}
    orders = [rng.permutation(shape[0] * shape[1]) for _ in range(PERMUTATIONS)]
    tree = xr.DataTree.from_dict({"posterior": _posterior(columns, shape)} | groups)
    permuted = [column[order] for column in columns for order in orders]
    shuffled = xr.DataTree.from_dict({"posterior": _posterior(permuted, shape)} | groups)
    prior_noise, likelihood_noise = (
        float(np.quantile(az.psense(shuffled, group=group).to_array(), NOISE_PROB)) for group in ("prior", "likelihood")
    )
    with _quiet():
        # Rounding would decide on which side of the threshold a number falls.
        found = az.psense_summary(tree, threshold=max(THRESHOLD, prior_noise, likelihood_noise), round_to=12)
    table = found.assign(diagnosis=[FROM_ARVIZ[text] for text in found["diagnosis"]])
    for name in priors.data_vars:
        table[name] = az.psense(tree, group="prior", group_var_names=[name]).to_array().to_numpy()
    return table, (prior_noise, likelihood_noise)


def integrated_log_likelihood(design: Design, draws: Mapping[str, Array]) -> Array:
    """Return the marginal log-likelihood of the global parameters, shape (chain, draw).

    The quadrature engine's target must cover the design, and it must not be beta-binomial. `draws` have axes (chain,
    draw, ...).
    """
    target = Target(design)
    shape = draws["alpha"].shape
    count = shape[0] * shape[1]
    psi = np.hstack([draws[item.name].reshape(count, -1) for item in target.scales])
    b = np.hstack([draws[item.name].reshape(count, -1) for item in target.coefficients])
    # The log posterior minus the log priors in it.
    value = target.log_density(psi, b) - target.log_scale_prior(psi)
    for item in target.coefficients:
        value = value - item.prior.log_density(draws[item.name].reshape(count, -1)).sum(axis=1)
    found: Array = value.reshape(shape)
    return found


def prior_names(design: Design) -> dict[str, str]:
    """Return the reader's name for each prior that the model file sets, by parameter."""
    names = {"alpha": "intercept"}
    for block in design.effects:
        if block.sd_prior is None:
            names[block.free] = block.label
        else:
            names[f"sd_{block.slug}"] = design.in_words(f"sd_{block.slug}")
    if design.rho_prior is not None:
        names["rho"] = "rho"
    taus = [f"tau_{term.slug}" for term in design.heterogeneity]
    spreads = [f"spread_{term.slug}" for term in design.heterogeneity if term.by is not None]
    return names | {name: design.in_words(name) for name in (*taus, *spreads)}


def _posterior(columns: Sequence[Array], shape: tuple[int, int]) -> xr.Dataset:
    variables = {f"number_{place}": (("chain", "draw"), column.reshape(shape)) for place, column in enumerate(columns)}
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    return xr.Dataset(variables, coords=coords)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence ArviZ's log message on findings, which are reported."""
    logger = logging.getLogger("arviz_stats.psense")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
