"""`alkbayes diagnose`: reliability of a run's numbers."""

from typing import TYPE_CHECKING

from alkbayes.cli.shared.options import Json, Plots, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import print_json, reader_console, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts, print_table
from alkbayes.errors import ConvergenceError

if TYPE_CHECKING:
    from alkbayes.criticism.diagnosis import Diagnosis

FEWEST = 5
"""Parameters shown in a terminal: those with the fewest effective draws."""


def command(run: Run, level: RunLevel = None, json_: Json = False, plots: Plots = None) -> None:
    """Convergence diagnostics and Monte Carlo errors of every parameter and reported number, with advice.

    Exit code 6 if the run must not be used.

    Example: alkbayes diagnose runs/line-generation-20261122-101500 --plots plots
    """
    prob = run_prob(level)
    from alkbayes.plots.folder import write_plots
    from alkbayes.runs.places import check_plots_place
    from alkbayes.runs.run import read_fit

    if plots is not None:
        check_plots_place(plots)
    with working("judging the draws"):
        fit = read_fit(run, prob=prob)
        from alkbayes.criticism.diagnosis import diagnosis_of
        from alkbayes.plots.figures.draws import diagnosis_figures

        found = diagnosis_of(fit)
        files = [] if plots is None else write_plots(plots, diagnosis_figures(fit))
    if json_:
        subject = {"run": str(run), "model": fit.spec.name}
        print_json(subject | found.as_record() | {"plots": [str(each) for each in files]})
    else:
        settings = fit.provenance.settings
        _show(found, f"Run: {run}, model {fit.spec.name}, {found.engine}, {settings.chains} × {settings.draws:,} draws")
        if files:
            reader_console().print(f"Plots: {', '.join(str(each) for each in files)}", soft_wrap=True)
    if found.failures:
        names = ", ".join(each.name for each in found.findings if each.verdict == "failed")
        raise ConvergenceError(f"{run} must not be used. What failed: {names}.")


def _show(found: "Diagnosis", subject: str) -> None:
    from alkbayes.presentation.diagnosis import divergence_sentences, fewest_rows, finding_rows, headline_rows

    console = reader_console()
    say(console, subject)
    say(console, f"Verdict: {found.conclusion}")
    print_table(console, finding_rows(found), space=True)
    print_parts(console, divergence_sentences(found))
    print_table(console, headline_rows(found), space=True)
    print_table(console, fewest_rows(found, FEWEST), space=True)
    say(console, "--json has every number and parameter.")
