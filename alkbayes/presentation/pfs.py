"""Median progression-free survival for readers, in months."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from alkbayes.alk.review import RECONSTRUCTION
from alkbayes.evidence.declared import Declared
from alkbayes.presentation.fit import SHARES
from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, columns_in, rows_by
from alkbayes.text.names import is_pair, level_name, shown
from alkbayes.text.wording import (
    MONTH_DECIMALS,
    SHARE_DECIMALS,
    decimals_of,
    level_text,
    months,
    percent,
    percent_interval,
    probability,
    ratio,
    size_text,
    unsigned_zero,
)
from alkbayes.vocabulary import ALL

if TYPE_CHECKING:
    from alkbayes.analyses.pfs import PfsRecord

POOLED_NOTES = (
    "mean of medians: weighted by patients, as reviews print it; {level} bootstrap confidence interval over trials.",
    "typical: a cohort in the middle of the distribution, with its {level} credible interval.",
    "mean: the average over trials and cohorts, with its credible interval.",
    "next cohort: prediction interval, where the median of a new cohort of a new trial may lie.",
    "k: cohorts with a median + cohorts whose median was not reached, which enter the model as bounds.",
)
LEFT_OUT_NOTES = (
    "typical: by the model; without: by the model, from reached medians only.",
    "mean of medians: without those not reached; at least: with these at their bounds.",
    "by model: mean of the cohorts' own medians given all (these_cohorts), with its credible interval.",
)
EXPLAINED = (
    "explained: share of the variance between cohorts that the effects explain; i2: share of the observed variance "
    "that is heterogeneity, not the uncertainty of each median."
)
MOST_LEVELS = 4
"""Levels in the table of other assumptions; the record has all."""


def pfs_parts(record: "PfsRecord") -> tuple[Part, ...]:
    """Return the results on median PFS: verdict on the posterior, tables, and cautions.

    The caller states that the bundled table is a reconstruction.
    """
    return (
        Sentence(f"Model: {record['model']} ({record['question']})"),
        *_verdict(record),
        _pooled(record),
        *_left_out(record),
        *_contrasts(record),
        *_heterogeneity(record),
        *_assumptions(record),
        *(Sentence(note) for note in (*record["notes"], *record["cautions"]) if note != RECONSTRUCTION),
    )


def _verdict(record: "PfsRecord") -> Iterator[Sentence]:
    """Yield the computation of the posterior, its usability and any failures."""
    found, settings = record["diagnostics"], record["settings"]
    converged = found["converged"]
    said = "converged" if converged else "NOT CONVERGED: DO NOT USE THESE NUMBERS"
    pareto_k = "–" if found["pareto_k"] is None else unsigned_zero(found["pareto_k"])
    yield Sentence(
        f"Posterior: {said}. {settings['draws']:,} draws by importance sampling, seed {settings['seed']}; "
        f"Pareto k {pareto_k}, ESS {found['importance_ess']:,.0f} of {found['weighted']:,} weighted draws",
        strong=not converged,
    )
    for failure in found["failures"]:
        yield Sentence(f"failed: {failure}", strong=True)


def _pooled(record: "PfsRecord") -> ReaderTable:
    weighted = _weighted(record)
    cells = []
    for (group, level), estimands in rows_by(record["pooled"], "group", "level", "estimand").items():
        typical = estimands["typical"]
        numbers = (
            _cohorts(typical["k"], typical["not_reached"]),
            f"{typical['patients']:,}",
            _mean_of_medians(weighted[group, level]),
            *("\n".join(months(estimands[name])) for name in ("typical", "mean")),
            months(estimands["next_cohort"])[1],
        )
        cells.append((typical, numbers))
    return ReaderTable(
        "Median progression-free survival, months",
        ("", "k", "patients", "mean of medians", "typical", "mean", "next cohort"),
        tuple(_under_titles(cells, _declared(record))),
        notes=tuple(note.format(level=level_text(record["interval_prob"])) for note in POOLED_NOTES),
        units=columns_in("months", 3, 4, 5, 6),
    )


def _left_out(record: "PfsRecord") -> Iterator[ReaderTable]:
    """Yield the effect of leaving out medians not reached, if there are any."""
    if not record["left_out"]:
        return
    weighted = _weighted(record)
    cells = []
    for (group, level), estimands in rows_by(record["left_out"], "group", "level", "estimand").items():
        if is_pair(estimands["typical"]):
            continue
        typical, plain = estimands["typical"], weighted[group, level]
        numbers = (
            _cohorts(typical["k"], plain["not_reached"]),
            "\n".join(months(typical)),
            _without(typical),
            *("–" if plain[name] is None else f"{plain[name]:.{MONTH_DECIMALS}f}" for name in ("estimate", "at_least")),
            "\n".join(months(estimands["these_cohorts"])),
        )
        cells.append((typical, numbers))
    yield ReaderTable(
        "Effect of leaving out medians not reached, months",
        ("", "k", "typical", "typical, without", "mean of medians", "at least", "by model"),
        tuple(_under_titles(cells, _declared(record))),
        notes=LEFT_OUT_NOTES,
        units=columns_in("months", 2, 3, 4, 5, 6),
    )


def _contrasts(record: "PfsRecord") -> Iterator[ReaderTable]:
    """Yield a table of contrasts for each effect."""
    by_column: dict[str, list[tuple[str, ...]]] = {}
    for (column, name), scales in rows_by(record["contrasts"], "column", "contrast", "scale").items():
        apart, of_medians = scales["months"], scales["median_ratio"]
        digits = decimals_of(apart, most=MONTH_DECIMALS)
        middle, low, high = (unsigned_zero(apart[of], digits) for of in ("median", "low", "high"))
        numbers = (ratio(of_medians), f"{middle} ({low} to {high})", probability(of_medians["prob_longer"]))
        by_column.setdefault(column, []).append((shown(name), *numbers))
    headings = ("", "ratio of medians", "difference of means, months", "P(first is longer)")
    declared = _declared(record)
    for column, rows in by_column.items():
        yield ReaderTable(f"Contrasts of {declared.heading(column)}", headings, tuple(rows))


def _heterogeneity(record: "PfsRecord") -> Iterator[ReaderTable]:
    rows = []
    for row in record["heterogeneity"]:
        text = size_text(row)
        if row["parameter"] in SHARES:
            interval = percent_interval(row["low"], row["high"], SHARE_DECIMALS)
            text = f"{percent(row['median'], SHARE_DECIMALS)} % ({interval})"
        rows.append((shown(row["parameter"]), text))
    if rows:
        headings = ("", f"median ({level_text(record['interval_prob'])} credible interval)")
        title = "Heterogeneity, SDs of log months"
        yield ReaderTable(title, headings, tuple(rows), notes=(EXPLAINED,))


def _assumptions(record: "PfsRecord") -> Iterator[ReaderTable]:
    """Yield the typical median under other assumptions about reported medians, if there are any."""
    levels = dict(list({(row["group"], row["level"]): row for row in record["assumptions"]}.items())[:MOST_LEVELS])
    assumptions: dict[str, dict[tuple[str, str], Row]] = {}
    for row in record["assumptions"]:
        assumptions.setdefault(row["assumption"], {})[row["group"], row["level"]] = row
    if len(assumptions) < 2:
        return
    failed = {name: next(iter(of.values()))["failed"] for name, of in assumptions.items()}
    yield ReaderTable(
        "Typical median under other assumptions about printed medians, months",
        ("", *(level_name(row) for row in levels.values())),
        tuple((name, *("\n".join(months(of[at])) for at in levels)) for name, of in assumptions.items()),
        notes=tuple(f"{name}: NOT CONVERGED, do not use: {why}." for name, why in failed.items() if why),
        units=columns_in("months", *range(1, 1 + len(levels))),
    )


def _weighted(record: "PfsRecord") -> dict[tuple[str, str], Row]:
    return {(row["group"], row["level"]): row for row in record["weighted"]}


def _declared(record: "PfsRecord") -> Declared:
    """Return what the model file says of columns; earlier versions' records have nothing."""
    return Declared.of(record.get("declared", {}))


def _under_titles(rows: Iterable[tuple[Row, tuple[str, ...]]], declared: Declared) -> Iterator[tuple[str, ...]]:
    """Yield the row of all cohorts, then those of each group under its title."""
    previous = ALL
    for row, numbers in rows:
        group = row["group"]
        if group != previous:
            yield (declared.heading(group),)
        previous = group
        yield (f"{'' if group == ALL else ' '}{level_name(row)}", *numbers)


def _cohorts(k: int, not_reached: int) -> str:
    return f"{k - not_reached}+{not_reached}" if not_reached else f"{k}"


def _mean_of_medians(row: Row) -> str:
    """Return a mean of medians with its bootstrap interval, which needs no posterior draws."""
    if row["estimate"] is None:
        return "–"
    estimate, low, high = (
        None if row[name] is None else f"{row[name]:.{MONTH_DECIMALS}f}" for name in ("estimate", "low", "high")
    )
    return f"{estimate}" if low is None or high is None else f"{estimate}\n{low}–{high}"


def _without(row: Row) -> str:
    """Return a median without those not reached; none if all were bounds."""
    if row["median_without"] is None:
        return "–"
    ending = "_without"
    return "\n".join(months({name.removesuffix(ending): row[name] for name in row if name.endswith(ending)}))
