"""A trial that stands in a table twice is named; two cohorts that are alike by chance in a small number are not."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alkbayes.evidence.duplicates import _agreement, possible_duplicates
from alkbayes.evidence.table import Evidence, read_evidence

BUNDLED = read_evidence()


def with_rows(*rows: dict[str, object], table: Evidence = BUNDLED) -> Evidence:
    frame = pd.concat([table.frame, pd.DataFrame(rows)], ignore_index=True)
    frame[["n", "responders"]] = frame[["n", "responders"]].astype("int64")
    return Evidence(frame=frame, source="own.csv", sha256="", content=b"")


def counts(*rows: tuple[str, int, int]) -> Evidence:
    frame = pd.DataFrame(rows, columns=["cohort_id", "n", "responders"])
    return Evidence(frame=frame, source="own.csv", sha256="", content=b"")


def row(cohort: str, **changes: object) -> dict[str, object]:
    frame = BUNDLED.frame.set_index("cohort_id", drop=False)
    return frame.loc[cohort].to_dict() | {"cohort_id": f"{cohort}-again"} | changes


def test_the_bundled_table_has_none() -> None:
    """Its two parts of NCT01970865 differ in their phase."""
    assert BUNDLED.frame.groupby("registry_id")["trial"].nunique().loc["NCT01970865"] == 2
    assert possible_duplicates(BUNDLED) == ()


def test_a_trial_at_a_later_cut_off_is_found_by_its_registry_number() -> None:
    twice = with_rows(row("alex-crizotinib", trial="ALEX 2019", responders=114))
    (found,) = possible_duplicates(twice)
    number = row("alex-crizotinib")["registry_id"]
    assert found == (
        f"Trials ALEX and ALEX 2019 have one registry number, {number}: if they are one trial at two cut-offs, keep "
        "one of them; if they are two parts of it, say so in the column phase."
    )
    assert possible_duplicates(with_rows(row("alex-crizotinib", responders=114))) == ()  # one trial, two cohorts


def test_a_trial_under_another_name_is_found_by_its_counts() -> None:
    changes = {"trial": "Peters 2017", "registry_id": ""}
    both = BUNDLED.frame.loc[BUNDLED.frame["trial"] == "ALEX", "cohort_id"].tolist()
    found = possible_duplicates(with_rows(*(row(cohort, **changes) for cohort in both)))
    assert len(both) == 2
    assert len(found) == 2  # the two trials are named once, and then what chance makes
    assert found[1].startswith("1 pair of cohorts has the same counts; chance alone makes about 0.0")
    assert found[0].startswith(f"Cohorts {both[0]} and {both[0]}-again of trials ALEX and Peters 2017 both have ")


@pytest.mark.parametrize(
    ("column", "value"), [("agent", "another"), ("line", "pretreated"), ("phase", "2"), ("responders", 108)]
)
def test_cohorts_that_differ_are_not_taken_for_one(column: str, value: object) -> None:
    changes = {"trial": "Other", "registry_id": "", column: value}
    assert possible_duplicates(with_rows(row("alex-crizotinib", **changes))) == ()


def test_a_table_without_trials_is_searched_too() -> None:
    table = counts(("a", 40, 20), ("b", 40, 20), ("c", 19, 10), ("d", 19, 10))
    assert possible_duplicates(table) == (
        "Cohorts a and b both have 20 responders of 40 patients: if they are the same patients, keep one of them.",
        # Binomial counts at 1/2: the sum of the squared probabilities is comb(80, 40) / 4^40 = 0.089.
        "1 pair of cohorts has the same counts; chance alone makes about 0.09 in a table like this.",
    )


@pytest.mark.slow
def test_many_are_counted_and_the_work_is_linear() -> None:
    found = possible_duplicates(counts(*((f"c{i}", 20 + i // 2, 7) for i in range(20_000))))
    assert len(found) == 7
    assert found[-2] == "9995 more pairs may be the same patients."


@pytest.mark.parametrize(("n", "a", "b"), [(20, 3.0, 3.0), (57, 1.0, 4.0), (400, 12.0, 30.0), (60, 2e4, 6e4)])
def test_chance_is_the_sum_over_counts_of_two_beta_binomials(n: int, a: float, b: float) -> None:
    rate = a / (a + b)
    mass = stats.betabinom.pmf(np.arange(1, n), n, a, b)
    expected = (mass**2).sum() / mass.sum() ** 2
    assert _agreement(n, rate, rate * (1 - rate) / (a + b + 1)) == pytest.approx(expected, rel=1e-6)


def test_above_what_is_summed_chance_is_not_made_too_small() -> None:
    mass = stats.betabinom.pmf(np.arange(1, 20_000), 20_000, 3.0, 3.0)
    assert (mass**2).sum() < _agreement(20_000, 0.5, 0.25 / 7) < _agreement(1_000, 0.5, 0.25 / 7)


def random_table(rng: np.random.Generator, cohorts: int, a: float, b: float) -> list[tuple[str, int, int]]:
    n = rng.integers(20, 150, cohorts)
    responders = rng.binomial(n, rng.beta(a, b, cohorts))
    return [(f"c{place}", int(size), int(y)) for place, (size, y) in enumerate(zip(n, responders, strict=True))]


@pytest.mark.slow
@pytest.mark.parametrize(("cohorts", "a", "b"), [(40, 3.0, 3.0), (150, 1.0, 4.0), (600, 40.0, 60.0)])
def test_tables_without_a_cohort_twice_seldom_alarm(cohorts: int, a: float, b: float) -> None:
    """At most one in ten is promised; more than 13 of 60 have a probability of 0.3 % at that rate."""
    rng = np.random.default_rng(11)
    alarms = [
        any("both have" in line for line in possible_duplicates(counts(*random_table(rng, cohorts, a, b))))
        for _ in range(60)
    ]
    assert sum(alarms) <= 13


def test_pairs_that_chance_explains_are_counted_and_not_named() -> None:
    rows = random_table(np.random.default_rng(3), 2_000, 3.0, 3.0)
    (said,) = possible_duplicates(counts(*rows))
    found = re.fullmatch(r"(\d+) pairs of cohorts have the same counts; chance alone makes about (\d+) in .*", said)
    assert found is not None
    pairs, expected = map(int, found.groups())
    # Of three alike cohorts two pairs are counted, and three expected.
    assert 0.75 < pairs / expected < 1.1
    twice = possible_duplicates(counts(*rows, ("one", 480, 211), ("two", 480, 211)))
    assert twice[0].startswith("Cohorts one and two both have 211 responders of 480 patients")
    assert len(twice) == 2


def test_cohorts_in_which_none_or_all_respond_are_alike_without_being_the_same() -> None:
    assert possible_duplicates(counts(("a", 40, 0), ("b", 40, 0), ("c", 30, 30), ("d", 30, 30), ("e", 35, 12))) == ()
