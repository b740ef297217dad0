"""Archive of a run for a supplement or a repository: tables, figures, report, and what repeats the fit."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from alkbayes.errors import AlkbayesError
from alkbayes.plots.files import save_figures
from alkbayes.plots.kinds import KINDS
from alkbayes.plots.source import RunTables, warning
from alkbayes.presentation.fit import verdict
from alkbayes.reporting.document import report_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.workbook import xlsx_of
from alkbayes.reporting.scripts.script import script_for
from alkbayes.reporting.scripts.targets import Target
from alkbayes.reporting.zips import zip_of
from alkbayes.runs.analyses import COMMANDS, is_kept
from alkbayes.runs.command import reproducing_script
from alkbayes.runs.places import format_of, new_files
from alkbayes.runs.run import POSTERIOR_FILE, RUN_FILE, read_run

if TYPE_CHECKING:
    from alkbayes.runs.document import RunDocument

SCRIPT = "reproduce.sh"


def check_archive_name(path: Path) -> None:
    """Check the name of an archive.

    Raises
    ------
    UsageError
        If it does not end in .zip.
    """
    format_of(path, None, {"zip": ("zip",)}, "an archive")


def write_archive(folder: Path, path: Path, *, posterior: bool = False) -> list[str]:
    """Write a run as one ZIP archive, whole or not at all; the same run gives the same bytes.

    Parameters
    ----------
    folder
        Of the run. Its name is that of the folder in the archive.
    path
        Archive to be written.
    posterior
        Include the posterior draws, with which the unpacked folder is a run.

    Returns
    -------
    list of str
        Names of the files in the archive, in order.

    Raises
    ------
    RunError
        If this is not a finished run, or its files have changed.
    UsageError
        If the archive exists, or cannot be written.
    """
    document = read_run(folder)
    with new_files(path, [path]) as parts:
        contents = _contents(folder, document, posterior=posterior)
        name = folder.resolve().name
        named = {f"{name}/{file}": content for file, content in sorted(contents.items())}
        parts[0].write_bytes(zip_of(named, executable=[f"{name}/{SCRIPT}"]))
    return sorted(contents)


def _contents(folder: Path, document: "RunDocument", *, posterior: bool) -> dict[str, bytes]:
    """Return the content of each file by its name in the archive."""
    # An archive is for others: what is shown in it names no folder of this machine.
    tables = RunTables(folder, document, named=Path(folder.resolve().name))
    own = [name for name in document["files"] if posterior or name != POSTERIOR_FILE]
    kept = [f"{name}.json" for name in COMMANDS if is_kept(folder, name)]
    figures, not_drawn = _figures(tables)
    files = {name: (folder / name).read_bytes() for name in (RUN_FILE, *own, *kept)}
    report = report_of(folder, named=tables.named)
    texts = {
        "report.html": html_of(report),
        SCRIPT: reproducing_script(document),
        "metafor.R": script_for(folder, Target.METAFOR),
        "versions.txt": "".join(f"{name}=={version}\n" for name, version in document["provenance"]["versions"].items()),
        "README.txt": _readme(document, kept, not_drawn, posterior=posterior),
    }
    # A report for Word would be in it on some machines only, as it needs an extra.
    return files | figures | {"tables.xlsx": xlsx_of(report)} | {name: text.encode() for name, text in texts.items()}


def _figures(tables: RunTables) -> tuple[dict[str, bytes], list[str]]:
    """Return each figure of a run as PDF and PNG files, and the kinds that this run has nothing to draw for."""
    not_drawn = []
    with TemporaryDirectory(prefix="alkbayes-") as temporary:
        place = Path(temporary)
        for name, kind in KINDS.items():
            try:
                pages = kind.draw(tables)
            except AlkbayesError:
                not_drawn.append(name)
                continue
            for ending in ("pdf", "png"):
                save_figures(pages, place / f"{name}.{ending}")
        return {f"figures/{file.name}": file.read_bytes() for file in place.iterdir()}, not_drawn


ABOUT: Mapping[str, str] = {
    "report.html": "the report, for any browser",
    "tables.xlsx": "the report's tables, a sheet each",
    "figures/": "figures, as PDF for print and as PNG",
    "pooled.csv": "pooled rates, as proportions",
    "contrasts.csv": "odds ratios and differences between levels",
    "cohorts.csv": "every cohort: counts, and its rate given all cohorts",
    "heterogeneity.csv": "standard deviations between cohorts, on the scale of the link",
    "classical.csv": "classical pooling of the same counts",
    "model.toml": "the model, and the reason for each prior",
    RUN_FILE: "all of these numbers with their notes, diagnostics, settings and hashes",
    "versions.txt": "versions of the software",
    "metafor.R": "repeats the classical pooling in R, with metafor: Rscript metafor.R",
    SCRIPT: "repeats the fit and compares its pooled rates: sh reproduce.sh",
}


def _readme(document: "RunDocument", kept: list[str], not_drawn: list[str], *, posterior: bool) -> str:
    """Return what each file of an archive is."""
    evidence = document["evidence"]
    about = {**ABOUT, evidence["file"]: f"the table: {evidence['cohorts']} cohorts"}
    about |= dict.fromkeys(kept, "a further analysis of this run, in JSON")
    if posterior:
        about[POSTERIOR_FILE] = "posterior draws, for ArviZ; with them this folder is a run that alkbayes opens"
    found = [warning(document)] if warning(document) else verdict(document)
    lines = [document["question"], "", *found, ""]
    width = max(map(len, about))
    lines += [f"{name:{width}}  {what}" for name, what in about.items()]
    lines += ["", f"Written by: {document['command']}", f"on {document['written']}"]
    if not_drawn:
        lines += ["", f"Figures not drawn, since this run has not what they show: {', '.join(not_drawn)}"]
    if not posterior:
        lines += ["", f"The posterior draws are not included; {SCRIPT} makes them again."]
    return "\n".join(lines) + "\n"
