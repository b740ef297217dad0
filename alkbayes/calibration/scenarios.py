"""Designs and truths that calibration studies simulate tables from, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.errors import UsageError
from alkbayes.evidence.table import Evidence, read_evidence

if TYPE_CHECKING:
    from alkbayes.spec.schema import Spec

type Effects = Mapping[str, Mapping[str, float]]

EFFECTS: Effects = MappingProxyType(
    {
        "line": MappingProxyType({"pretreated": -1.2, "mixed": -0.6}),
        "generation": MappingProxyType(
            {"first": 0.2, "second": 0.1, "third": 0.1, "combination": 0.0, "experimental": -0.4}
        ),
    }
)
"""Differences of logits near those of the bundled evidence. An effect or a level that is not named has none."""


@dataclass(frozen=True, slots=True)
class FixedTruth:
    """Parameters that every table of a study is simulated with.

    Attributes
    ----------
    orr
        Response rate, a proportion in (0, 1), in the middle of the heterogeneity, at the reference of fixed effects and
        the average of exchangeable ones.
    tau
        SD on the scale of the link of all levels of heterogeneity together; each has the same share of the variance.
    effects
        By label of an effect, each level's difference on that scale.
    """

    orr: float
    tau: float
    effects: Effects = field(default_factory=lambda: EFFECTS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which cohorts a study's tables have, and what their responders are simulated with.

    Attributes
    ----------
    what
        In words.
    trials
        Of the bundled table, those whose cohorts are taken; None for all.
    lines
        For each line, how many cohorts are taken at most, the first in the table; None for all.
    patients
        Of every cohort, or of each in the order of the table; None for the table's own numbers.
    truth
        None where each table has parameters of its own, drawn from the model's priors.
    """

    what: str
    trials: tuple[str, ...] | None = None
    lines: Mapping[str, int] | None = None
    patients: int | tuple[int, ...] | None = None
    truth: FixedTruth | None = None


THREE_TRIALS = ("ALESIA", "ASCEND-7", "NCT01970865 phase 2")
UNBALANCED: Mapping[str, int] = MappingProxyType({"naive": 17, "pretreated": 2, "mixed": 1})
FEW: Mapping[str, int] = MappingProxyType({"naive": 3, "pretreated": 2, "mixed": 1})
FROM_FIVE_TO_A_MILLION = (1_000_000, 20_000, 5, 300_000, 50, 10)
USUAL = FixedTruth(orr=0.77, tau=0.7)
"""Near the posterior medians of the bundled evidence."""

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "bundled": Scenario("the bundled table's cohorts"),
        "three-trials": Scenario("11 cohorts of 3 trials", trials=THREE_TRIALS),
        "eight-patients": Scenario("8 patients in each cohort", patients=8),
        "unbalanced-lines": Scenario("17 naive, 2 pretreated, 1 mixed cohort", lines=UNBALANCED),
        "five-to-a-million": Scenario(
            "6 cohorts of 3 trials, of 5 to 1,000,000 patients",
            trials=THREE_TRIALS,
            lines=FEW,
            patients=FROM_FIVE_TO_A_MILLION,
        ),
        "bundled-fixed": Scenario("the bundled table's cohorts, parameters near its posterior", truth=USUAL),
        "three-trials-fixed": Scenario("11 cohorts of 3 trials, the same", trials=THREE_TRIALS, truth=USUAL),
        "eight-patients-fixed": Scenario("8 patients in each cohort, the same", patients=8, truth=USUAL),
        "unbalanced-lines-fixed": Scenario("20 cohorts of unbalanced lines, the same", lines=UNBALANCED, truth=USUAL),
        "tau-zero": Scenario("no heterogeneity", truth=FixedTruth(orr=0.77, tau=0.0)),
        "tau-one": Scenario("heterogeneity of 1 on the logit scale", truth=FixedTruth(orr=0.77, tau=1.0)),
        "orr-95": Scenario("every middle rate 95 %, tau 0.3", truth=FixedTruth(orr=0.95, tau=0.3, effects={})),
    }
)


def scenario_named(name: str) -> Scenario:
    """Return the scenario of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in SCENARIOS:
        raise UsageError(f"found {name!r}; allowed: {', '.join(SCENARIOS)}.", parameter="scenario")
    return SCENARIOS[name]


def evidence_of(name: str, spec: "Spec") -> Evidence:
    """Return the cohorts of a scenario as a table; its responders are the bundled table's and mean nothing.

    Raises
    ------
    UsageError
        If there is no such scenario.
    EvidenceError
        If the bundled table lacks a column of the model.
    """
    scenario = scenario_named(name)
    bundled = read_evidence(needed=spec.columns)
    frame = bundled.frame
    if scenario.trials is not None:
        frame = frame[frame["trial"].isin(scenario.trials)]
    if scenario.lines is not None:
        most = frame["line"].map(scenario.lines)
        frame = frame[frame.groupby("line").cumcount() < most]
    frame = frame.reset_index(drop=True)
    if scenario.patients is not None:
        frame = frame.assign(n=np.array(scenario.patients, dtype=np.int64), responders=np.int64(0))
    return Evidence(frame=frame, source=f"scenario {name}", sha256="", content=b"")
