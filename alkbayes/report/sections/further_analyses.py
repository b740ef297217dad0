"""The rest of a review, where it was computed for the run: median PFS, intracranial response, sequences, resistance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.plots.figures.intracranial import intracranial
from alkbayes.plots.figures.pfs import pfs_forest
from alkbayes.plots.figures.resistance import resistance
from alkbayes.plots.figures.sequence import sequence
from alkbayes.plots.page.style import Caption
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Bullets, Heading, Paragraph, Section, Table
from alkbayes.report.pictures import picture
from alkbayes.report.sections.planned_trial import planned_blocks
from alkbayes.report.sections.sensitivity import kept_blocks
from alkbayes.text.names import GROUP_TITLES, is_pair, level_name, shown
from alkbayes.text.wording import (
    MONTH_DECIMALS,
    difference,
    limits,
    months,
    percent,
    percent_interval,
    probability,
    rate,
    ratio,
)
from alkbayes.vocabulary import ALL, NOT_RANDOMISED

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.source import RunTables
    from alkbayes.report.blocks import Block

type Row = Mapping[str, Any]

BAYES = ("typical", "mean")


def beyond_section(fit: "Fit", tables: "RunTables") -> Section:
    """Return what was found beyond the outcome of the run, of the analyses that were kept with it."""
    notes = Caption(tables.caption.notes[1:])
    parts: dict[str, Callable[[Any], Iterator[Block]]] = {
        "pfs": lambda found: _pfs(found, notes),
        "intracranial": lambda found: _intracranial(found, notes),
        "sequence": lambda found: _sequence(found, notes),
        "resistance": lambda found: _resistance(found, notes),
        "predict": lambda found: planned_blocks(fit, found, notes),
    }
    return Section("beyond", "Beyond this outcome", kept_blocks(tables.folder, parts))


def _failed(failures: Sequence[str]) -> "Iterator[Block]":
    if failures:
        yield Paragraph((f"NOT CONVERGED, not to be used: {'; '.join(failures)}.",), strong=True)


def _sentences(lines: Sequence[str]) -> Bullets:
    return Bullets(tuple((line,) for line in lines))


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return records as a table; what is no number was null in JSON."""
    return pd.DataFrame(rows).infer_objects()


def _pfs(found: Row, notes: Caption) -> "Iterator[Block]":
    yield Heading("Median progression-free survival")
    yield from _failed(found["diagnostics"]["failures"])
    yield _sentences(found["notes"])
    headings = ("", "k", "patients", "mean of medians", "typical", "mean", "next cohort")
    meaning = (
        "mean of medians: weighted by patients, as reviews print it, with a bootstrap confidence interval over trials.",
        "typical, mean: by the model, with credible intervals. next cohort: prediction interval.",
        "k: cohorts with a median, and after + those whose median was not reached, which the model has as bounds.",
        *found["cautions"],
    )
    yield Table(ReaderTable("Median progression-free survival, months", headings, tuple(_pfs_rows(found))), meaning)
    if rows := tuple(_left_out_rows(found)):
        yield Table(
            ReaderTable(
                "What leaving out the medians that were not reached does, months",
                ("", "k", "typical, with them", "typical, without them"),
                rows,
            )
        )
    contrasts = _by(found["contrasts"], "contrast", "scale")
    ratios = tuple(
        (shown(name), ratio(scales["median_ratio"]), probability(scales["median_ratio"]["prob_longer"]))
        for name, scales in contrasts.items()
    )
    yield Table(ReaderTable("Contrasts", ("", "ratio of medians", "P(first is longer)"), ratios), (NOT_RANDOMISED,))
    pooled, cohorts, weighted = (_frame(found[name]) for name in ("pooled", "cohorts", "weighted"))
    description = "One row for each cohort: its median with the printed interval, or an arrow where it was not reached."
    yield picture(
        "pfs",
        "Median progression-free survival of every cohort",
        description,
        pfs_forest(pooled, cohorts, weighted, notes),
    )


def _pfs_rows(found: Row) -> Iterator[tuple[str, ...]]:
    weighted = {(row["group"], row["level"]): row for row in found["weighted"]}
    previous = ALL
    for (group, level), estimands in _by_level(found["pooled"]).items():
        if group != previous:
            yield (GROUP_TITLES.get(group, shown(group)),)
        previous, plain, typical = group, weighted[group, level], estimands["typical"]
        mean = "–" if plain["estimate"] is None else _months(plain["estimate"], plain["low"], plain["high"])
        yield (
            _level(typical),
            _with_bounds(typical["k"], typical["not_reached"]),
            f"{typical['patients']:,}",
            mean,
            *("\n".join(months(estimands[name])) for name in BAYES),
            months(estimands["next_cohort"])[1],
        )


def _left_out_rows(found: Row) -> Iterator[tuple[str, ...]]:
    not_reached = {(row["group"], row["level"]): row["not_reached"] for row in found["weighted"]}
    for row in found["left_out"]:
        if row["estimand"] == "typical" and not is_pair(row):
            group, level = row["group"], row["level"]
            without = "–"
            if row["median_without"] is not None:
                without = _months(row["median_without"], row["low_without"], row["high_without"])
            yield (
                _level(row),
                _with_bounds(row["k"], not_reached[group, level]),
                _months(row["median"], row["low"], row["high"]),
                without,
            )


def _with_bounds(k: int, not_reached: int) -> str:
    return f"{k - not_reached}+{not_reached}" if not_reached else f"{k}"


def _months(middle: float, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f"\n{low:.{MONTH_DECIMALS}f}–{high:.{MONTH_DECIMALS}f}"
    return f"{middle:.{MONTH_DECIMALS}f}{interval}"


def _intracranial(found: Row, notes: Caption) -> "Iterator[Block]":
    yield Heading("Intracranial response")
    yield from _failed(found["failures"])
    yield _sentences(found["notes"])
    sides = list(dict.fromkeys(row["side"] for row in found["rates"]))
    cells = _by(found["rates"], "group", "level", "side", "estimand")
    rows = tuple(
        (
            _level(cells[group, level, sides[-1]]["mean"]),
            *(
                "\n".join(rate(cells[group, level, side]["mean"])) if (group, level, side) in cells else "–"
                for side in sides
            ),
            *(_counts(cells.get((group, level, side))) for side in sides),
        )
        for group, level in dict.fromkeys((group, level) for group, level, _ in cells)
        if (group, level, sides[-1]) in cells
    )
    headings = ("", *(f"{side}, %" for side in sides), *(f"responders\n{side}" for side in sides))
    yield Table(
        ReaderTable("Mean response rate, systemic and intracranial, with credible intervals", headings, rows),
        ("Intracranial rates are of patients with measurable brain lesions alone.", NOT_RANDOMISED),
    )
    differences = [row for row in found["contrasts"] if row["scale"] == "risk_difference"]
    names = list(dict.fromkeys(row["contrast"] for row in differences))
    readings = _by(differences, "reading", "contrast")
    by_prior = tuple(
        (reading, *(_difference(found_.get(name)) for name in names)) for reading, found_ in readings.items()
    )
    if names:
        yield Table(
            ReaderTable("Generations in the brain, under each prior and reading", ("", *map(shown, names)), by_prior),
            ("Difference of mean rates in points, credible interval, and the probability that the first is higher.",),
        )
    yield _sentences(found["conclusions"])
    if found["joint"] is not None:
        yield Heading("Both responses in one model")
        yield _sentences(found["joint"]["conclusions"])
    description = "Systemic rates of all cohorts, of those with intracranial counts, and intracranial rates."
    yield picture(
        "intracranial", "Systemic and intracranial response", description, intracranial(_frame(found["rates"]), notes)
    )


def _counts(estimands: Mapping[str, Row] | None) -> str:
    row = None if estimands is None else estimands["mean"]
    return "–" if row is None else f"{row['responders']:,}/{row['patients']:,}\nk {row['k']}"


def _difference(row: Row | None) -> str:
    if row is None:
        return "–"
    middle, interval = difference(row)
    return f"{middle} ({interval})\nP {probability(row['prob_better'])}"


def _sequence(found: Row, notes: Caption) -> "Iterator[Block]":
    yield Heading("Sequences of ALK inhibitors")
    yield from _failed(found["diagnostics"]["failures"])
    yield _sentences(found["cautions"])
    rows: list[tuple[str, ...]] = []
    ranked = {(row["earlier"], row["generation"]): row for row in found["options"]}
    previous = ""
    for (earlier, generation), estimands in _by(found["matrix"], "earlier", "generation", "estimand").items():
        if earlier != previous:
            rows.append((f"earlier ALK inhibitor: {shown(earlier)}",))
        previous, typical, option = earlier, estimands["typical"], ranked[earlier, generation]
        best = option["prob_best"]
        rows.append(
            (
                f" {shown(generation)}{'' if typical['observed'] else ' *'}",
                f"{typical['k']}",
                f"{typical['responders']:,}/{typical['patients']:,}",
                *("\n".join(rate(estimands[name])) for name in BAYES),
                limits(estimands["next_cohort"]),
                "–" if best is None else probability(best),
            )
        )
    headings = ("", "k", "responders", "typical", "mean", "next cohort", "P(best)")
    yield Table(
        ReaderTable("Response rate by earlier ALK inhibitor and TKI generation, %", headings, tuple(rows)),
        (
            "A row is a cell: one generation after one earlier ALK inhibitor, with its k cohorts and their responders.",
            "*: no cohort has had this after that; a prediction of the model.",
            "typical, mean: with credible intervals. next cohort: prediction interval.",
            "P(best): among the options with cohorts, over the same patients.",
        ),
    )
    yield _sentences(found["findings"])
    description = "One cell for each earlier ALK inhibitor and generation; cells without cohorts are hatched."
    title = "Response rate by earlier ALK inhibitor and generation"
    yield picture("sequence-matrix", title, description, sequence(_frame(found["matrix"]), notes))


def _resistance(found: Row, notes: Caption) -> "Iterator[Block]":
    yield Heading("Resistance mutations")
    yield from _failed(found["failures"])
    yield Paragraph((found["few"][0],), strong=True)
    yield _sentences((*found["few"][1:], *found["gaps"]))
    rows = tuple(
        (
            row["mutation_set"],
            row["after_agent"],
            row["assay"],
            f"{row['n_with']:,}/{row['n_biopsies']:,}",
            f"{percent(row['observed'])}\n{percent_interval(row['exact_low'], row['exact_high'])}",
        )
        for row in found["rows"]
    )
    headings = ("mutations", "after", "assay", "samples with", "%, exact 95 % confidence interval")
    yield Table(ReaderTable("Each row by itself", headings, rows, words=(1, 2)))
    modelled = _by(found["prevalence"], "mutation_set", "assay", "after_generation", "estimand")
    by_model = tuple(
        (
            f"{question}, {assay}, after {_generation(generation)}",
            f"{estimands['mean']['k']}",
            "\n".join(rate(estimands["mean"])),
            limits(estimands["next_cohort"]),
            percent_interval(estimands["mean"]["prior_low"], estimands["mean"]["prior_high"], 0),
        )
        for (question, assay, generation), estimands in modelled.items()
    )
    yield Table(
        ReaderTable(
            "By the binomial model, %", ("", "rows", "mean", "next set of samples", "mean before any count"), by_model
        ),
        ("Credible intervals of the mean; prediction interval of another set of samples.",),
    )
    if found["responses"]:
        responses = tuple(
            (
                row["subset"],
                row["agent"],
                f"{row['responders']:,}/{row['n']:,}",
                f"{percent(row['observed'])}\n{percent_interval(row['exact_low'], row['exact_high'])}",
            )
            for row in found["responses"]
        )
        yield Table(
            ReaderTable(
                "Response by mutation status, where counts exist",
                ("patients", "agent", "responders", "%, exact 95 % confidence interval"),
                responses,
                words=(1,),
            ),
            (f"{len(found['printed'])} more rows have a printed percentage alone, which nothing is computed from.",),
        )
    yield _sentences(found["findings"])
    prevalence = _frame(found["prevalence"])
    description = "One row for each count, and under those of a question what the model makes of them."
    pages = resistance(_frame(found["rows"]), prevalence, heading=found["few"][0], caption=notes)
    yield picture("resistance", "ALK resistance mutations", description, pages)


def _generation(level: str) -> str:
    return "mixed inhibitors" if level == "mixed" else f"generation {level}"


def _level(row: Row) -> str:
    return level_name(row) if row["group"] == ALL else f" {level_name(row)}"


def _by_level(rows: Sequence[Row]) -> dict[Any, dict[str, Row]]:
    return _by(rows, "group", "level", "estimand")


def _by(rows: Sequence[Row], *keys: str) -> dict[Any, dict[str, Row]]:
    """Return rows by all keys but the last, a tuple where these are several, and below that by the last."""
    found: dict[Any, dict[str, Row]] = {}
    *outer, inner = keys
    for row in rows:
        key = tuple(row[name] for name in outer) if len(outer) > 1 else row[outer[0]]
        found.setdefault(key, {})[row[inner]] = row
    return found
