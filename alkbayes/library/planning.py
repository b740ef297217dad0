"""Predictions for a planned single-arm trial, from Python."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from alkbayes.library.arguments import several
from alkbayes.library.bayesian import Fit, checked_fit, kept_with
from alkbayes.library.display import Displayed
from alkbayes.planning import trial
from alkbayes.planning.cohort import planned_cohort
from alkbayes.presentation.prediction import prediction_parts
from alkbayes.presentation.tables import Part, not_converged
from alkbayes.text.names import shown

if TYPE_CHECKING:
    import pandas as pd

NO_LEVELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, repr=False, eq=False)
class Prediction(Displayed):
    """Prediction for a planned trial.

    Attributes
    ----------
    fit
        The fit that it follows from.
    analysis
        The record that the rest of the package takes: rate, priors, designs.
    threshold
        Posterior probability required for success.
    """

    fit: Fit
    analysis: trial.Prediction
    threshold: float

    @property
    def distribution(self) -> "pd.DataFrame":
        """Probability of each number of events by planned size."""
        return self.analysis.distribution

    @property
    def subject(self) -> str:
        """Planned cohort and model."""
        return f"Prediction for a cohort {self.analysis.cohort.name}, model {shown(self.fit.spec.name)}"

    @property
    def verdict(self) -> str:
        """The true rate of such a cohort."""
        rate = {name: f"{100 * self.analysis.rate[name]:.0f}" for name in ("median", "low", "high")}
        return f"{self.analysis.cohort.outcome.title} {rate['median']} % ({rate['low']}–{rate['high']})"

    @property
    def contents(self) -> str:
        """Names of tables."""
        return "Tables: distribution; analysis.priors, analysis.characteristics"

    @property
    def failed(self) -> bool:
        """Whether its numbers must not be used: the posterior did not converge."""
        return self.fit.failed

    def to_dict(self) -> dict[str, Any]:
        """Return what `alkbayes predict --json` prints of it, but for the run."""
        return self.analysis.as_record() | {"threshold": self.threshold}

    def _parts(self) -> Iterator[Part]:
        yield from not_converged(self.fit.posterior.diagnostics.failures)
        yield from prediction_parts(self.analysis)


def predict(
    fit: Fit,
    levels: Mapping[str, str] = NO_LEVELS,
    *,
    n: int | Sequence[int],
    above: float | Sequence[float] = (),
    null: float | None = None,
    threshold: float = 0.975,
    robust_weight: float = 0.2,
) -> Prediction:
    """Predict a planned single-arm trial: its rate, its events, a MAP prior and operating characteristics.

    Parameters
    ----------
    fit
        The fit. The result is kept in its run's folder, if it has one, for its report.
    levels
        Level of the planned cohort by column of the model; the other columns are averaged over.
    n
        Planned size, or several.
    above
        Rate whose exceedance is predicted, or several, proportions in [0, 1]. Default: the null.
    null
        Null rate, a proportion, of a design that succeeds if P(rate > null | data) > threshold.
    threshold
        Posterior probability required for success.
    robust_weight
        Weight of the vague component, Beta(1, 1), of the robust MAP prior.

    Raises
    ------
    UsageError
        If the model has no such column or level, or a number is out of range.

    Examples
    --------
    >>> import alkbayes as ab
    >>> fit = ab.fit(None, "line", engine="quadrature")
    >>> ab.predict(fit, {"line": "naive"}, n=40).distribution["responders"].max()
    np.int64(40)
    """
    sizes = list(dict.fromkeys(several(n)))
    limits = list(dict.fromkeys(several(above))) or ([] if null is None else [null])
    found = trial.predict(
        checked_fit(fit).posterior,
        planned_cohort(fit.posterior, levels),
        sizes=sizes,
        above=limits,
        robust_weight=robust_weight,
        null=null,
        threshold=threshold,
    )
    prediction = Prediction(fit, found, threshold)
    warning = "; ".join(fit.posterior.diagnostics.failures)
    kept_with(
        fit, "predict", {"run": str(fit.folder), "model": fit.spec.name, "warning": warning} | prediction.to_dict()
    )
    return prediction
