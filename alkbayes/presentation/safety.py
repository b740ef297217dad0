"""Adverse events for readers: how little there is, rates by level, and benefit beside harm."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alkbayes.analyses.safety import ANY, LEAST_COUNTS
from alkbayes.evidence.adverse_events import MEASURES, POOLED, measure_words
from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, Title, columns_in, not_converged, rows_by
from alkbayes.text.names import column_title, listed, shown
from alkbayes.text.wording import capitalised, level_text, limits, percent, percent_interval, rate
from alkbayes.vocabulary import ALL

if TYPE_CHECKING:
    from alkbayes.analyses.safety import SafetyRecord

SHORT = {
    ANY: "any",
    "serious_ae": "serious",
    "grade3_ae": "grade ≥ 3",
    "discontinuation_ae": "discontinued",
}
"""Headings of measures."""
NONE = "–"
METHOD = "glmm-ml"
"""Classical method that the terminal and the report show; JSON has the others too."""


def safety_parts(record: "SafetyRecord") -> tuple[Part, ...]:
    """Return everything but the figure, the sparseness of the data first."""
    return (
        *not_converged(record["failures"]),
        *(Sentence(sentence, strong=place == 0) for place, sentence in enumerate(record["few"])),
        _coverage(record),
        *_pooled(record),
        *_others(record),
        *_benefit(record),
        *_caveats(),
    )


def _coverage(record: "SafetyRecord") -> ReaderTable:
    """Return how many cohorts of each level have a count."""
    cells = []
    for (level,), by_measure in rows_by(record["coverage"], "level", "measure").items():
        counts = (by_measure[name] for name in SHORT)
        cells.append(
            (
                _level(level),
                *(
                    f"{row['cohorts_with']}/{row['cohorts']}\n{row['patients_with']:,}/{row['patients']:,}"
                    for row in counts
                ),
            )
        )
    units = record["units"]["units"]
    return ReaderTable(
        "Cohorts with a count of adverse events, of all in the table",
        (_heading(record), *SHORT.values()),
        tuple(cells),
        notes=(f"Each cell: cohorts with a count out of all cohorts, and {units} of these cohorts out of all.",),
    )


def _pooled(record: "SafetyRecord") -> Iterator[ReaderTable]:
    """Yield rates of the measures that are pooled."""
    estimates = rows_by(record["pooled"], "measure", "level", "estimand")
    classical = {(row["measure"], row["level"]): row for row in record["classical"] if row["method"] == METHOD}
    cells: list[tuple[str, ...]] = []
    for measure in POOLED:
        rows = [row for row in record["counts"] if row["measure"] == measure]
        if rows:
            cells.append((capitalised(measure_words(measure)),))
        for row in rows:
            key = (measure, row["level"])
            found = estimates.get(key)
            theirs = classical.get(key)
            cells.append(
                (
                    f" {_level(row['level'])}",
                    str(row["k"]),
                    f"{row['events']:,}/{row['n']:,}",
                    _in_two(row, "observed"),
                    NONE if theirs is None else _in_two(theirs, "estimate"),
                    *(
                        (NONE, NONE)
                        if found is None
                        else ("\n".join(rate(found["mean"])), limits(found["next_cohort"]))
                    ),
                )
            )
    if not cells:
        return
    level = level_text(record["interval_prob"])
    infinite = any(row["method"] == METHOD and row["estimate"] is None for row in record["classical"])
    unknown = f"; {NONE} where it has no finite estimate" if infinite else ""
    yield ReaderTable(
        f"Rates of adverse events{_by(record)}, %",
        ("", "k", "events/patients", "observed", "GLMM", "mean", "next cohort"),
        tuple(cells),
        notes=(
            f"k: counts. observed: their sums, with the exact {level} confidence interval as if cohorts were alike.",
            f"mean, next cohort: posterior of the measure's model, with {level} credible and prediction intervals.",
            f"GLMM: the binomial-normal model by maximum likelihood (glmm-ml), a typical cohort{unknown}.",
            f"{NONE}: fewer than {LEAST_COUNTS} counts, which are not pooled.",
        ),
        units=columns_in("%", 3, 4, 5, 6),
    )


def _others(record: "SafetyRecord") -> Iterator[ReaderTable]:
    """Yield the counts of measures that are never pooled."""
    cells: list[tuple[str, ...]] = []
    previous = None
    for row in record["counts"]:
        if row["measure"] in POOLED:
            continue
        if row["measure"] != previous:
            cells.append((capitalised(_plain(measure_words(row["measure"]))),))
        previous = row["measure"]
        cells.append(
            (
                f" {_level(row['level'])}",
                str(row["k"]),
                f"{row['events']:,}/{row['n']:,}",
                percent(row["observed"]),
                percent_interval(row["low"], row["high"]),
            )
        )
    if cells:
        yield ReaderTable(
            "Other measures, which are not pooled, %",
            ("", "k", "events/patients", "observed", "exact"),
            tuple(cells),
            units=columns_in("%", 3, 4),
        )


def _benefit(record: "SafetyRecord") -> Iterator[Part]:
    """Yield response beside harm of the same cohorts."""
    cells: list[tuple[str, ...]] = []
    for measure in MEASURES:
        rows = [row for row in record["benefit"] if row["measure"] == measure]
        if rows:
            cells.append((f"Response beside {measure_words(measure)}",))
        cells += [
            (
                f" {beside_name(row)}",
                f"{row['responders']:,}/{row['patients']:,}",
                f"{percent(row['response'])}\n{percent_interval(row['response_low'], row['response_high'])}",
                f"{row['events']:,}/{row['n']:,}",
                f"{percent(row['harm'])}\n{percent_interval(row['harm_low'], row['harm_high'])}",
            )
            for row in sorted(rows, key=lambda row: (row["agent"], row["trial"]))
        ]
    if not cells:
        return
    units, response = record["units"]["units"], record["units"]["response"]
    yield ReaderTable(
        "Benefit beside harm, in the same cohorts",
        ("", f"responders/\n{units}", f"{response}, %", f"events/\n{units}", "harm, %"),
        tuple(cells),
        notes=(
            f"With exact {level_text(record['interval_prob'])} confidence intervals of each cohort alone.",
            f"The {units} of the two counts differ where not all who were treated could be read for response.",
        ),
    )
    if record["without_response"]:
        yield Sentence(f"Without a response count in the table: {listed(record['without_response'])}.")


def beside_name(row: Row) -> str:
    """Return the name of a count with its agent, if it has one."""
    where = shown(row["trial"] or row["cohort_id"])
    return f"{shown(row['agent'])}, {where}" if row["agent"] else where


def _caveats() -> Iterator[Part]:
    yield Title("How to read it")
    yield Sentence(
        "Follow-up, grading and what counts as related differ between trials, and cohorts are not randomised between "
        "levels: a difference between rows is no effect of treatment. A rate that is not here is unknown, not zero."
    )


def _in_two(row: Row, name: str) -> str:
    """Return a rate in percent above its interval."""
    return f"{percent(row[name])}\n{percent_interval(row['low'], row['high'])}"


def _by(record: "SafetyRecord") -> str:
    return f" by {column_title(record['by'])}" if record["by"] else ""


def _heading(record: "SafetyRecord") -> str:
    return column_title(record["by"]) if record["by"] else ""


def _level(level: str) -> str:
    if level == ALL:
        return "all"
    return _plain(level) if level else "(several, or not given)"


def _plain(words: str) -> str:
    return " ".join(map(shown, words.split()))
