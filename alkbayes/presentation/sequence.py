"""Sequences of ALK TKIs for readers: every option after each prior one, and comparisons."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alkbayes.analyses.sequence import history_words
from alkbayes.presentation.fit import PARTLY_PREDICTED
from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, columns_in, not_converged, rows_by
from alkbayes.text.names import shown
from alkbayes.text.wording import difference, level_text, limits, probability, rate, ratio

if TYPE_CHECKING:
    from alkbayes.analyses.sequence import SequenceRecord

ENGINES = {"quadrature": "by quadrature", "nuts": "by NUTS"}


def sequence_opening(record: "SequenceRecord") -> tuple[Part, ...]:
    """Return the cautions that precede the numbers and their source."""
    first = record["cautions"][0]
    return (*not_converged(record["diagnostics"]["failures"]), Sentence(first, strong=True))


def sequence_parts(record: "SequenceRecord") -> tuple[Part, ...]:
    """Return the matrix with ranks of the options in each row, pairs of options, and conclusions."""
    made = f"fitted {ENGINES[record['engine']]}" if record["run"] is None else f"run {record['run']}"
    return (
        Sentence(f"Model {record['model']}, {made}"),
        *map(Sentence, record["cautions"][1:]),
        _options(record),
        _comparisons(record),
        *map(Sentence, record["findings"]),
        *(Sentence(f"Note: {note.removesuffix('.')}.") for note in record["notes"]),
    )


def _options(record: "SequenceRecord") -> ReaderTable:
    """Return every option with its estimands, marked as a prediction if no cohort has had it."""
    level = level_text(record["interval_prob"])
    title = "Objective response rate by prior ALK TKI and TKI generation, %"
    if record["after"] is not None:
        title = f"Objective response rate after {history_words(record['after'])}, %"
    notes = [f"k: cohorts with this after that; typical, mean: with {level} credible intervals."]
    notes.append("next cohort: prediction interval of the next cohort's rate.")
    if not all(row["observed"] for row in record["options"]):
        notes.append(f"{PARTLY_PREDICTED}: no cohort has had this after that; a prediction of the model.")
    if any(row["prob_best"] is not None for row in record["options"]):
        notes.append(f"P(best), rank with {level} interval: among the options with cohorts, over the same patients.")
    headings = ("", "k", "patients\nresponders", "typical", "mean", "next cohort", "P(best)", "rank")
    return ReaderTable(title, headings, tuple(_option_rows(record)), notes=tuple(notes), units=columns_in("%", 3, 4, 5))


def _option_rows(record: "SequenceRecord") -> Iterator[tuple[str, ...]]:
    ranks = {(row["earlier"], row["generation"]): row for row in record["options"]}
    previous = None
    for (earlier, generation), estimands in rows_by(record["matrix"], "earlier", "generation", "estimand").items():
        if earlier != previous:
            yield (_row_title(earlier),)
        previous, mean, own = earlier, estimands["mean"], ranks[earlier, generation]
        yield (
            _name(generation, observed=mean["observed"]),
            f"{mean['k']:,}",
            f"{mean['patients']:,}\n{mean['responders']:,}",
            *("\n".join(rate(estimands[estimand])) for estimand in ("typical", "mean")),
            limits(estimands["next_cohort"]),
            "–" if own["prob_best"] is None else probability(own["prob_best"]),
            _rank(own),
        )


def _comparisons(record: "SequenceRecord") -> Part:
    """Return pairs of options; for the whole matrix, only those observed on both sides."""
    whole = record["after"] is None
    rows = [row for row in record["comparisons"] if row["observed"] or not whole]
    if not rows:
        return Sentence("No two options after one prior TKI to compare.")
    cells: list[tuple[str, ...]] = []
    previous = None
    for (earlier, contrast), scales in rows_by(rows, "earlier", "contrast", "scale").items():
        if earlier != previous:
            cells.append((_row_title(earlier),))
        previous, apart = earlier, scales["risk_difference"]
        middle, interval = difference(apart)
        numbers = (
            f"{apart['k']:,}, {apart['k_against']:,}",
            ratio(scales["odds_ratio"]),
            f"{middle} ({interval})",
            probability(apart["prob_better"]),
        )
        cells.append((_name(contrast, observed=apart["observed"]), *numbers))
    notes = ["k: cohorts of the one and of the other. difference: of their means, over the same patients."]
    if not all(row["observed"] for row in rows):
        notes.append(f"{PARTLY_PREDICTED}: one of the two, or both, rest on no cohort; a prediction of the model.")
    return ReaderTable(
        f"Options against each other{', where both rest on cohorts' if whole else ''}",
        ("", "k", "odds ratio", "difference, points", "P(first is higher)"),
        tuple(cells),
        notes=tuple(notes),
    )


def _row_title(earlier: str) -> str:
    return f"prior ALK TKI: {shown(earlier)}"


def _name(option: str, *, observed: bool) -> str:
    return f" {shown(option)}{'' if observed else f' {PARTLY_PREDICTED}'}"


def _rank(row: Row) -> str:
    if row["mean_rank"] is None:
        return "–"
    return f"{row['mean_rank']:.1f}\n{row['rank_low']:.0f}–{row['rank_high']:.0f}"
