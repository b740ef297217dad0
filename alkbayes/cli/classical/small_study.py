"""`alkbayes small-study`: tests for small-study effects."""

from dataclasses import asdict

from alkbayes.cli.shared.common import console_for, evidence_counted
from alkbayes.cli.shared.options import Csv, Json, Latex, OutcomeOf, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts
from alkbayes.evidence.sources import TableSource


@reads_table
def command(
    data: TableSource | None = None,
    outcome: OutcomeOf = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Small-study effects: Egger's test, with and without between-study variance, and Peters' test.

    Example: alkbayes small-study --json
    """
    check_format(json_=json_, csv=csv, latex=latex)
    with working("testing"):
        from alkbayes.classical.moderators.small_study import small_study_effects

        evidence = evidence_counted(data, outcome)
        effects = small_study_effects(evidence.frame["responders"], evidence.frame["n"])
        rows = [asdict(effect) for effect in effects]
    if json_:
        print_json({"small_study": rows})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(rows).astype({"df": "Int64"}))
    else:
        from alkbayes.presentation.small_study import small_study_parts

        print_parts(console_for(evidence), small_study_parts(effects))
