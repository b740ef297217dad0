"""The figure of resistance mutations."""

import pytest

from alkbayes.analyses.resistance import Resistance, resistance_of
from alkbayes.evidence.resistance import read_resistance
from alkbayes.plots.figures.resistance import resistance
from alkbayes.text.wording import rate_text


@pytest.fixture(scope="module")
def found() -> Resistance:
    return resistance_of(read_resistance())


def test_rows_and_what_the_model_says_stand_at_their_numbers(found: Resistance, see) -> None:
    (page,) = resistance(found.rows, found.prevalence, heading=found.few[0])
    seen = see(page)
    by_question = [
        at for _, of in found.rows.groupby(["mutation_set", "assay"], sort=False).groups.items() for at in of
    ]
    rows = found.rows.loc[by_question]
    assert seen.points("row")[:, 0] == pytest.approx(100 * rows["observed"].to_numpy())
    means = found.prevalence[found.prevalence["estimand"] == "mean"]
    tops = [path.vertices for path in seen.one("mean").get_paths()]
    assert [vertices[1][0] for vertices in tops] == pytest.approx((100 * means["median"]).tolist())
    words = " ".join(seen.words)
    for row in means.to_dict("records"):
        assert rate_text(row) in words
    # One row of 11 samples: the error of its limits leaves no decimal, in the figure as in the terminal.
    assert "30 (15–57)" in words
    assert "Sparse data: 9 counts from 6 sets of samples" in words
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_a_long_table_of_hostile_names_goes_on_to_further_pages(found: Resistance, see, hostile) -> None:
    rows = found.rows.loc[[at % 9 for at in range(90)]].reset_index(drop=True)
    names = [hostile[at % len(hostile)] for at in range(90)]
    rows = rows.assign(after_agent=names, mutation_set=[f"{at % 30} {name}" for at, name in enumerate(names)])
    pages = resistance(rows, found.prevalence, heading=found.few[0])
    assert len(pages) > 1
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        assert "page" in " ".join(seen.words)
