"""`alkbayes audit`: how a published headline was made."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alkbayes.cli.shared.options import Csv, Json
from alkbayes.cli.shared.output import check_format, print_csv, print_json, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.text.wording import percent, percent_interval

if TYPE_CHECKING:
    from rich.table import Table

    from alkbayes.classical.published.audit import Audit, Range

Estimate = Annotated[str, typer.Option("--estimate", metavar="PERCENT", help="The rate, with the digits printed.")]
Low = Annotated[str, typer.Option("--low", metavar="PERCENT", help="The lower limit of its interval, likewise.")]
High = Annotated[str, typer.Option("--high", metavar="PERCENT", help="The upper limit, likewise.")]
Patients = Annotated[int, typer.Option("--n", metavar="PATIENTS", help="Number of patients.")]
Level = Annotated[str, typer.Option("--level", metavar="PERCENT", help="Probability of the interval.")]
Cohorts = Annotated[
    int | None,
    typer.Option(
        "--cohorts",
        metavar="NUMBER",
        help="Number of cohorts: says which differences between them the width would hold.",
        show_default=False,
    ),
]
SplitRates = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        metavar="PERCENT",
        help="Twice: the printed rates of two parts of the patients. Says which share the first must have.",
        show_default=False,
    ),
]
WIDER = "May come from a random-effects model, other counts or another level than those stated, or a slip in print."
NARROWER = (
    "Narrower than a binomial interval, so not from a random-effects model: other counts or another level than those "
    "stated, or a slip in print."
)

BEYOND = "A limit beyond 0 or 100 % is possible only on the raw proportion scale: a Wald interval, rate ± z SE, "
BEYOND_POOLED = (
    "but wider than that of the summed counts, so of a pooled estimate: proportions pooled by inverse variance without "
    "a transformation. Logit, arcsine, Wilson and exact intervals stay within 0 and 100 %."
)
BEYOND_NARROWER = "but narrower than that of the summed counts: other counts or another level, or a slip in print."
BEYOND_UNEVEN = (
    "No usual interval has such limits: one beyond 0 or 100 % takes a symmetric interval on the raw proportion scale, "
    "and these are not as far from the rate on both sides. A slip in print, or a rate that was transformed otherwise "
    "than its interval."
)


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
        _show(audit)


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


def _show(audit: "Audit") -> None:
    """Print an audit for a reader: the verdict first."""
    from rich.table import Table
    from rich.text import Text

    from alkbayes.classical.published.audit import LEAVES_OUT

    console = reader_console()
    headline = audit.headline
    cohorts = "" if audit.cohorts is None else f", {audit.cohorts:,} cohorts"
    console.print(
        f"Printed: {headline.estimate.text} % ({headline.low.text}–{headline.high.text}), {100 * headline.prob:g} % "
        f"interval, {headline.n:,} patients{cohorts}"
    )
    console.print(Text(f"Verdict: {_verdict(audit)}", style="bold"))
    if audit.counts:
        console.print(
            f"\n{_span(audit.counts[0], audit.counts[-1])} responders of {headline.n:,} round to "
            f"{headline.estimate.text} %. Of these give all three numbers:"
        )
        console.print(_table(audit))
    findings = Table.grid(padding=(0, 2))
    for label, text in {
        "Width": _width(audit),
        "Heterogeneity": _heterogeneity(audit),
        "Left out": LEAVES_OUT if audit.reproduced_by else "",
        "Origin": "" if audit.reproduced_by else _origin(audit),
        "Comparison": _compared(audit),
        "Split": _shares(audit),
    }.items():
        if text:
            findings.add_row(label, text)
    console.print(findings)


def _verdict(audit: "Audit") -> str:
    """Return the one sentence that matters."""
    patients = f"{audit.headline.n:,} patients"
    if audit.reproduced_by:
        return (
            "reproduced by a plain binomial interval of the summed counts "
            f"({len(audit.reproduced_by)} of {len(audit.methods)} methods). It shows no differences between cohorts."
        )
    if not audit.counts:
        return f"none of these. No number of responders among {patients} is {audit.headline.estimate.text} %."
    return f"none of these. No binomial interval on any number of responders among {patients} gives the three numbers."


def _table(audit: "Audit") -> "Table":
    """Return the table of methods."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    for heading in ("responders", "counts", f"limits at {audit.nearest:,}, %"):
        table.add_column(heading, justify="right")
    decimals = max(len(text.partition(".")[2]) for text in (audit.headline.low.text, audit.headline.high.text))
    for method in audit.methods:
        table.add_row(
            method.method,
            "none" if method.first is None or method.last is None else _span(method.first, method.last),
            f"{method.counts:,}",
            percent_interval(method.low, method.high, decimals + 2),
        )
    return table


def _span(first: int, last: int) -> str:
    """Return whole numbers from the first to the last."""
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def _width(audit: "Audit") -> str:
    """Say how wide the interval is, against a binomial one."""
    if audit.width is None:
        return "A rate or a limit of 0 or 100 % says nothing of a standard error."
    ratio, patients = audit.width.se_ratio, audit.width.effective_patients
    precise = f", as of one sample of {patients.value:,.0f} patients" if ratio.value else ""
    return f"{_rounded(ratio)} times the binomial standard error{precise}."


def _heterogeneity(audit: "Audit") -> str:
    """Say which differences between cohorts the interval holds."""
    if audit.width is None:
        return ""
    tau = audit.width.tau
    if audit.headline.beyond:
        return "" if audit.cohorts is None else "None can be read: a limit beyond 0 or 100 % has no logit."
    excess, none = (audit.width.se_ratio, 1) if tau is None else (tau, 0)
    if audit.reproduced_by:
        amount = "None needed."
    elif excess.least > none:
        amount = "Some; --cohorts says how much." if tau is None else "Some."
    else:
        amount = "None." if excess.value <= none else "None that rounding would not explain."
    if tau is None:
        return amount
    return (
        f"{amount} Read as a random-effects interval over {audit.cohorts:,} cohorts of equal size: tau "
        f"{_rounded(tau)}, logit scale."
    )


def _origin(audit: "Audit") -> str:
    """Say where an interval that was not found may come from."""
    headline = audit.headline
    if headline.beyond and not headline.symmetric:
        return BEYOND_UNEVEN
    if headline.beyond:
        narrower = audit.width is not None and audit.width.se_ratio.most < 1
        return BEYOND + (BEYOND_NARROWER if narrower else BEYOND_POOLED)
    return NARROWER if audit.width is not None and audit.width.se_ratio.most < 1 else WIDER


def _compared(audit: "Audit") -> str:
    """Say what cohorts as different as the bundled ones would give."""
    compared = _comparison(audit)
    if compared is None:
        return ""
    return (
        f"{percent_interval(compared['low'], compared['high'])} % if these cohorts differed as those of the bundled "
        f"evidence do (tau {compared['tau']:.2f})."
    )


def _shares(audit: "Audit") -> str:
    """Say which share of the patients the first part of a split has."""
    if audit.split is None:
        return ""
    first, second, share = audit.split.first.text, audit.split.second.text, audit.split.share
    return (
        f"{first} and {second} % make {audit.headline.estimate.text} % if the first are {percent(share.value)} % "
        f"({percent_interval(share.least, share.most)} by rounding) of the patients, about "
        f"{share.value * audit.headline.n:,.0f}."
    )


def _rounded(numbers: "Range") -> str:
    """Return a number with its extremes by rounding."""
    return f"{numbers.value:.2f} ({numbers.least:.2f}–{numbers.most:.2f} by rounding)"
