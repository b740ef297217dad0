"""`alkbayes audit`: how a published headline was made."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.options import Csv, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts

if TYPE_CHECKING:
    from alkbayes.classical.published.audit import Audit

Estimate = Annotated[str, typer.Option("--estimate", metavar="PERCENT", help="Pooled rate, exactly as printed.")]
Low = Annotated[str, typer.Option("--low", metavar="PERCENT", help="Lower confidence limit, exactly as printed.")]
High = Annotated[str, typer.Option("--high", metavar="PERCENT", help="Upper confidence limit, exactly as printed.")]
Patients = Annotated[int, typer.Option("--n", metavar="PATIENTS", help="Number of patients.")]
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
        help="Printed rate of one of two parts of the patients; give it twice. Shows which share the first must have.",
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
) -> None:
    """Audit of a published pooled rate: which method, on which counts, gives its printed interval.

    Example: alkbayes audit --estimate 58.5 --low 57.3 --high 59.7 --n 6382
    """
    check_format(json_=json_, csv=csv)
    from alkbayes.classical.published.audit import audit_headline

    audit = audit_headline(estimate, low, high, n=n, level=level, cohorts=cohorts, split=split or ())
    if json_:
        print_json({"audit": _document(audit)})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(_methods(audit)).astype({"first": "Int64", "last": "Int64"}))
    else:
        from alkbayes.presentation.audit import audit_parts

        print_parts(reader_console(), audit_parts(audit, _comparison(audit)))


def _methods(audit: "Audit") -> list[dict[str, Any]]:
    """Return what each method gives, as records."""
    return [
        {"method": m.method, "counts": m.counts, "first": m.first, "last": m.last, "low": m.low, "high": m.high}
        for m in audit.methods
    ]


def _document(audit: "Audit") -> dict[str, Any]:
    """Return all of an audit, proportions in [0, 1]."""
    from dataclasses import asdict

    from alkbayes.classical.published.audit import LEAVES_OUT

    headline = audit.headline
    printed = {name: getattr(headline, name) for name in ("estimate", "low", "high")}
    return {
        "verdict": audit.verdict,
        "reproduced_by": list(audit.reproduced_by),
        "printed": {name: number.text for name, number in printed.items()},
        **{name: float(number.value) for name, number in printed.items()},
        "n": headline.n,
        "level": headline.prob,
        "cohorts": audit.cohorts,
        "rounding_to_estimate": {
            "counts": len(audit.counts),
            "first": audit.counts[0] if audit.counts else None,
            "last": audit.counts[-1] if audit.counts else None,
        },
        "nearest": audit.nearest,
        "methods": _methods(audit),
        "width": audit.width and asdict(audit.width),
        "comparison": _comparison(audit),
        "split": audit.split
        and {
            "first": float(audit.split.first.value),
            "second": float(audit.split.second.value),
            "share": asdict(audit.split.share),
        },
        "leaves_out": LEAVES_OUT if audit.reproduced_by else None,
    }


def _comparison(audit: "Audit") -> dict[str, Any] | None:
    """Return the interval that cohorts as different as the bundled ones would give; None without a number of them."""
    if audit.cohorts is None or audit.width is None or audit.headline.beyond:
        return None
    with working("comparing with the bundled evidence"):
        from alkbayes.classical import fit_glmm
        from alkbayes.classical.published.audit import random_effects_interval
        from alkbayes.evidence.table import read_evidence

        evidence = read_evidence()
        tau = fit_glmm(evidence.frame["responders"], evidence.frame["n"]).tau
    if tau is None:
        return None
    low, high = random_effects_interval(audit.headline, cohorts=audit.cohorts, tau=tau)
    return {"evidence": evidence.source, "evidence_cohorts": evidence.cohorts, "tau": tau, "low": low, "high": high}
