"""What is in a table, before any model."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from alkbayes.evidence.composition import patients_by_year
from alkbayes.evidence.table import Evidence, composition, read_evidence
from alkbayes.plots.figures.evidence import composition_figure, observed_forest


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return read_evidence()


def test_bars_are_the_patients(evidence, see) -> None:
    (page,) = composition_figure(composition(evidence), patients_by_year(evidence), heading="66 cohorts")
    seen = see(page)
    years = patients_by_year(evidence)
    for basis in ("cut-off", "publication", "unknown"):
        heights = sum(patch.get_height() for patch in seen.by_gid(basis))
        assert heights == years.loc[years["basis"] == basis, "patients"].sum()
    assert sorted(patch.get_width() for patch in seen.by_gid("line")) == [1099, 1612, 2996]
    assert "2,996 (33 cohorts)" in seen.words
    assert {"2012", "2025", "unknown"} <= set(seen.words)
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_the_forest_has_every_cohort_as_observed(evidence, see) -> None:
    (page,) = observed_forest(evidence.frame)
    seen = see(page)
    frame = evidence.frame
    assert all(seen.words.count(name) == 1 for name in frame["cohort_id"])
    points = seen.points("observed")[:, 0]
    assert np.sort(points) == pytest.approx(np.sort((100 * frame["responders"] / frame["n"]).to_numpy()))
    assert "Treatment-naive (17 cohorts)" in seen.words
    assert "Nothing is pooled here." in " ".join(seen.words)
    assert seen.overlaps() == []
    assert seen.outside() == []


@pytest.mark.parametrize(
    "columns", [{}, {"line": ["naive", "", "other"]}, {"regimen_class": ["first", "third", "third"]}]
)
def test_a_small_table_without_some_columns(see, columns: dict[str, list[str]]) -> None:
    frame = pd.DataFrame({"cohort_id": ["a", "b", "NA"], "responders": [0, 5, 1], "n": [3, 5, 1]} | columns)
    own = Evidence(frame, "own.csv", "", b"")
    for page in (
        *composition_figure(composition(own), patients_by_year(own), heading="3 cohorts"),
        *observed_forest(frame),
    ):
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
    assert {"a", "b", "NA"} <= set(seen.words)


def pages_of(table: dict[str, list]) -> list:
    own = Evidence(pd.DataFrame(table), "own.csv", "", b"")
    return composition_figure(composition(own), patients_by_year(own), heading="2 cohorts")


def test_without_years_lines_and_generations_there_is_no_page_of_them(see) -> None:
    counts = {"cohort_id": ["a", "b"], "responders": [2, 1], "n": [3, 5]}
    assert pages_of(counts) == []
    (page,) = pages_of(counts | {"line": ["naive", "mixed"]})
    seen = see(page)
    assert "The table has no year of any cohort: column `cutoff` is missing or empty." in seen.words
    assert [patch.get_width() for patch in seen.by_gid("line")] == [3, 5]
    assert "year not known" not in seen.words
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_a_single_year_is_a_bar_and_patients_are_whole(see) -> None:
    (page,) = pages_of({"cohort_id": ["a", "b"], "responders": [1, 0], "n": [1, 1], "cutoff": ["2019-05", "2019"]})
    seen = see(page)
    (bar,) = seen.by_gid("cut-off")
    assert (bar.get_height(), bar.get_width()) == (2, 0.75)
    left, right = page.axes[0].get_xlim()
    assert right - left >= 8
    assert [word for word in seen.words if word in {"0", "1", "2"}] == ["0", "1", "2"]


def test_hostile_names_are_text(see, hostile) -> None:
    frame = pd.DataFrame({"cohort_id": hostile, "responders": 1, "n": 3})
    seen = see(observed_forest(frame)[0])
    assert set(hostile[:4]) <= set(seen.words)


def test_a_large_table_pages() -> None:
    frame = pd.DataFrame(
        {"cohort_id": [f"c{at}" for at in range(150)], "responders": 2, "n": 9, "line": ["naive", "mixed"] * 75}
    )
    pages = observed_forest(frame)
    assert len(pages) == 2
    words = [text.get_text() for page in pages for text in page.findobj(Text)]
    assert all(words.count(name) == 1 for name in frame["cohort_id"])
    assert any(word.endswith("(continued)") for word in words)
