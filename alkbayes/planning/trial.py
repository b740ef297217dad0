"""Planned single-arm trial: predicted responders, priors for its analysis, and operating characteristics.

Three quantities are kept apart: the true response rate of the planned cohort (the estimand `next_cohort`), the observed
rate in its `n` patients, which varies around the true one, and the prior for the trial's own analysis.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtrc

from alkbayes.errors import UsageError
from alkbayes.estimates.monte_carlo import error_columns_of, mean_error_of
from alkbayes.inference.fit import Fit
from alkbayes.model.summary import summarise
from alkbayes.planning.beta_mixture import VAGUE, BetaMixture
from alkbayes.planning.cohort import PlannedCohort
from alkbayes.planning.map_prior import MixtureFit, fit_mixture
from alkbayes.planning.prior_ess import EffectiveSampleSizes, effective_sample_sizes
from alkbayes.planning.responders import (
    RateStrata,
    count_interval,
    count_median,
    narrowing,
    responder_probabilities,
    steady_size,
    strata_of,
)
from alkbayes.planning.single_arm import SingleArmDesign
from alkbayes.text.json import records
from alkbayes.vocabulary import INTERVAL_PROB, NO_VARIANCE

type Array = NDArray[np.float64]

NOT_RANDOMISED_TRIALS = (
    "The cohorts of the table were not randomised to their levels: this is a prediction for a trial that selects, "
    "treats and assesses {o.units} as theirs did, and compares no treatments."
)
"""Caveat for readers of a prediction."""
MOST_PATIENTS = 2_000
"""Largest size planned: the distribution of events has a row for each number."""
SHOWN_SIZES = (10, 20, 40, 80, 160, 320, 640)
"""Cohort sizes with prediction intervals, besides the planned ones."""
STEADY_SHARE = 0.05
"""Narrowing, as a share of the width, below which doubling a cohort is said to add little."""
POWERS = (0.8, 0.9)
"""Powers for which the true response rate is found."""
ORRS = np.linspace(0.0, 1.0, 101)
"""True response rates of the power curves."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Prior for the planned trial's analysis.

    Attributes
    ----------
    name
        "robust MAP", "MAP" or "vague".
    mixture
        Prior density.
    sizes
        Effective sample sizes.
    """

    name: str
    mixture: BetaMixture
    sizes: EffectiveSampleSizes

    def as_record(self, *, prob: float = INTERVAL_PROB) -> dict[str, Any]:
        """Return the prior as JSON-serialisable values, with an interval of a probability."""
        mixture, tail = self.mixture, (1 - prob) / 2
        return {
            "prior": self.name,
            "text": mixture.as_text(),
            "components": [
                {"weight": weight, "a": a, "b": b}
                for weight, a, b in zip(mixture.weights.tolist(), mixture.a.tolist(), mixture.b.tolist(), strict=True)
            ],
            "mean": mixture.mean,
            "sd": mixture.sd,
            "low": mixture.quantile(tail),
            "median": mixture.quantile(0.5),
            "high": mixture.quantile(1 - tail),
            "ess_elir": self.sizes.elir,
            "ess_moment": self.sizes.moment,
            "ess_morita": self.sizes.morita,
            "modes": self.sizes.modes,
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction for a planned trial, with rates as proportions in [0, 1].

    Attributes
    ----------
    cohort
        Planned cohort, with draws of its true response rate.
    rate
        Summary of the true rate: mean, median, sd, low and high (prediction interval), and Monte Carlo errors.
    planned
        By planned size: n, mean and median number of responders, responders_low and responders_high (equal-tailed
        prediction interval), and low and high, the same ends as observed rates.
    responders
        By planned size, the probabilities of 0, 1 … n responders, shape (n + 1,).
    exceeding
        By rate to be exceeded and kind: above, rate ("true" or "observed"), n (None for the true rate), probability,
        mcse.
    intervals
        As `planned`, for doubling sizes, with `narrowing`: the share of the width lost by doubling.
    steady
        Size from which doubling narrows the interval by less than 5 %; None beyond 4,096 patients.
    fitted
        Beta mixture fitted to the draws.
    robust_weight
        Weight of the vague component in the robust prior.
    priors
        Robust prior, the same without the vague component, and vague prior, without duplicates.
    designs
        Design by prior and size, if there is a null.
    interval_prob
        Probability of the intervals.
    """

    cohort: PlannedCohort
    rate: dict[str, float]
    planned: tuple[dict[str, Any], ...]
    responders: dict[int, Array]
    exceeding: tuple[dict[str, Any], ...]
    intervals: tuple[dict[str, Any], ...]
    steady: int | None
    fitted: MixtureFit
    robust_weight: float
    priors: tuple[Prior, ...]
    designs: tuple[tuple[str, SingleArmDesign], ...]
    interval_prob: float

    @property
    def notes(self) -> list[str]:
        """Caveats for the reader, as sentences."""
        found = []
        if not self.cohort.seen:
            found.append(
                f"No cohort of the table is {self.cohort.name}: the prediction adds up what the model learnt of these "
                "levels in other cohorts, and rests on its assumptions more than any other."
            )
        if not self.fitted.follows:
            found.append(
                f"The mixture does not follow the draws closely (Kullback-Leibler divergence "
                f"{self.fitted.divergence:.3f}): take the prior and its design with care."
            )
        if any(prior.sizes.elir is not None and prior.sizes.elir < 0 for prior in self.priors):
            found.append("A prior falls from one end of the scale: its ELIR is negative and means nothing.")
        if any(prior.sizes.modes > 1 for prior in self.priors):
            found.append("A prior has several modes: its ESS is ill-defined, and Morita's is at the highest of them.")
        if not self.cohort.varies:
            found.append(NO_VARIANCE)
        return [*found, NOT_RANDOMISED_TRIALS.format(o=self.cohort.outcome)]

    @property
    def characteristics(self) -> list[dict[str, Any]]:
        """Operating characteristics of each design.

        Keys: prior, n, null, threshold, critical (smallest number of responders for success), type_i_error, assurance
        (predictive probability of success), orr_80 and orr_90 (true response rates at 80 and 90 % power). Undefined
        values are None.
        """
        return [
            {
                "prior": name,
                "n": design.n,
                "null": design.null,
                "threshold": design.threshold,
                "critical": design.critical,
                "type_i_error": design.type_i_error,
                "assurance": design.assurance(self.responders[design.n]),
            }
            | {f"orr_{100 * power:.0f}": design.orr_for(power) for power in POWERS}
            for name, design in self.designs
        ]

    @property
    def curves(self) -> pd.DataFrame:
        """Probability of success by true response rate: prior, n, orr, success."""
        return pd.concat(
            [
                pd.DataFrame({"prior": name, "n": design.n, "orr": ORRS, "success": design.success(ORRS)})
                for name, design in self.designs
            ]
        )

    @property
    def distribution(self) -> pd.DataFrame:
        """Predictive distribution with a row per planned size and number of responders.

        Columns n, responders, observed (rate), probability, at_least (probability of this number or more); with a null
        also posterior, P(ORR > null) under the first prior, and success.
        """
        first = {design.n: design for name, design in self.designs if name == self.priors[0].name}
        parts = []
        for n, probabilities in self.responders.items():
            counts = np.arange(n + 1)
            columns = {
                "n": n,
                "responders": counts,
                "observed": counts / n,
                "probability": probabilities,
                "at_least": np.minimum(probabilities[::-1].cumsum()[::-1], 1.0),
            }
            if n in first:
                design = first[n]
                posterior = design.prior.posterior_above(design.null, n)
                columns |= {"posterior": posterior, "success": posterior > design.threshold}
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts)

    def as_record(self) -> dict[str, Any]:
        """Return the prediction as JSON-serialisable values."""
        cohort = self.cohort
        return {
            "cohort": {
                "levels": dict(cohort.levels),
                "averaged": list(cohort.averaged),
                "weights": cohort.weights,
                "cohorts": cohort.cohorts,
                "patients": cohort.patients,
                "seen": cohort.seen,
            },
            "interval_prob": self.interval_prob,
            "rate": self.rate,
            "planned": list(self.planned),
            "exceeding": list(self.exceeding),
            "intervals": list(self.intervals),
            "steady": {"n": self.steady, "share": STEADY_SHARE},
            "priors": [prior.as_record(prob=self.interval_prob) for prior in self.priors],
            "robust_weight": self.robust_weight,
            "mixture": {
                "divergence": self.fitted.divergence,
                "distance": self.fitted.distance,
                "candidates": [
                    {"components": len(each.mixture.weights), "log_likelihood": each.log_likelihood, "aic": each.aic}
                    for each in self.fitted.candidates
                ],
            },
            "designs": self.characteristics,
            "curves": records(self.curves) if self.designs else [],
            "distribution": records(self.distribution),
            "notes": self.notes,
        }


def predict(
    fit: Fit,
    cohort: PlannedCohort,
    *,
    sizes: Sequence[int],
    above: Sequence[float] = (),
    robust_weight: float,
    null: float | None = None,
    threshold: float,
) -> Prediction:
    """Return the prediction for a planned trial.

    Parameters
    ----------
    sizes
        Planned numbers of patients, 1 to `MOST_PATIENTS`.
    above
        Response rates in [0, 1] whose exceedance is predicted.
    robust_weight
        Weight of the vague component, in [0, 1].
    null, threshold
        Decision rule, both strictly between 0 and 1; without a null there is no design.

    Raises
    ------
    UsageError
        If one of these is out of its range.
    """
    _check_sizes(sizes)
    sizes = [int(size) for size in sizes]  # NumPy's integers are none of JSON's
    for name, rate in (("null", null), ("threshold", threshold)):
        if rate is not None and not 0 < rate < 1:
            raise _no_proportion(name, rate, "above 0 and below 1")
    for name, shares in (("above", above), ("robust_weight", (robust_weight,))):
        if wrong := [share for share in shares if not 0 <= share <= 1]:
            raise _no_proportion(name, wrong[0], "from 0 to 1")
    rates, prob = cohort.rates, fit.interval_prob
    strata = strata_of(rates)
    responders = {n: responder_probabilities(strata, n) for n in sizes}
    fitted = fit_mixture(rates)
    priors = tuple(_priors(fitted.mixture, robust_weight))
    designs = tuple(
        (prior.name, SingleArmDesign(prior.mixture, n, null, threshold))
        for prior in priors
        for n in sizes
        if null is not None
    )
    return Prediction(
        cohort=cohort,
        rate=summarise(rates, prob=prob) | dict(error_columns_of(fit)(rates)),
        planned=tuple(_observed(n, probabilities, prob) for n, probabilities in responders.items()),
        responders=responders,
        exceeding=tuple(_exceeding(fit, rates, above, sizes)),
        intervals=tuple(_intervals(strata, sorted({*SHOWN_SIZES, *sizes}), prob)),
        steady=steady_size(strata, STEADY_SHARE, prob),
        fitted=fitted,
        robust_weight=robust_weight,
        priors=priors,
        designs=designs,
        interval_prob=prob,
    )


def _check_sizes(sizes: Sequence[int]) -> None:
    if no_number := [size for size in sizes if isinstance(size, bool) or not isinstance(size, Integral)]:
        raise UsageError(f"found {no_number[0]!r}; allowed: a whole number, 1 to {MOST_PATIENTS:,}.", parameter="n")
    wrong = next((str(size) for size in sizes if not 1 <= size <= MOST_PATIENTS), "" if sizes else "nothing")
    if wrong:
        raise UsageError(f"found {wrong}; allowed: 1 to {MOST_PATIENTS:,}.", parameter="n")


def _no_proportion(name: str, found: float, allowed: str) -> UsageError:
    percent = f"; {found:g} % is {found / 100:g}" if 1 < found <= 100 else ""
    return UsageError(f"found {found:g}; allowed: a proportion {allowed}{percent}.", parameter=name)


def _priors(mixture: BetaMixture, robust_weight: float) -> Iterator[Prior]:
    named = {"robust MAP": mixture.robust(robust_weight), "MAP": mixture, "vague": VAGUE}
    # At weight 0 or 1 the robust prior duplicates another.
    if robust_weight in {0.0, 1.0}:
        del named["robust MAP"]
    if robust_weight == 1.0:
        named = {"vague": VAGUE, "MAP": mixture}
    for name, prior in named.items():
        yield Prior(name, prior, effective_sample_sizes(prior))


def _observed(n: int, probabilities: Array, prob: float) -> dict[str, Any]:
    low, high = count_interval(probabilities, prob)
    return {
        "n": n,
        "mean": float(probabilities @ np.arange(n + 1)),
        "median": count_median(probabilities),
        "responders_low": low,
        "responders_high": high,
        "low": low / n,
        "high": high / n,
    }


def _intervals(strata: RateStrata, sizes: Iterable[int], prob: float) -> Iterator[dict[str, Any]]:
    for n in sizes:
        yield _observed(n, responder_probabilities(strata, n), prob) | {"narrowing": narrowing(strata, n, prob)}


def _exceeding(fit: Fit, rates: Array, above: Sequence[float], sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the probabilities that the true and the observed rate exceed given rates."""
    error = mean_error_of(fit)
    for limit in above:
        exceeds: dict[tuple[str, int | None], Array] = {("true", None): (rates > limit).mean(axis=1)}
        for n in sizes:
            # Equality is not exceedance; a product below an integer by rounding is taken as that integer.
            most = min(math.floor(n * limit + 1e-9), n)
            exceeds["observed", n] = np.asarray(bdtrc(most, n, rates)).mean(axis=1)
        for (kind, size), shares in exceeds.items():
            yield {
                "above": limit,
                "rate": kind,
                "n": size,
                "probability": float(shares.mean()),
                "mcse": error(shares),
            }
