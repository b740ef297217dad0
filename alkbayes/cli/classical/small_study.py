"""`alkbayes small-study`: whether small cohorts show other response rates than large ones."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from alkbayes.cli.shared.common import (
    console_for,
    empty_table,
    evidence_counted,
    figure,
)
from alkbayes.cli.shared.options import Csv, Data, Json, OutcomeOf
from alkbayes.cli.shared.output import check_format, print_csv, print_json
from alkbayes.cli.shared.progress import working
from alkbayes.text.wording import counted, p_value

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

MEANINGS = {
    "egger": "on 1/sqrt(n), weights of sampling alone",
    "egger-reml": "on 1/sqrt(n), with a variance between cohorts",
    "peters": "on 1/n",
}


def command(data: Data = None, outcome: OutcomeOf = None, json_: Json = False, csv: Csv = False) -> None:
    """Small-study effects: Egger's test, with and without between-study variance, and Peters' test.

    Example: alkbayes small-study --json
    """
    check_format(json_=json_, csv=csv)
    with working("testing"):
        from alkbayes.classical import small_study_effects

        evidence = evidence_counted(data, outcome)
        rows = [asdict(effect) for effect in small_study_effects(evidence.frame["responders"], evidence.frame["n"])]
    if json_:
        print_json({"small_study": rows})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(rows).astype({"df": "Int64"}))
    else:
        _show(rows, evidence)


def _show(rows: list[dict[str, Any]], evidence: "Evidence") -> None:
    """Print the tests for a reader, and each note once."""
    console = console_for(evidence)
    console.print(
        f"Small-study effects: regression of the logits of {counted(evidence.cohorts, 'cohort')} on their size"
    )
    grid = empty_table(console)
    grid.add_column("test", no_wrap=True)
    grid.add_column("", overflow="fold")
    for heading in ("slope", "SE", "statistic", "p"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        kind = "z" if row["df"] is None else f"t({row['df']})"
        statistic = "–" if row["statistic"] is None else f"{kind} = {figure(row['statistic'])}"
        grid.add_row(
            row["test"], MEANINGS[row["test"]], figure(row["slope"]), figure(row["se"]), statistic, p_value(row["p"])
        )
    console.print(grid)
    if any(row["slope"] is not None for row in rows):
        console.print("A slope above 0: the smaller the cohort, the higher its rate.")
    for note in dict.fromkeys(row["note"] for row in rows):
        console.print(note)
