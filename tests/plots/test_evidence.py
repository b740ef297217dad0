"""What is in a table, before any model."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from alkbayes.evidence import Evidence, make_up, read_evidence
from alkbayes.plots.evidence import make_up_figure, observed_forest
from alkbayes.timeline import patients_by_year


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return read_evidence()


def test_bars_are_the_patients(evidence, see) -> None:
    (page,) = make_up_figure(make_up(evidence), patients_by_year(evidence), heading="63 cohorts")
    seen = see(page)
    years = patients_by_year(evidence)
    for basis in ("cut-off", "publication", "unknown"):
        heights = sum(patch.get_height() for patch in seen.by_gid(basis))
        assert heights == years.loc[years["basis"] == basis, "patients"].sum()
    assert sorted(patch.get_width() for patch in seen.by_gid("line")) == [1085, 1612, 2948]
    assert "2,948 (31 cohorts)" in seen.words
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
        *make_up_figure(make_up(own), patients_by_year(own), heading="3 cohorts"),
        *observed_forest(frame),
    ):
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
    assert {"a", "b", "NA"} <= set(seen.words)


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
