"""Quality of each number's draws, for readers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alkbayes.criticism.diagnosis import Diagnosis
from alkbayes.presentation.tables import ReaderTable, Sentence
from alkbayes.text.names import shown
from alkbayes.text.wording import figure, level_text, percent, percent_interval, ratio, unsigned_zero

DIVERGENT = 3
"""Parameters named in a report of divergent transitions."""


INDICATOR = "P: posterior probability that the parameter, which is 1 or 0, is 1, with its Monte Carlo standard error."


def finding_rows(found: Diagnosis) -> ReaderTable:
    """Return each diagnostic with its verdict."""
    return ReaderTable(
        "Diagnostics",
        ("diagnostic", "verdict", "what it says"),
        tuple((each.name, str(each.verdict), each.with_advice) for each in found.findings),
        words=(1, 2),
    )


def divergence_sentences(found: Diagnosis) -> Iterator[Sentence]:
    """Yield the location of divergent draws, if any."""
    if len(found.divergent):
        rows = found.divergent.head(DIVERGENT).to_dict(orient="records")
        named = ", ".join(f"{row['parameter']} {figure(row['difference'], 1)}" for row in rows)
        yield Sentence(f"Divergent draws against the others, in normal scores of the ranks: {named}")


def headline_rows(found: Diagnosis) -> ReaderTable:
    """Return the headline numbers with the quality of their draws."""
    reported = [row for row in found.as_record()["quantities"] if row["kind"] == "reported"]
    headline, level = [row for row in reported if row["headline"]], level_text(found.interval_prob)
    return quantity_rows(
        f"Headline numbers, {len(headline)} of {len(reported)} reported ones; rates and differences in percent",
        headline,
        prob=found.interval_prob,
        notes=(
            f"error: Monte Carlo standard error, of the median and of the worse end of the {level} interval.",
            "Decimals shown are those that the errors support.",
        ),
    )


def parameter_rows(found: Diagnosis) -> ReaderTable:
    """Return every parameter with the quality of its draws."""
    rows = [row for row in found.as_record()["quantities"] if row["kind"] == "parameter"]
    return quantity_rows("Parameters, on the scale of the model", rows, prob=found.interval_prob)


def fewest_rows(found: Diagnosis, most: int) -> ReaderTable:
    """Return the parameters with the fewest effective draws, at most `most`."""
    rows = [row for row in found.as_record()["quantities"] if row["kind"] == "parameter"]
    fewest = sorted(rows, key=_fewest_draws)[:most]
    title = f"Parameters with the fewest effective draws, {len(fewest)} of {len(rows)}, on the scale of the model"
    return quantity_rows(title, fewest, prob=found.interval_prob)


def quantity_rows(
    title: str, rows: Iterable[Mapping[str, Any]], *, prob: float, notes: tuple[str, ...] = ()
) -> ReaderTable:
    """Return numbers with Monte Carlo errors, and R-hat and effective sample sizes of their draws.

    `rows` are `quantities` of :meth:`alkbayes.criticism.diagnosis.Diagnosis.as_record`; without R-hat that column is
    absent. Rates and differences are in percent, with errors of the median and of the worse end of the interval,
    whose probability is `prob`.
    """
    listed = list(rows)
    chains = any(row["rhat"] is not None for row in listed)
    headings = ("", f"median ({level_text(prob)})", "error", *(["R-hat"] if chains else []), "bulk\nESS", "tail\nESS")
    if any(row["indicator"] for row in listed):
        notes = (*notes, INDICATOR)
    return ReaderTable(title, headings, tuple(_cells(row, chains=chains) for row in listed), notes=notes)


def _fewest_draws(row: Mapping[str, Any]) -> float:
    """Return the smaller effective sample size; an indicator has none of its tails."""
    sizes = (row["ess_bulk"],) if row["indicator"] else (row["ess_bulk"], row["ess_tail"])
    return min(size or 0.0 for size in sizes)


def _cells(row: Mapping[str, Any], *, chains: bool) -> tuple[str, ...]:
    agreement = [] if not chains else ["–" if row["rhat"] is None else f"{row['rhat']:.3f}"]
    ess = ["–" if row[name] is None else f"{row[name]:,.0f}" for name in ("ess_bulk", "ess_tail")]
    return (shown(row["name"]), _value(row), _error(row), *agreement, *ess)


def _value(row: Mapping[str, Any]) -> str:
    if row["indicator"]:
        return f"P {row['mean']:.{row['decimals']}f}"
    if row["ratio"]:
        return ratio(row)
    digits = row["decimals"]
    if row["percent"] and row["low"] >= 0:
        return f"{percent(row['median'], digits)} ({percent_interval(row['low'], row['high'], digits)})"
    unit = 100 if row["percent"] else 1
    median, low, high = (unsigned_zero(unit * row[name], digits) for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def _error(row: Mapping[str, Any]) -> str:
    if row["indicator"]:
        return "–" if row["mcse"] is None else f"{row['mcse']:.3f}"
    unit, digits = (100, 2) if row["percent"] else (1, 3)
    ends = [row["mcse_low"], row["mcse_high"]]
    if row["mcse_median"] is None or None in ends:
        return "–"
    return f"{unit * row['mcse_median']:.{digits}f}, {unit * max(ends):.{digits}f}"
