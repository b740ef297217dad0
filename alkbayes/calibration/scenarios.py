"""Designs and true parameters for calibration studies, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from alkbayes.errors import UsageError
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.model.covariates import stated_cohorts

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
"""Differences of logits close to those of the bundled evidence; 0 for effects and levels not named."""

DESIGN_FILE = "calibration.csv"
"""Cohorts of every scenario: the bundled table as it was when the studies of validation/sbc were made. Frozen, so that
what is recorded stays a study of what it says, whatever the bundled table becomes."""


@dataclass(frozen=True, slots=True)
class FixedTruth:
    """Parameters from which every table of a study is simulated.

    Attributes
    ----------
    orr
        Response rate in (0, 1) at the centre of the heterogeneity, the reference of fixed effects and the average of
        exchangeable ones.
    tau
        Total SD of all levels of heterogeneity, on the link scale; each level has an equal share of the variance.
    effects
        For each effect label, the difference of each level on that scale. Numbers and interactions without pooling have
        no effect, and levels with a tau of their own the same tau.
    """

    orr: float
    tau: float
    effects: Effects = field(default_factory=lambda: EFFECTS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Cohorts of a study's tables, and parameters for simulating their responders.

    Attributes
    ----------
    trials
        Trials of the frozen table whose cohorts are used; None for all.
    lines
        Maximum number of cohorts of each line, the first in the table; None for all.
    patients
        Patients of every cohort, or of each in table order; None for the table's own numbers.
    truth
        None if each table has parameters of its own, drawn from the model's priors.
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
"""Close to the posterior medians of the bundled evidence."""

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "bundled": Scenario("the bundled table's first 63 cohorts"),
        "three-trials": Scenario("11 cohorts of 3 trials", trials=THREE_TRIALS),
        "eight-patients": Scenario("8 patients in each cohort", patients=8),
        "unbalanced-lines": Scenario("17 naive, 2 pretreated, 1 mixed cohort", lines=UNBALANCED),
        "five-to-a-million": Scenario(
            "6 cohorts of 3 trials, of 5 to 1,000,000 patients",
            trials=THREE_TRIALS,
            lines=FEW,
            patients=FROM_FIVE_TO_A_MILLION,
        ),
        "bundled-fixed": Scenario("the bundled table's first 63 cohorts, parameters near its posterior", truth=USUAL),
        "three-trials-fixed": Scenario("11 cohorts of 3 trials, the same", trials=THREE_TRIALS, truth=USUAL),
        "eight-patients-fixed": Scenario("8 patients in each cohort, the same", patients=8, truth=USUAL),
        "unbalanced-lines-fixed": Scenario("20 cohorts of unbalanced lines, the same", lines=UNBALANCED, truth=USUAL),
        "tau-zero": Scenario("no heterogeneity", truth=FixedTruth(orr=0.77, tau=0.0)),
        "tau-one": Scenario("heterogeneity of 1 on the logit scale", truth=FixedTruth(orr=0.77, tau=1.0)),
        "orr-95": Scenario("every middle rate 95 %, tau 0.3", truth=FixedTruth(orr=0.95, tau=0.3, effects={})),
    }
)


def scenario_named(name: str) -> Scenario:
    """Return the scenario with this name; UsageError if there is none."""
    if name not in SCENARIOS:
        raise UsageError(f"found {name!r}; allowed: {', '.join(SCENARIOS)}.", parameter="scenario")
    return SCENARIOS[name]


def evidence_of(name: str, spec: "Spec") -> Evidence:
    """Return the cohorts of a scenario as a table, with responders of the frozen table as placeholders.

    Raises
    ------
    UsageError
        If there is no such scenario, or it picks cohorts and the model counts another outcome, which some lack.
    EvidenceError
        If the frozen table lacks a column of the model.
    """
    scenario = scenario_named(name)
    if not spec.outcome.usual and (scenario.trials is not None or scenario.lines is not None):
        raise UsageError(
            f"{name} picks cohorts, not all of which report what the model {spec.name} counts, "
            f"{' of '.join(spec.outcome.columns)}. Choose a scenario of the whole bundled table, such as bundled.",
            parameter="scenario",
        )
    path = Path(str(files("alkbayes").joinpath("data", DESIGN_FILE)))
    frame = stated_cohorts(spec, read_evidence(path, needed=spec.needed, outcome=spec.outcome)).frame
    if scenario.trials is not None:
        frame = frame[frame["trial"].isin(scenario.trials)]
    if scenario.lines is not None:
        most = frame["line"].map(scenario.lines)
        frame = frame[frame.groupby("line").cumcount() < most]
    frame = frame.reset_index(drop=True)
    if scenario.patients is not None:
        frame = frame.assign(n=np.array(scenario.patients, dtype=np.int64), responders=np.int64(0))
    return Evidence(frame=frame, source=f"scenario {name}", sha256="", content=b"", outcome=spec.outcome)
