"""Selection of cohorts: by a condition on columns, and by name."""

import ast
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.errors import UsageError
from alkbayes.evidence.levels import known_level
from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.numbers import number_in
from alkbayes.evidence.sources import CONDITION, Selection
from alkbayes.text.names import listed, near_miss, quoted
from alkbayes.text.wording import counted, ended
from alkbayes.vocabulary import is_missing

type Mask = NDArray[np.bool_]
"""Whether each cohort is meant, shape (cohort,)."""

IN_BACKTICKS = re.compile(r"`([^`]*)`")
type Compare = Callable[[Any, Any], bool]
COMPARISONS: dict[type[ast.cmpop], Compare] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def selected(frame: pd.DataFrame, selection: Selection) -> tuple[Mask, tuple[str, ...]]:
    """Return which cohorts are selected, and notes on the others.

    Parameters
    ----------
    frame
        See :class:`alkbayes.evidence.table.Evidence`.
    selection
        Condition and names.

    Raises
    ------
    UsageError
        If the condition cannot be read or does not fit the table, a name is not a cohort of it, or nothing is left.
    """
    kept, notes = np.ones(len(frame), dtype=np.bool_), []
    if selection.where:
        kept, incomplete = _Condition(frame, selection.where).evaluated()
        missing = f"; {len(incomplete)} left out for lack of a value: {listed(incomplete)}" if incomplete else ""
        notes.append(f"Selected by {selection.where}: {kept.sum()} of {counted(len(frame), 'cohort')}{missing}.")
    if selection.exclude:
        cohorts = frame[COHORT].tolist()
        for name in selection.exclude:
            if name not in cohorts:
                guess = near_miss(name, cohorts)
                advice = f"Did you mean {quoted(guess)}?" if guess else f"Its cohorts: {listed(cohorts)}."
                raise UsageError(
                    f"found {quoted(name)}, which is not a cohort of the table. {advice}", parameter="exclude"
                )
        kept &= ~frame[COHORT].isin(selection.exclude).to_numpy()
        notes.append(f"Left out by name: {listed(selection.exclude)}.")
    if not kept.any():
        raise UsageError(f"selects none of the {len(frame)} cohorts of the table.", parameter="where")
    if selection.reason:
        notes.append(f"Reason for the selection: {ended(selection.reason)}")
    return kept, tuple(notes)


@dataclass(frozen=True, slots=True)
class _Truth:
    """Whether a condition holds, and whether it fails, for each cohort, shape (cohort,); without a value neither."""

    holds: Mask
    fails: Mask

    def __invert__(self) -> "_Truth":
        return _Truth(self.fails, self.holds)

    def __and__(self, other: "_Truth") -> "_Truth":
        return _Truth(self.holds & other.holds, self.fails | other.fails)

    def __or__(self, other: "_Truth") -> "_Truth":
        return _Truth(self.holds | other.holds, self.fails & other.fails)


class _Condition:
    """A condition, read with Python's own parser and evaluated over the cells of a table; nothing is executed."""

    def __init__(self, frame: pd.DataFrame, text: str) -> None:
        self.frame, self.text = frame, text
        self.names: list[str] = []

    def evaluated(self) -> tuple[Mask, list[str]]:
        """Return which cohorts satisfy it, and the names of those for which it cannot be told for lack of a value."""
        try:
            tree = ast.parse(IN_BACKTICKS.sub(self._placeholder, self.text.strip()), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._fault("which is not a condition") from error
        found = self._truth(tree.body)
        return found.holds, self.frame.loc[~(found.holds | found.fails), COHORT].tolist()

    def _placeholder(self, found: re.Match[str]) -> str:
        self.names.append(found[1])
        return f"_{len(self.names) - 1}_"

    def _fault(self, what: str, allowed: str = f"comparisons of columns, as in {CONDITION}") -> UsageError:
        return UsageError(
            f"found {quoted(self.text)}, {what}; allowed: {allowed}. Put text in quotation marks, and a column with "
            "blanks or signs in its name in backticks.",
            parameter="where",
        )

    def _truth(self, node: ast.expr) -> _Truth:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return reduce(operator.and_, map(self._truth, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return reduce(operator.or_, map(self._truth, values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self._truth(operand)
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                parts = [self._compared(*part) for part in zip(sides[:-1], ops, sides[1:], strict=True)]
                return reduce(operator.and_, parts)
            case _:
                raise self._fault(f"of which {quoted(ast.unparse(node))} is not a comparison")

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Truth:
        """Return which cohorts satisfy one comparison of a column with a value or a list of values."""
        match left, op, right:
            case ast.Name(), ast.In() | ast.NotIn(), ast.List(elts=[_, *_] as items) | ast.Tuple(elts=[_, *_] as items):
                inside = reduce(operator.or_, (self._where(left, self._value(item), operator.eq) for item in items))
                return inside if isinstance(op, ast.In) else ~inside
            case _, ast.In() | ast.NotIn(), _:
                raise self._fault("where `in` needs a column and a list", 'such as region in ["Asia", "Europe"]')
            case ast.Name(), _, _ if type(op) in COMPARISONS:
                return self._where(left, self._value(right), COMPARISONS[type(op)])
            case _, _, ast.Name() if type(op) in COMPARISONS:
                value, compare = self._value(left), COMPARISONS[type(op)]
                return self._where(right, value, lambda cell, _: compare(value, cell))
            case _:
                raise self._fault("which does not compare a column with a value")

    def _value(self, node: ast.expr) -> str | float:
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -float(number)
            case _:
                raise self._fault(f"where {quoted(ast.unparse(node))} is neither a number nor text in quotation marks")

    def _column(self, node: ast.Name) -> str:
        placeholder = re.fullmatch(r"_(\d+)_", node.id)
        name = self.names[int(placeholder[1])] if placeholder and int(placeholder[1]) < len(self.names) else node.id
        if name not in self.frame:
            guess = near_miss(name, self.frame.columns)
            hint = f", perhaps {guess}" if guess else ""
            columns = listed([*self.frame.columns])
            raise self._fault(f"where {quoted(name)} is not a column of the table{hint}", f"its columns, {columns}")
        return name

    def _where(self, node: ast.Name, value: str | float, compare: Compare) -> _Truth:
        """Return which cohorts have a value in a column that compares so with another."""
        name = self._column(node)
        texts = self.frame[name].astype(str)
        stated = ~texts.map(is_missing).to_numpy(dtype=np.bool_)
        cells: list[Any] = texts.tolist()
        if isinstance(value, float):
            numbers = [number_in(cell) for cell in cells]
            known = zip(cells, numbers, stated.tolist(), strict=True)
            others = dict.fromkeys(cell for cell, number, there in known if there and number is None)
            if unreadable := [*map(quoted, others)]:
                raise self._fault(
                    f"which compares {name} with a number, while it holds {listed(unreadable)}",
                    f"text in quotation marks, as in {name} == {unreadable[0]}",
                )
            cells = [math.nan if number is None else number for number in numbers]
        elif value not in cells:
            value = known_level(name, value)  # as the file spells a level that is read as a known one
        holds = np.array([compare(cell, value) for cell in cells], dtype=np.bool_)
        return _Truth(holds & stated, ~holds & stated)
