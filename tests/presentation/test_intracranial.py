"""Intracranial response for a reader: as many decimals as the draws are worth, and what failed stands first."""

from typing import Any

import pytest

from alkbayes.evidence.outcomes import ORR
from alkbayes.presentation.intracranial import counted_parts, intracranial_parts
from alkbayes.presentation.tables import ReaderTable, Sentence, Title
from alkbayes.vocabulary import group_row

RATE = {"group": "all", "level": "all", "k": 3, "responders": 20, "patients": 56, "median": 0.375, "low": 0.2}
EXACT = {"mcse_median": 0.0001, "mcse_low": 0.0001, "mcse_high": 0.0001}


def record(*, prob_better: float = 0.9, mcse_prob: float = 0.001, **errors: float) -> Any:
    """Return a record of one group and one contrast."""
    sides = ("systemic", "systemic, same cohorts", "intracranial")
    rates = [
        RATE | group_row({}) | EXACT | {"side": side, "estimand": estimand, "high": 0.6}
        for side in sides
        for estimand in ("typical", "mean")
    ]
    contrast = {"alternative": "own", "contrast": "third vs first", "scale": "risk_difference"}
    numbers = {"median": 0.266, "low": -0.014, "high": 0.451, "prob_better": prob_better, "mcse_prob": mcse_prob}
    return {
        "rates": rates,
        "contrasts": [contrast | numbers | EXACT | errors],
        "power_scaling": {},
        "left_out": {},
        "conclusions": ["Yes."],
        "notes": ["Outcome: some."],
        "caveat": ORR.not_randomised(12),
        "joint": None,
        "failures": [],
        "interval_prob": 0.95,
    }


def difference(found: Any) -> str:
    _, table = [part for part in intracranial_parts(found) if isinstance(part, ReaderTable)]
    ((_, cell),) = table.rows
    return cell


@pytest.mark.parametrize(
    ("prob", "error", "shown"),
    [
        (0.9764, 0.002, "P 0.976"),
        (0.8204, 0.006, "P 0.82"),
        (0.4, 0.2, "P 0.4"),
        (1.0, 0.0, "P > 0.999"),
        (0.0, 0.0, "P < 0.001"),
        # Two decimals would make 1.00 of it.
        (0.997, 0.004, "P > 0.99"),
    ],
)
def test_a_probability_has_the_decimals_that_its_error_supports(prob: float, error: float, shown: str) -> None:
    assert difference(record(prob_better=prob, mcse_prob=error)).split("\n")[1] == shown


def test_a_difference_has_the_decimals_that_its_errors_support() -> None:
    assert difference(record()).split("\n")[0] == "+26.6 (−1.4 to +45.1)"
    assert difference(record(mcse_low=0.01)).split("\n")[0] == "+27 (−1 to +45)"


def test_rates_stand_side_by_side_under_their_counts() -> None:
    table = next(part for part in intracranial_parts(record()) if isinstance(part, ReaderTable))
    assert table.headings == ("", "systemic", "systemic, same cohorts", "intracranial")
    assert table.rows == (
        ("overall", *["k 3, 20/56"] * 3),
        ("  typical", *["37.5 (20.0–60.0)"] * 3),
        ("  mean", *["37.5 (20.0–60.0)"] * 3),
    )


def test_what_failed_stands_above_its_numbers() -> None:
    assert not any(isinstance(part, Sentence) and "NOT CONVERGED" in part.text for part in intracranial_parts(record()))
    joint = {"conclusions": ["The data carry it."], "diagnostics": {"failures": ["R-hat 1.2"]}}
    parts = intracranial_parts(record() | {"failures": ["Pareto k 0.9"], "joint": joint})
    assert parts[0] == Sentence("NOT CONVERGED: DO NOT USE THESE NUMBERS: Pareto k 0.9.", strong=True)
    title = parts.index(Title("Both responses in one model"))
    assert parts[title + 1] == Sentence("NOT CONVERGED: DO NOT USE THESE NUMBERS: R-hat 1.2.", strong=True)


def test_what_is_counted_is_said_where_no_table_has_said_it() -> None:
    assert counted_parts(record()) == (Sentence("Outcome: some."),)
    assert [part for part in intracranial_parts(record()) if part == Sentence(ORR.not_randomised(12), strong=True)]
