"""Result tables of a fit, cell by cell, common to terminal, HTML and Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from alkbayes.evidence.declared import Declared
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.presentation.tables import ReaderTable, columns_in, rows_by
from alkbayes.runs.document import ClassicalRow, ContrastRow, DiagnosticsRecord, FitDocument, PooledRow
from alkbayes.text.names import is_pair, level_name, several, shown
from alkbayes.text.notes import Instead, Note, NoteKind, shared_notes
from alkbayes.text.wording import (
    RATE_DECIMALS,
    SHARE_DECIMALS,
    counted,
    decimals_of,
    difference,
    level_text,
    limits,
    new_cohort,
    percent,
    percent_interval,
    probability,
    rate,
    ratio,
    size,
    unsigned_zero,
)
from alkbayes.vocabulary import ALL, in_own_words, label_of, slug_of, split_key

type Document = FitDocument
"""Contents of `run.json`, printed by `fit --json`."""

EXPLAINED = {
    "tau_total": "all heterogeneity together, SD on the {link} scale",
    "explained": "share of the variance between cohorts that the effects explain",
    "i2": "I², share of the observed variance that is heterogeneity",
    "rho": "intraclass correlation of the {o.units} of a cohort",
}
SHARES = ("explained", "i2")
CLASSICAL_MEANINGS = (
    ("crude", "all {o.events} over all {o.units} (Wilson interval): ignores heterogeneity between cohorts"),
    (
        "inverse-variance",
        "REML on the logit scale, from the counts alone, with a Hartung-Knapp interval (factor held at 1 or above)",
    ),
)
"""Meanings of the classical columns in the table of pooled rates, `o` the outcome."""
OWN_MIX = (
    "own mix",
    "over each level's own {o.units}, {o.who} also differ in the other columns: not for comparing levels",
)
"""Heading over classical columns if the others are over the same patients."""
INVERSE_VARIANCE = "reml-logit-hk-adhoc"
"""Classical method of the inverse-variance column."""
OVER_ITS_OWN = "each over its own {o.units}"
"""Patients of rows that are not for comparison."""
PARTLY_PREDICTED = "*"
"""Mark of a row averaged over combinations of levels that no cohort has, among others."""
WHOLLY_PREDICTED, ALL_PREDICTED = "**", 1 - 1e-9
"""Mark of a contrast predicted for all patients, and the share from which it is, allowing for rounding."""
SIDE_PREDICTED = (
    f"{PARTLY_PREDICTED} for some of the {{o.units}}, one side or both are predicted by the model, as no cohort has "
    f"the combination of levels; {WHOLLY_PREDICTED} for all of them (contrasts.csv has the shares)"
)
"""Meaning of the marks of contrasts."""
WHOLE_PERCENTS = "Whole percentages: the Monte Carlo error does not support a decimal; more draws would."


def pooled_rows(document: Document) -> ReaderTable:
    """Return the pooled rates of a fit beside the classical ones, in percent."""
    outcome, classical = outcome_of(document), ("crude", "inverse-\nvariance")
    if is_standardised(document["pooled"]):
        classical = ("crude,\nown mix", "inverse-\nvariance,\nown mix")
    return ReaderTable(
        title=f"Pooled {outcome.label}, %",
        headings=("", "k", f"{outcome.units}\n{outcome.events}", *classical, "typical", "mean", "next cohort"),
        rows=tuple(_pooled(document)),
        folded={
            f" {level_name(row)}": f" {shown(str(row['first_level']))}:\n  {shown(str(row['second_level']))}"
            for row in document["pooled"]
            if is_pair(row)
        },
        units=columns_in("%", 3, 4, 5, 6, 7),
    )


def column_meanings(document: Document) -> tuple[tuple[str, str], ...]:
    """Return the meaning of each column in the table of pooled rates."""
    outcome, new = outcome_of(document), new_cohort(unit_of(document))
    units = document.get("exchangeability")
    kind, either = ("exchangeable ", ", exchangeable or on its own,") if units else ("", "")
    meanings = (
        *CLASSICAL_MEANINGS,
        *([OWN_MIX] if is_standardised(document["pooled"]) else []),
        (
            "typical",
            f"a{'n' if units else ''} {kind}cohort in the middle of the distribution, with its credible interval",
        ),
        ("mean", f"the average over {kind}{varying_units(document)}, with its credible interval"),
        ("next cohort", f"prediction interval: where the {outcome.rate} of {new}{either} may lie"),
    )
    return tuple((name, meaning.format(o=outcome)) for name, meaning in meanings)


def unit_of(document: Document) -> str | None:
    """Return the heading of the units, such as "trial", of which a future cohort has a new one, if there are any."""
    unit = document["heterogeneity_unit"]
    return None if unit is None else declared_in(document).name(unit)


def medians_sentence(document: Document) -> str:
    """Return what the model's estimates and intervals are."""
    level = level_text(document["interval_prob"])
    return f"Estimates of the model are posterior medians with equal-tailed {level} intervals."


def varying_units(document: Document) -> str:
    """Return the units that an average is over: cohorts, and what they are nested in if the model tells these apart."""
    unit = document["heterogeneity_unit"]
    return "cohorts" if unit is None else f"{several(declared_in(document).name(unit))} and cohorts"


def cohorts_vary(document: Document) -> bool:
    """Return whether the model has any variance between cohorts of the same levels."""
    return any(row["parameter"].startswith("tau_") or row["parameter"] == "rho" for row in document["heterogeneity"])


def heterogeneity_rows(document: Document) -> ReaderTable:
    """Return the heterogeneity parameters with their meanings."""
    labels = dict.fromkeys(row["group"] for row in document["pooled"])
    labels |= dict.fromkeys([unit] if (unit := document["heterogeneity_unit"]) else [])
    outcome = outcome_of(document)
    headings = {label: outcome.declared.heading(label) for label in labels}
    rows = []
    for row in document["heterogeneity"]:
        name = row["parameter"]
        meaning = EXPLAINED.get(name, _meaning(name, document)).format(link=document.get("link", "logit"), o=outcome)
        if name in SHARES:
            digits = decimals_of(row, most=SHARE_DECIMALS, unit=100)
            interval = percent_interval(row["low"], row["high"], digits)
            rows.append((name, f"{percent(row['median'], digits)} %", f"{interval} %", meaning))
        else:
            rows.append((in_own_words(name, headings), *size(row), meaning))
    return ReaderTable(
        "Heterogeneity",
        ("", "median", f"{level_text(document['interval_prob'])} interval", "what it is"),
        tuple(rows),
        words=(3,),
    )


def contrast_rows(document: Document) -> list[ReaderTable]:
    """Return a table of contrasts for each effect."""
    headings = ("", "odds ratio", "difference of\nmeans, points", "P(first is\nhigher)")
    pooled, heading = document["pooled"], declared_in(document).heading
    return [
        ReaderTable(
            f"Contrasts of {heading(column)}{f', over {over}' if (over := patients_of(column, pooled)) else ''}",
            headings,
            tuple(_contrast(scales) for scales in contrasts.values()),
        )
        for column, contrasts in contrasts_by_column(document).items()
    ]


def contrast_notes(contrasts: Iterable[ContrastRow], outcome: Outcome) -> list[str]:
    """Return the meaning of the marks in these contrasts, if any."""
    return [SIDE_PREDICTED.format(o=outcome)] if any(map(is_partly_predicted, contrasts)) else []


def compares_slopes(row: ContrastRow, pooled: Iterable[PooledRow]) -> bool:
    """Return whether a contrast is of a number's slopes at two levels: its sides are levels, not values at a level."""
    groups = split_key(row["column"])
    return len(groups) > 1 and any(each["group"] in groups and each["level"] == row["first"] for each in pooled)


def contrasts_by_column(document: Document) -> dict[str, dict[tuple[str, str], dict[str, ContrastRow]]]:
    """Return the contrasts of a fit by effect, pair of levels and scale."""
    found: dict[str, dict[tuple[str, str], dict[str, ContrastRow]]] = {}
    for row in document["contrasts"]:
        found.setdefault(row["column"], {}).setdefault((row["first"], row["second"]), {})[row["scale"]] = row
    return found


def pooled_by_level(document: Document) -> dict[tuple[str, str], dict[str, PooledRow]]:
    """Return the pooled rates of a fit by group and level, and by estimand."""
    return rows_by(document["pooled"], "group", "level", "estimand")


def group_heading(group: str, pooled: Sequence[PooledRow], outcome: Outcome) -> str:
    """Return the heading of a group; if levels are comparable, with the patients they are averaged over."""
    if not is_standardised(pooled):
        return outcome.declared.heading(group)
    over = patients_of(group, pooled)
    columns = outcome.declared.headings(next(row for row in pooled if row["group"] == group))
    return f"By {columns}, {f'over {over}' if over else OVER_ITS_OWN.format(o=outcome)}"


def patients_of(group: str, pooled: Iterable[PooledRow]) -> str:
    """Return the patients that all rows of a group are averaged over; empty if each has its own."""
    return next((row["over"] for row in pooled if row["group"] == group and row.get("over")), "")


def is_standardised(pooled: Iterable[PooledRow]) -> bool:
    """Return whether levels of a column are averaged over the same patients rather than each over its own."""
    return any(row.get("over") for row in pooled)


def is_partly_predicted(row: PooledRow | ContrastRow) -> bool:
    """Return whether a pooled rate, or one side of a contrast, includes patients with combinations no cohort has."""
    return bool(row.get("predicted"))


def shows_whole_percents(document: Document) -> bool:
    """Return whether any pooled rate is printed without a decimal."""
    return any(decimals_of(row, most=RATE_DECIMALS, unit=100) < RATE_DECIMALS for row in document["pooled"])


def notes_in(document: Document) -> list[Note]:
    """Return the notes of a fit."""
    kinds = map(NoteKind, document["note_kinds"])
    return [Note(kind, text) for kind, text in zip(kinds, document["notes"], strict=True)]


def within_trials(document: Document) -> tuple[str, ...]:
    """Return where a reader of a run's contrasts finds randomised ones, if it says so."""
    return tuple(note.text for note in notes_in(document) if note.kind is NoteKind.WITHIN_TRIALS)


def cross_check_faults(document: Document) -> list[str]:
    """Return why the engines disagree; empty if they agree or were not both used."""
    found = document.get("cross_check")
    return [] if found is None else found["faults"]


def outcome_of(document: Document) -> Outcome:
    """Return the outcome counted."""
    return Outcome.of(document["outcome"])


def declared_in(document: Document) -> Declared:
    """Return what the model file says of columns."""
    return outcome_of(document).declared


def headings_by_slug(document: Document) -> dict[str, str]:
    """Return the headings of the columns that names of parameters stand for, by their part of such a name."""
    declared = declared_in(document)
    found = {slug_of(row["group"]): declared.headings(row) for row in document["pooled"] if row["group"] != ALL}
    units = filter(None, ("cohort", document["heterogeneity_unit"]))
    return {slug_of(unit): declared.heading(unit) for unit in units} | found


def subject(document: Document) -> list[str]:
    """Return sentences on the model and the evidence."""
    evidence = document["evidence"]
    trials = "" if evidence["trials"] is None else f" of {counted(evidence['trials'], 'trial')}"
    outcome = outcome_of(document)
    counts = (
        f"{counted(evidence['cohorts'], 'cohort')}{trials}, {outcome.events_of(evidence['responders'])} of "
        f"{outcome.units_of(evidence['patients'])}"
    )
    exactly = "" if outcome.patients == outcome.units else f"; {outcome.units} below are {outcome.patients}"
    counted_are = [] if outcome == ORR else [f"Outcome: {outcome.label}{exactly}"]
    # The reason for the model if it is the default.
    chosen = f", as {why}" if (why := document.get("chosen")) else ""
    return [
        f"Model: {document['model']}{chosen} ({document['question']})",
        *filter(None, [exploratory(document)]),
        *counted_are,
        f"Evidence: {evidence['source']}, {counts}",
    ]


def exploratory(document: Document) -> str:
    """Return that an analysis was come upon by trying several, and how it differs from the first; empty if not."""
    found = document["provenance"].get("exploration")
    if found is None:
        return ""
    tried = "the only setting" if found["settings_tried"] == 1 else f"one of {found['settings_tried']} settings"
    changed = f"; against the base: {'; '.join(found['changes'])}" if found["changes"] else ""
    return f"EXPLORATORY: {tried} tried on this table{changed}"


def verdict(document: Document) -> list[str]:
    """Return sentences on the computation of the posterior, its usability and any failures."""
    found, provenance = document["diagnostics"], document["provenance"]
    settings = provenance["settings"]
    said = "converged" if found["converged"] else "NOT CONVERGED: DO NOT USE THESE NUMBERS"
    failures = [f"failed: {failure}" for failure in found["failures"]]
    if (weights := provenance["weights"]) is not None:
        made = (
            f"Posterior: {said}. {settings['chains'] * settings['draws']:,} draws by quadrature and importance "
            f"sampling, seed {settings['seed']}; {measures(document)}, "
            f"{weights['duplicates']:,} of those kept are duplicates"
        )
        reason = provenance["fallback_reason"]
        return [*([f"Fitted by quadrature, not NUTS: {reason}."] if reason else []), made, *failures]
    reason = provenance["fallback_reason"]
    made = (
        f"Posterior: {said}. {settings['chains']} chains of {settings['draws']} draws, seed {settings['seed']}; "
        f"{measures(document)}"
    )
    return [*([f"Sampled by NUTS: {reason}."] if reason else []), made, *failures]


def measures(document: Document) -> str:
    """Return the diagnostics behind a convergence verdict."""
    found = document["diagnostics"]
    if (weights := document["provenance"]["weights"]) is not None:
        return (
            f"Pareto k {_figure(found['pareto_k'], 2)}, "
            f"ESS {_figure(found['importance_ess'], 0)} of {weights['weighted']:,} weighted draws"
        )
    return (
        f"R-hat ≤ {_figure(found['rhat_max'], 3)}, ESS ≥ {_least_ess(found)}, "
        f"{found['divergences']} divergences, E-BFMI ≥ {_figure(found['ebfmi_min'], 2)}"
    )


def weight_lines(document: Document) -> list[str]:
    """Return a line per level of line and generation with its averaging weights."""
    return [
        f"{shown(row['level'])}: {row['weights']}"
        for row in document["pooled"]
        if row["estimand"] == "mean" and row["weights"] and row["group"] in ("line", "generation")
    ]


def inverse_variance_notes(document: Document) -> list[str]:
    """Return the notes on the inverse-variance column, each once with its rows.

    Notes on prediction intervals are left out, as the column has none.
    """
    rows = [row for row in document["classical"] if row["method"] == INVERSE_VARIANCE]
    return [
        f"Inverse-variance{'' if note.names_rows else f' ({", ".join(note.results)})'}: {note.worded()}"
        for note in shared_notes((level_name(row), _notes_in(row)) for row in rows)
    ]


def _notes_in(row: ClassicalRow) -> Iterator[Note]:
    for record in row["notes"]:
        if record["kind"] != NoteKind.PREDICTION:
            instead = (
                Instead(record["source"], record["result"], record.get("caution", "")) if record["source"] else None
            )
            yield Note(NoteKind(record["kind"]), record["text"], instead)


def _pooled(document: Document) -> Iterator[tuple[str, ...]]:
    classical = {(row["group"], row["level"], row["method"]): row for row in document["classical"]}
    previous = ALL
    for (group, level), estimands in pooled_by_level(document).items():
        if group != previous:
            yield (group_heading(group, document["pooled"], outcome_of(document)),)
        previous = group
        typical = estimands["typical"]
        yield (
            f"{'' if group == ALL else ' '}{level_name(typical)}{_spaced(predicted_mark(typical))}",
            str(typical["k"]),
            f"{typical['patients']:,}\n{typical['responders']:,}",
            _classical(classical.get((group, level, "crude-wilson"))),
            _classical(classical.get((group, level, INVERSE_VARIANCE))),
            "\n".join(rate(typical)),
            "\n".join(rate(estimands["mean"])),
            limits(estimands["next_cohort"]),
        )


def predicted_mark(row: PooledRow | ContrastRow) -> str:
    """Return the mark of a rate or contrast predicted for some or all of its patients, else an empty string."""
    if not is_partly_predicted(row):
        return ""
    return WHOLLY_PREDICTED if row["predicted"] >= ALL_PREDICTED else PARTLY_PREDICTED


def _spaced(mark: str) -> str:
    return f" {mark}" if mark else ""


def _classical(row: ClassicalRow | None) -> str:
    if row is None or row["estimate"] is None:
        return "–"
    return f"{percent(row['estimate'])}\n{percent_interval(row['low'], row['high'])}"


def _meaning(parameter: str, document: Document) -> str:
    """Return the meaning of a standard deviation, with a placeholder for the link."""
    kind, _, label = parameter.partition("_")
    slug, _, level = label.rstrip("]").partition("[")
    title = headings_by_slug(document).get(slug, slug)
    units = several(title)
    if kind == "spread":
        return f"SD of the logs of the taus between {units} over the levels"
    if kind == "tau":
        if level:
            return f"between {units} with {_with_heading(level, document)}, SD on the {{link}} scale"
        if any(row["parameter"] == f"spread_{slug}" for row in document["heterogeneity"]):
            return f"between {units}, geometric mean over the levels, SD on the {{link}} scale"
        if document.get("exchangeability"):
            return f"between exchangeable {units}, SD on the {{link}} scale"
        unit = document["heterogeneity_unit"] if slug == "cohort" else None
        nested = "" if unit is None else f" of one {declared_in(document).name(unit)}"
        return f"between {units}{nested}, SD on the {{link}} scale"
    effect = next((row for row in document["pooled"] if slug_of(row["group"]) == label), None)
    columns = declared_in(document).heading(label) if effect is None else title
    pair = effect is not None and is_pair(effect)
    what = f"interaction of {columns}" if pair else f"between the levels of {columns}"
    return f"{what}, SD on the {{link}} scale"


def _with_heading(level: str, document: Document) -> str:
    """Return a column and its level, as a parameter's name has them, with the column's heading."""
    declared = declared_in(document)
    named = [name for name in map(label_of, declared.columns) if declared.label(name) and level.startswith(f"{name} ")]
    column = max(named, key=len, default="")
    return shown(f"{declared.label(column)}{level.removeprefix(column)}" if column else level)


def _contrast(scales: Mapping[str, ContrastRow]) -> tuple[str, ...]:
    middle, interval = difference(scales["risk_difference"])
    name, mark = scales["risk_difference"]["contrast"], predicted_mark(scales["risk_difference"])
    return (
        f"{shown(name)} {mark}" if mark else shown(name),
        ratio(scales["odds_ratio"]),
        f"{middle} ({interval})",
        probability(scales["risk_difference"]["prob_better"]),
    )


def _figure(value: float | None, digits: int) -> str:
    """Return a diagnostic as text; chains that do not move leave some undefined."""
    return "not a number" if value is None else unsigned_zero(value, digits)


def _least_ess(found: DiagnosticsRecord) -> str:
    bulk, tail = found["ess_bulk_min"], found["ess_tail_min"]
    return _figure(None if bulk is None or tail is None else min(bulk, tail), 0)
