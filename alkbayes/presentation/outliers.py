"""Outlying cohorts, and the influence of each trial, for readers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import Part, ReaderTable, Sentence, columns_in
from alkbayes.text.names import shown
from alkbayes.text.wording import counted, figure, headline, level_text, moved_by, p_value, percent, percent_interval

type Document = Mapping[str, Any]
"""Value of `outliers` or `by_trial` in `outliers --json`."""

SHOWN = 12
"""Cohorts and trials in a table, besides marked ones; the stored file has all."""
MARK, NO_MARK = " *", "  "
SCALES_OF_SD = ("sd", "correlation")
"""Measures other than rates."""


def outlier_parts(found: Document, outcome: Outcome, labels: Mapping[str, str]) -> Iterator[Part]:
    """Yield the outlying cohorts, and a table of the least expected.

    `labels` are those of :func:`alkbayes.evidence.table.cohort_labels`.
    """
    yield Sentence(
        f"Each cohort left out in turn, model {shown(found['model'])}: elpd {figure(found['elpd'], 1)} "
        f"(SE {figure(found['se'], 1)}), effective parameters {figure(found['p'], 1)}; {_weights(found)}."
    )
    yield from (Sentence(paragraph) for paragraph in found["verdict"])
    yield outlier_rows(found, outcome, labels)


def outlier_rows(found: Document, outcome: Outcome, labels: Mapping[str, str]) -> ReaderTable:
    """Return the least expected cohorts, and all marked ones, with their predictions from the others."""
    rows, level = found["cohorts"], level_text(found["interval_prob"])
    chosen = [row for place, row in enumerate(rows) if place < SHOWN or row["outlying"]]
    marked = any(row["outlying"] for row in chosen)
    return ReaderTable(
        title=f"The {len(chosen)} least expected of {counted(len(rows), 'cohort')}; rates in %",
        headings=("cohort", outcome.events, "observed", "predicted", level, "p", "elpd", "k"),
        rows=tuple(_outlier(row, labels, marked=marked) for row in chosen),
        notes=(
            *_others([row["p"] for row in rows if row not in chosen]),
            f"predicted: what the others give, those of its trial too: median and {level} interval.",
            f"p: two-sided mid-p-value of the {outcome.events} in that prediction.",
            f"k: Pareto k of the weights without it; above {found['good_k']:.1f}, it is refitted, and exact.",
            *(["*: beyond chance among so many comparisons (Benjamini-Hochberg, 0.05)."] if marked else []),
        ),
        units=columns_in("%", 2, 3, 4),
    )


def trial_parts(found: Document) -> Iterator[Part]:
    """Yield the effect of leaving out each trial on the headline numbers."""
    elpd = found["leave_one_trial_out"]
    density = "" if elpd is None else f"; elpd by trial {figure(elpd['elpd'], 1)} (SE {figure(elpd['se'], 1)})"
    yield Sentence(f"Each trial left out in turn and the others fitted anew, model {shown(found['model'])}{density}.")
    yield from (Sentence(paragraph) for paragraph in found["verdict"])
    yield trial_rows(found)


def trial_rows(found: Document) -> ReaderTable:
    """Return the trials with the largest effects, each with the headline number it moves most."""
    moves: dict[str, list[Document]] = {}
    for row in found["moves"]:
        moves.setdefault(row["trial"], []).append(row)
    trials = found["trials"]
    return ReaderTable(
        title="Trials whose removal moves a headline number most",
        headings=("trial left out", "k", "n", "moves most", "with", "without", "move", "±", "SDs"),
        rows=tuple(_trial(row, moves[row["trial"]]) for row in trials[:SHOWN]),
        words=(3,),
        notes=(
            *_still([row["largest"] for row in trials[SHOWN:]]),
            "moves most: the number that moves most, in posterior SDs (last column).",
            "with, without: posterior medians with and without the trial; rates in %.",
            "move: of a rate in percentage points.",
            "±: Monte Carlo error of the move; below two of them it is noise.",
        ),
    )


def _outlier(row: Document, labels: Mapping[str, str], *, marked: bool) -> tuple[str, ...]:
    mark = MARK if row["outlying"] else NO_MARK
    return (
        shown(labels[row["cohort_id"]]),
        f"{row['responders']:,}/{row['n']:,}",
        percent(row["observed"]),
        percent(row["median"]),
        percent_interval(row["low"], row["high"]),
        f"{p_value(row['p'])}{mark if marked else ''}",
        figure(row["elpd"], 1),
        "exact" if row["refitted"] else figure(row["pareto_k"]),
    )


def _others(p: Sequence[float]) -> list[str]:
    return [f"{len(p):,} more have p of {p_value(min(p))} or more; outliers.json has all."] if p else []


def _still(largest: Sequence[float]) -> list[str]:
    if not largest:
        return []
    most = figure(max(map(abs, largest)))
    return [f"{len(largest):,} more move every number by {most} SDs at most; outliers-by-trial.json has all."]


def _weights(found: Document) -> str:
    """Return the reliability of the importance weights."""
    limit, rows = found["good_k"], found["cohorts"]
    # A non-finite k is null in JSON.
    high = [row for row in rows if not row["refitted"] and (row["pareto_k"] is None or row["pareto_k"] > limit)]
    refitted = sum(row["refitted"] for row in rows)
    cohorts = counted(len(rows), "cohort")
    if high:
        return f"Pareto k above {limit:.1f} for {len(high)} of {cohorts}, not to be relied on"
    if refitted:
        return f"{refitted} of {cohorts} with Pareto k above {limit:.1f}, refitted exactly"
    return f"Pareto k at most {max(row['pareto_k'] for row in rows):.2f}, good"


def _trial(trial: Document, moves: Sequence[Document]) -> tuple[str, ...]:
    row = max(moves, key=lambda move: abs(move["move_sd"] or 0.0))
    return (
        shown(trial["trial"]),
        f"{trial['cohorts']:,}",
        f"{trial['patients']:,}",
        shown(row["number"]),
        *_moved(row),
        figure(row["move_sd"]) if row["beyond_noise"] else "noise",
    )


def _moved(row: Document) -> tuple[str, str, str, str]:
    """Return a number with and without a trial, its shift and error: rates in percent, SDs unscaled."""
    whole, _ = headline(row)
    if row["without_median"] is None:
        return whole, "–", "–", "–"
    left = {name.replace("without_", ""): value for name, value in row.items() if "without_" in name}
    without, _ = headline(left | {"measure": row["measure"]})
    error = figure(row["mcse"], 3) if row["measure"] in SCALES_OF_SD else figure(100 * row["mcse"])
    return whole, without, moved_by(row["move"], row["mcse"], row["measure"]), error
