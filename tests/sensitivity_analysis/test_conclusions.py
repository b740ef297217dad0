"""The sentences: each made of the numbers, in whichever direction they lie."""

from collections.abc import Mapping

import pytest

from alkbayes.estimates.headline import Reported
from alkbayes.inference.settings import Engine
from alkbayes.sensitivity_analysis.conclusions import conclusions, movers, shift_text
from alkbayes.sensitivity_analysis.power_scaling import Diagnosis, PowerScaling, Sensitivity
from alkbayes.sensitivity_analysis.table import Estimate, Grid, Outcome, Shift, Status

type Key = tuple[str, str, str, str]

NAIVE: Key = ("pooled", "line", "naive", "mean")
DIFFERENCE: Key = ("contrast", "line", "pretreated vs naive", "risk_difference")
TAU: Key = ("heterogeneity", "", "tau_total", "sd")
NAMES = {NAIVE: "line naive, mean", DIFFERENCE: "line pretreated vs naive, risk difference", TAU: "tau_total"}
SD = 0.04
ERRORS = dict.fromkeys(("median", "low", "high"), 0.0005)


def estimate(key: Key, median: float, probability: float | None = None) -> Estimate:
    return Estimate(key, NAMES[key], median, median, SD, median - 0.08, median + 0.08, ERRORS, probability)


def outcome(
    name: str, values: Mapping[Key, float], probability: float, *, status: Status = Status.FITTED, cohorts: int = 9
) -> Outcome:
    numbers = {key: estimate(key, value, probability if key == DIFFERENCE else None) for key, value in values.items()}
    return Outcome(name, status, "", Engine.QUADRATURE, cohorts, 100, (), numbers)


MAIN = {NAIVE: 0.7, DIFFERENCE: -0.2, TAU: 0.5}


def said(*outcomes: Outcome, probability: float = 0.01, flagged: tuple[Sensitivity, ...] = ()) -> str:
    grid = Grid(outcome("main", MAIN, probability), outcome("main model again", MAIN, probability), outcomes)
    return "\n".join(conclusions(grid, PowerScaling(flagged, "integrated", 0.05, 0.001, 0.01)))


def test_nothing_that_moves_is_said_to_move_nothing() -> None:
    text = said(outcome("intercept normal 3", MAIN | {NAIVE: 0.71}, 0.02))
    assert "Priors: none of 1 alternative moves a headline number by more than half of its posterior SD." in text
    assert "Evidence: no alternative applies to this model and table." in text
    assert "The difference line pretreated vs naive keeps its sign under every alternative" in text
    assert "with a probability above 0.975" in text
    assert "Power-scaling flags no prior" in text


@pytest.mark.parametrize("by", [0.06, -0.06])
def test_what_moves_is_named_with_its_direction(by: float) -> None:
    text = said(
        outcome("intercept normal 3", MAIN | {NAIVE: 0.7 + by, TAU: 0.53}, 0.01),
        outcome("high certainty", MAIN, 0.01),
    )
    shown = "+6.0" if by > 0 else "−6.0"
    moved = "Priors: 1 of 1 alternative moves a headline number by more than half of its posterior SD: "
    assert f"{moved}intercept normal 3 (line naive mean {shown} points, 1.5 SD)." in text
    assert "Evidence: none of 1 alternative moves" in text


def test_the_largest_comes_first_and_chance_is_told_apart() -> None:
    text = said(
        outcome("high certainty", MAIN | {NAIVE: 0.73}, 0.01, cohorts=5),
        outcome("stated counts", MAIN | {TAU: 0.4}, 0.01, cohorts=5),
    )
    assert "stated counts (tau_total −0.10, 2.5 SD); high certainty (line naive mean +3.0 points, 0.8 SD)" in text
    # The SDs are those of the main fit: nothing is to be put down to chance.
    assert "at random): high certainty (line naive mean); stated counts (tau_total)." in text


@pytest.mark.parametrize(
    ("main", "other", "median", "expected"),
    [
        (0.01, 0.1, -0.1, "(settled in the main fit, P(above 0) = 0.010) is no longer settled under high certainty"),
        (0.1, 0.01, -0.2, "(not settled in the main fit, P(above 0) = 0.100) is settled under high certainty"),
        (0.0, 0.6, 0.01, "(settled in the main fit, P(above 0) < 0.001) changes sign under high certainty"),
    ],
)
def test_a_difference_that_changes_is_told(main: float, other: float, median: float, expected: str) -> None:
    text = said(outcome("high certainty", MAIN | {DIFFERENCE: median}, other), probability=main)
    assert f"The difference line pretreated vs naive {expected}." in text
    assert "keeps its sign" not in text


def test_a_sign_that_is_not_settled_cannot_change() -> None:
    text = said(outcome("high certainty", MAIN | {DIFFERENCE: 0.01}, 0.52), probability=0.48)
    assert "changes sign" not in text
    assert "keeps its sign" not in text
    assert (
        "The sign of the difference line pretreated vs naive is settled neither in the main fit nor under any "
        "alternative."
    ) in text
    # That an alternative settles it is said, whichever way.
    text = said(outcome("high certainty", MAIN | {DIFFERENCE: 0.3}, 0.99), probability=0.48)
    assert "(not settled in the main fit, P(above 0) = 0.480) is settled under high certainty." in text
    assert "changes sign" not in text


def test_a_family_of_which_nothing_applies_is_not_said_to_fail() -> None:
    text = said(Outcome("high certainty", Status.NOT_APPLICABLE, "the table has no column certainty"))
    assert "Evidence: no alternative applies to this model and table." in text
    text = said(Outcome("high certainty", Status.FAILED, "no memory"))
    assert "Evidence: no alternative could be fitted." in text


def test_nothing_is_said_of_a_family_of_which_none_was_asked_for() -> None:
    main = outcome("main", MAIN, 0.01)
    grid = Grid(main, main, (outcome("high certainty", MAIN, 0.01),), chosen=True)
    first, second, *_ = conclusions(grid, PowerScaling((), "integrated", 0.05, 0.001, 0.01))
    assert first.startswith("Evidence: none of 1 alternative moves")
    assert not second.startswith(("Priors:", "Models:"))


def test_what_did_not_converge_is_named_and_not_used() -> None:
    text = said(outcome("high certainty", MAIN | {NAIVE: 0.2, DIFFERENCE: 0.4}, 0.99, status=Status.NOT_CONVERGED))
    assert "high certainty did not converge and is not used above." in text
    assert "changes sign" not in text
    assert "Evidence: no alternative could be fitted." in text


def test_a_run_that_is_not_reproduced_comes_first() -> None:
    again = outcome("main model again", MAIN | {NAIVE: 0.72}, 0.01)
    grid = Grid(outcome("main", MAIN, 0.01), again, ())
    first = conclusions(grid, PowerScaling((), "integrated", 0.05, 0.001, 0.01))[0]
    # 0.72 less 0.70 over 0.0005 times the root of two.
    assert first == (
        "A refit of the run's own model differs by more than Monte Carlo error allows (line naive mean +2.0 points, "
        "28.3 Monte Carlo errors): one of the two fits is off. Fit the run again with more draws before you rely on "
        "shifts of that size."
    )


def test_a_flagged_prior_is_named_with_the_numbers_that_hang_on_it() -> None:
    import numpy as np

    numbers = [Reported(*key, np.zeros(3)) for key in (NAIVE, DIFFERENCE)]
    flagged = tuple(
        Sensitivity(number, 0.2, 0.3, {"intercept": 0.01, "line": 0.2}, Diagnosis.CONFLICT, ("line",))
        for number in numbers
    )
    text = said(outcome("high certainty", MAIN, 0.01), flagged=flagged)
    expected = "the prior of line: prior-data conflict in line naive mean and line pretreated vs naive."
    assert f"Power-scaling flags {expected}" in text


def test_each_number_has_the_alternative_that_moves_it_most() -> None:
    one = outcome("high certainty", MAIN | {NAIVE: 0.71, TAU: 0.4}, 0.01)
    two = outcome("stated counts", {NAIVE: 0.65}, 0.01)
    found = movers(Grid(outcome("main", MAIN, 0.01), outcome("main model again", MAIN, 0.01), (one, two)))
    assert [(mover.number.key, mover.alternative) for mover in found] == [
        (NAIVE, "stated counts"),
        (DIFFERENCE, "high certainty"),
        (TAU, "high certainty"),
    ]


@pytest.mark.parametrize(
    ("key", "by", "error", "text"),
    [
        (NAIVE, -0.0123, 0.001, "−1.2 points"),
        (NAIVE, -0.0123, 0.004, "−1 points"),
        (TAU, 0.123, 0.01, "+0.12"),
        (TAU, 0.123, 0.1, "+0.1"),
    ],
)
def test_shifts_are_shown_in_points_or_as_sds_as_their_errors_allow(
    key: Key, by: float, error: float, text: str
) -> None:
    shift = Shift(by={"median": by}, errors={"median": error}, sd=0.1, shown=("median",), chance=None)
    assert shift_text(estimate(key, 0.5), shift) == text
