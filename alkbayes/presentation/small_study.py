"""Tests for small-study effects, for readers."""

from collections.abc import Iterator, Sequence

from alkbayes.classical.moderators.small_study import SmallStudyEffect
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.wording import beside_error, counted, figure, p_value

MEANINGS = {
    "egger": "on 1/sqrt(n), weights of sampling alone",
    "egger-reml": "on 1/sqrt(n), with a variance between cohorts",
    "peters": "on 1/n",
}


def small_study_parts(effects: Sequence[SmallStudyEffect]) -> Iterator[Part]:
    """Yield the tests, and each note once."""
    yield ReaderTable(
        f"Small-study effects: regression of the logits of {counted(effects[0].k, 'cohort')} on their size",
        ("test", "regression", "slope", "SE", "statistic", "p"),
        tuple(_cells(effect) for effect in effects),
        words=(1,),
    )
    if any(effect.slope is not None for effect in effects):
        yield Sentence("A slope above 0: the smaller the cohort, the higher its rate.")
    yield from (Sentence(note) for note in dict.fromkeys(effect.note for effect in effects) if note)


def _cells(effect: SmallStudyEffect) -> tuple[str, ...]:
    kind = "z" if effect.df is None else f"t({effect.df})"
    return (
        str(effect.test),
        MEANINGS[effect.test],
        beside_error(effect.slope, effect.se),
        beside_error(effect.se, effect.se),
        "–" if effect.statistic is None else f"{kind} = {figure(effect.statistic)}",
        p_value(effect.p),
    )
