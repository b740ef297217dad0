"""Audit of a published headline, formatted for readers."""

from collections.abc import Iterator, Mapping
from typing import Any

from alkbayes.classical.published.audit import LEAVES_OUT, Audit, Range
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.wording import percent, percent_interval

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


def audit_parts(audit: Audit, comparison: Mapping[str, Any] | None) -> Iterator[Part]:
    """Yield an audit, verdict first.

    `comparison` (low, high and tau) is the interval expected for cohorts as heterogeneous as the bundled ones, or None.
    """
    headline = audit.headline
    cohorts = "" if audit.cohorts is None else f", {audit.cohorts:,} cohorts"
    yield Sentence(
        f"Printed: {headline.estimate.text} % ({headline.low.text}–{headline.high.text}), {100 * headline.prob:g} % "
        f"interval, {headline.n:,} patients{cohorts}"
    )
    yield Sentence(f"Verdict: {_verdict(audit)}", strong=True)
    if audit.counts:
        yield method_rows(audit)
    for label, text in {
        "Width": _width(audit),
        "Heterogeneity": _heterogeneity(audit),
        "Left out": LEAVES_OUT if audit.reproduced_by else "",
        "Origin": "" if audit.reproduced_by else _origin(audit),
        "Comparison": "" if comparison is None else _compared(comparison),
        "Split": _shares(audit),
    }.items():
        if text:
            yield Sentence(f"{label}: {text}")


def method_rows(audit: Audit) -> ReaderTable:
    """Return each binomial interval for the counts that round to the printed rate."""
    decimals = max(len(text.partition(".")[2]) for text in (audit.headline.low.text, audit.headline.high.text))
    return ReaderTable(
        title=(
            f"{_span(audit.counts[0], audit.counts[-1])} responders of {audit.headline.n:,} round to "
            f"{audit.headline.estimate.text} %. Of these give all three numbers:"
        ),
        headings=("method", "responders", "counts", f"limits at {audit.nearest:,}, %"),
        rows=tuple(
            (
                method.method,
                "none" if method.first is None or method.last is None else _span(method.first, method.last),
                f"{method.counts:,}",
                percent_interval(method.low, method.high, decimals + 2),
            )
            for method in audit.methods
        ),
    )


def _compared(comparison: Mapping[str, Any]) -> str:
    """Return a sentence on cohorts as heterogeneous as the bundled ones."""
    interval = percent_interval(comparison["low"], comparison["high"])
    return f"{interval} % if these cohorts differed as those of the bundled evidence do (tau {comparison['tau']:.2f})."


def _verdict(audit: Audit) -> str:
    """Return the verdict in one sentence."""
    patients = f"{audit.headline.n:,} patients"
    if audit.reproduced_by:
        return (
            "reproduced by a plain binomial interval of the summed counts "
            f"({len(audit.reproduced_by)} of {len(audit.methods)} methods). It shows no differences between cohorts."
        )
    if not audit.counts:
        return f"not reproduced. No number of responders among {patients} is {audit.headline.estimate.text} %."
    return f"not reproduced. No binomial interval on any number of responders among {patients} gives all three."


def _span(first: int, last: int) -> str:
    """Return a range of integers as text."""
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def _width(audit: Audit) -> str:
    """Return a sentence on the interval's width compared with a binomial one."""
    if audit.width is None:
        return "A rate or a limit of 0 or 100 % says nothing of a standard error."
    ratio, patients = audit.width.se_ratio, audit.width.effective_patients
    precise = f", as of one sample of {patients.value:,.0f} patients" if ratio.value else ""
    return f"{_rounded(ratio)} times the binomial standard error{precise}."


def _heterogeneity(audit: Audit) -> str:
    """Return a sentence on the heterogeneity that the interval allows for."""
    if audit.width is None:
        return ""
    tau = audit.width.tau
    if audit.headline.beyond:
        return "" if audit.cohorts is None else "None can be read: a limit beyond 0 or 100 % has no logit."
    excess, none = (audit.width.se_ratio, 1) if tau is None else (tau, 0)
    if audit.reproduced_by:
        amount = "None needed."
    elif excess.least > none:
        amount = "Some; the number of cohorts would say how much." if tau is None else "Some."
    else:
        amount = "None." if excess.value <= none else "None that rounding would not explain."
    if tau is None:
        return amount
    return (
        f"{amount} Read as a random-effects interval over {audit.cohorts:,} cohorts of equal size: tau "
        f"{_rounded(tau)}, logit scale."
    )


def _origin(audit: Audit) -> str:
    """Return a sentence on possible origins of an interval that was not reproduced."""
    headline = audit.headline
    if headline.beyond and not headline.symmetric:
        return BEYOND_UNEVEN
    if headline.beyond:
        narrower = audit.width is not None and audit.width.se_ratio.most < 1
        return BEYOND + (BEYOND_NARROWER if narrower else BEYOND_POOLED)
    return NARROWER if audit.width is not None and audit.width.se_ratio.most < 1 else WIDER


def _shares(audit: Audit) -> str:
    """Return a sentence on the share of patients in the first part of a split."""
    if audit.split is None:
        return ""
    first, second, share = audit.split.first.text, audit.split.second.text, audit.split.share
    return (
        f"{first} and {second} % make {audit.headline.estimate.text} % if the first are {percent(share.value)} % "
        f"({percent_interval(share.least, share.most)} by rounding) of the patients, about "
        f"{share.value * audit.headline.n:,.0f}."
    )


def _rounded(numbers: Range) -> str:
    """Return a number with its extremes under rounding."""
    return f"{numbers.value:.2f} ({numbers.least:.2f}–{numbers.most:.2f} by rounding)"
