"""What is said of median PFS, on the bundled table and on small ones with an edge each."""

import json
from pathlib import Path

import numpy as np
import pytest

from alkbayes.analyses.pfs import PfsResults, pfs_results, prior_table
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.spec.medians import read_median_spec
from alkbayes.spec.schema import model_path
from alkbayes.text.json import finite_or_none

HEADER = "cohort_id,trial,line,regimen_class,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_status,pfs_beyond\n"
ROWS = """\
a,A,naive,first,60,30,10.5,8,14,,
b,B,pretreated,first,60,30,6,4.5,9,,
c,C,pretreated,second,60,30,9,7,12,,
d,C,naive,second,60,30,24,15,33,,
e,E,naive,second,60,30,20,14,30,,
"""


@pytest.fixture(scope="module")
def bundled() -> PfsResults:
    return pfs_results(read_evidence(), seed=3, draws=4000)


def own(tmp_path: Path, rows: str = ROWS) -> Evidence:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + rows)
    return read_evidence(path)


def test_the_mean_of_medians_is_the_review_s_figure_on_a_reconstructed_table(bundled: PfsResults) -> None:
    table = bundled.weighted.set_index("level")
    # By hand from the table: sum of pfs_median x pfs_n over sum of pfs_n.
    frame = read_evidence().frame
    for level, printed in (("naive", 13.8), ("pretreated", 9.8)):
        rows = frame[(frame["line"] == level) & (frame["pfs_median"] != "")]
        patients = rows["pfs_n"].where(rows["pfs_n"] != "", rows["n"].astype(str)).astype(float)
        expected = np.average(rows["pfs_median"].astype(float), weights=patients)
        assert table.loc[level, "estimate"] == pytest.approx(expected)
        assert table.loc[level, "review"] == printed
        assert table.loc[level, "low"] < printed < table.loc[level, "high"]
    assert table.loc["naive", "estimate"] == pytest.approx(14.3, abs=0.05)
    assert table.loc["pretreated", "estimate"] == pytest.approx(10.5, abs=0.05)
    assert np.isnan(table.loc["mixed", "review"])


def test_what_is_not_reached_counts_only_in_the_model(bundled: PfsResults) -> None:
    assert (bundled.known.medians, len(bundled.known.not_reached), bundled.known.not_reported) == (39, 5, 22)
    weighted = bundled.weighted.set_index(["group", "level"])
    naive = weighted.loc[("line", "naive")]
    assert (naive["k"], naive["not_reached"]) == (10, 4)
    assert naive["at_least"] > naive["estimate"]
    sides = bundled.left_out.set_index(["group", "level", "estimand"])
    line = sides.loc[("line", "naive", "typical")]
    assert (line["k"], line["k_without"]) == (14, 10)
    # Without the longest medians the pooled one is shorter, by far more than the Monte Carlo error of 0.1.
    assert line["median"] > line["median_without"] + 2
    third = sides.loc[("line:generation", "naive:third", "typical")]
    assert np.isnan(third["median_without"])
    assert any(note.startswith("naive: without the 4 cohorts not reached, the typical") for note in bundled.notes)


def test_a_shrunken_bound_is_compatible_with_the_later_report(bundled: PfsResults) -> None:
    # The five-year update of ALESIA has 41.6 months, which the row of the primary analysis only bounds.
    cohort = bundled.cohorts.set_index("cohort_id").loc["alesia-alectinib"]
    assert cohort["low"] < 41.6 < cohort["high"]


def test_other_assumptions_stand_beside_what_is_reported(bundled: PfsResults) -> None:
    assumptions = bundled.assumptions
    assert assumptions["assumption"].nunique() == 6
    assert (assumptions["failed"] == "").all()
    base = assumptions[assumptions["assumption"] == "as reported"].set_index("level")["median"]
    pooled = bundled.pooled[bundled.pooled["estimand"] == "typical"].set_index("level")["median"]
    assert base["naive"] == pooled["naive"]


def test_the_document_is_json(bundled: PfsResults) -> None:
    document = json.loads(json.dumps(finite_or_none(bundled.to_dict()), allow_nan=False))
    assert document["diagnostics"]["converged"] is True
    assert document["known"]["not_reached"][0] == "af001jp-phase2"
    assert {row["estimand"] for row in document["pooled"]} == {"these_cohorts", "typical", "mean", "next_cohort"}
    assert len(document["cautions"]) == 5


def test_the_seed_decides_all_numbers(tmp_path: Path) -> None:
    evidence = own(tmp_path)
    one, two, other = (pfs_results(evidence, seed=seed, draws=500) for seed in (1, 1, 2))
    assert finite_or_none(one.to_dict()) == finite_or_none(two.to_dict())
    assert not one.pooled["median"].equals(other.pooled["median"])


def test_where_all_were_reached_nothing_is_left_out(tmp_path: Path) -> None:
    found = pfs_results(own(tmp_path), draws=500)
    assert found.left_out.empty
    assert list(dict.fromkeys(found.assumptions["assumption"])) == ["as reported", "intervals by their wider side"]
    assert "Of none is it known that it was not reached." in found.notes[0]
    assert found.weighted["review"].isna().all()


def test_a_bound_that_is_not_known_is_named(tmp_path: Path) -> None:
    found = pfs_results(own(tmp_path, f"{ROWS}f,F,naive,third,50,40,,,,not_reached,\n"), draws=500)
    assert found.known.unusable == ("f",)
    assert "1 cannot be used, since no bound is known (f)" in found.notes[0]
    assert "third" not in set(found.pooled["generation"])


def test_nothing_but_bounds_still_has_a_posterior(tmp_path: Path) -> None:
    found = pfs_results(own(tmp_path, "a,A,naive,first,60,30,,20,,not_reached,\n"), draws=1000)
    assert found.left_out.empty
    assert found.known.medians == 0
    # The prior of naive medians, 12 in the middle, given that one of its cohorts lies beyond 20.
    assert found.pooled.set_index("estimand").loc["typical", "median"] > 20
    assert found.weighted["estimate"].isna().all()


def test_one_cohort_is_enough(tmp_path: Path) -> None:
    found = pfs_results(own(tmp_path, ROWS.splitlines(keepends=True)[0]), draws=1000)
    assert found.converged
    assert set(found.pooled["group"]) == {"all"}
    assert found.contrasts.empty
    assert any("every cohort is 'first'" in note for note in found.notes)


def test_a_cohort_without_a_trial_joins_none_that_is_called_like_it(tmp_path: Path) -> None:
    text = model_path("pfs").read_text(encoding="utf-8")
    head, trial, cohort = text.split("[[heterogeneity]]")
    assert 'column = "trial"' in trial
    model = tmp_path / "own.toml"
    model.write_text(f"{head}[[heterogeneity]]{cohort}", encoding="utf-8")
    evidence = own(tmp_path, f"{ROWS}A,,naive,second,60,30,18,12,26,,\nB,,naive,second,60,30,19,12,26,,\n")
    weighted = pfs_results(evidence, read_median_spec(model), draws=1000).weighted.set_index(["group", "level"])
    # A, B, C and E, and the two cohorts that have no trial.
    assert weighted.loc[("all", "all"), ["k", "trials"]].tolist() == [7, 6]


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="draws: found 99; allowed: 100 to 100,000"):
        pfs_results(read_evidence(), draws=99)
    with pytest.raises(UsageError, match="seed: found -1"):
        pfs_results(read_evidence(), seed=-1)
    with pytest.raises(EvidenceError, match=r"column pfs_ci_low: found 15, above the median of 10\.5"):
        pfs_results(own(tmp_path, ROWS.replace("10.5,8,14", "10.5,15,14")))


def test_what_the_priors_say_before_any_median() -> None:
    spec = read_median_spec(model_path("pfs"))
    table = prior_table(read_evidence(needed=spec.columns), spec).set_index("of")
    # What the reasons of the model file say: 1.7 to 86 months, a ratio to 4.3, generations to 4.7; 20,000 draws.
    naive, ratio = table.loc["line naive"], table.loc["line pretreated vs naive"]
    assert naive["median"] == pytest.approx(np.exp(2.5), rel=0.03)
    assert ratio["high"] == pytest.approx(np.exp(1.96 * 0.75), rel=0.05)
    assert table.loc["generation second vs first", "high"] == pytest.approx(4.7, rel=0.05)
