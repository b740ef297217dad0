"""Model comparison on one table, for readers."""

from collections.abc import Iterator, Mapping
from typing import Any

from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.names import shown
from alkbayes.text.wording import figure, headline, level_text

type Document = Mapping[str, Any]
"""Value of `comparison` in `compare --json`."""

UNITS = {"cohort": "By cohort: integrated leave-one-out", "trial": "By trial: integrated leave-one-out"}


def comparison_parts(found: Document) -> Iterator[Part]:
    """Yield the predictive ranking of the models, and the results of their stacked mixture."""
    yield from (Sentence(sentence) for sentence in found["verdict"])
    yield from (Sentence(f"Caution: {caution}") for caution in found["cautions"])
    yield elpd_rows(found)
    if found["stacked"]:
        yield stacked_rows(found)
    else:
        yield Sentence("The runs report no headline number in common: nothing is stacked.")


def elpd_rows(found: Document) -> ReaderTable:
    """Return each model's predictive accuracy for left-out cohorts and trials."""
    rows: list[tuple[str, ...]] = []
    for unit in dict.fromkeys(row["left_out"] for row in found["elpd"]):
        rows.append((UNITS[unit],))
        rows += [_elpd(row) for row in found["elpd"] if row["left_out"] == unit]
    return ReaderTable(
        title="How well each model predicts what is left out",
        headings=("run", "elpd", "SE", "p", "difference", "SE", "weight"),
        rows=tuple(rows),
        notes=(
            "elpd: log predictive density of what is left out; larger is better.",
            "p: effective number of parameters.",
            "difference: from the best run, with its standard error.",
            "weight: of stacking: the mixture of the runs that predicts best.",
        ),
    )


def stacked_rows(found: Document) -> ReaderTable:
    """Return the headline numbers by run and for the stacked mixture."""
    rows: list[tuple[str, ...]] = []
    for number in dict.fromkeys(row["number"] for row in found["stacked"]):
        rows.append((shown(number),))
        rows += [_stacked(row) for row in found["stacked"] if row["number"] == number]
    weights = f"(stacked): the mixture of the runs' posteriors with the weights by {found['weights_by']}."
    return ReaderTable(
        "Headline numbers; rates in %",
        ("", "median", f"{level_text(found['interval_prob'])} interval"),
        tuple(rows),
        notes=(weights,),
    )


def _elpd(row: Document) -> tuple[str, ...]:
    numbers = (figure(row[name], 1) for name in ("elpd", "se", "p", "difference", "difference_se"))
    return (f" {row['run']}", *numbers, figure(row["weight"]))


def _stacked(row: Document) -> tuple[str, ...]:
    """Return a number's posterior median and interval: rates in percent, SDs unscaled."""
    return f" {row['run']}", *headline(row)
