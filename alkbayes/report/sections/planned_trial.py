"""A planned trial in a report: what it may see, a prior for its analysis, and how its design behaves."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from alkbayes.planning.cohort import planned_cohort
from alkbayes.planning.trial import predict
from alkbayes.plots.figures.prediction import prediction_figure
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Bullets, Heading, Paragraph, Table, text
from alkbayes.report.pictures import picture
from alkbayes.text.wording import counted, percent, percent_interval, planned_decimals, shared_decimals

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.page.style import Caption
    from alkbayes.report.blocks import Block

type Row = Mapping[str, Any]


def planned_blocks(fit: "Fit", kept: Row, notes: "Caption") -> "Iterator[Block]":
    """Yield what a run says of a planned trial.

    Parameters
    ----------
    fit
        Of the run.
    kept
        What `alkbayes predict` kept beside it: which trial was asked about. It is predicted again, from the same draws,
        since its figure needs these.
    notes
        What stands at the foot of the figure.
    """
    design = kept["designs"][0] if kept["designs"] else None
    found = predict(
        fit,
        planned_cohort(fit, kept["cohort"]["levels"]),
        sizes=[row["n"] for row in kept["planned"]],
        above=list(dict.fromkeys(row["above"] for row in kept["exceeding"])),
        robust_weight=kept["robust_weight"],
        null=None if design is None else design["null"],
        threshold=kept["threshold"],
    )
    record, cohort = found.as_record(), found.cohort
    like = f"the table has {counted(cohort.cohorts, 'cohort')} of {counted(cohort.patients, 'patient')} like it"
    seen = like if cohort.seen else "NO COHORT OF THE TABLE IS LIKE IT"
    yield Heading("A planned trial")
    yield text(f"A new cohort of a new trial, {cohort.name}: {seen}.")
    yield Paragraph(tuple(found.notes[:1]), strong=True)
    if more := [*found.notes[1:], *filter(None, (cohort.left_open,))]:
        yield Bullets(tuple((note,) for note in more))
    yield Table(
        ReaderTable("Response rate of the planned cohort, %", ("", "mean", "95 % prediction interval"), _rates(record))
    )
    if record["exceeding"]:
        places = shared_decimals(row["mcse"] for row in record["exceeding"])
        rows = tuple(
            (
                f"above {100 * row['above']:g} %",
                "true rate" if row["n"] is None else f"observed in {row['n']:,}",
                percent(row["probability"], places),
            )
            for row in record["exceeding"]
        )
        yield Table(
            ReaderTable("Probability of a response rate above a limit, %", ("", "of", "probability"), rows, words=(1,))
        )
    yield text(_steady(record))
    # A prior that is fitted to draws is as exact as they are.
    places = planned_decimals(record["rate"])
    priors = tuple(
        (
            row["prior"],
            row["text"],
            percent(row["mean"], places),
            percent_interval(row["low"], row["high"], places),
            *("–" if row[name] is None else f"{row[name]:.1f}" for name in ("ess_elir", "ess_moment", "ess_morita")),
        )
        for row in record["priors"]
    )
    yield Table(
        ReaderTable(
            "Meta-analytic-predictive (MAP) prior for the trial's own analysis",
            ("", "density", "mean, %", "95 % interval, %", "ESS: ELIR", "moment", "Morita"),
            priors,
            words=(1,),
        ),
        ("ESS: how many patients the prior is worth; of the three, ELIR is predictively consistent.",),
    )
    if record["designs"]:
        yield Table(*_designs(record["designs"], record["rate"]))
    description = "Probabilities of each number of responders, the prior over the draws, and success by true rate."
    yield picture("predict", "A planned trial", description, prediction_figure(found, notes))


def _rates(record: Row) -> tuple[tuple[str, ...], ...]:
    rate = record["rate"]
    places = planned_decimals(rate)
    rows = [("true rate", percent(rate["mean"], places), percent_interval(rate["low"], rate["high"], places))]
    for row in record["planned"]:
        counts = f"{row['responders_low']:,}–{row['responders_high']:,} responders"
        interval = f"{percent_interval(row['low'], row['high'], places)}\n{counts}"
        rows.append((f"observed in {row['n']:,} patients", percent(row["mean"] / row["n"], places), interval))
    return tuple(rows)


def _steady(record: Row) -> str:
    share, n = f"{100 * record['steady']['share']:g} %", record["steady"]["n"]
    if n is None:
        return f"Doubling the cohort narrows the prediction interval by {share} or more at every size looked at."
    return (
        f"From {n:,} patients on, doubling the cohort narrows the prediction interval by less than {share}: trials "
        "differ, and no number of patients narrows it beyond that of the true rate."
    )


def _designs(designs: list[Row], rate: Row) -> tuple[ReaderTable, tuple[str, ...]]:
    # Given the responders needed, error and power are exact; what is predicted is as exact as the draws.
    first, places = designs[0], planned_decimals(rate)
    rows = tuple(
        (
            row["prior"],
            f"{row['n']:,}",
            "–" if row["critical"] is None else f"{row['critical']:,}",
            percent(row["type_i_error"]),
            percent(row["assurance"], places),
            *(percent(row[name]) for name in ("orr_80", "orr_90")),
        )
        for row in designs
    )
    title = f"Success if P(ORR > {100 * first['null']:g} % | responders) > {first['threshold']:g}; %"
    headings = (
        "prior",
        "n",
        "responders needed",
        "type I error",
        "success predicted",
        "ORR for 80 % power",
        "for 90 %",
    )
    return ReaderTable(title, headings, rows), (
        f"type I error: probability of success where the true rate is {100 * first['null']:g} %.",
        "success predicted: its probability over the true rates that the model predicts (assurance).",
        "What a prior adds to the type I error of the vague design is the price of borrowing.",
    )
