"""Possible duplicates: cohorts that may be the same patients under two names."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaln, gammainc

from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import Evidence
from alkbayes.text.names import shown
from alkbayes.text.wording import counted

ALIKE = ("agent", "line", "phase")
"""Columns in which duplicates must not differ, if the table has them and both cells are filled."""
LEAST_PATIENTS = 20
"""Smaller cohorts have the same counts by chance too often."""
MOST_SHOWN = 5
LEAST_SURPRISE = 0.1
"""Probability of a false alarm in a table without duplicates."""

LARGEST_SUMMED = 1000
"""Largest cohort for which the probability of equal counts is summed exactly."""
LEAST_SPREAD, LEAST_SHAPE = 1e-6, 0.1
"""Of the beta distribution of rates: one of no variance is no beta distribution, nor one of nothing but 0 and 1."""

type Row = dict[str, str]
type Floats = npt.NDArray[np.float64]


def possible_duplicates(evidence: Evidence) -> tuple[str, ...]:
    """Return a sentence for each pair of trials, or of cohorts, that may be the same patients.

    Two trials are a pair if they have one registry number and no different phase: often one trial at two data cut-offs.
    Two cohorts of different trials (of any, where the table names none) are a pair if they have as many patients, 20 at
    least, and as many responders, neither none nor all of them, and no different agent, line or phase. Two trials are
    named once. Such pairs are named where they are more than chance makes of these numbers of patients (see
    `_beyond_chance`); that others are there is said.

    Returns
    -------
    tuple of str
        In the order of the table; the sixth and later ones are counted in one last sentence.
    """
    frame, outcome = evidence.frame, evidence.outcome
    several = frame[
        (frame["n"] >= LEAST_PATIENTS) & (frame["responders"] > 0) & (frame["responders"] < frame["n"])
    ].reset_index(drop=True)
    pairs = list(_cohorts(several))
    named, expected = _beyond_chance(several, [int(one["n"]) for one, _ in pairs])
    found = [*_trials(frame), *(_same_counts(*pair, outcome) for pair in pairs if int(pair[0]["n"]) >= named)]
    if len(found) > MOST_SHOWN:
        found[MOST_SHOWN:] = [f"{len(found) - MOST_SHOWN} more pairs may be the same {outcome.units}."]
    if pairs:
        verb = "has" if len(pairs) == 1 else "have"
        found.append(
            f"{counted(len(pairs), 'pair')} of cohorts {verb} the same counts; chance alone makes about "
            f"{expected:,.{0 if expected >= 10 else 1 if expected >= 1 else 2}f} in a table like this."
        )
    return tuple(found)


def _trials(frame: pd.DataFrame) -> Iterator[str]:
    if not {"trial", "registry_id"} <= set(frame):
        return
    for one, other in _alike(frame[frame["registry_id"] != ""], ["registry_id"], ("phase",)):
        if one["trial"] != other["trial"]:
            yield (
                f"Trials {shown(one['trial'])} and {shown(other['trial'])} have one registry number, "
                f"{shown(one['registry_id'])}: if they are one trial at two cut-offs, keep one of them; if they are "
                "two parts of it, say so in the column phase."
            )


def _cohorts(frame: pd.DataFrame) -> Iterator[tuple[Row, Row]]:
    seen: set[tuple[str, str]] = set()
    for one, other in _alike(frame, ["n", "responders"], ALIKE):
        trials = one.get("trial", ""), other.get("trial", "")
        if all(trials) and (trials[0] == trials[1] or trials in seen):
            continue
        seen.add(trials)
        yield one, other


def _same_counts(one: Row, other: Row, outcome: Outcome) -> str:
    trials = one.get("trial", ""), other.get("trial", "")
    where = f" of trials {shown(trials[0])} and {shown(trials[1])}" if all(trials) else ""
    return (
        f"Cohorts {shown(one['cohort_id'])} and {shown(other['cohort_id'])}{where} both have {one['responders']} "
        f"{outcome.events} of {one['n']} {outcome.units}: if they are the same {outcome.units}, keep one of them."
    )


def _beyond_chance(frame: pd.DataFrame, sizes: Sequence[int]) -> tuple[float, float]:
    """Return the size from which equal pairs outnumber chance, and the number of pairs that chance predicts.

    Large cohorts have the same counts by chance less often than small ones, so that one pair of 500 patients says
    more than ten of 30. The largest pair, the two largest, four, eight and so on are compared with the number that
    chance makes of at least their size, a Poisson variable, and all of these comparisons together keep to
    `LEAST_SURPRISE` (Bonferroni).

    Parameters
    ----------
    frame
        The cohorts that could be pairs.
    sizes
        Patients of each equal pair.

    Returns
    -------
    tuple of float
        Patients, infinity where no number of pairs is beyond chance; and the expected number of pairs.
    """
    if not sizes:
        return np.inf, 0.0
    rate, spread = _rates(frame)
    n, pairs = _candidates(frame)
    expected = pairs * np.array([_agreement(int(size), rate, spread) for size in n])
    in_order = sorted(sizes, reverse=True)
    looks = [*(2**power for power in range(len(sizes).bit_length()) if 2**power < len(sizes)), len(sizes)]
    surprising = [
        in_order[look - 1]
        for look in looks
        if gammainc(look, expected[n >= in_order[look - 1]].sum()) < LEAST_SURPRISE / len(looks)
    ]
    return min(surprising, default=np.inf), float(expected.sum())


def _agreement(n: int, rate: float, spread: float) -> float:
    """Return the probability that two cohorts of `n` patients have the same count, neither 0 nor n.

    Counts are beta-binomial with this mean and variance of the rates. Above `LARGEST_SUMMED` patients an upper bound:
    the probability falls by the square root of n at least.
    """
    summed = min(n, LARGEST_SUMMED)
    size = rate * (1 - rate) / max(spread, LEAST_SPREAD) - 1
    a, b, y = max(rate * size, LEAST_SHAPE), max((1 - rate) * size, LEAST_SHAPE), np.arange(1, summed)
    log_mass = betaln(y + a, summed - y + b) - betaln(y + 1, summed - y + 1)
    mass = np.exp(log_mass - log_mass.max())
    return float((mass**2).sum() / mass.sum() ** 2 * np.sqrt(summed / n))


def _rates(frame: pd.DataFrame) -> tuple[float, float]:
    """Return the mean response rate, and the variance of rates between cohorts of one agent, line and phase."""
    rates = frame["responders"] / frame["n"]
    columns = [name for name in ALIKE if name in frame]
    groups = frame.groupby(columns).ngroup() if columns else pd.Series(0, index=frame.index)
    within = rates - rates.groupby(groups).transform("mean")
    sampling = (rates * (1 - rates) / (frame["n"] - 1)).mean()
    mean, between = float(rates.mean()), float((within**2).sum() / max(1, len(frame) - groups.nunique()) - sampling)
    return mean, min(max(0.0, between), mean * (1 - mean))


def _candidates(frame: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return each cohort size that occurs more than once, and the number of pairs with no distinguishing column."""
    columns = [name for name in ALIKE if name in frame]
    sizes, pairs = [], []
    for n, group in frame.groupby("n"):
        # Codes from 1; 0 says nothing, and a trial that says nothing is another one.
        cells = [np.where(group[name] == "", 0, pd.factorize(group[name])[0] + 1) for name in columns]
        trials = pd.factorize(group["trial"])[0] + 1 if "trial" in group else np.zeros(len(group))
        trials = np.where(group["trial"] == "", 0, trials) if "trial" in group else trials
        count = 0
        for place in range(len(group) - 1):
            could = (trials[place + 1 :] != trials[place]) | (trials[place] == 0)
            for codes in cells:
                could &= (codes[place + 1 :] == codes[place]) | (codes[place + 1 :] == 0) | (codes[place] == 0)
            count += int(could.sum())
        if count:
            sizes.append(float(str(n)))
            pairs.append(float(count))
    return np.array(sizes), np.array(pairs)


def _alike(frame: pd.DataFrame, keys: list[str], unless: tuple[str, ...]) -> Iterator[tuple[Row, Row]]:
    """Yield pairs of rows that agree in `keys` and differ in no distinguishing column."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for record in frame.astype(str).to_dict("records"):
        row = {str(name): str(value) for name, value in record.items()}
        group = groups[tuple(row[key] for key in keys)]
        twin = next((other for other in group if not _told_apart(other, row, unless)), None)
        if twin is not None:
            yield twin, row
        group.append(row)


def _told_apart(one: Row, other: Row, columns: tuple[str, ...]) -> bool:
    """Return whether two rows differ in a column that is filled in for both."""
    return any(one[name] != other[name] and one[name] and other[name] for name in columns if name in one)
