"""`alkbayes pool`: classical pooling without sampling."""

from collections.abc import Collection
from typing import Annotated

import typer

from alkbayes.cli.shared import completion as completing
from alkbayes.cli.shared.common import evidence_counted, method_named
from alkbayes.cli.shared.options import Csv, Json, Latex, Level, Markdown, OutcomeOf, interval_prob, reads_table
from alkbayes.cli.shared.output import check_format, print_csv, print_json, records
from alkbayes.cli.shared.progress import working
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource

By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="Also pool by the levels of this column; repeatable. Two columns joined by a colon are combined. "
        "Default: line and regimen_class.",
        show_default=False,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME",
        autocompletion=completing.methods,
        help="Pooling method; repeatable. Default: crude-wald, crude-wilson, crude-clopper-pearson, common-logit, "
        "dl-logit, dl-logit-hk-adhoc, reml-logit, reml-logit-hk-adhoc, glmm-ml. Others: crude-wilson-cc, "
        "crude-agresti-coull, crude-jeffreys, crude-mid-p, common-logit-cr2, common-raw, common-arcsine, "
        "common-freeman-tukey, dl-logit-hk, pm-logit, ml-logit, he-logit, hs-logit, sj-logit, reml-logit-hts, "
        "reml-logit-t, reml-logit-hk, reml-logit-cr2, multilevel-logit, reml-raw, reml-arcsine, reml-log, "
        "reml-freeman-tukey, glmm-ml-trials, beta-binomial-ml.",
        show_default=False,
    ),
]

Every = Annotated[bool, typer.Option("--all", help="Use every method, and explain where methods disagree.")]


@reads_table
def command(
    data: TableSource | None = None,
    by: By = None,
    method: Methods = None,
    every: Every = False,
    outcome: OutcomeOf = None,
    level: Level = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
) -> None:
    """Pooled rates by classical methods, overall and by group.

    Example: alkbayes pool --by line --by line:regimen_class --method reml-logit-hk-adhoc --method glmm-ml --json
    """
    check_format(json_=json_, csv=csv, latex=latex, markdown=markdown)
    if every and method:
        raise UsageError("--all and --method exclude each other. Give --all for every method, or name those you want.")
    prob = interval_prob(level)
    with working("pooling"):
        from alkbayes.classical.moderators.clustering import methods_note
        from alkbayes.classical.pooling.disagreements import disagreements
        from alkbayes.classical.pooling.methods import ALL_METHODS, DEFAULT_METHODS
        from alkbayes.classical.pooling.tables import frame_of, pool_groups
        from alkbayes.evidence.table import trial_labels

        methods = ALL_METHODS if every else [method_named(name) for name in method] if method else DEFAULT_METHODS
        evidence = evidence_counted(data, outcome)
        columns = evidence.frame.columns.tolist()
        groups = [_columns(item, columns) for item in by] if by else None
        found = pool_groups(evidence, by=groups, methods=methods, prob=prob)
        pooled = frame_of(found)
        apart = records(disagreements(pooled)) if every else None
        note = methods_note(methods, trial_labels(evidence.frame))
    if json_:
        document = {"interval_prob": prob, "pooled": records(pooled)} | (
            {} if apart is None else {"disagreements": apart}
        )
        print_json(document | {"note": note})
    elif csv:
        print_csv(pooled)
    else:
        from alkbayes.cli.classical.pool_sheet import Sheet, print_sheet, print_sheet_as_markdown

        sheet = Sheet(found, records(pooled), apart, evidence=evidence, note=note, prob=prob)
        (print_sheet_as_markdown if markdown else print_sheet)(sheet)


def _columns(item: str, table: Collection[str]) -> str | tuple[str, str]:
    """Return the column or pair of columns of one --by; a column's name may contain a colon."""
    first, *others = item.split(":")
    if item in table or not others:
        return item
    pairs = [(":".join((first, *others[:place])), ":".join(others[place:])) for place in range(len(others))]
    return next((pair for pair in pairs if set(pair) <= set(table)), pairs[0])
