"""Two outcomes of the same cohorts with correlated deviations: structure, and draws in numpy.

Each outcome has its own design, and the cohorts of the second are a subset of the first's. Trial deviations, and cohort
deviations, are correlated between outcomes::

    z_second = rho z_first + sqrt(1 - rho^2) e,    z_first and e standard normal,    rho uniform on (-1, 1)

with one rho for both levels: two counts per cohort cannot separate a correlation between trials from one between the
cohorts of a trial. Given the deviations all counts are independent binomials: any dependence within patients who count
towards both outcomes is ignored.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from alkbayes.errors import SpecError
from alkbayes.likelihood.links import Link
from alkbayes.model.design import Design, HeterogeneityBlock, Index, parameters
from alkbayes.model.draws import Draws, complete, from_unconstrained
from alkbayes.spec.priors import RootSumOfSquares

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Joint:
    """Two designs with correlated deviations.

    Attributes
    ----------
    first, second
        Designs of the two outcomes.
    group_of
        Position of each group of the second among those of the first, shape (group,).
    cohort_of
        Position of each cohort of the second among those of the first, shape (cohort,).
    """

    first: Design
    second: Design
    group_of: Index
    cohort_of: Index

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return 1 + sum(item.size for design in (self.first, self.second) for item in parameters(design))


@dataclass(frozen=True, slots=True)
class JointDraws:
    """Joint draws of two outcomes.

    Attributes
    ----------
    first, second
        As :func:`alkbayes.model.draws.complete`, axes (chain, draw, ...).
    rho
        Correlation of the deviations, shape (chain, draw).
    """

    first: Draws
    second: Draws
    rho: Array


def lay_together(first: Design, second: Design) -> Joint:
    """Return two designs as one structure.

    Every cohort of the second outcome must also have the first.

    Raises
    ------
    SpecError
        If a design lacks binomial logits with normal deviations at both levels, or the second has cohorts or groups
        missing from the first.
    """
    units = []
    first, second = _separated(first), _separated(second)
    for design in (first, second):
        if design.group is None or design.cohort is None or any(map(_heavy, design.heterogeneity)):
            raise SpecError("a joint model needs normal heterogeneity of trials and of cohorts in both of its models.")
        if design.link is not Link.LOGIT or design.rho_prior is not None:
            raise SpecError("a joint model needs binomial counts and logits in both of its models.")
        units.append(design.group.units)
    if missing := [*set(second.cohorts) - set(first.cohorts), *set(units[1]) - set(units[0])]:
        raise SpecError(f"a joint model needs both outcomes of one table; the first has no {min(missing)!r}.")
    return Joint(
        first=first,
        second=second,
        group_of=np.array([units[0].index(unit) for unit in units[1]], dtype=np.intp),
        cohort_of=np.array([first.cohorts.index(cohort) for cohort in second.cohorts], dtype=np.intp),
    )


def _separated(design: Design) -> Design:
    """Return a design with merged heterogeneity split in two, as the other outcome may need both terms."""
    total = design.group
    if total is None or not isinstance(total.sd_prior, RootSumOfSquares):
        return design
    group = replace(total, label=total.merged[0], sd_prior=total.sd_prior.first, merged=())
    each = np.arange(len(design.cohorts), dtype=np.intp)
    cohort = replace(group, label=total.merged[1], units=design.cohorts, index=each, sd_prior=total.sd_prior.second)
    return replace(design, group=group, cohort=cohort)


def _heavy(term: HeterogeneityBlock) -> bool:
    """Return whether deviations are other than normal."""
    return term.unit_prior.dist != "normal" or term.exnex is not None


def from_positions(joint: Joint, positions: Array) -> JointDraws:
    """Return the parameters of both outcomes from the sampler's positions.

    `positions` has shape (chain, draw, parameter): the first design, the logit of (1 + rho) / 2, then the second design
    with the innovations e in place of its deviations.
    """
    split = sum(item.size for item in parameters(joint.first))
    first = from_unconstrained(joint.first, positions[..., :split])
    rho = 2 * expit(positions[..., split]) - 1
    seen = positions[..., split + 1 :]
    # The second's deviations, which come last, are not those of a design alone: the sampler has the innovations.
    alone = from_unconstrained(joint.second, seen)
    free = {item.name: alone[item.name] for item in parameters(joint.second)}
    start = seen.shape[-1] - sum(len(term.units) for term in joint.second.heterogeneity)
    for term, of in zip(joint.second.heterogeneity, (joint.group_of, joint.cohort_of), strict=True):
        e = seen[..., start : start + len(term.units)]
        start += len(term.units)
        name = f"z_{term.slug}"
        free[name] = rho[..., None] * first[name][..., of] + np.sqrt(1 - rho**2)[..., None] * e
    return JointDraws(first, complete(joint.second, free), rho)
