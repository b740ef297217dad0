"""The computation of a report: how the posterior was drawn, and whether its numbers can be relied on."""

from typing import TYPE_CHECKING

from alkbayes.criticism.diagnosis import Diagnosis, diagnosis_of
from alkbayes.presentation.diagnosis import quantity_rows
from alkbayes.presentation.fit import Document, verdict
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Fold, Heading, Paragraph, Section, Table, text
from alkbayes.text.wording import capitalised

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.report.blocks import Block


def computation_section(fit: "Fit", document: Document) -> Section:
    """Return how the posterior of a run was drawn and what its draws are worth.

    Every diagnostic is computed again from the draws.
    """
    found = diagnosis_of(fit)
    made, *failed = verdict(document)
    seconds = document["provenance"].get("seconds") or {}
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    blocks: list[Block] = [
        Paragraph((found.conclusion,), strong=True),
        text(made + "."),
        *(Paragraph((f"{capitalised(line)}.",), strong=True) for line in failed),
        Table(
            ReaderTable(
                "Diagnostics",
                ("diagnostic", "verdict", "what it says"),
                tuple((each.name, str(each.verdict), each.with_advice) for each in found.findings),
                words=(1, 2),
            )
        ),
        *([text(f"Time taken: {took}.")] if took else []),
        *_quantities(found),
    ]
    return Section("computation", "Computation and its verdict", tuple(blocks))


def _quantities(found: Diagnosis) -> "list[Block]":
    rows = found.as_record()["quantities"]
    reported = [row for row in rows if row["kind"] == "reported" and row["headline"]]
    parameters = [row for row in rows if row["kind"] == "parameter"]
    note = (
        "Rates and differences in percent. Error: Monte Carlo standard error, of the median and of the worse end "
        "of the 95 % interval."
    )
    of_all = f"Effective sample sizes of all {len(parameters)} parameters, on the scale of the model"
    return [
        Heading("What the draws are worth"),
        Table(quantity_rows("Headline numbers", reported), (note,)),
        Fold(of_all, (Table(quantity_rows("Parameters", parameters)),)),
    ]
