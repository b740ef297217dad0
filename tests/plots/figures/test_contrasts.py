"""Contrasts: on both scales, and never without the word that nobody was randomised."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from alkbayes.evidence.outcomes import ORR
from alkbayes.plots.figures.contrasts import contrasts
from alkbayes.text.wording import probability
from alkbayes.vocabulary import Contrast


def test_points_and_intervals_are_those_of_the_table(run, see) -> None:
    table = run.results.contrasts
    (page,) = contrasts(table)
    seen = see(page)
    for scale, factor in (("odds_ratio", 1), ("risk_difference", 100)):
        expected = factor * table[table["scale"] == scale][["low", "median", "high"]].to_numpy()
        segments = np.array(seen.one(f"{scale}-interval").get_segments())[:, :, 0]
        found = np.column_stack([segments[:, 0], seen.points(scale)[:, 0], segments[:, 1]])
        assert found == pytest.approx(expected)
    for name, predicted in table[["contrast", "predicted"]].drop_duplicates().itertuples(index=False):
        assert (f"{name} *" if predicted else name) in seen.words
    assert table["predicted"].min() == 0 < table["predicted"].max()
    assert "one side or both are predicted by the model" in " ".join(seen.words)
    assert seen.overlaps() == []
    assert seen.outside() == []
    odds, difference = page.axes
    assert odds.get_xscale() == "log"
    assert difference.get_xlabel() == "Difference, percentage points"
    first = table.iloc[0]
    assert f"{first['median']:.2f} ({first['low']:.2f}–{first['high']:.2f})" in seen.words
    # As the terminal and the report print it.
    for better in table[table["scale"] == "risk_difference"]["prob_better"]:
        assert probability(better) in seen.words


@pytest.mark.parametrize("trials", [1, 42])
def test_it_says_that_cohorts_were_not_randomised(run, see, trials: int) -> None:
    text = " ".join(see(contrasts(run.results.contrasts, trials=trials)[0]).words)
    assert ORR.not_randomised(trials) in text
    assert "not randomised" in text.partition("95 %")[0]


def test_the_minus_is_a_minus(run, see) -> None:
    words = see(contrasts(run.results.contrasts)[0]).words
    assert not any(word.startswith("-") for word in words)
    assert any(word.startswith("−") for word in words)


def test_many_contrasts_go_on_to_further_pages() -> None:
    pairs = [Contrast("agent", f"agent-{one:02d}", f"agent-{two:02d}") for one in range(16) for two in range(one)]
    rows = [
        pair.as_row()
        | {
            "scale": scale,
            "median": 1.0,
            "low": 0.5,
            "high": 2.0,
            "prob_better": 0.5,
        }
        for pair in pairs
        for scale in ("odds_ratio", "risk_difference")
    ]
    pages = contrasts(pd.DataFrame(rows))
    assert len(pages) == 2
    # A table without the column, of a run by an earlier version, has no marks.
    assert "predicted by the model" not in " ".join(text.get_text() for text in pages[0].findobj(Text))
    words = Counter(text.get_text() for page in pages for text in page.findobj(Text))
    assert all(words[pair.name] == 1 for pair in pairs)


def test_without_contrasts_there_is_nothing_to_draw(run) -> None:
    with pytest.raises(ValueError, match="no contrasts"):
        contrasts(run.results.contrasts.iloc[:0])
