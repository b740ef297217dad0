"""`alkbayes certainty`: what GRADE asks for, gathered from a run."""

from alkbayes.cli.shared.common import console_for
from alkbayes.cli.shared.options import Csv, Json, Latex, Run, RunLevel, run_prob
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.cli.shared.progress import working
from alkbayes.errors import ConvergenceError


def command(run: Run, level: RunLevel = None, json_: Json = False, csv: Csv = False, latex: Latex = False) -> None:
    """Certainty of the evidence: what GRADE asks for in one table, with the judgements left to people.

    Example: alkbayes certainty runs/line-generation-20261122-101500 --csv
    """
    check_format(json_=json_, csv=csv, latex=latex)
    prob = run_prob(level)
    with working("gathering"):
        from alkbayes.plots.source import RunTables, warning
        from alkbayes.runs.run import read_run_at

        tables = RunTables(run, *read_run_at(run, prob))
        sheet = tables.certainty
    if json_:
        print_json({"certainty": {"run": str(run), "model": tables.document["model"], **sheet.to_dict()}})
    elif csv:
        print_csv(sheet.table())
    else:
        from alkbayes.cli.shared.reader import print_parts
        from alkbayes.presentation.certainty import certainty_parts
        from alkbayes.presentation.tables import not_converged

        failed = not_converged(tables.document["diagnostics"]["failures"])
        print_parts(console_for(tables.fit.evidence), (*failed, *certainty_parts(sheet)))
    if fault := warning(tables.document):
        raise ConvergenceError(f"the sheet has numbers of a run that is marked as {fault}.")
