"""Forests of pooled rates of a run: without each cohort or trial, as cohorts are added, and of classical subgroups."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alkbayes.classical.influence.tables import influence_table
from alkbayes.classical.moderators.clustering import clustering_note
from alkbayes.classical.pooling.cumulative import cumulative
from alkbayes.classical.pooling.methods import PoolingMethod, method_named
from alkbayes.classical.pooling.tables import frame_of, pool_groups
from alkbayes.errors import FigureError, Setting
from alkbayes.evidence.composition import years_of
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.table import cohort_labels, trial_labels, trial_names
from alkbayes.plots.figures.pooled import Line, pooled_forest
from alkbayes.plots.page.forest_rows import column_named, column_of, exact_limits, group_name, group_title, order_by
from alkbayes.text.json import records
from alkbayes.text.names import listed, near_miss
from alkbayes.text.notes import Note, shared_notes
from alkbayes.text.wording import counted, figure, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alkbayes.plots.page.style import Caption
    from alkbayes.plots.source import RunTables
    from alkbayes.plots.view import View

DEFAULT_METHOD = "reml-logit-hk-adhoc"
"""Pooling method of the forests of classical pooling, the default of `pool`."""

YEAR = "year"
"""Column of years, where a table has one."""
SEVERAL = "several"
"""Cell of cohorts with different values in a column."""

type Numbers = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Without:
    """A rate without a unit, and its difference from that of all; None if there is none."""

    name: str
    numbers: Numbers | None
    change: float | None


def leave_one_out(run: "RunTables", view: "View") -> list["Figure"]:
    """Draw the pooled rate without each cohort or trial: by the model, or by the classical method asked for.

    Raises
    ------
    FigureError
        If the model's deviations cannot be integrated out.
    EvidenceError
        If the table has one cohort only, or names no trial to leave out, or only one.
    """
    if view.method:
        whole, rows, caption = _by_method(run, view)
    else:
        whole, rows, caption = _by_model(run, view)
    frame, unit = run.evidence.frame if view.method else run.frame, "trial" if view.by_trial else "cohort"
    members: dict[str, list[int]] = {}
    for place, name in enumerate(trial_names(frame) if view.by_trial else frame["cohort_id"].astype(str)):
        members.setdefault(name, []).append(place)
    labels = {} if view.by_trial else cohort_labels(frame)
    columns = [column_of(frame, name) for name in view.columns]
    if view.sort is None:
        rows = sorted(rows, key=lambda row: -math.inf if row.change is None else abs(row.change), reverse=True)
    else:
        order = order_by(frame, view.sort)
        rows = sorted(rows, key=lambda row: min(order.index(place) for place in members[row.name]))
    lines = [
        Line(
            labels.get(row.name, row.name),
            _counts(int(frame["responders"].iloc[places].sum()), int(frame["n"].iloc[places].sum())),
            points(row.change, 1),
            columns=_together(columns, places),
            numbers=row.numbers,
        )
        for row in rows
        for places in [members[row.name]]
    ]
    everything = Line("None left out", numbers=whole.numbers)
    return pooled_forest(
        [everything, *lines],
        f"Pooled {run.outcome.label} without each {unit}",
        names=f"{unit.capitalize()} left out",
        further=("change,", "points"),
        interval="confidence" if view.method else "credible",
        pooled=whole.numbers and whole.numbers[0],
        caption=caption,
        view=view,
    )


def _by_method(run: "RunTables", view: "View") -> tuple[_Without, list[_Without], "Caption"]:
    method, caption = _method_of(run, view)
    table = influence_table(run.evidence, method=method, by_trial=view.by_trial, prob=caption.interval_prob)
    rows = [
        _Without(row["left_out"], _numbers(row["estimate"], row["low"], row["high"]), row["change"])
        for row in records(table.rows)
    ]
    full = table.full
    noted = zip(rows, table.row_notes, strict=True)
    said = [("all", full.notes), *((row.name, notes) for row, notes in noted if not _bounded(row.numbers))]
    whole = _Without("", _numbers(full.estimate, full.low, full.high), None)
    return whole, rows, _noted(caption, said)


def _by_model(run: "RunTables", view: "View") -> tuple[_Without, list[_Without], "Caption"]:
    # Here and not at the top: a figure of the counts alone must not wait for ArviZ.
    from alkbayes.criticism.loo_rates import rates_without
    from alkbayes.inference.importance.target import unsupported

    if why := unsupported(run.fit.design):
        raise FigureError(
            f"model {run.document['model']!r} has {why}, so that each rate would need a fit by chains. Choose a method "
            f"of classical pooling, such as {DEFAULT_METHOD}."
        )
    found = rates_without(run.fit, by_trial=view.by_trial)
    middle = found.whole.summary["median"]

    def shown(name: str, rate: Mapping[str, float]) -> _Without:
        return _Without(name, _numbers(rate["median"], rate["low"], rate["high"]), rate["median"] - middle)

    rows = [
        _Without(row.name, None, None) if row.rate.failures else shown(row.name, row.rate.summary) for row in found.rows
    ]
    unit = "trial" if view.by_trial else "cohort"
    labels = {} if view.by_trial else cohort_labels(run.frame)
    anew = [labels.get(row.name, row.name) for row in found.rows if row.refitted]
    errors = {
        name: figure(100 * max(row.rate.summary[f"mcse_{name}"] for row in found.rows))
        for name in ("median", "low", "high")
    }
    notes = [
        f"Pooled by the model: mean over the {run.outcome.units} that are left, posterior median.",
        "The Monte Carlo error is at most {median} points of a median, {low} of a lower and {high} of an upper "
        "limit.".format(**errors),
        _engines(counted(len(found.rows), unit), len(found.rows) - len(anew), anew),
        *(
            f"The refit without {labels.get(row.name, row.name)} did not converge: {'; '.join(row.rate.failures)}."
            for row in found.rows
            if row.rate.failures
        ),
    ]
    return shown("", found.whole.summary), rows, replace(run.caption, notes=(*notes, *run.caption.notes))


def _engines(all_units: str, weighted: int, anew: Sequence[str]) -> str:
    """Return the sentence on what was left out by weights, and what by fitting the model again."""
    if not anew:
        return f"All {all_units} were left out by weights on the draws of all."
    if not weighted:
        return "The model was refitted without each: no weights on the draws of all were reliable."
    return (
        f"{weighted} of {all_units} left out by weights on the draws of all; the model was refitted without "
        f"{listed(anew)}, whose weights were not reliable."
    )


def cumulative_forest(run: "RunTables", view: "View") -> list["Figure"]:
    """Draw the classical pooled rate as cohorts are added by year, or by another column.

    Raises
    ------
    FigureError
        If no cohort has a year, or a value in the column.
    """
    method, caption = _method_of(run, view)
    frame = run.evidence.frame
    if view.by is not None and view.by not in frame:
        raise no_such_column([view.by], frame.columns.tolist(), "to add cohorts by")
    by = view.by or YEAR
    # A table with years of its own needs none made from its cut-offs.
    values = column_of(frame, by) if by in frame else years_of(run.evidence)
    if not any(values):
        raise FigureError(
            f"No cohort has a {by}: there is no order to add them in. Name the column to add them by, as in:",
            remedy=Setting("by", near_miss(YEAR, frame.columns.tolist()) or "COLUMN"),
        )
    steps = cumulative(run.evidence, values, method=method, prob=caption.interval_prob)
    names = list(cohort_labels(frame).values())
    columns = [column_of(frame, name) for name in view.columns]
    lines = [
        Line(
            f"{step.value or 'not known'}: {_added([names[at] for at in step.added])}",
            _counts(step.pooled.responders, step.pooled.patients),
            f"{step.pooled.k}",
            columns=_together(columns, step.added),
            numbers=_numbers(step.pooled.estimate, step.pooled.low, step.pooled.high),
        )
        for step in steps
    ]
    unbounded = [step for step, line in zip(steps, lines, strict=True) if not _bounded(line.numbers)]
    said = [(step.value, step.pooled.notes) for step in (*unbounded, steps[-1])]
    caption = _noted(caption, said)
    dated = "A cohort's year is that of its data cut-off, else that in which its counts were published."
    return pooled_forest(
        lines,
        f"Pooled {run.outcome.label} as cohorts are added by {by}",
        names=f"Added, by {by}",
        further=("k", "so far"),
        pooled=steps[-1].pooled.estimate,
        caption=caption if by in frame else replace(caption, notes=(dated, *caption.notes)),
        view=view,
    )


def classical_forest(run: "RunTables", view: "View") -> list["Figure"]:
    """Draw every cohort's observed rate, and classical pooled rates of the levels of a column and of all cohorts."""
    method, caption = _method_of(run, view)
    frame = run.evidence.frame
    groups = [row["group"] for row in records(run.pooled) if row["second_column"] is None and row["group"] != "all"]
    by = view.by or (column_named(frame, groups[0]) if groups else None)
    found = pool_groups(run.evidence, by=() if by is None else (by,), methods=(method,), prob=caption.interval_prob)
    rows = records(frame_of(found))
    labels = list(cohort_labels(frame).values())
    low, high = exact_limits(frame, caption.interval_prob)
    observed = (frame["responders"] / frame["n"]).to_numpy()
    order = (-observed).argsort(kind="stable").tolist() if view.sort is None else order_by(frame, view.sort)
    columns = [column_of(frame, name) for name in view.columns]

    def pooled(row: Mapping[str, Any], label: str) -> Line:
        numbers = _numbers(row["estimate"], row["low"], row["high"])
        prediction = _numbers(row["prediction_low"], row["prediction_high"])
        return Line(
            label,
            _counts(row["responders"], row["patients"]),
            f"{row['k']}",
            numbers=numbers,
            prediction=prediction and prediction[:2],
            last=True,
        )

    def of(level: str | None) -> Iterator[Line]:
        """Yield the cohorts of a level in order."""
        for at in order:
            if level is None or (by is not None and str(frame[by].iloc[at]) == level):
                yield Line(
                    labels[at],
                    _counts(frame["responders"].iloc[at], frame["n"].iloc[at]),
                    columns=_together(columns, [at]),
                    numbers=(observed[at], low[at], high[at]),
                    pooled=False,
                )

    lines = []
    for row in rows[1:]:
        name = group_name(row["group"], row["level"], run.outcome.declared)
        if name == row["level"]:
            name = f"{group_title(row['group'], run.outcome.declared)}: {name}"
        lines += [Line(name, heading=True), *of(row["level"]), pooled(row, "Pooled")]
    # In no group, but among all cohorts.
    rest = list(of("")) if by is not None else []
    lines += [Line(f"{by} not known", heading=True), *rest] if rest else []
    lines += [] if by is not None else of(None)
    return pooled_forest(
        [*lines, pooled(rows[0], "All cohorts, pooled")],
        f"{run.outcome.title} of every cohort, and pooled by {method}",
        names="Cohort",
        further=("", "k"),
        pooled=rows[0]["estimate"],
        caption=_noted(caption, [(each.place["level"], each.pooled.notes) for each in found]),
        view=view,
    )


def _method_of(run: "RunTables", view: "View") -> tuple[PoolingMethod, "Caption"]:
    """Return the pooling method asked for, and the run's caption with notes on it."""
    method, caption = method_named(view.method or DEFAULT_METHOD), run.caption
    together = clustering_note(method, trial_labels(run.evidence.frame))
    said = (f"Pooled by {method}, from the counts alone.", *filter(None, [together]))
    return method, replace(caption, notes=(*said, *caption.notes))


def _noted(caption: "Caption", said: Sequence[tuple[str, Sequence[Note]]]) -> "Caption":
    """Return a caption with the notes on pooled rates, by their names, after the one that says how they are pooled."""
    notes = [note.worded() for note in shared_notes(said)]
    return replace(caption, notes=(*caption.notes[:1], *notes, *caption.notes[1:]))


def _bounded(numbers: Numbers | None) -> bool:
    """Return whether a rate has limits."""
    return numbers is not None and not any(map(math.isnan, numbers))


def _together(columns: Sequence[Sequence[str]], places: Sequence[int]) -> tuple[str, ...]:
    """Return the cell of each column for some cohorts: its value, if they have one in common."""
    distinct = ({column[at] for at in places} for column in columns)
    return tuple(next(iter(values)) if len(values) == 1 else SEVERAL for values in distinct)


def _added(cohorts: list[str]) -> str:
    return cohorts[0] if len(cohorts) == 1 else counted(len(cohorts), "cohort")


def _counts(responders: int, patients: int) -> str:
    return f"{responders:,}/{patients:,}"


def _numbers(value: float | None, low: float | None = None, high: float | None = None) -> Numbers | None:
    """Return a rate with its limits, NaN where a method gives none; None if there is no rate."""
    found = [math.nan if number is None else float(number) for number in (value, low, high)]
    return None if math.isnan(found[0]) else (found[0], found[1], found[2])
