"""Printed medians as logs with standard errors, and bounds."""

import math
from pathlib import Path

import numpy as np
import pytest

from alkbayes.evidence.medians import (
    EXPONENTIAL,
    Assumptions,
    Source,
    Z,
    check_medians,
    known_of,
    medians_of,
)
from alkbayes.evidence.table import Evidence, read_evidence

HEADER = "cohort_id,trial,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_n,pfs_status,pfs_beyond\n"
ROWS = """\
both,A,100,50,12,8,18,81,,
low,B,100,50,12,9,,64,,
high,C,100,50,12,,16,,,
none,D,100,50,12,,,25,,
flat,E,100,50,12,12,,100,,
limit,F,100,50,,20.5,,36,not_reached,
curve,G,100,50,,,,49,not_reached,30
larger,H,100,50,,20,,16,not_reached,24
nothing,I,100,50,,,,,not_reached,
silent,J,100,50,,,,,,
"""


def own(tmp_path: Path, rows: str = ROWS) -> Evidence:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + rows)
    evidence = read_evidence(path)
    check_medians(evidence, needed=())
    return evidence


def test_each_row_by_the_stated_rule(tmp_path: Path) -> None:
    medians = medians_of(own(tmp_path))
    assert medians.frame["cohort_id"].tolist() == ["both", "low", "high", "none", "flat", "limit", "curve", "larger"]
    # Fewer than five cohorts have both limits.
    assert medians.se_constant == EXPONENTIAL == pytest.approx(1.4427, abs=1e-4)
    imputed = [EXPONENTIAL / math.sqrt(n) for n in (25, 100, 36, 49, 16)]
    printed = [math.log(18 / 8) / (2 * Z), math.log(12 / 9) / Z, math.log(16 / 12) / Z]
    np.testing.assert_allclose(medians.se, printed + imputed)
    assert medians.source == (Source.BOTH, Source.LOW, Source.HIGH, *[Source.PATIENTS] * 5)
    assert medians.patients.tolist() == [81, 64, 100, 25, 100, 36, 49, 16]
    assert medians.reached.tolist() == [True] * 5 + [False] * 3
    np.testing.assert_allclose(medians.log_median[:5], math.log(12))
    # Both bounds of the last are true; the larger says more.
    np.testing.assert_allclose(np.exp(medians.log_bound[5:]), [20.5, 30, 24])
    assert np.isnan(medians.log_bound[:5]).all()


def test_what_is_known_is_counted_and_named(tmp_path: Path) -> None:
    evidence = own(tmp_path)
    known = known_of(evidence, medians_of(evidence))
    assert (known.cohorts, known.medians, known.both_limits, known.one_limit, known.no_limit) == (10, 5, 1, 2, 2)
    assert known.not_reached == ("limit", "curve", "larger")
    assert known.unusable == ("nothing",)
    assert known.not_reported == 1
    assert known.skewed == ()


def test_other_assumptions(tmp_path: Path) -> None:
    evidence = own(tmp_path, ROWS.replace("both,A,100,50,12,8,18", "both,A,100,50,12,11,18"))
    base = medians_of(evidence)
    wider = medians_of(evidence, Assumptions("", wider_side=True))
    assert wider.se[0] == pytest.approx(math.log(18 / 12) / Z)
    np.testing.assert_allclose(wider.se[1:], base.se[1:])
    assert known_of(evidence, base).skewed == ("both",)
    imputed = medians_of(evidence, Assumptions("", one_sided=False))
    np.testing.assert_allclose(imputed.se[1:3], EXPONENTIAL / np.sqrt([64, 100]))
    np.testing.assert_allclose(medians_of(evidence, Assumptions("", se_constant=3.0)).se[3], 3 / 5)
    without = medians_of(evidence, Assumptions("", not_reached="left out"))
    assert without.frame["cohort_id"].tolist() == ["both", "low", "high", "none", "flat"]
    np.testing.assert_allclose(without.se, base.se[:5])
    limit = medians_of(evidence, Assumptions("", not_reached="limit"))
    # Read so, the bound is the lower end of a 95 % interval about the median that stands in.
    np.testing.assert_allclose(np.exp(limit.log_median - Z * limit.se)[5:], [20.5, 30, 24])
    assert limit.reached.all()


def test_five_intervals_have_a_constant_of_their_own(tmp_path: Path) -> None:
    ratios = (1.2, 1.3, 1.5, 2, 3)
    rows = "".join(f"c{at},T{at},100,50,10,{10 / ratio},{10 * ratio},64,,\n" for at, ratio in enumerate(ratios))
    medians = medians_of(own(tmp_path, rows + "x,X,100,50,10,,,16,,\n"))
    assert medians.se_constant == pytest.approx(8 * math.log(1.5) / Z)
    assert medians.se[-1] == pytest.approx(2 * math.log(1.5) / Z)


def test_the_constant_of_exponential_times_is_that_of_sample_medians() -> None:
    rng = np.random.default_rng(1)
    medians = np.median(rng.exponential(1.0, (20_000, 401)), axis=1)
    # Asymptotic in the patients: with 401 its bias is below 1 %; the SD of 20,000 draws is known to 0.5 %.
    assert np.log(medians).std() * math.sqrt(401) == pytest.approx(EXPONENTIAL, rel=0.02)


def test_the_bundled_table() -> None:
    evidence = read_evidence()
    medians = medians_of(evidence)
    known = known_of(evidence, medians)
    assert (known.cohorts, known.medians, known.not_reported) == (66, 39, 22)
    assert (known.both_limits, known.one_limit, known.no_limit) == (26, 6, 7)
    bounds = dict(zip(medians.frame["cohort_id"], np.exp(medians.log_bound), strict=True))
    found = {name: bounds[name] for name in known.not_reached}
    expected = {"af001jp-phase2": 36, "alesia-alectinib": 20.3, "bfast-alk": 12.6, "ascend8-450fed": 11.8}
    assert found == pytest.approx(expected | {"crown-lorlatinib": 64.3})
    assert known.unusable == ()
    # Between exponential times without censoring, 1.44, and twice that.
    assert EXPONENTIAL < medians.se_constant < 2 * EXPONENTIAL


def test_the_bundled_table_calls_not_reached_only_what_its_note_says() -> None:
    frame = read_evidence().frame
    missed = frame[frame["pfs_status"] == "not_reached"]
    said = missed["note"].str.contains(r"(?:PFS|PFS median) not (?:reached|estimable)", case=False)
    assert said.all()
    for _, row in missed.iterrows():
        bound = row["pfs_ci_low"] or row["pfs_beyond"]
        assert bound in row["note"]
    others = frame[frame["pfs_status"] == "reached"]
    assert (others["pfs_median"] != "").all()
    silent = frame[frame["pfs_status"] == "not_reported"]
    assert (silent[["pfs_median", "pfs_ci_low", "pfs_beyond"]] == "").all(axis=None)
