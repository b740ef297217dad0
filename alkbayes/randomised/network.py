"""Networks of randomised trials: arms with counts, log ratios with their covariance, and how trials connect treatments.

A trial's contrasts are coded by one row of a design for each arm: a column for each treatment but the reference, and in
a node-splitting model a last column for the difference between direct and indirect evidence of one pair.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.faults import Fault, refusal
from alkbayes.evidence.randomised import ARM, CLASS, TRIAL, VERSUS, RandomisedTable
from alkbayes.text.json import records
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import in_order

type Array = NDArray[np.float64]
type Ratios = dict[tuple[str, str], dict[str, Any]]
"""Rows with a ratio, by the arm it is against and its own."""
type Pair = tuple[int, int]
"""Two treatments, by position, the lower first: effects are those of the second against the first."""

PAIR = 2
INCONSISTENT = 0.5
"""Largest distance between two ratios and the third of three arms, in its standard errors: printed ratios are rounded
and adjusted, but come from the same patients."""


@dataclass(frozen=True, slots=True)
class CountTrial:
    """Arms of a trial with counts: treatments by position, events and patients, shape (arm,)."""

    name: str
    treatments: tuple[int, ...]
    responders: Array
    n: Array

    @property
    def patients(self) -> float:
        """Number of patients in all arms."""
        return float(self.n.sum())


@dataclass(frozen=True, slots=True)
class RatioTrial:
    """Log ratios of a trial's arms against its first.

    Attributes
    ----------
    treatments
        By position, the reference of the trial first, shape (arm,).
    log_ratios, covariance
        Shapes (arm - 1,) and (arm - 1, arm - 1).
    n
        Patients of each arm, NaN where not known, shape (arm,).
    """

    name: str
    treatments: tuple[int, ...]
    log_ratios: Array
    covariance: Array
    n: Array

    @property
    def patients(self) -> float:
        """Number of patients in all arms; NaN if one arm does not say."""
        return float(self.n.sum())


type Trial = CountTrial | RatioTrial


@dataclass(frozen=True, slots=True)
class Network[T: (CountTrial, RatioTrial)]:
    """Connected treatments, and the trials that compare them.

    Attributes
    ----------
    treatments
        Names in the order of display; the first is the reference.
    trials
        Each with two treatments or more.
    notes
        Sentences on arms and trials that could not be used.
    """

    treatments: tuple[str, ...]
    trials: tuple[T, ...]
    notes: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair of treatments."""
        many = len(self.treatments)
        return tuple((first, second) for second in range(many) for first in range(second))

    @property
    def replicated(self) -> bool:
        """Whether there are more contrasts than effects: else nothing is known of how trials differ."""
        return sum(len(trial.treatments) - 1 for trial in self.trials) > len(self.treatments) - 1

    @property
    def several_arms(self) -> tuple[str, ...]:
        """Trials of three treatments or more, if there are other trials: those bear on each of their contrasts."""
        many = [trial.name for trial in self.trials if len(trial.treatments) > PAIR]
        return tuple(many) if len(self.trials) > 1 else ()

    def direct(self, pair: Pair) -> tuple[T, ...]:
        """Return the trials that compare the two treatments."""
        return tuple(trial for trial in self.trials if set(pair) <= set(trial.treatments))

    def splits(self, pair: Pair) -> bool:
        """Return whether a pair has direct and indirect evidence: a path between the two without their own trials.

        Van Valkenhoef et al. 2016, doi:10.1002/jrsm.1167.
        """
        others = [trial for trial in self.trials if not set(pair) <= set(trial.treatments)]
        return bool(self.direct(pair)) and any(set(pair) <= part for part in parts_of(others))


def parts_of(trials: Sequence[Trial]) -> list[set[int]]:
    """Return the treatments that trials connect, part by part."""
    parts: list[set[int]] = []
    for trial in trials:
        joined = [part for part in parts if part & set(trial.treatments)]
        parts = [part for part in parts if part not in joined]
        parts.append(set(trial.treatments).union(*joined))
    return parts


def design_of(network: Network[CountTrial] | Network[RatioTrial], split: Pair | None = None) -> list[Array]:
    """Return the design of each trial, shape (arm, treatment - 1), with a last column if a pair is split.

    In the trials that compare the pair, the second treatment has the difference between direct and indirect evidence
    added (Dias et al. 2010, doi:10.1002/sim.3767); a trial of further arms keeps their other contrasts consistent.
    """
    codes = np.eye(len(network.treatments))[:, 1:]
    designs = []
    for trial in network.trials:
        rows = codes[list(trial.treatments)]
        if split is not None:
            compared = set(split) <= set(trial.treatments)
            extra = [float(compared and treatment == split[1]) for treatment in trial.treatments]
            rows = np.column_stack([rows, extra])
        designs.append(rows)
    return designs


def count_network(table: RandomisedTable, *, reference: str | None = None) -> Network[CountTrial] | None:
    """Return the network of the trials with counts; None if none has any.

    Arms of one treatment in a trial are added up. Trials without counts of two treatments are named in the notes.

    Raises
    ------
    EvidenceError
        If the trials do not connect the treatments.
    """
    rows = table.frame[table.frame["n"].notna()]
    if rows.empty:
        return None
    used, one, summed = [], [], []
    for name, arms in rows.groupby(TRIAL, sort=False):
        counts = arms.groupby("of_treatment", sort=False)[["responders", "n"]].sum()
        if len(counts) < len(arms):
            summed.append(str(name))
        if len(counts) > 1:
            used.append((str(name), counts))
        elif len(arms) > 1:
            one.append(str(name))
    counted = {name for name, _ in used} | set(one)
    silent = [name for name in dict.fromkeys(table.frame[TRIAL]) if name not in counted]
    notes = [*_of_one_treatment(one, table.by), *([f"Without counts: {listed(silent)}."] if silent else [])]
    if kept := [name for name in summed if name not in one]:
        notes.append(f"Arms of one treatment added up: {listed(kept)}.")
    treatments = _treatments(table, {str(t) for _, counts in used for t in counts.index}, reference)
    place = {name: at for at, name in enumerate(treatments)}
    trials = []
    for name, unordered in used:
        counts = unordered.loc[sorted(unordered.index, key=lambda treatment: place[str(treatment)])]
        columns = (counts[column].to_numpy(np.float64) for column in ("responders", "n"))
        trials.append(CountTrial(name, tuple(place[str(t)] for t in counts.index), *columns))
    network = Network(treatments, tuple(trials), tuple(notes))
    _check_connected(network, table, "counts")
    _check_varied(network.trials, table)
    return network


def ratio_network(table: RandomisedTable, *, reference: str | None = None) -> Network[RatioTrial] | None:
    """Return the network of the trials with hazard ratios; None if none has any.

    Raises
    ------
    EvidenceError
        If a trial's ratios are not enough for their covariance, or contradict each other; or if the trials do not
        connect the treatments.
    """
    having = table.frame.loc[table.frame["hr"].notna(), TRIAL]
    rows = table.frame[table.frame[TRIAL].isin(having)]
    if rows.empty:
        return None
    names = {name: dict(zip(arms[ARM], arms["of_treatment"], strict=True)) for name, arms in rows.groupby(TRIAL)}
    one = [str(name) for name in dict.fromkeys(rows[TRIAL]) if len(set(names[name].values())) == 1]
    rows = rows[~rows[TRIAL].isin(one)]
    silent = [str(name) for name in dict.fromkeys(table.frame[TRIAL]) if name not in set(having)]
    notes = (*_of_one_treatment(one, table.by), *([f"Without hazard ratios: {listed(silent)}."] if silent else []))
    treatments = _treatments(table, set(rows["of_treatment"]), reference)
    place = {name: at for at, name in enumerate(treatments)}
    faults: list[Fault] = []
    trials = [_ratio_trial(str(name), arms, place, faults, table.by) for name, arms in rows.groupby(TRIAL, sort=False)]
    if faults:
        raise refusal(table.name, faults, unit=table.unit)
    network = Network(treatments, tuple(trial for trial in trials if trial is not None), notes)
    _check_connected(network, table, "hazard ratios")
    return network


def _of_one_treatment(names: Sequence[str], by: str) -> list[str]:
    return [f"Arms of one {by.replace('_', ' ')} only, so no comparison: {listed(names)}."] if names else []


def _treatments(table: RandomisedTable, present: set[str], reference: str | None) -> tuple[str, ...]:
    """Return the treatments in order: the reference, if one is asked for, then the field's order or the alphabet.

    Raises
    ------
    UsageError
        If the reference is none of them.
    """
    ordered = in_order(table.by, present)
    if table.bundled:
        # Agents stand in the order of their classes.
        classes = dict(zip(table.frame["of_treatment"], table.frame[CLASS], strict=True))
        ordered = tuple(sorted(ordered, key=lambda name: LEVELS[CLASS].index(classes[name])))
    if reference is not None and reference not in ordered:
        guess = near_miss(reference, ordered)
        advice = f"Did you mean {quoted(guess)}?" if guess else f"Treatments: {listed(ordered)}."
        raise UsageError(f"found {quoted(reference)}, which no trial has. {advice}", parameter="reference")
    return ordered if reference is None else (reference, *(name for name in ordered if name != reference))


def _check_connected(network: Network[CountTrial] | Network[RatioTrial], table: RandomisedTable, what: str) -> None:
    """Refuse a network of several parts, or of no comparison at all."""
    parts = parts_of(network.trials)
    if len(parts) > 1:
        named = [listed([network.treatments[at] for at in sorted(part)]) for part in sorted(parts, key=min)]
        raise EvidenceError(
            f"{table.name}: the trials with {what} fall into {len(parts)} parts that no trial connects: "
            f"{'; '.join(f'({number}) {part}' for number, part in enumerate(named, 1))}. Analyse each part by itself, "
            "leave out its trials, or name treatments by a column that the parts have in common; here it is "
            f"{table.by}."
        )
    if not parts:
        raise EvidenceError(
            f"{table.name}: no trial compares two levels of {table.by} with {what}. Name treatments by another column."
        )


def _check_varied(trials: Sequence[CountTrial], table: RandomisedTable) -> None:
    """Refuse counts of which no odds ratio can be estimated: no trial has events as well as non-events."""
    if all(trial.responders.sum() in (0, trial.patients) for trial in trials):
        events, patients = (
            int(sum(sums)) for sums in zip(*((t.responders.sum(), t.patients) for t in trials), strict=True)
        )
        raise EvidenceError(
            f"{table.name}: no trial has both responders and non-responders (found {events:,} responders of "
            f"{patients:,} patients), and without them no odds ratio can be estimated. Is responders the column that "
            "was meant?"
        )


def _ratio_trial(
    name: str, arms: pd.DataFrame, place: dict[str, int], faults: list[Fault], by: str
) -> RatioTrial | None:
    """Return a trial's log ratios against its reference, with their covariance; None, with a fault, if not known."""
    treatment = dict(zip(arms[ARM], arms["of_treatment"], strict=True))
    first_line = int(arms["of_line"].iloc[0])
    if len(set(treatment.values())) < len(treatment):
        found = f"two arms of one {by} in the trial {quoted(name)}"
        advice = "Hazard ratios of arms cannot be added up. Name treatments by another column, or leave an arm out."
        faults.append(Fault(first_line, found, "one arm for each treatment", advice, column="hr"))
        return None
    given = arms[arms["hr"].notna()]
    (reference,) = set(treatment) - set(given[ARM])
    order = [reference, *sorted(set(treatment) - {reference}, key=lambda arm: place[treatment[arm]])]
    ratios: Ratios = {(row[VERSUS] or reference, row[ARM]): row for row in records(given)}
    values = np.array([math.log(ratios[reference, arm]["hr"]) for arm in order[1:]])
    variances = {frozenset(pair): log_se(row) ** 2 for pair, row in ratios.items()}
    own = arms.loc[arms[ARM] == reference, "hr_se"].iloc[0]
    shared = own**2 if np.isfinite(own) else math.nan
    covariance = np.diag([variances[frozenset({reference, arm})] for arm in order[1:]])
    for fault in _covariances(name, order, covariance, variances, shared, first_line):
        faults.append(fault)
        return None
    faults += _contradictions(name, order, ratios, values)
    n = [
        float(next(arms.loc[arms[ARM] == arm, ["hr_n", "n"]].bfill(axis=1).itertuples(index=False))[0]) for arm in order
    ]
    return RatioTrial(name, tuple(place[treatment[arm]] for arm in order), values, covariance, np.array(n))


def log_se(row: dict[str, Any]) -> float:
    """Return the standard error of a row's log ratio, from `hr_se` or from its interval of probability `hr_level`."""
    if row["hr_low"] is not None and row["hr_high"] is not None:
        z = float(norm.ppf(0.5 + row["hr_level"] / 200))
        return math.log(row["hr_high"] / row["hr_low"]) / (2 * z)
    return float(row["hr_se"])


def _covariances(
    name: str, order: Sequence[str], covariance: Array, variances: dict[frozenset[str], float], shared: float, line: int
) -> Iterator[Fault]:
    """Fill in the covariances of ratios with one reference, whose arm has the variance `shared`, if that is known.

    Else the variance of each third ratio gives it: cov(a, b) = (var(a) + var(b) - var(b - a)) / 2.
    """
    reference = order[0]
    for i, one in enumerate(order[1:]):
        for j, other in enumerate(order[1 : i + 1]):
            third = variances.get(frozenset({one, other}))
            if third is not None:
                between = (covariance[i, i] + covariance[j, j] - third) / 2
            elif np.isfinite(shared):
                between = shared
            else:
                found = (
                    f"hazard ratios of {quoted(other)} and {quoted(one)} against {quoted(reference)} in {quoted(name)}"
                )
                allowed = "ratios whose covariance is known: both rest on the reference arm's patients"
                advice = (
                    f"Write the standard error of the log hazard of {quoted(reference)} into hr_se of its row, about "
                    f"1 / sqrt(its events); or add a row for the ratio of {quoted(one)} against {quoted(other)}, with "
                    f"{quoted(other)} in hr_vs."
                )
                yield Fault(line, found, allowed, advice, column="hr_se")
                return
            covariance[i, j] = covariance[j, i] = between
    within = np.isnan(shared) or shared < np.diag(covariance).min()
    if not within or np.linalg.eigvalsh(covariance).min() <= 0 or (covariance < 0).any():
        found = f"standard errors of the trial {quoted(name)} that no three arms can have"
        yield Fault(line, found, "hr_se of the reference below that of each ratio", column="hr_se")


def _contradictions(name: str, order: Sequence[str], ratios: Ratios, values: Array) -> Iterator[Fault]:
    """Yield further ratios of a trial that are far from the quotient of the two against its reference."""
    against = dict(zip(order, (0.0, *values), strict=True))
    for (versus, arm), row in ratios.items():
        expected, found = against[arm] - against[versus], math.log(row["hr"])
        if abs(found - expected) > INCONSISTENT * log_se(row):
            text = f"a hazard ratio of {row['hr']:g} of {quoted(arm)} against {quoted(versus)} in {quoted(name)}"
            allowed = f"about {math.exp(expected):.3g}, the quotient of the two against {quoted(order[0])}"
            yield Fault(int(row["of_line"]), text, allowed, "Check the direction of each ratio.", column="hr")
