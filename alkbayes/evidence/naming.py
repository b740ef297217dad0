"""Column names: as mapped by the user, or by well-known synonyms."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from alkbayes.alk.levels import LEVELS
from alkbayes.errors import EvidenceError, Setting
from alkbayes.evidence.faults import NAME_COLUMNS, Fault
from alkbayes.evidence.levels import with_known_levels
from alkbayes.evidence.records import Record, Table
from alkbayes.text.names import listed, near_miss, plain, quoted
from alkbayes.vocabulary import is_missing

COHORT, TRIAL, RESPONDERS, N = "cohort_id", "trial", "responders", "n"

STUDY = ("study", "studyid", "studyname")
"""Names for a column of trials, or of cohorts if no trial has two; as `text.names.plain` leaves them."""
WELL_KNOWN: Mapping[str, tuple[str, ...]] = {
    COHORT: ("cohort", "studlab", "slab", *STUDY, "label", "author", "authors", "name", "id"),
    TRIAL: (*STUDY, "trialid", "trialname"),
    RESPONDERS: ("event", "events", "events1", "xi", "r", "responses", "responder"),
    N: ("total", "total1", "totals", "ni", "patients"),
}
"""Synonyms used by meta, metafor, RBesT, RevMan, MetaInsight and in Excel, the likeliest first."""

STRATIFIERS = ("line", "regimen_class", "prior_alk_tki")
"""Columns of the default models, recognised in any case even before a model is chosen."""

EXPECTED = (*WELL_KNOWN, *(name for names in WELL_KNOWN.values() for name in names))
"""Names that identify a header."""

ANY_COLUMN = "COLUMN"
"""Stands in a message for a column whose name is not known."""

LEAST_LETTERS = 5
"""Length of a well-known name that is recognised within a longer one: "Events (n)", but not "r" or "ni"."""


def named(
    table: Table,
    needed: Sequence[str],
    columns: Mapping[str, str],
    *,
    own_levels: Collection[str] = (),
    cohorts: bool = True,
) -> Table:
    """Return a table with its columns renamed to the names used in this package, and their known levels spelt as here.

    Parameters
    ----------
    table
        As it was read.
    needed
        Columns needed; other spellings of them are accepted.
    columns
        The user's mapping from names used here to the column names of the file.
    own_levels
        Columns whose levels a model file gives: their cells stay as they are.
    cohorts
        Whether rows are cohorts, which need names; not so where several rows are the arms of a trial.

    Returns
    -------
    Table
        With a `cohort_id`, generated if need be (`cohorts`), and with notes on what was renamed or faults if that
        failed.
    """
    own = table.header.cells
    faults = list(_mapping_faults(table, columns))
    renamed = {name: source for name, source in columns.items() if source in own and not _taken(own, name, columns)}
    guessed = {fault.column: fault.meant for fault in faults if fault.meant}
    for name in dict.fromkeys((*((COHORT,) if cohorts else ()), TRIAL, *needed, *STRATIFIERS)):
        if name in columns:
            continue
        free = _free(own, renamed, guessed)
        candidates = _candidates(name, free)
        if name in {COHORT, TRIAL}:
            candidates = _label(table, name, candidates)
        if len(candidates) > 1:
            faults.append(_ambiguous(table, name, candidates))
            if name not in own:
                guessed[name] = candidates[-1]
        elif candidates and candidates[0] != name:
            renamed[name] = candidates[0]
    for name in needed:
        if name not in {COHORT, TRIAL, *own, *renamed, *guessed, *columns}:
            others = [each for each in _free(own, renamed, guessed) if each not in needed]
            if guess := likely_column(name, others):
                guessed[name] = guess
    names = {source: name for name, source in renamed.items() if source != name}
    provisional = names | {source: name for name, source in guessed.items()}
    result = replace(
        table,
        header=replace(table.header, cells=tuple(provisional.get(each, each) for each in own)),
        faults=(*table.faults, *faults),
        columns=renamed | guessed,
        own=own,
        guessed=guessed,
        notes=(*table.notes, *_renaming_notes(names)),
    )
    result = with_known_levels(result, {*needed, *STRATIFIERS}.difference(own_levels))
    return _with_ids(result) if cohorts and COHORT not in {*result.header.cells, *columns} else result


def _free(own: Sequence[str], *named_already: Mapping[str, str]) -> list[str]:
    """Return the columns of a file that have no other name yet."""
    taken = {source for names in named_already for source in names.values()}
    return [each for each in own if each and each not in taken]


def absent_faults(table: Table, needed: Sequence[str], *, of_model: Sequence[str] = ()) -> Iterator[Fault]:
    """Yield a fault for each needed column that a table lacks.

    Parameters
    ----------
    table
        With its columns named.
    needed
        Columns needed; names of cohorts are made where there are none.
    of_model
        Those that other models do without.
    """
    names, own = table.header.cells, tuple(filter(None, table.own or table.header.cells))
    told = {fault.column for fault in table.faults}
    for column in (name for name in needed if name != COHORT and name not in told):
        guess = table.guessed.get(column)
        if guess is None:
            if column in names:
                continue
            guess = likely_column(column, [name for name in filter(None, names) if name not in needed])
        if guess:
            advice, meant = f"Did you mean the column {quoted(guess)}?", guess
        elif column in of_model:
            advice, meant = f"Choose a model that needs no {column} (`alkbayes models`).", ""
        else:
            advice, meant = "", ANY_COLUMN
        found = f"no such column, only {listed(own)}"
        allowed = f"a header with {listed([name for name in needed if name != COHORT])}"
        yield Fault(table.header.line, found, allowed, advice, column=column, meant=meant)


def fixed_name_faults(table: Table, needed: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for each needed column that a table lacks whose names cannot be given: `cohort_id` is one of them.

    Parameters
    ----------
    table
        Beside that of cohorts, such as one of adverse events.
    needed
        Columns needed.
    """
    names = table.header.cells
    told = {fault.column for fault in table.faults}
    for column in (name for name in needed if name not in names and name not in told):
        guess = likely_column(column, [name for name in filter(None, names) if name not in needed])
        advice = f"Rename {quoted(guess)} to it, if that is meant." if guess else "Name it so in the file."
        found = f"no such column, only {listed(tuple(filter(None, names)))}"
        yield Fault(table.header.line, found, f"a header with {listed(needed)}", advice, column=column)


def no_such_column(missing: Sequence[str], available: Sequence[str], purpose: str) -> EvidenceError:
    """Return the error for columns that a checked table lacks.

    Parameters
    ----------
    missing
        Columns asked for.
    available
        Columns of the table that could be.
    purpose
        What they were asked for, such as "to group by".
    """
    message = f"The evidence table has no column {', '.join(missing)} {purpose}. Its columns: {', '.join(available)}."
    guesses = {name: guess for name in missing if (guess := likely_column(name, available))}
    if guesses:
        message += f" Did you mean {listed([*map(quoted, guesses.values())])}?"
    # Any other name is one that the user has made up, and may have mistyped.
    if meant := {name: guess for name, guess in guesses.items() if name in LEVELS}:
        return EvidenceError(f"{message} {NAME_COLUMNS}", remedy=Setting("columns", meant))
    return EvidenceError(message)


def likely_column(name: str, choices: Sequence[str]) -> str | None:
    """Return the column that may be meant by a name: a misspelling, or a longer name with its words."""
    if spelt := next((each for each in choices if near_miss(each, [name])), None):
        return spelt
    words = _words(name)
    if name == N:
        return next((each for each in choices if _words(each)[:1] == [N] or "patients" in _words(each)), None)
    known = [word for word in WELL_KNOWN.get(name, ()) if len(word) >= LEAST_LETTERS]
    return next(
        (
            each
            for each in choices
            if len(set(words).intersection(_words(each))) >= min(len(words), 2)
            or not set(known).isdisjoint(_words(each))
        ),
        None,
    )


def _words(name: str) -> list[str]:
    """Return the words of a column's name, without accents and in lower case."""
    spaced = "".join(mark if mark.isalnum() else " " for mark in name)
    return [plain(word) for word in spaced.split()]


def _taken(own: Sequence[str], name: str, columns: Mapping[str, str]) -> bool:
    """Return whether another column already has this name and keeps it."""
    return name in own and name not in columns.values()


def _mapping_faults(table: Table, columns: Mapping[str, str]) -> Iterator[Fault]:
    """Yield faults in the user's mapping."""
    own, line = table.header.cells, table.header.line
    for name, source in columns.items():
        if source not in own:
            guess = near_miss(source, (each for each in own if each and each not in columns.values()))
            advice = f"Did you mean {quoted(guess)}?" if guess else ""
            found = f"no column {quoted(source)} in the table"
            allowed = f"one of {listed([*filter(None, own)])}"
            meant = guess if guess and not _taken(own, name, columns) else ""
            yield Fault(line, found, allowed, advice, column=name, meant=meant)
        elif _taken(own, name, columns):
            advice = f"Give the other a name too, as in {name}_2={name}, or delete one of them."
            yield Fault(line, f"two columns that claim this name, {source} and {name}", "one", advice, column=name)


def _candidates(name: str, free: Sequence[str]) -> list[str]:
    """Return the columns that may be meant, the likeliest first."""
    same = [each for each in free if plain(each) == plain(name)]
    if name in {RESPONDERS, N} and len(set(same)) > 1:
        return same  # n and N: in many tables the events and the total
    if name in free:
        return [name]
    if same or name not in WELL_KNOWN:
        return same
    return [each for word in WELL_KNOWN[name] for each in free if plain(each) == word]


def _label(table: Table, name: str, candidates: list[str]) -> list[str]:
    """Return the column with the names of cohorts or trials, as a list of at most one."""
    if name in candidates or not candidates:
        return candidates[:1]
    if name == TRIAL:
        return candidates[:1]
    unique = [each for each in candidates if _tells_apart(table.column(each))]
    # A study that stands in several rows is a trial with several cohorts.
    return (unique or [each for each in candidates if plain(each) not in STUDY])[:1]


def _tells_apart(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells) and not any(map(is_missing, cells))


def _ambiguous(table: Table, name: str, candidates: Sequence[str]) -> Fault:
    found = f"{listed(candidates)}, each of which may be meant"
    return Fault(table.header.line, found, "one column", "Say which it is.", column=name, meant=candidates[-1])


def _renaming_notes(names: Mapping[str, str]) -> Iterator[str]:
    if names:
        yield f"Columns of the file: {listed([f'{source} is read as {name}' for source, name in names.items()])}."


def _with_ids(table: Table) -> Table:
    """Add cohort names to a table: the trial, numbered within trials of several cohorts; else row numbers."""
    if TRIAL in table.header.cells:
        trials = table.column(TRIAL)
        many, seen = Counter(trials), dict[tuple[str, ...], str]()
        numbers: Counter[str] = Counter()
        for trial, record in zip(trials, table.records, strict=True):
            # Two rows that are the same in each cell are one cohort twice, which is a fault of its own.
            if record.cells not in seen:
                numbers[trial] += 1
                alone = many[trial] == 1 and not is_missing(trial)
                seen[record.cells] = trial if alone else f"{'cohort' if is_missing(trial) else trial} {numbers[trial]}"
        ids = [seen[record.cells] for record in table.records]
        note = "The table has no column of names for cohorts: they are named by trial, and numbered within it."
    else:
        ids = [str(number) for number in range(1, len(table.records) + 1)]
        note = "The table has no column of names for cohorts: they are named by number, in the order of the rows."
    records = zip(table.records, ids, strict=True)
    return replace(
        table,
        header=Record(table.header.line, (*table.header.cells, COHORT)),
        records=tuple(Record(record.line, (*record.cells, name)) for record, name in records),
        notes=(*table.notes, note),
    )
