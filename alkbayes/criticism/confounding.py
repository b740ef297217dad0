"""Columns not in the model: their imbalance over its columns, and their predictive value.

A column confounds a comparison of levels if its own levels are distributed unevenly over these and if response depends
on it. Imbalance is measured by Cramér's V (for a numeric column the correlation ratio), dependence by the gain in
expected log predictive density of left-out cohorts from an effect of the column.

The gain is computed in the normal approximation to each cohort's likelihood about the posterior mean of its linear
predictor. With all effects and deviations integrated out, the cohorts are then normal given the standard deviations,
and each cohort's density given the others has a closed form (Sundararajan and Keerthi 2001,
doi:10.1162/08997660151134343). Draws of the standard deviations from their priors, the same with and without the
column, are weighted by the evidence, and for each left-out cohort also by the inverse of its density.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from alkbayes.inference.importance.approximation import STUDENT_WIDTH
from alkbayes.likelihood.links import inverse, inverse_derivative
from alkbayes.model.design import Design, zero_sum_basis
from alkbayes.spec.priors import HalfNormal, Prior, StudentT
from alkbayes.vocabulary import in_order

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.inference.fit import Fit

type Array = NDArray[np.float64]

OWN_OUTCOMES = ("orr_", "pfs_", "ic_", "sae_", "g3_")
"""Prefixes of columns with outcomes of the same patients, which may follow from the response."""
JUDGEMENTS = "rob_"
"""Prefix of columns with judgements of the risk of bias, which an alternative of the sensitivity analysis takes up."""
NO_COVARIATES = frozenset({"cohort_id", "responders", "n", "trial"})
SAME_AS_RATE = 0.95
"""Rank correlation with the observed rates from which a numeric column is taken to restate the response."""
MOST_MISSING = 0.1
COHORTS_A_LEVEL = 3
"""Minimum average number of cohorts per level."""
MOST_LEVELS = 30
MOST_UNGROUPED = 0.5
"""Maximum share of cohorts without a level, or with one found only in their trial, for a grouping column."""
NUMBERS = 5
"""A numeric column has more distinct values than this; fewer are levels."""
MOST_COHORTS = 200
"""Larger tables would keep a reader waiting for the matrices."""
MOST_POINTS, OPERATIONS = 500, 1e9
"""Maximum draws of the standard deviations, and maximum product of these with the cube of the number of cohorts."""
SEED = 1
ADDED = HalfNormal(dist="half_normal", sd=0.5)
"""Prior for the standard deviation of an added effect, as in the bundled models."""
CLEAR, SMALL = 2.0, 4.0
"""Thresholds for a gain, in standard errors and in log density: smaller ones mean little, and their standard error is
too small (Sivula et al. 2020, arXiv:2008.10296)."""


@dataclass(frozen=True, slots=True)
class Unevenness:
    """Imbalance of a column over a column of the model.

    Attributes
    ----------
    factor
        The model's column, by its name in results.
    measure
        Cramér's V between the two, or the correlation ratio for a numeric column, in [0, 1].
    """

    factor: str
    measure: float


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A column outside the model that would improve it.

    Attributes
    ----------
    uneven
        Imbalance over each of the model's columns, largest first.
    numeric
        True if treated as numeric.
    gain, se
        Gain in the expected log predictive density of cohorts left out one by one, if only this column were added, and
        its standard error.
    """

    column: str
    uneven: tuple[Unevenness, ...]
    numeric: bool
    gain: float
    se: float


class Reason(StrEnum):
    """Reason for not examining a column."""

    LEVELS = "levels"
    MISSING = "missing"
    SIZE = "size"
    EXNEX = "exnex"


@dataclass(frozen=True, slots=True)
class Unexamined:
    """A column outside the model that was not examined and may improve it.

    Attributes
    ----------
    reason
        Too many levels for the cohorts, too many cohorts without a level, a table too small or too large, or a model
        with EXNEX, to which the normal approximation behind the gain does not extend.
    count, cohorts
        Number of levels, of cohorts without one, or of cohorts in the table; number of cohorts in the table.
    """

    column: str
    reason: Reason
    count: int
    cohorts: int


def columns_left_out(fit: "Fit") -> dict[str, list[dict[str, Any]]]:
    """Return the columns outside a model as JSON values: those that would improve it, and those not examined."""
    return {
        "unnamed": [asdict(each) for each in unnamed_columns(fit)],
        "unexamined": [asdict(each) for each in unexamined_columns(fit)],
    }


def unnamed_columns(fit: "Fit") -> tuple[Unnamed, ...]:
    """Return the columns of a fit's table that would clearly improve its model, largest gain first."""
    frame, design = fit.evidence.frame, fit.design
    if design.exnex is not None or not 2 * COHORTS_A_LEVEL <= len(design.cohorts) <= MOST_COHORTS:
        return ()
    columns = {name: basis for name in _candidates(fit) if (basis := _basis(frame, name)) is not None}
    if not columns:
        return ()
    try:
        with np.errstate(all="ignore"):
            gains = _gains(fit, {name: basis for name, (basis, _) in columns.items()})
    except np.linalg.LinAlgError:
        # Draws that failed the gate have their own verdict and say nothing about columns.
        return ()
    found = []
    for name, gain in gains.items():
        total, se = float(gain.sum()), float(np.sqrt(len(gain) * gain.var(ddof=1)))
        # Written so that NaN is not reported.
        if total > max(CLEAR * se, SMALL):
            numeric = columns[name][1]
            found.append(Unnamed(name, _unevenness(frame, name, design, numeric=numeric), numeric, total, se))
    return tuple(sorted(found, key=lambda each: -each.gain))


def unexamined_columns(fit: "Fit") -> tuple[Unexamined, ...]:
    """Return the columns of a fit's table that :func:`unnamed_columns` skips and that may matter.

    Columns that identify cohorts instead of grouping them are omitted (names, sources, notes): a level is a group if
    cohorts of several trials have it.
    """
    frame = fit.evidence.frame
    cohorts = len(frame)
    found = []
    for name in _candidates(fit):
        values = frame[name].astype(str)
        missing, levels = int((values == "").sum()), len(set(values) - {""})
        numbers = _numbers(values.tolist())
        if _basis(frame, name) is not None:
            if fit.design.exnex is not None:
                found.append(Unexamined(name, Reason.EXNEX, cohorts, cohorts))
            elif not 2 * COHORTS_A_LEVEL <= cohorts <= MOST_COHORTS:
                found.append(Unexamined(name, Reason.SIZE, cohorts, cohorts))
        elif numbers is not None and _is_outcome(frame, numbers):
            continue
        elif _is_number(values.tolist()):
            # Columns with a value for each cohort were examined.
            if MOST_MISSING < missing / cohorts <= MOST_UNGROUPED:
                found.append(Unexamined(name, Reason.MISSING, missing, cohorts))
        elif levels > 1 and _ungrouped(frame, name) <= MOST_UNGROUPED:
            if missing / cohorts > MOST_MISSING:
                found.append(Unexamined(name, Reason.MISSING, missing, cohorts))
            else:
                found.append(Unexamined(name, Reason.LEVELS, levels, cohorts))
    return tuple(found)


def _candidates(fit: "Fit") -> list[str]:
    named = {*fit.spec.columns, *fit.spec.outcome.columns, *NO_COVARIATES}
    return [
        str(name)
        for name in fit.evidence.frame
        if name not in named and not str(name).startswith((*OWN_OUTCOMES, JUDGEMENTS))
    ]


def _basis(frame: "pd.DataFrame", name: str) -> tuple[Array, bool] | None:
    """Return the effect of a column, (cohort, free), and whether it is numeric; None if there is no such effect.

    Cohorts without a value have an effect of 0, that of the average level or number.
    """
    values = frame[name].astype(str)
    missing = (values == "").to_numpy()
    if missing.mean() > MOST_MISSING:
        return None
    numbers = _numbers(values.tolist())
    if numbers is not None and _is_outcome(frame, numbers):
        return None
    if numbers is not None and _is_number(values.tolist()):
        centred = np.where(missing, 0.0, numbers - numbers[~missing].mean())
        return centred[:, None] / centred[~missing].std(), True
    levels = in_order(name, values[~missing].tolist())
    if not 2 <= len(levels) <= min(MOST_LEVELS, len(values) / COHORTS_A_LEVEL):
        return None
    # A blank is no level: with an effect of its own, one outlying cohort without a value would look like a finding.
    basis = np.zeros((len(values), len(levels) - 1))
    basis[~missing] = zero_sum_basis(len(levels))[[levels.index(value) for value in values[~missing]]]
    return basis, False


def _is_outcome(frame: "pd.DataFrame", numbers: Array) -> bool:
    """Return True if numbers restate the counts or observed rates, or there is no rate to compare."""
    if any(np.array_equal(numbers, count) for count in (frame["responders"], frame["n"] - frame["responders"])):
        return True
    known = ~np.isnan(numbers)
    rates = (frame["responders"] / frame["n"]).to_numpy(dtype=np.float64)[known]
    if len(set(numbers[known].tolist())) < 2:
        return False
    if np.ptp(rates) == 0:
        return True
    ranks = frame.loc[known, []].assign(number=numbers[known], rate=rates).corr(method="spearman").to_numpy()
    return not abs(ranks[0, 1]) < SAME_AS_RATE


def _numbers(cells: list[str]) -> Array | None:
    """Return the cells as numbers, NaN if empty; None if one of them is not a finite number."""
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(numbers).any() or "nan" in {cell.casefold() for cell in cells} else numbers


def _is_number(cells: list[str]) -> bool:
    """Return True if a column is treated as numeric instead of levels."""
    numbers = _numbers(cells)
    return numbers is not None and len(set(numbers[~np.isnan(numbers)].tolist())) > NUMBERS


def _ungrouped(frame: "pd.DataFrame", name: str) -> float:
    """Return the share of cohorts without a level, or with one found in no other trial."""
    trials = frame["cohort_id"]
    if "trial" in frame:
        trials = frame["trial"].where(frame["trial"] != "", frame["cohort_id"])
    alone = trials.groupby(frame[name]).transform("nunique") == 1
    return float((alone | (frame[name] == "")).mean())


def _gains(fit: "Fit", columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return the gain in each cohort's log density given the others from an effect of each column, shapes (cohort,)."""
    design = fit.design
    points = int(min(MOST_POINTS, OPERATIONS / len(design.cohorts) ** 3))
    sds, added = _standard_deviations(design, points)
    residual, variance = _stand_ins(fit)
    covariances = np.array([_covariance(design, sds, point) for point in range(points)])
    noisy = covariances + np.diag(variance)
    precisions = np.linalg.inv(noisy)
    weighted = precisions @ residual
    diagonal = np.diagonal(precisions, axis1=1, axis2=2)
    log_evidence = -0.5 * (np.linalg.slogdet(noisy)[1] + weighted @ residual)
    base = _left_out(weighted, diagonal, log_evidence)
    found = {}
    for name, basis in columns.items():
        # Woodbury's identity, and the ratio of the evidences by the matrix determinant lemma.
        spread = precisions @ basis
        factor = basis.T @ spread + np.eye(basis.shape[1]) / added[:, None, None] ** 2
        solved = np.linalg.solve(factor, spread.transpose(0, 2, 1))
        projected = weighted @ basis
        pulled = np.einsum("sfi,i->sf", solved, residual)
        log_determinant = np.linalg.slogdet(factor * added[:, None, None] ** 2)[1]
        found[name] = (
            _left_out(
                weighted - np.einsum("sif,sf->si", spread, pulled),
                diagonal - np.einsum("sif,sfi->si", spread, solved),
                log_evidence + 0.5 * (projected * pulled).sum(axis=1) - 0.5 * log_determinant,
            )
            - base
        )
    return found


def _left_out(weighted: Array, diagonal: Array, log_weights: Array) -> Array:
    """Return each cohort's log density given the others, shape (cohort,), up to a constant of the cohort.

    `weighted` and `diagonal` are the precision times the residuals, and its diagonal, (S, cohort), for S values of the
    standard deviations, `log_weights` (S,) those of the values given all cohorts.
    """
    log_density = 0.5 * np.log(diagonal) - 0.5 * weighted**2 / diagonal
    log_weights = log_weights - logsumexp(log_weights)
    return -np.asarray(logsumexp(log_weights[:, None] - log_density, axis=0), dtype=np.float64)


def _standard_deviations(design: Design, points: int) -> tuple[dict[str, Array], Array]:
    """Return prior draws of a model's standard deviations by name, and of an added effect's, (point,)."""
    rng = np.random.default_rng(SEED)
    priors = {f"sd_{block.slug}": block.sd_prior for block in design.effects if block.sd_prior is not None}
    priors |= {f"tau_{term.slug}": term.sd_prior for term in design.heterogeneity}
    sds = {name: prior.draw(rng, (points,)) for name, prior in priors.items()}
    return sds, ADDED.draw(rng, (points,))


def _stand_ins(fit: "Fit") -> tuple[Array, Array]:
    """Return each cohort's working response minus its prior mean, and its variance, on the link scale."""
    design, draws = fit.design, fit.draws
    middle = draws["theta"].mean(axis=(0, 1))
    rate, slope = inverse(design.link, middle), inverse_derivative(design.link, middle)
    clustering = 1.0 if design.rho_prior is None else 1 + (design.n - 1) * draws["rho"].mean()
    variance = np.maximum(clustering * rate * (1 - rate) / (design.n * slope**2), 1e-6)
    expected = np.full(len(middle), _normal(design.intercept_prior)[0])
    for block in design.effects:
        if block.sd_prior is None:
            expected = expected + _normal(block.prior)[0] * block.basis[block.index].sum(axis=1)
    return middle + (design.responders / design.n - rate) / slope - expected, variance


def _covariance(design: Design, sds: Mapping[str, Array], point: int) -> Array:
    """Return the covariance of the cohorts' linear predictors given the standard deviations, (cohort, cohort)."""
    total = np.full((len(design.cohorts),) * 2, _normal(design.intercept_prior)[1] ** 2)
    for block in design.effects:
        sd = _normal(block.prior)[1] if block.sd_prior is None else sds[f"sd_{block.slug}"][point]
        rows = block.basis[block.index]
        total = total + sd**2 * rows @ rows.T
    for term in design.heterogeneity:
        width = STUDENT_WIDTH if isinstance(term.unit_prior, StudentT) else 1.0
        total = total + (width * sds[f"tau_{term.slug}"][point]) ** 2 * (term.index[:, None] == term.index)
    return total


def _normal(prior: Prior) -> tuple[float, float]:
    """Return mean and SD of the normal approximation to a location prior."""
    mean, sd = float(getattr(prior, "mean", 0.0)), float(getattr(prior, "sd", 1.0))
    return mean, STUDENT_WIDTH * sd if isinstance(prior, StudentT) else sd


def _unevenness(frame: "pd.DataFrame", name: str, design: Design, *, numeric: bool) -> tuple[Unevenness, ...]:
    """Return the imbalance of a column over each of the model's columns of levels, largest first."""
    values = frame[name].astype(str).tolist()
    measured = [
        Unevenness(
            design.labels[factor],
            _correlation_ratio(np.array(_numbers(values)), levels) if numeric else _cramers_v(values, levels),
        )
        for factor, levels in ((factor, levels.tolist()) for factor, levels in design.profiles.items())
        if factor not in design.numbers
    ]
    return tuple(sorted(measured, key=lambda each: -each.measure))


def _cramers_v(one: list[str], other: list[str]) -> float:
    """Return Cramér's V of two columns of levels (Cramér 1946), in [0, 1], over the cohorts with a value of `one`."""
    pairs = [(first, second) for first, second in zip(one, other, strict=True) if first]
    places = [{level: at for at, level in enumerate(sorted(set(values)))} for values in zip(*pairs, strict=True)]
    counts = np.zeros((len(places[0]), len(places[1])))
    for first, second in pairs:
        counts[places[0][first], places[1][second]] += 1
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    least = min(counts.shape) - 1
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / least)) if least else 0.0


def _correlation_ratio(numbers: Array, levels: list[str]) -> float:
    """Return the root of the share of a number's variance that lies between levels, in [0, 1]."""
    known = ~np.isnan(numbers)
    numbers, groups = numbers[known], np.array(levels)[known]
    between = sum(
        (groups == level).sum() * (numbers[groups == level].mean() - numbers.mean()) ** 2
        for level in set(groups.tolist())
    )
    return float(np.sqrt(between / (len(numbers) * numbers.var())))
