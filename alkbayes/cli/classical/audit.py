"""`alkbayes audit`: origin of a published headline rate."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.options import Csv, Json, Latex
from alkbayes.cli.shared.output import check_format, print_csv, print_json, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts

if TYPE_CHECKING:
    from alkbayes.classical.published.audit import Audit

Estimate = Annotated[str, typer.Option("--estimate", metavar="PERCENT", help="Pooled rate, exactly as printed.")]
Low = Annotated[str, typer.Option("--low", metavar="PERCENT", help="Lower confidence limit, exactly as printed.")]
High = Annotated[str, typer.Option("--high", metavar="PERCENT", help="Upper confidence limit, exactly as printed.")]
Patients = Annotated[int, typer.Option("--n", metavar="N", help="Patients, or whatever else is counted.")]
Level = Annotated[str, typer.Option("--level", metavar="PERCENT", help="Confidence level of the interval.")]
Cohorts = Annotated[
    int | None,
    typer.Option(
        "--cohorts",
        metavar="NUMBER",
        help="Number of cohorts: shows how much heterogeneity an interval of this width allows for.",
        show_default=False,
    ),
]
SplitRates = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        metavar="PERCENT",
        help="Printed rate of one of two parts; give it twice. Shows which share of N the first must have.",
        show_default=False,
    ),
]


def command(
    estimate: Estimate,
    low: Low,
    high: High,
    n: Patients,
    level: Level = "95",
    cohorts: Cohorts = None,
    split: SplitRates = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Audit of a published pooled rate: which method, on which counts, gives its printed interval.

    Example: alkbayes audit --estimate 58.5 --low 57.3 --high 59.7 --n 6382
    """
    check_format(json_=json_, csv=csv, latex=latex)
    from alkbayes.classical.published.audit import audit_headline

    audit = audit_headline(estimate, low, high, n=n, level=level, cohorts=cohorts, split=split or ())
    if json_:
        print_json({"audit": audit.to_dict(_comparison(audit))})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(audit.method_rows).astype({"first": "Int64", "last": "Int64"}))
    else:
        from alkbayes.presentation.audit import audit_parts

        print_parts(reader_console(), audit_parts(audit, _comparison(audit)))


def _comparison(audit: "Audit") -> dict[str, Any] | None:
    """Return the interval for cohorts as heterogeneous as the bundled ones; None without their number."""
    if audit.cohorts is None or audit.width is None or audit.headline.beyond:
        return None
    with working("comparing with the bundled evidence"):
        from alkbayes.classical.maximum_likelihood.glmm import fit_glmm
        from alkbayes.classical.published.audit import random_effects_interval
        from alkbayes.evidence.table import read_evidence

        evidence = read_evidence()
        tau = fit_glmm(evidence.frame["responders"], evidence.frame["n"]).tau
    if tau is None:
        return None
    low, high = random_effects_interval(audit.headline, cohorts=audit.cohorts, tau=tau)
    return {"evidence": evidence.source, "evidence_cohorts": evidence.cohorts, "tau": tau, "low": low, "high": high}
