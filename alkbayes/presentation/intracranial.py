"""Systemic and intracranial response side by side, for readers, in percent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, Title, columns_in, not_converged, rows_by
from alkbayes.text.digits import supported_decimals
from alkbayes.text.names import level_name, shown
from alkbayes.text.wording import difference, level_text, rate_text

if TYPE_CHECKING:
    from alkbayes.analyses.intracranial_record import IntracranialRecord

PROBABILITY_DECIMALS = 3
"""Maximum number of decimals: a direction is settled above 0.975."""


def counted_parts(record: "IntracranialRecord") -> tuple[Part, ...]:
    """Return the outcome counted and the cohorts without it, if not already stated."""
    return tuple(map(Sentence, record["notes"]))


def intracranial_parts(record: "IntracranialRecord") -> tuple[Part, ...]:
    """Return the rates side by side, generations compared under each prior, and conclusions."""
    joint = record["joint"]
    together: tuple[Part, ...] = ()
    if joint is not None:
        failures = joint["diagnostics"]["failures"]
        together = (
            Title("Both responses in one model"),
            *not_converged(failures),
            *map(Sentence, joint["conclusions"]),
        )
    return (
        *not_converged(record["failures"]),
        _rates(record),
        *_contrasts(record),
        *map(Sentence, record["conclusions"]),
        *together,
        Sentence(record["caveat"], strong=True),
    )


def _rates(record: "IntracranialRecord") -> ReaderTable:
    """Return counts, typical and mean of each group on each side, for groups with intracranial counts."""
    groups = rows_by(record["rates"], "group", "level", "side", "estimand")
    sides = list(dict.fromkeys(row["side"] for row in record["rates"]))
    rows: list[tuple[str, ...]] = []
    for group, level in dict.fromkeys((group, level) for group, level, _ in groups):
        # Only levels with intracranial counts are of interest.
        if (group, level, sides[-1]) not in groups:
            continue
        found = [groups.get((group, level, side)) for side in sides]
        rows.append(
            (
                level_name(groups[group, level, sides[-1]]["mean"]),
                *("–" if each is None else _counts(each["mean"]) for each in found),
            )
        )
        for estimand in ("typical", "mean"):
            rates = ("–" if each is None else rate_text(each[estimand]) for each in found)
            rows.append((f"  {estimand}", *rates))
    return ReaderTable(
        "Pooled rates, %",
        ("", *sides),
        tuple(rows),
        notes=(
            f"k: cohorts, then responders/patients. {_brackets(record)}",
            "systemic: all patients of a cohort; intracranial: those with measurable brain lesions.",
            "typical: a cohort in the middle; mean: the average over cohorts.",
        ),
        units=columns_in("%", *range(1, 1 + len(sides))),
    )


def _brackets(record: "IntracranialRecord") -> str:
    """Return what the intervals in brackets are."""
    return f"In brackets: {level_text(record['interval_prob'])} credible intervals."


def _counts(row: Row) -> str:
    return f"k {row['k']}, {row['responders']:,}/{row['patients']:,}"


def _contrasts(record: "IntracranialRecord") -> Iterator[ReaderTable]:
    """Yield contrasts between generations under each alternative, if there are several generations."""
    rows = [row for row in record["contrasts"] if row["scale"] == "risk_difference"]
    if not rows:
        return
    names = list(dict.fromkeys(row["contrast"] for row in rows))
    yield ReaderTable(
        "Intracranial contrasts of generations by prior: difference of means in points",
        ("", *map(shown, names)),
        tuple(
            (alternative, *(_difference(found[name]) if name in found else "–" for name in names))
            for (alternative,), found in rows_by(rows, "alternative", "contrast").items()
        ),
        notes=(f"{_brackets(record)} P: probability that the first does better.",),
    )


def _difference(row: Row) -> str:
    middle, interval = difference(row)
    return f"{middle} ({interval})\nP {_probability(row)}"


def _probability(row: Row) -> str:
    """Return a probability to the precision of its draws, which cannot distinguish 0 and 1 from nearby values."""
    value = row["prob_better"]
    digits = max(1, supported_decimals((row["mcse_prob"],), most=PROBABILITY_DECIMALS))
    least = 10.0**-digits
    if value < least:
        return f"< {least:.{digits}f}"
    return f"> {1 - least:.{digits}f}" if value > 1 - least else f"{value:.{digits}f}"
