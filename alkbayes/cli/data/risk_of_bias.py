"""`alkbayes risk-of-bias`: judgements of the risk of bias in a table."""

from typing import Annotated

import typer

from alkbayes.cli.shared.common import console_for, evidence_for, keep
from alkbayes.cli.shared.options import Csv, ForRun, Json, Latex, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.errors import EvidenceError
from alkbayes.evidence.sources import TableSource

ToolName = Annotated[
    str | None,
    typer.Option(
        "--tool",
        metavar="TOOL",
        help="Tool of the judgements: robins-i, jbi-case-series, jbi-prevalence, minors, or a TOML file. Default: that "
        "kept with the run, else the one with a domain for each column rob_….",
        show_default=False,
    ),
]


@reads_table
def command(
    data: TableSource | None = None,
    tool: ToolName = None,
    for_run: ForRun = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """People's judgements of the risk of bias: columns rob_… of a table, checked, counted and shown.

    With --for, the tool is kept in the run's folder for figures, reports, `sensitivity` and `certainty`.

    Example: alkbayes risk-of-bias --data my-trials.csv --tool robins-i
    """
    check_format(json_=json_, csv=csv, latex=latex)
    from alkbayes.appraisal.judgements import appraise
    from alkbayes.appraisal.tools import read_tool
    from alkbayes.evidence.outcomes import Outcome
    from alkbayes.evidence.table import cohort_labels
    from alkbayes.presentation.appraisal import NOBODY, appraisal_parts, judgement_rows
    from alkbayes.runs.appraisal import NAME, appraisal_of
    from alkbayes.runs.run import read_run

    asked = None if tool is None else read_tool(tool)
    outcome = None if for_run is None else Outcome.of(read_run(for_run)["outcome"])
    evidence = evidence_for(data, for_run, outcome=outcome)
    found = appraisal_of(for_run, evidence) if asked is None else appraise(evidence, asked)
    if found is None:
        raise EvidenceError(f"{NOBODY} Add the columns of a tool, such as rob_confounding of ROBINS-I.")
    document = {"risk_of_bias": found.to_dict()}
    if for_run is not None:
        keep(for_run, NAME, document)
    if json_:
        print_json(document)
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(found.rows()))
    else:
        from alkbayes.cli.shared.reader import print_parts

        parts = (*appraisal_parts(found, evidence.outcome), judgement_rows(found, cohort_labels(evidence.frame)))
        print_parts(console_for(evidence), parts)
