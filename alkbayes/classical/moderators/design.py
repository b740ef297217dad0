"""Design matrix with named coefficients from columns of an evidence table."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alkbayes.alk.levels import LEVELS
from alkbayes.classical.counts import Floats
from alkbayes.classical.inverse_variance.regression import has_full_rank
from alkbayes.errors import EvidenceError, Setting, UsageError
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.naming import no_such_column
from alkbayes.evidence.numbers import ABOUT, NUMBER_OR_NOTHING, number_advice, number_in
from alkbayes.evidence.table import lines_of, table_of
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.vocabulary import in_order, joined_key, label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

INTERCEPT = "intercept"
NO_MODERATORS = frozenset({"cohort_id", "responders"})
"""Columns that cannot explain a response rate: the cohort's name, and the outcome itself."""
NO_REFERENCES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Moderator:
    """A column that is regressed on.

    Attributes
    ----------
    column, label
        Column of the table, and its name in results.
    levels
        Levels of a factor, its reference first; empty for a number.
    low, high
        Smallest and largest value of a number; NaN for a factor.
    """

    column: str
    label: str
    levels: tuple[str, ...]
    low: float
    high: float

    def block(self, values: npt.NDArray[np.str_], *, full: bool) -> Floats:
        """Return the design's columns at `values`, shape (row,): numbers, or indicators of levels, (row, column).

        With `full` each level has an indicator, else each but the reference.
        """
        if not self.levels:
            return values.astype(np.float64)[:, None]
        return np.asarray(values[:, None] == np.array(self.levels[not full :]), dtype=np.float64)

    def names(self, *, full: bool) -> tuple[str, ...]:
        """Return the names of the columns of `block`."""
        if not self.levels:
            return (f"{self.label} (per unit)",)
        if full:
            return tuple(f"{self.label}: {level}" for level in self.levels)
        first, *others = self.levels
        return tuple(f"{self.label}: {level} (against {first})" for level in others)


@dataclass(frozen=True, slots=True)
class Term:
    """A moderator, or an interaction of several.

    Attributes
    ----------
    parts
        The moderators, in order.
    full
        Those of them coded by an indicator for each level, in R's way: where the term without them is not in the model.
    places
        Places of the term's coefficients, shape (coefficient,), int.
    """

    parts: tuple[Moderator, ...]
    full: frozenset[str]
    places: npt.NDArray[np.intp]

    @property
    def name(self) -> str:
        """Labels of the columns: "line", "line:age"."""
        return joined_key(part.label for part in self.parts)

    def block(self, values: Mapping[str, npt.NDArray[np.str_]]) -> Floats:
        """Return the design's columns of the term at values by column, shape (row,): products of those of its parts."""
        block = np.ones((len(values[self.parts[0].column]), 1))
        for part in self.parts:
            own = part.block(values[part.column], full=part.column in self.full)
            # As R, the levels of the first part run fastest.
            block = (own[:, :, None] * block[:, None, :]).reshape(len(own), -1)
        return block

    @property
    def names(self) -> list[str]:
        """Names of the columns of `block`."""
        each = [part.names(full=part.column in self.full) for part in self.parts]
        return [" × ".join(reversed(names)) for names in itertools.product(*reversed(each))]


@dataclass(frozen=True, slots=True)
class Moderators:
    """A design matrix of p named coefficients for k cohorts.

    Attributes
    ----------
    columns
        Columns of the table requested.
    terms
        Terms of the model, those of one column first.
    design
        Shape (k, p): a column of ones, then for each moderator its values, or an indicator column for each level except
        the reference; for interactions their products.
    names
        Names of the coefficients, length p: "intercept"; "line: mixed (against naive)"; "pfs_median (per unit)"; for
        interactions joined by a multiplication sign.
    values
        Cells of the cohorts by column, shape (k,).
    n
        Patients of the cohorts, shape (k,).
    estimable
        Which columns of all terms' are in the design: none that follows from those before it, as for a combination of
        levels without cohorts. Shape (all,), bool.
    lost
        Names of the others, all of interactions.
    kept, cohorts
        Rows of the table in the design, in order, shape (k,), int, and their `cohort_id`.
    left_out
        `cohort_id` of the cohorts with an empty cell in one of the columns.
    """

    columns: tuple[str, ...]
    terms: tuple[Term, ...]
    design: Floats
    names: tuple[str, ...]
    values: Mapping[str, npt.NDArray[np.str_]]
    n: Floats
    estimable: npt.NDArray[np.bool_]
    lost: tuple[str, ...]
    kept: npt.NDArray[np.intp]
    cohorts: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def moderators(self) -> dict[str, Moderator]:
        """The moderators by column."""
        return {part.column: part for term in self.terms for part in term.parts}

    def factors_of(self, number: str) -> tuple[str, ...]:
        """Return the factors that a numeric column interacts with."""
        crossed = [part for term in self.terms for part in term.parts if number in {each.column for each in term.parts}]
        return tuple(dict.fromkeys(part.column for part in crossed if part.levels))

    def rows(self, values: Mapping[str, npt.NDArray[np.str_]]) -> Floats:
        """Return the columns of all terms, estimable or not, at values by column, shape (row,): (row, all)."""
        return _rows(self.terms, values)


def moderators_of(
    evidence: "Evidence",
    terms: Sequence[str],
    *,
    levels: Collection[str] = (),
    references: Mapping[str, str] = NO_REFERENCES,
) -> Moderators:
    """Return the design for some columns of a table, and interactions of them.

    A column is numeric if it is a count of the table, or if all its values are numbers and the vocabulary does not list
    it as levels (a phase of "2" is a level). Numbers enter as they are: a coefficient is per unit of the column.

    Parameters
    ----------
    evidence
        The cohorts. Those without a value in one of the columns are left out.
    terms
        Columns, and interactions as in a formula of R: "a:b" is the interaction alone, "a*b" both columns and it. At
        least one.
    levels
        Those whose numbers are levels, ordered by value.
    references
        Reference level of a column, by default its first.

    Raises
    ------
    EvidenceError
        If a column is missing or cannot be a moderator, mixes numbers with other cells, does not vary or lacks the
        reference level; if no cohort has values in all columns, they are collinear, an interaction follows from its
        columns, or there are as many coefficients as cohorts.
    UsageError
        If a term is incomplete, `levels` or `references` name another column, or `references` a numeric one.
    """
    frame = evidence.frame
    available = [column for column in frame.columns if column not in NO_MODERATORS]
    crossed = _crossed(terms, available)
    wanted = tuple(dict.fromkeys(itertools.chain.from_iterable(crossed)))
    if not wanted:
        raise EvidenceError(f"A meta-regression needs a moderator. Columns of the table: {', '.join(available)}.")
    if missing := [column for column in wanted if column not in available]:
        raise no_such_column(missing, available, "to regress on")
    if strangers := dict.fromkeys(column for column in (*levels, *references) if column not in wanted):
        raise UsageError(f"{listed([*strangers])} cannot have levels here; regressed on: {listed(wanted)}.")
    declared = evidence.outcome.declared
    with_levels = {*LEVELS, *(column for column in wanted if declared.levels(column))}
    _check_numbers(evidence, [column for column in wanted if column not in {*levels, *with_levels, "n"}])
    asked = ", ".join(wanted)
    each = wanted[0] if len(wanted) == 1 else f"each of {asked}"
    stated = (frame[list(wanted)].astype(str) != "").all(axis=1).to_numpy()
    kept = frame[stated]
    if kept.empty:
        raise EvidenceError(f"No cohort of the evidence table has a value in {each}.")
    values = {column: kept[column].astype(str).to_numpy(dtype=np.str_) for column in wanted}
    parts = {}
    for column in wanted:
        label = label_of(column, frame.columns)
        part = _moderator(
            column,
            label,
            values[column],
            as_levels=column in {*levels, *with_levels},
            reference=references.get(column),
            declared=declared.levels(column),
        )
        if len(part.levels) == 1 or part.low == part.high:
            which = "the one cohort with a value" if len(kept) == 1 else f"all {len(kept)} cohorts with values"
            raise EvidenceError(
                f"{column} is {quoted(str(kept[column].iloc[0]))} in {which} in {asked}: it explains no differences."
            )
        parts[column] = part
    laid = _terms(crossed, parts)
    whole = _rows(laid, values)
    names = [INTERCEPT, *itertools.chain.from_iterable(term.names for term in laid)]
    simple = 1 + sum(len(term.names) for term in laid if len(term.parts) == 1)
    estimable = np.array([*[True] * simple, *_independent(whole, simple)])
    design, k, p = whole[:, estimable], len(kept), int(estimable.sum())
    if p >= k:
        has = ", ".join(map(joined_key, crossed))
        raise EvidenceError(
            f"{has} {'takes' if len(crossed) == 1 else 'take'} {p} coefficients, and there "
            f"{'is 1 cohort with a value' if k == 1 else f'are {k} cohorts with values'} in {each}; a meta-regression "
            "needs more cohorts than coefficients."
        )
    if not has_full_rank(design) and len(wanted) == 1:
        raise EvidenceError(
            f"{asked} varies so little for its size in these {k} cohorts that its coefficient cannot be told from the "
            "intercept. Subtract its mean."
        )
    if not has_full_rank(design):
        raise EvidenceError(
            f"{asked} determine each other in these {k} cohorts, so that no coefficient is their own: "
            f"{', '.join(_dependent(design, names))} follows from those before it. Leave a moderator out."
        )
    return Moderators(
        columns=wanted,
        terms=_placed(laid, estimable, k),
        design=design,
        names=tuple(itertools.compress(names, estimable)),
        values=values,
        n=kept["n"].to_numpy(dtype=np.float64),
        estimable=estimable,
        lost=tuple(itertools.compress(names, ~estimable)),
        kept=np.flatnonzero(stated),
        cohorts=tuple(kept["cohort_id"]),
        left_out=tuple(frame["cohort_id"][~stated]),
    )


def _crossed(asked: Sequence[str], available: Collection[str]) -> list[tuple[str, ...]]:
    """Return the columns of each term, in R's order: those of one column first, each once."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for text in asked:
        # A colon or an asterisk may be part of a column's name.
        joined = [[text]] if text in available else [part.split(":") for part in text.split("*")]
        columns = [[name if name in available else name.strip() for name in part] for part in joined]
        if text and not all(itertools.chain.from_iterable(columns)):
            raise UsageError(f"{quoted(text)} lacks a column; allowed: COLUMN, COLUMN:COLUMN or COLUMN*COLUMN.")
        for size in range(1, len(columns) + 1):
            for several in itertools.combinations(columns, size):
                term = tuple(dict.fromkeys(itertools.chain.from_iterable(several)))
                found.setdefault(frozenset(term), term)
    return sorted(found.values(), key=len)


def _terms(crossed: Sequence[tuple[str, ...]], parts: Mapping[str, Moderator]) -> tuple[Term, ...]:
    """Return the terms of some columns; a column is coded against its reference where the term without it is in."""
    sets = {frozenset[str](), *map(frozenset, crossed)}
    nowhere = np.empty(0, dtype=np.intp)
    return tuple(
        Term(
            parts=tuple(parts[column] for column in term),
            full=frozenset(column for column in term if frozenset(term) - {column} not in sets),
            places=nowhere,
        )
        for term in crossed
    )


def _placed(terms: Sequence[Term], estimable: npt.NDArray[np.bool_], k: int) -> tuple[Term, ...]:
    """Return the terms with the places of their coefficients in a design of the estimable ones."""
    place = np.cumsum(estimable) - 1
    found, start = [], 1
    for term in terms:
        own = np.arange(start, start + len(term.names))
        start += own.size
        if not estimable[own].any():
            raise EvidenceError(
                f"{term.name} follows from the terms before it in these {k} cohorts, so that no coefficient is its "
                "own. Leave it out."
            )
        found.append(replace(term, places=place[own[estimable[own]]]))
    return tuple(found)


def _rows(terms: Sequence[Term], values: Mapping[str, npt.NDArray[np.str_]]) -> Floats:
    """Return the columns of all terms after one of ones, at values by column, shape (row,)."""
    blocks = [term.block(values) for term in terms]
    return np.hstack([np.ones((len(blocks[0]), 1)), *blocks])


def _independent(design: Floats, start: int) -> list[bool]:
    """Return which columns from `start` on do not follow from those before them."""
    kept, found = [*range(start)], []
    for place in range(start, design.shape[1]):
        own = has_full_rank(design[:, [*kept, place]])
        found.append(own)
        kept += [place] * own
    return found


def _moderator(
    column: str,
    label: str,
    values: npt.NDArray[np.str_],
    *,
    as_levels: bool,
    reference: str | None,
    declared: tuple[str, ...],
) -> Moderator:
    """Return a column, called `label`, as a number or a factor."""
    numbers = [number_in(value) for value in values.tolist()]
    if not as_levels and None not in numbers:
        if reference is not None:
            raise UsageError(
                f"{column} is a column of numbers, which have no reference level.\n{_as_factor(column)}",
                remedy=Setting("levels", (column,)),
            )
        found = np.array(numbers, dtype=np.float64)
        return Moderator(column, label, (), float(found.min()), float(found.max()))
    levels = in_order(column, values.tolist(), declared)
    if not declared and column not in LEVELS and None not in numbers:
        levels = tuple(sorted(levels, key=float))
    first = levels[0] if reference is None else reference
    if first not in levels:
        guess = near_miss(first, levels)
        advice = f" Did you mean {quoted(guess)}?" if guess else ""
        raise EvidenceError(
            f"{column}: no cohort has the reference level {quoted(first)}, only {listed(levels)}.{advice}"
        )
    return Moderator(column, label, (first, *(level for level in levels if level != first)), np.nan, np.nan)


def _check_numbers(evidence: "Evidence", columns: Sequence[str]) -> None:
    """Refuse columns that mix numbers with other cells or informal notation.

    Treating them as levels would let one cell "ca. 2005" turn a trend over years into a difference per year.
    """
    for column in columns:
        pairs = zip(evidence.frame["cohort_id"], evidence.frame[column], strict=True)
        cells = {cohort: cell for cohort, cell in pairs if cell}
        others = {cohort: cell for cohort, cell in cells.items() if number_in(cell) is None}
        if not others or (len(others) == len(cells) and not all(map(ABOUT.fullmatch, others.values()))):
            continue
        table = table_of(evidence)
        lines = lines_of(table)
        faults = [
            Fault(lines[cohort], quoted(cell), NUMBER_OR_NOTHING, number_advice(cell), cohort=cohort, column=column)
            for cohort, cell in others.items()
        ]
        raise EvidenceError(
            f"{table.refusal(faults).message}\n{_as_factor(column)}", remedy=Setting("levels", (column,))
        )


def _as_factor(column: str) -> str:
    """Return what stands before the setting that makes a column of numbers a factor."""
    return f"To treat {column} as a factor, each value a level:"


def _dependent(design: Floats, names: Sequence[str]) -> list[str]:
    """Return the names of the coefficients whose columns are combinations of those before."""
    found, independent = [], [0]
    for place in range(1, design.shape[1]):
        if has_full_rank(design[:, [*independent, place]]):
            independent.append(place)
        else:
            found.append(names[place])
    return found
