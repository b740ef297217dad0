"""Figures, reports, archives and scripts of a fit, from Python."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from alkbayes.errors import UsageError
from alkbayes.library.arguments import several
from alkbayes.library.bayesian import Fit, checked_fit, save_run
from alkbayes.plots.files import Page, figure_format, save_figures
from alkbayes.plots.kinds import KINDS, checked_view
from alkbayes.plots.source import RunTables, warning
from alkbayes.plots.view import View
from alkbayes.reporting.archive import check_archive_name, write_archive
from alkbayes.reporting.document import report_of
from alkbayes.reporting.files import places, report_format, write_report
from alkbayes.reporting.pictures import picture
from alkbayes.reporting.renderers.html import fragment_of
from alkbayes.reporting.scripts.script import script_for
from alkbayes.reporting.scripts.targets import target_named
from alkbayes.runs.places import check_free
from alkbayes.runs.run import read_run
from alkbayes.text.wording import counted


@dataclass(frozen=True, repr=False, eq=False)
class Figure:
    """A figure of one or more pages.

    Attributes
    ----------
    kind
        Kind of figure, as of `alkbayes plot`.
    pages
        The pages, as Matplotlib has them.
    warning
        Why its numbers must not be used, or empty.
    """

    kind: str
    pages: tuple[Page, ...]
    warning: str

    def save(self, path: str | PathLike[str]) -> list[Path]:
        """Write a PNG, SVG or PDF, by the extension of `path`; return the files, which did not exist before."""
        place = Path(path)
        figure_format(place, None)
        check_free([place], "path")
        return save_figures(self.pages, place)

    def __repr__(self) -> str:
        return f"Figure {self.kind}, {counted(len(self.pages), 'page')}{f': {self.warning}' if self.warning else ''}"

    def _repr_html_(self) -> str:
        drawn = picture(self.kind, self.kind, self.warning, self.pages)
        return fragment_of(f"Figure: {self.kind}", self.warning, [drawn], failed=bool(self.warning))


def plot(
    fit: Fit,
    kind: str = "forest",
    *,
    title: str = "",
    xlim: tuple[float, float] | None = None,
    reference: float | None = None,
    sort: str | None = None,
    columns: str | Sequence[str] = (),
    by: str | None = None,
    by_trial: bool = False,
    method: str = "",
    moderator: str | None = None,
    risk_of_bias: bool = False,
) -> Figure:
    """Draw a figure of a fit, one (85 mm) or two (180 mm) journal columns wide.

    Parameters
    ----------
    fit
        The fit. Figures of kept analyses, such as of the sensitivity analysis, need its run's folder.
    kind
        As of `alkbayes plot`.
    title
        Title of a forest. Default: the figure's own.
    xlim, reference
        Limits of the axis of a forest, and a rate at which to draw a line, in percent. Default: the axis of the data,
        and no line.
    sort
        Column of the table to sort the cohorts of `forest` and `classical` by, or the rows of `leave-one-out`. Default:
        the highest observed rate first, or the largest change.
    columns
        One or two further columns of the table in a forest.
    by
        Column of the subgroups (`classical`), or of the order in which cohorts are added (`cumulative`).
    by_trial
        Leave out whole trials (`leave-one-out`).
    method
        Method of classical pooling, as of :func:`pool`. `leave-one-out` without it is by the model.
    moderator
        Moderator of `bubble`. Default: each numeric one.
    risk_of_bias
        Show the judgements of the risk of bias beside the cohorts of `forest`.

    Raises
    ------
    UsageError
        If there is no such figure, or it does not have one of these choices.
    FigureError
        If the fit has nothing to draw in it.
    EvidenceError
        If the table has no such column.

    Examples
    --------
    >>> import alkbayes as ab
    >>> fit = ab.fit(None, "overall", engine="quadrature")
    >>> ab.plot(fit, "heterogeneity")
    Figure heterogeneity, 1 page
    >>> ab.plot(fit, "leave-one-out", method="glmm-ml", sort="cutoff", xlim=(50, 70), reference=60)
    Figure leave-one-out, 1 page
    """
    if kind not in KINDS:
        raise UsageError(f"there is no figure {kind!r}; allowed: {', '.join(KINDS)}.", parameter="kind")
    chosen = View(title, xlim, reference, sort, several(columns), by, by_trial, method, moderator, risk_of_bias)
    view = checked_view(kind, chosen)
    with _folder_of(fit) as folder:
        tables = RunTables(folder, read_run(folder))
        return Figure(kind, tuple(KINDS[kind].draw(tables, view)), warning(tables.document))


def report(fit: Fit, path: str | PathLike[str]) -> list[Path]:
    """Write a report of a fit: a self-contained HTML file, Markdown with its figures, or a document for Word.

    Parameters
    ----------
    fit
        The fit. Analyses kept in its run's folder are parts of the report.
    path
        File to be written, whose extension says the format: .html, .md, .docx (with the extra `office`), or .xlsx, a
        workbook of the report's tables.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    TakenError
        If a file exists.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.report(ab.open_run("runs/line-generation"), "report.html")  # doctest: +SKIP
    [PosixPath('report.html')]
    """
    place = Path(path)
    kind = report_format(place, None)
    check_free(places(place, kind), "path")
    with _folder_of(fit) as folder:
        return write_report(report_of(folder), place, kind)


def export(fit: Fit, path: str | PathLike[str], *, posterior: bool = False) -> Path:
    """Write a fit as one archive: tables, figures, report, model, data, versions, and a script that repeats it.

    Parameters
    ----------
    fit
        The fit. Analyses kept in its run's folder are parts of the archive.
    path
        File to be written, .zip.
    posterior
        Include the posterior draws, with which the unpacked folder is a run.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the file exists, or its name does not end in .zip.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.export(ab.open_run("runs/line-generation"), "supplement.zip")  # doctest: +SKIP
    PosixPath('supplement.zip')
    """
    place = Path(path)
    check_archive_name(place)
    check_free([place], "path")
    with _folder_of(fit) as folder:
        write_archive(folder, place, posterior=posterior)
    return place


def script(fit: Fit, software: str) -> str:
    """Return a script, with the data in it, that repeats a fit's results in other software and compares.

    Parameters
    ----------
    fit
        The fit.
    software
        metafor or meta (R) for its classical results; brms or rbest (R), pymc or bambi (Python) for its posterior.

    Returns
    -------
    str
        A script of R or Python.

    Raises
    ------
    UsageError
        If the software is none of these, or cannot express the model.

    Examples
    --------
    >>> import alkbayes as ab
    >>> print(ab.script(ab.open_run("runs/line-generation"), "metafor"))  # doctest: +SKIP
    """
    target = target_named(software, parameter="software")
    with _folder_of(fit) as folder:
        return script_for(folder, target)


@contextmanager
def _folder_of(fit: Fit) -> Iterator[Path]:
    """Yield the run's folder of a fit; of one that has none, a temporary one."""
    if (kept := checked_fit(fit).folder) is not None:
        yield kept
        return
    with TemporaryDirectory(prefix="alkbayes-") as temporary:
        folder = Path(temporary) / fit.spec.name
        save_run(fit, folder)
        yield folder
