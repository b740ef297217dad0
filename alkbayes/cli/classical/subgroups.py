"""`alkbayes subgroups`: pooled rates by level of a column, with tests for differences."""

import itertools
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.common import (
    DEFAULT_METHOD,
    Method,
    console_for,
    degrees,
    evidence_counted,
    method_named,
)
from alkbayes.cli.shared.options import Csv, Json, Latex, Level, OutcomeOf, interval_prob, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, records, say
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_table
from alkbayes.evidence.sources import TableSource
from alkbayes.text.notes import shared_notes, text_of
from alkbayes.text.wording import figure, p_equals

if TYPE_CHECKING:
    from alkbayes.classical.moderators.subgroup_tables import SubgroupTable
    from alkbayes.evidence.table import Evidence

Column = Annotated[str, typer.Argument(metavar="COLUMN", help="Column that defines the subgroups.")]
MARKS = {"separate": "Each group with its own tau2", "shared": "One tau2 for all groups"}
"""Prefix of a note that applies to one kind of heterogeneity only."""
TESTS = {"Q_between": "Q_between", "Q_M": "Q_M", "F": "F", "LR": "likelihood ratio"}


@reads_table
def command(
    column: Column,
    data: TableSource | None = None,
    method: Method = DEFAULT_METHOD,
    outcome: OutcomeOf = None,
    level: Level = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Subgroup analysis: pooled rates by level of a column, and the test of their difference.

    Example: alkbayes subgroups line --method glmm-ml
    """
    check_format(json_=json_, csv=csv, latex=latex)
    asked, prob = method_named(method), interval_prob(level)
    with working("pooling"):
        from alkbayes.classical.moderators.subgroup_tables import subgroup_table

        evidence = evidence_counted(data, outcome)
        table = subgroup_table(evidence, column, method=asked, prob=prob)
    if json_:
        print_json({"subgroups": table.to_dict()})
    elif csv:
        print_csv(table.levels)
    else:
        _show(table, evidence)


def _show(table: "SubgroupTable", evidence: "Evidence") -> None:
    """Print an analysis: levels, tests between them, and cautions."""
    from alkbayes.presentation.subgroups import HEADINGS, level_rows
    from alkbayes.text.names import shown
    from alkbayes.vocabulary import label_of

    console = console_for(evidence)
    title = evidence.outcome.declared.name(label_of(table.column, evidence.frame.columns))
    say(console, f"Subgroups by {title}, {table.method}")
    levels, tests = records(table.levels), records(table.tests)
    print_table(
        console, level_rows(levels, [test["heterogeneity"] for test in tests], evidence.outcome, prob=table.prob)
    )
    if table.levels["tau2_trial"].notna().any():
        say(console, f"Of tau2, {figure(levels[0]['tau2_trial'], 3)} is between trials.")
    for test in tests:
        say(console, f"Between levels, {HEADINGS[test['heterogeneity']]}: {_tested(test)}")
    told: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    keys = [(row["heterogeneity"], row["level"]) for row in levels]
    for note in shared_notes(zip(keys, table.level_notes, strict=True)):
        kinds = dict.fromkeys(kind for kind, _ in note.results)
        names = tuple(dict.fromkeys(shown(level) for _, level in note.results))
        # What is said of both kinds of heterogeneity needs no mark of either.
        mark = "" if len(kinds) == len(tests) else f"{MARKS[next(iter(kinds))]}: "
        told.setdefault(names, []).append((mark, note.worded(lambda row: shown(row[1]))))
    for names, said in told.items():
        parts = []
        for mark, sentences in itertools.groupby(said, key=itemgetter(0)):
            words = " ".join(words for _, words in sentences)
            parts.append(f"{mark}{words[0].lower()}{words[1:]}" if mark else words)
        say(console, f"{', '.join(names)}: {' '.join(parts)}")
    for notes in dict.fromkeys(table.notes):
        # The notes on one test are not repeated if another test's notes include them.
        if not any(set(notes) < set(others) for others in table.notes):
            say(console, text_of(notes))


def _tested(test: dict[str, Any]) -> str:
    """Return a test as text."""
    if test["statistic"] is None:
        return "no test"
    name, value, first = TESTS[test["test"]], figure(test["statistic"]), f"{test['df1']:.0f}"
    df = f"df {first}" if test["df2"] is None else f"df {first} and {degrees(test['df2'])}"
    return f"{name} = {value}, {df}, {p_equals(test['p'])}"
