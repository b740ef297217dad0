"""Published medians as model input: logs with standard errors, and bounds for medians not reached.

A printed 95 % interval (low, high) of a median m gives log m the standard error

    SE = (log high - log low) / (2 * 1.96),

as for any estimate whose interval is symmetric on the log scale. Kaplan-Meier intervals (Brookmeyer and Crowley 1982,
doi:10.2307/2530286) seldom are: the SE is then the mean of the two sides'. A limit that stands alone gives the SE of
its own side. Without any limit the SE is imputed as c / sqrt(patients), with c the median of SE * sqrt(patients) over
the cohorts with both limits. The median of exponential times without censoring has c = 1 / log 2 = 1.44 (a sample
median's variance is 1 / (4 n f(m)^2); Serfling 1980, section 2.3.3, doi:10.1002/9780470316481); censoring makes it
larger. That value stands in where fewer than five cohorts have both limits.

A median that was not reached is known to lie beyond a bound: the lower limit of its interval, or months at which the
curve still stood above one half. Its estimate, had the patients been followed on, would exceed that bound, so that it
contributes P(estimate > bound), with the imputed SE.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import PfsStatus
from alkbayes.errors import EvidenceError
from alkbayes.evidence.median_rules import BEYOND, HIGH, LOW, MEDIAN, PATIENTS, STATUS, months_of, pfs_faults, status_of
from alkbayes.evidence.naming import TRIAL, absent_faults
from alkbayes.evidence.rules import BASIC_COLUMNS, header_faults, row_faults
from alkbayes.evidence.table import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alkbayes.evidence.table import Evidence

type Array = NDArray[np.float64]

Z = 1.959963984540054
"""Standard errors from the middle of a normal to the end of its central 95 %."""
EXPONENTIAL = 1 / math.log(2)
"""SE of the log of a median times the root of the patients: exponential times, nobody censored."""
LEAST_INTERVALS = 5
"""Cohorts with both limits from which their own ratio of SE and patients is taken."""
SKEWED = 2.0
"""Ratio of the two sides of an interval on the log scale from which it is called skewed."""


class Source(StrEnum):
    """Where a cohort's standard error is from."""

    BOTH = "both limits"
    LOW = "lower limit"
    HIGH = "upper limit"
    PATIENTS = "patients"


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is assumed about printed medians.

    Attributes
    ----------
    name
        What tables call it.
    se_constant
        c of the imputed standard errors; None has it taken from the table.
    wider_side
        Whether a skewed interval counts by its wider side, not by the mean of both.
    one_sided
        Whether a limit that stands alone gives an SE; if not it is imputed.
    not_reached
        "bound", "left out", or "limit": as a median whose interval's lower limit the bound is.
    """

    name: str
    se_constant: float | None = None
    wider_side: bool = False
    one_sided: bool = True
    not_reached: str = "bound"


BASE = Assumptions("as reported")


@dataclass(frozen=True, slots=True)
class Medians:
    """Cohorts with a known median or a bound on it, in table order; medians as logs of months.

    Attributes
    ----------
    frame
        Their rows of the evidence table.
    patients
        Of the PFS analysis, shape (cohort,).
    low, high
        Limits of the printed 95 % intervals in months, shape (cohort,); NaN where there is none.
    log_median
        Shape (cohort,); NaN where the median was not reached.
    log_bound
        What the log of a median that was not reached lies beyond, shape (cohort,); NaN where it was reached.
    se
        Standard errors of the log medians, shape (cohort,).
    source
        Where these are from.
    skew
        Wider over narrower side of the printed interval on the log scale, shape (cohort,); NaN without both limits.
    se_constant
        c of the imputed standard errors.
    """

    frame: pd.DataFrame
    patients: Array
    low: Array
    high: Array
    log_median: Array
    log_bound: Array
    se: Array
    source: tuple[Source, ...]
    skew: Array
    se_constant: float

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Which medians were reached, shape (cohort,)."""
        return np.isfinite(self.log_median)


@dataclass(frozen=True, slots=True)
class Known:
    """Number of cohorts by what the table reports about their medians.

    Attributes
    ----------
    cohorts, medians
        In all, and with a median.
    both_limits, one_limit, no_limit
        Medians by what is printed of their interval.
    not_reached
        Names of the cohorts whose median was not reached and that have a bound.
    unusable
        Names of those that have none: nothing is known of them but that.
    not_reported
        Of which no median was read.
    skewed
        Names of the cohorts with skewed intervals.
    """

    cohorts: int
    medians: int
    both_limits: int
    one_limit: int
    no_limit: int
    not_reached: tuple[str, ...]
    unusable: tuple[str, ...]
    not_reported: int
    skewed: tuple[str, ...]


def check_medians(evidence: "Evidence", *, needed: "Sequence[str]") -> None:
    """Check the columns of median PFS, and those that a model needs.

    Raises
    ------
    EvidenceError
        If a column is missing or a cell breaks a rule, with every fault by its line; or if no median is known.
    """
    table = table_of(evidence, (*needed, MEDIAN))
    wanted = (*BASIC_COLUMNS, *(name for name in needed if name != TRIAL))
    absent = absent_faults(table, (*wanted, MEDIAN), of_model=needed)
    if faults := [*header_faults(table), *absent, *row_faults(table, wanted), *pfs_faults(table)]:
        raise table.refusal(faults)
    if not any(_is_known(row) for row in _rows(evidence)):
        raise EvidenceError(
            f"{table.name}: no cohort has a median PFS: {MEDIAN} is empty in every row, and no median that was not "
            f"reached has a bound in {LOW} or {BEYOND}. There is nothing to pool."
        )


def medians_of(evidence: "Evidence", assumptions: Assumptions = BASE) -> Medians:
    """Return the medians of a checked table as model input."""
    rows = _rows(evidence)
    known = [place for place, row in enumerate(rows) if _is_known(row)]
    if assumptions.not_reached == "left out":
        known = [place for place in known if rows[place][MEDIAN] is not None]
    median, low, high = (np.array([_nan(rows[place][name]) for place in known]) for name in (MEDIAN, LOW, HIGH))
    beyond = np.array([_nan(_bound(rows[place])) for place in known])
    patients = patients_of(evidence.frame)[known]
    reached = np.isfinite(median)
    with np.errstate(invalid="ignore"):
        below, above = np.log(median / low) / Z, np.log(high / median) / Z
    both = reached & np.isfinite(below) & np.isfinite(above)
    mean = (below + above) / 2
    constant = assumptions.se_constant or _constant(mean[both], patients[both])
    se = constant / np.sqrt(patients)
    source = np.full(len(known), Source.PATIENTS, dtype=object)
    se[both] = np.maximum(below, above)[both] if assumptions.wider_side else mean[both]
    source[both] = Source.BOTH
    for side, kind in ((below, Source.LOW), (above, Source.HIGH)):
        # A limit that rounds to the median itself has no width.
        alone = reached & ~both & (np.nan_to_num(side) > 0)
        if assumptions.one_sided:
            se[alone], source[alone] = side[alone], kind
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = np.maximum(below, above) / np.minimum(below, above)
        log_median, log_bound = np.log(median), np.where(reached, np.nan, np.log(beyond))
    if assumptions.not_reached == "limit":
        log_median = np.where(reached, log_median, log_bound + Z * se)
        log_bound = np.full(len(known), np.nan)
    return Medians(
        frame=evidence.frame.iloc[known].reset_index(drop=True),
        patients=patients,
        low=low,
        high=high,
        log_median=log_median,
        log_bound=log_bound,
        se=se,
        source=tuple(source),
        skew=np.where(both, skew, np.nan),
        se_constant=constant,
    )


def known_of(evidence: "Evidence", medians: Medians) -> Known:
    """Return the number of cohorts by what is reported; `medians` must be of the whole table."""
    statuses = [status_of(row) for row in _cells(evidence.frame)]
    names, rows = evidence.frame["cohort_id"].tolist(), _rows(evidence)
    missed = [at for at, status in enumerate(statuses) if status == PfsStatus.NOT_REACHED]
    of = [kind for kind, reached in zip(medians.source, medians.reached, strict=True) if reached]
    return Known(
        cohorts=len(names),
        medians=len(of),
        both_limits=of.count(Source.BOTH),
        one_limit=of.count(Source.LOW) + of.count(Source.HIGH),
        no_limit=of.count(Source.PATIENTS),
        not_reached=tuple(names[at] for at in missed if _bound(rows[at]) is not None),
        unusable=tuple(names[at] for at in missed if _bound(rows[at]) is None),
        not_reported=statuses.count(PfsStatus.NOT_REPORTED),
        skewed=tuple(medians.frame["cohort_id"][np.nan_to_num(medians.skew) > SKEWED]),
    )


def patients_of(frame: pd.DataFrame) -> Array:
    """Return the patients of each cohort's PFS analysis, shape (cohort,): `pfs_n`, and `n` where that is not known."""
    stated = frame[PATIENTS].astype(str) if PATIENTS in frame else pd.Series("", index=frame.index)
    return np.array([float(own or n) for own, n in zip(stated, frame["n"], strict=True)])


def _rows(evidence: "Evidence") -> list[dict[str, float | None]]:
    """Return the months of each row, None where there are none; a bound only of a median that was not reached."""
    rows = []
    for row in _cells(evidence.frame):
        months = {name: months_of(row.get(name, "")) for name in (MEDIAN, LOW, HIGH, BEYOND)}
        bounds = [bound for bound in (months[LOW], months[BEYOND]) if bound is not None]
        missed = status_of(row) == PfsStatus.NOT_REACHED
        rows.append(months | {BEYOND: max(bounds, default=None) if missed else None})
    return rows


def _cells(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the cells of each row that concern medians."""
    named = [name for name in (MEDIAN, LOW, HIGH, BEYOND, PATIENTS, STATUS) if name in frame]
    return [dict(zip(named, cells, strict=True)) for cells in zip(*(frame[name] for name in named), strict=True)]


def _bound(row: dict[str, float | None]) -> float | None:
    return row[BEYOND]


def _is_known(row: dict[str, float | None]) -> bool:
    return row[MEDIAN] is not None or _bound(row) is not None


def _constant(se: Array, patients: Array) -> float:
    """Estimate the constant c of imputed standard errors from the published ones."""
    return float(np.median(se * np.sqrt(patients))) if len(se) >= LEAST_INTERVALS else EXPONENTIAL


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
