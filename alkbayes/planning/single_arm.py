"""Operating characteristics of a single-arm design with a posterior decision rule.

The trial succeeds if P(ORR > null | responders) exceeds a threshold. This probability increases with the responders for
any prior, so the rule is a critical number of responders, and all else is a binomial sum without simulation. Equivalent
to RBesT's `decision1S(threshold, null, lower.tail = FALSE)` with `oc1S` and `pos1S`, whose boundary is the largest
number without success, one responder fewer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtrc, betaincinv

from alkbayes.planning.beta_mixture import BetaMixture

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SingleArmDesign:
    """Single-arm trial with its analysis prior and decision rule.

    Attributes
    ----------
    prior
        Prior for the response rate in the trial's analysis.
    n
        Number of patients.
    null
        Null response rate, strictly between 0 and 1.
    threshold
        Posterior probability that success must exceed, strictly between 0 and 1.
    """

    prior: BetaMixture
    n: int
    null: float
    threshold: float

    @property
    def critical(self) -> int | None:
        """Smallest number of responders for success; None if even `n` would not suffice."""
        success = self.prior.posterior_above(self.null, self.n) > self.threshold
        return int(success.argmax()) if success.any() else None

    def success(self, orr: ArrayLike) -> Array:
        """Return the probability of success at true response rates in [0, 1] of any shape."""
        rates = np.asarray(orr, dtype=np.float64)
        if (critical := self.critical) is None:
            return np.zeros_like(rates)
        # Survival function of the binomial: more than critical - 1 responders.
        return np.ones_like(rates) if critical == 0 else np.asarray(bdtrc(critical - 1, self.n, rates))

    @property
    def type_i_error(self) -> float:
        """Probability of success at the null response rate."""
        return float(self.success(self.null))

    def assurance(self, probabilities: Array) -> float:
        """Return the probability of success, given predictive probabilities of 0, 1 … n responders, shape (n + 1,)."""
        return 0.0 if (critical := self.critical) is None else float(probabilities[critical:].sum())

    def orr_for(self, power: float) -> float | None:
        """Return the true response rate at which the probability of success is `power`, strictly between 0 and 1.

        None if success is impossible or certain.
        """
        critical = self.critical
        if critical is None or critical == 0:
            return None
        # P(Y >= c) at rate p is the beta distribution function with shapes c and n - c + 1.
        return float(betaincinv(critical, self.n - critical + 1, power))
