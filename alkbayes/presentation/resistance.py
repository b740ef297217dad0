"""Resistance mutations for readers: sparseness of the data, then rows, model, and response by status."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from alkbayes.analyses.resistance import after_words
from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, columns_in, rows_by
from alkbayes.text.names import shown
from alkbayes.text.wording import level_text, limits, percent, percent_interval, rate_text, size_text

if TYPE_CHECKING:
    from alkbayes.analyses.resistance import ResistanceRecord

BESIDE = "(beside)"
"""Mark of a row of samples counted in another row."""
ALONE = "*"
"""Mark of an SD that the counts hardly inform."""


def resistance_parts(record: "ResistanceRecord") -> tuple[Part, ...]:
    """Return the results on resistance mutations."""
    first, *few = record["few"]
    return (
        Sentence(first, strong=True),
        *map(Sentence, (*few, *record["gaps"])),
        Sentence(f"Table: {record['table']['source']}"),
        *(
            Sentence(f"NOT CONVERGED: DO NOT USE THE MODEL'S NUMBERS OF: {failure}", strong=True)
            for failure in record["failures"]
        ),
        _rows(record),
        _prevalence(record),
        _spread(record),
        *_responses(record),
    )


def _rows(record: "ResistanceRecord") -> ReaderTable:
    """Return every row with its own intervals, grouped by set of mutations."""
    cells: list[tuple[str, ...]] = []
    remarks: list[str] = []
    for mutations, rows in _sets(record["rows"]).items():
        cells.append((_plain(mutations),))
        for row in rows:
            if row["note"]:
                remarks.append(f"[{len(remarks) + 1}] {_plain(row['note'])}")
            cells.append(
                (
                    f" {_plain(row['after_agent'])}{'' if row['counted'] else f' {BESIDE}'}",
                    _plain(row["assay"]),
                    f"{row['n_with']:,}/{row['n_biopsies']:,}",
                    *_share(row),
                    f"[{len(remarks)}]" if row["note"] else "",
                )
            )
    beside = f"{BESIDE}: the same samples as another row, and not counted with it."
    return ReaderTable(
        "Each row by itself: samples with a mutation, %",
        ("after", "assay", "with / samples", "%", "exact", "Jeffreys", "note"),
        tuple(cells),
        words=(1,),
        notes=(_intervals(record), *([] if all(row["counted"] for row in record["rows"]) else [beside]), *remarks),
        units=columns_in("%", 4, 5),
    )


def _prevalence(record: "ResistanceRecord") -> ReaderTable:
    cells: list[tuple[str, ...]] = []
    keys = ("mutation_set", "assay", "after_generation", "estimand")
    previous, level = None, level_text(record["interval_prob"])
    for (mutations, assay, generation), estimands in rows_by(record["prevalence"], *keys).items():
        if (mutations, assay) != previous:
            cells.append((f"{_plain(mutations)}, {_plain(assay)}",))
        previous, mean = (mutations, assay), estimands["mean"]
        cells.append(
            (
                f" {after_words(generation)} ({_plain(mean['agents'])})",
                f"{mean['k']:,}",
                f"{mean['samples']:,}",
                *(rate_text(estimands[name]) for name in ("typical", "mean")),
                limits(estimands["next_cohort"]),
                percent_interval(mean["prior_low"], mean["prior_high"], 0),
            )
        )
    return ReaderTable(
        "Prevalence by the binomial model, %",
        ("after", "rows", "samples", "typical", "mean", "next", "prior"),
        tuple(cells),
        notes=(
            f"typical, mean: with {level} credible intervals. next: prediction interval of another set of samples.",
            f"prior: {level} prior interval of the mean.",
        ),
        units=columns_in("%", 3, 4, 5, 6),
    )


def _spread(record: "ResistanceRecord") -> ReaderTable:
    rows = []
    for row in record["spread"]:
        mark = ALONE if row["k"] == row["generations"] else ""
        rows.append(
            (
                f"{_plain(row['mutation_set'])}, {_plain(row['assay'])}",
                f"{row['k']:,}",
                "sets of samples" if row["parameter"].startswith("tau_") else "generations",
                f"{size_text(row)}{mark}",
                size_text(row, prefix="prior_"),
            )
        )
    alone = f"{ALONE}: one row per generation says almost nothing about this SD: it rests on its prior."
    return ReaderTable(
        "Heterogeneity between sets of samples and between generations, SD on the logit scale",
        ("", "rows", "between", "SD", "before any count"),
        tuple(rows),
        words=(2,),
        notes=(alone,) if any(row["k"] == row["generations"] for row in record["spread"]) else (),
    )


def _responses(record: "ResistanceRecord") -> Iterator[ReaderTable]:
    """Yield response by mutation status with counts, and reports without counts."""
    if record["responses"]:
        cells: list[tuple[str, ...]] = []
        for mutations, rows in _sets(record["responses"]).items():
            cells.append((_plain(mutations),))
            cells += (
                (
                    f" {_plain(row['subset'])}",
                    *(_plain(row[name]) for name in ("agent", "assay")),
                    f"{row['responders']:,}/{row['n']:,}",
                    *_share(row),
                )
                for row in rows
            )
        yield ReaderTable(
            "Response by mutation status, where there are counts",
            ("patients", "inhibitor", "assay", "responders", "ORR, %", "exact", "Jeffreys"),
            tuple(cells),
            words=(1, 2),
            notes=(_intervals(record),),
            units=columns_in("%", 5, 6),
        )
    if record["printed"]:
        yield ReaderTable(
            "Printed as a percentage alone, of an unknown number of patients, and not used",
            ("trial", "inhibitor", "patients", "assay", "ORR, %"),
            tuple(
                tuple(_plain(row[name]) for name in ("trial", "agent", "subset", "assay", "orr_reported"))
                for row in record["printed"]
            ),
            words=(1, 2, 3),
        )


def _intervals(record: "ResistanceRecord") -> str:
    """Return what the intervals of a row by itself are."""
    return f"exact, Jeffreys: {level_text(record['interval_prob'])} confidence intervals."


def _sets(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by set of mutations."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["mutation_set"], []).append(row)
    return found


def _share(row: Row) -> tuple[str, str, str]:
    """Return an observed share with its two intervals, exact for its counts."""
    exact, jeffreys = (percent_interval(row[f"{name}_low"], row[f"{name}_high"]) for name in ("exact", "jeffreys"))
    return percent(row["observed"]), exact, jeffreys


def _plain(words: str) -> str:
    """Return table text on one line: a note may be long, a single word may not."""
    return " ".join(map(shown, words.split()))
