"""End of a report: limitations and reproduction."""

import shlex
from typing import TYPE_CHECKING

from alkbayes.alk.review import RECONSTRUCTION
from alkbayes.presentation.fit import cohorts_vary, notes_in, unit_of
from alkbayes.reporting.blocks import Bullets, Facts, Fold, Heading, Listing, Section, Verbatim, text
from alkbayes.runs.command import refit_command
from alkbayes.runs.run import MODEL_FILE, POSTERIOR_FILE, RUN_FILE
from alkbayes.text.names import several as plural
from alkbayes.text.notes import NoteKind
from alkbayes.text.wording import capitalised

if TYPE_CHECKING:
    from alkbayes.plots.source import RunTables
    from alkbayes.reporting.blocks import Block

LIMITS = (
    (
        "The posterior holds given the model and its priors. The sections on sensitivity and on the fit say how far it "
        "depends on them; a model that was not tried cannot be ruled out."
    ),
    (
        "Trials that were not published, or whose counts could not be opened, are not in the table. How they would "
        "change the results is unknown."
    ),
)
"""Limitations of every such analysis."""
SHRUNK = (
    "A level with few cohorts is shrunk towards the others; its interval says how little is known, its middle says "
    "little."
)


def limits_section(tables: "RunTables") -> Section:
    """Return the limitations: those of its table and model, those of every such analysis, and those the run noted."""
    document = tables.document
    said_anyway = {NoteKind.NOT_RANDOMISED, NoteKind.RECONSTRUCTION}
    notes = [note.text for note in notes_in(document) if note.kind not in said_anyway]
    several, outcome = (tables.trials or 0) > 1, tables.outcome
    units = "trials" if several else "cohorts"
    said = [
        *([outcome.not_randomised(tables.trials)] if document["contrasts"] else []),
        (
            f"Single arms describe. {capitalised(outcome.responses)} were counted without a control group, and "
            f"criteria, assessors and years differ between {units}: a pooled rate summarises what was reported and "
            f"does not forecast a {outcome.unit}'s {outcome.response}."
        ),
        *LIMITS,
    ]
    if cohorts_vary(document):
        unit = unit_of(document) if several else None
        said.append(
            f"Heterogeneity between {plural(unit or 'cohort')} is estimated from few units, so that prediction "
            "intervals are themselves uncertain."
        )
    if any(row["parameter"].startswith("sd_") for row in document["heterogeneity"]):
        said.append(SHRUNK)
    if tables.evidence.bundled:
        said.append(RECONSTRUCTION)
    return Section("limits", "Limits", (Bullets(tuple((line,) for line in (*said, *notes))),))


def reproduce_section(tables: "RunTables") -> Section:
    """Return how to reproduce a run, and its inputs."""
    document, folder = tables.document, tables.folder
    provenance = document["provenance"]
    settings = provenance["settings"]
    again = refit_command(document)
    version = provenance["versions"].get("alkbayes", "")
    # Resolved: "." has no name.
    name = shlex.quote(folder.resolve().name)
    commands = f"cd {name}\n{shlex.join(again)} --out ../{name}-again"
    model = (folder / MODEL_FILE).read_text(encoding="utf-8-sig")
    hashes = tuple((name, (Verbatim(digest),)) for name, digest in document["files"].items())
    blocks: tuple[Block, ...] = (
        text(
            f"Made on {document['written']} with alkbayes {version} by this command:",
        ),
        Listing(document["command"], "console"),
        text(
            f"The run's folder holds the model ({MODEL_FILE}), the table ({document['evidence']['file']}), the "
            f"posterior ({POSTERIOR_FILE}, which ArviZ opens) and all tables. Beside a copy of it these commands "
            "reproduce it:"
        ),
        Listing(commands, "console"),
        text("The same seed and the same versions on the same kind of machine give the same draws."),
        Heading("Seed and settings"),
        Facts(tuple((name.replace("_", " "), (f"{value}",)) for name, value in settings.items())),
        Heading("Versions"),
        Facts(tuple((name, (str(value),)) for name, value in provenance["versions"].items())),
        Fold("The model file", (Listing(model, "toml"),)),
        Fold("SHA-256 of the run's files, from " + RUN_FILE, (Facts(hashes),)),
    )
    return Section("reproduce", "How to reproduce it", blocks)
