"""The forest of medians: every number where the tables have it, every label on the page, none over another."""

from pathlib import Path

import numpy as np
import pytest

from alkbayes.analyses.pfs import PfsResults, pfs_results
from alkbayes.evidence.table import read_evidence
from alkbayes.plots.figures.pfs import pfs_forest, printed
from alkbayes.plots.page.style import Caption


@pytest.fixture(scope="module")
def results() -> PfsResults:
    return pfs_results(read_evidence(), seed=3, draws=1000)


def test_every_cohort_stands_where_its_numbers_are(results: PfsResults, see: type) -> None:
    caption = Caption(tuple(note.text for note in results.cautions))
    (page,) = pfs_forest(results.pooled, results.cohorts, results.weighted, caption)
    seen = see(page)
    assert seen.overlaps() == []
    assert seen.outside() == []
    cohorts = results.cohorts
    assert set(cohorts["cohort_id"]) <= set(seen.words)
    assert sorted(seen.points("printed")[:, 0]) == pytest.approx(sorted(cohorts["observed"].dropna()))
    assert sorted(seen.points("posterior")[:, 0]) == pytest.approx(sorted(cohorts["median"]))
    # Five medians and six upper limits that were not reached.
    assert len(seen.points("arrow>")) == 11
    assert seen.by_gid("arrow<") == []
    for word in ("not reached, > 64.3", "25.7 (from 19.9)", "19.3 (no interval)", "mean of medians 14.3", "12", "24"):
        assert word in seen.words
    assert "14 cohorts, 4 not reached" in seen.words


def test_hostile_names_and_few_rows(tmp_path: Path, see: type, hostile: tuple[str, ...]) -> None:
    rows = "".join(
        f'"{name.replace(chr(34), chr(34) * 2)}",T{at},naive,first,50,30,{5 + at},{4 + at},,,\n'
        for at, name in enumerate(hostile)
    )
    path = tmp_path / "own.csv"
    header = "cohort_id,trial,line,regimen_class,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_status,pfs_beyond\n"
    path.write_text(f"{header}{rows}only-high,H,naive,first,50,30,4,,6,,\n", encoding="utf-8")
    results = pfs_results(read_evidence(path), draws=500)
    pages = pfs_forest(results.pooled, results.cohorts, results.weighted)
    seen = see(pages[0])
    assert seen.overlaps() == []
    assert seen.outside() == []
    assert r"$\frac{1}{0}$ a_b^c" in seen.words
    assert len(seen.points("arrow<")) == 1


def test_many_cohorts_take_pages(results: PfsResults, see: type) -> None:
    cohorts = results.cohorts.loc[np.repeat(results.cohorts.index, 4)].reset_index(drop=True)
    pages = pfs_forest(results.pooled, cohorts, results.weighted, Caption((), "NOT CONVERGED, DO NOT USE: few draws"))
    assert len(pages) > 1
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        assert "NOT CONVERGED, DO NOT USE: few draws" in seen.words


def test_what_is_printed() -> None:
    both = {"observed": 10.44, "observed_low": 7.7, "observed_high": 14.6, "bound": None}
    assert printed(both) == "10.4 (7.7–14.6)"
    assert printed(both | {"observed_high": None}) == "10.4 (from 7.7)"
    assert printed(both | {"observed_low": None}) == "10.4 (to 14.6)"
    assert printed(both | {"observed_low": None, "observed_high": None}) == "10.4 (no interval)"
    assert printed(both | {"observed": None, "bound": 20.3}) == "not reached, > 20.3"
