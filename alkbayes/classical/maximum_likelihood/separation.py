"""Complete and quasi-complete separation: coefficients of a binomial regression without a finite maximum."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from alkbayes.classical.counts import Floats

DIRECTION = 1e-6
"""Smallest entry of a direction of separation, in units of the largest allowed, that is no rounding error."""


def separated(responders: Floats, n: Floats, design: Floats) -> npt.NDArray[np.bool_]:
    """Return which coefficients of a binomial regression have no finite maximum-likelihood estimate, shape (p,).

    The likelihood rises without end along a direction that raises fitted logits only of cohorts in which all respond,
    lowers those only in which none does, and leaves the others (Albert & Anderson 1984, doi:10.1093/biomet/71.1.1).
    Each coefficient that such a direction changes has an infinite estimate; linear programming finds them (Konis 2007).

    Parameters
    ----------
    responders, n
        Counts, shape (k,).
    design
        Shape (k, p), of full column rank.
    """
    none, every = responders == 0, responders == n
    p = design.shape[1]
    if not (none | every).any():
        return np.zeros(p, dtype=np.bool_)
    units = np.abs(design).max(axis=0)
    scaled = design / units
    inside = scaled[~(none | every)]
    ordered = np.vstack([scaled[none], -scaled[every]])
    found = np.zeros(p, dtype=np.bool_)
    for place in range(p):
        for sign in (-1.0, 1.0):
            aim = np.zeros(p)
            aim[place] = sign
            best = linprog(
                aim,
                A_ub=ordered,
                b_ub=np.zeros(len(ordered)),
                A_eq=inside if len(inside) else None,
                b_eq=np.zeros(len(inside)) if len(inside) else None,
                bounds=(-1, 1),
            )
            found[place] |= best.x is not None and abs(best.x[place]) > DIRECTION
    return found
