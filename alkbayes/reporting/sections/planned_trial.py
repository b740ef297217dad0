"""Planned trial in a report: predicted responders, analysis prior and operating characteristics."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alkbayes.planning.cohort import planned_cohort
from alkbayes.planning.trial import predict
from alkbayes.plots.figures.prediction import prediction_figure
from alkbayes.presentation.prediction import prediction_parts
from alkbayes.reporting.blocks import Heading, blocks_of
from alkbayes.reporting.pictures import picture

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.page.style import Caption
    from alkbayes.reporting.blocks import Block

type Row = Mapping[str, Any]


def planned_blocks(fit: "Fit", kept: Row, notes: "Caption") -> "Iterator[Block]":
    """Yield the prediction for a planned trial.

    `kept` is the stored request of `alkbayes predict`. The prediction is repeated from the same draws, which its figure
    needs; `notes` is the figure's caption.
    """
    design = kept["designs"][0] if kept["designs"] else None
    fit = replace(fit, interval_prob=kept["interval_prob"])
    found = predict(
        fit,
        planned_cohort(fit, kept["cohort"]["levels"]),
        sizes=[row["n"] for row in kept["planned"]],
        above=list(dict.fromkeys(row["above"] for row in kept["exceeding"])),
        robust_weight=kept["robust_weight"],
        null=None if design is None else design["null"],
        threshold=kept["threshold"],
    )
    yield Heading("A planned trial")
    yield from blocks_of(prediction_parts(found))
    description = (
        f"Probabilities of each number of {notes.outcome.events}, the prior over the draws, and success by true rate."
    )
    yield picture("predict", "A planned trial", description, prediction_figure(found, notes))
