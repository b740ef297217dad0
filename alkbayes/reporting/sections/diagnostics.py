"""Report section on computation: how the posterior was drawn, and its reliability."""

from typing import TYPE_CHECKING

from alkbayes.criticism.diagnosis import Diagnosis, diagnosis_of
from alkbayes.presentation.diagnosis import divergence_sentences, finding_rows, headline_rows, parameter_rows
from alkbayes.presentation.fit import Document, verdict
from alkbayes.reporting.blocks import Fold, Heading, Paragraph, Section, blocks_of, text
from alkbayes.text.wording import capitalised

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.reporting.blocks import Block


def computation_section(fit: "Fit", document: Document) -> Section:
    """Return how the posterior was drawn and the diagnostics, recomputed from the draws."""
    found = diagnosis_of(fit)
    made, *failed = verdict(document)
    seconds = document["provenance"].get("seconds") or {}
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    blocks: list[Block] = [
        Paragraph((found.conclusion,), strong=True),
        text(made + "."),
        *(Paragraph((f"{capitalised(line)}.",), strong=True) for line in failed),
        *blocks_of((finding_rows(found), *divergence_sentences(found))),
        *([text(f"Time taken: {took}.")] if took else []),
        *_quantities(found),
    ]
    return Section("computation", "Computation and its verdict", tuple(blocks))


def _quantities(found: Diagnosis) -> "list[Block]":
    parameters = parameter_rows(found)
    of_all = f"Effective sample sizes of all {len(parameters.rows)} parameters, on the scale of the model"
    return [
        Heading("Effective sample sizes and Monte Carlo errors"),
        *blocks_of((headline_rows(found),)),
        Fold(of_all, tuple(blocks_of((parameters,)))),
    ]
