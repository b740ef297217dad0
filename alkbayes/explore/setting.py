"""What a reader has changed on the page: a frozen setting, and the same as the query of an address."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import parse_qsl, urlencode

from alkbayes.errors import UsageError
from alkbayes.inference.settings import DEFAULT_SEED, MAX_SEED, Engine
from alkbayes.likelihood.links import Link
from alkbayes.text.names import quoted

QUICK_DRAWS = 1000
"""Draws of the first answer, all chains together."""
FULL_DRAWS = 1000
"""Draws per chain of the settled answer, as of `alkbayes fit`."""
LEAST_DRAWS, MOST_DRAWS = 250, 10_000
MOST_STEPS = 4
"""Largest number of steps by which the scale of a prior is moved; two steps double it."""
MOST_TEXT = 500
"""Characters of a reason, a name or a level."""
MOST_FIELDS = 20_000
PRIOR_KEY = re.compile(r"intercept|(?:effect|heterogeneity)\.\d{1,2}(?:\.(?:spread|own))?")
TAILS, INTERACTIONS = ("student_t", "normal"), ("with", "without")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A cohort that is left out, and why; the reason is asked for, and empty until it is given."""

    cohort: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs from the base analysis, with nothing where nothing does.

    Attributes
    ----------
    excluded
        Cohorts left out by name, in order of the names.
    dropped
        Levels left out, by column; both in order.
    dropped_reason
        Reason for all of these.
    model
        Name of a bundled model; empty for that of the base.
    steps
        Steps, of half a doubling each, by which the scale of a prior is moved, by the prior's key.
    link, tails, interaction
        What replaces that of the model; empty for the model's own.
    reference
        Reference level of a column, by column.
    engine, seed, draws
        Engine, random seed, and draws of each chain in the settled answer.
    """

    excluded: tuple[Exclusion, ...] = ()
    dropped: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dropped_reason: str = ""
    model: str = ""
    steps: tuple[tuple[str, int], ...] = ()
    link: str = ""
    tails: str = ""
    interaction: str = ""
    reference: tuple[tuple[str, str], ...] = ()
    engine: Engine = Engine.QUADRATURE
    seed: int = DEFAULT_SEED
    draws: int = FULL_DRAWS

    @property
    def analysis(self) -> Self:
        """The setting without its reasons, on which no number depends."""
        return replace(self, excluded=tuple(Exclusion(each.cohort) for each in self.excluded), dropped_reason="")

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Exclusions without a reason: cohorts, and columns of levels."""
        cohorts = [each.cohort for each in self.excluded if not each.reason.strip()]
        return (*cohorts, *(column for column, _ in self.dropped if not self.dropped_reason.strip()))

    @property
    def reason(self) -> str:
        """All reasons as one text, each with what it is for unless there is only one."""
        by_reason: dict[str, list[str]] = {}
        for each in self.excluded:
            by_reason.setdefault(each.reason.strip(), []).append(each.cohort)
        said = [(reason, names) for reason, names in by_reason.items() if reason]
        levels = [level for _, dropped in self.dropped for level in dropped]
        if levels and self.dropped_reason.strip():
            said.append((self.dropped_reason.strip(), levels))
        if len({reason for reason, _ in said}) == 1:
            return said[0][0]
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in said)

    def query(self, base: "Setting") -> str:
        """Return the setting as the query of an address, with nothing that is the base's; see :func:`parsed`."""
        return urlencode(list(self._fields(base)))

    def _fields(self, base: "Setting") -> Iterator[tuple[str, str]]:
        if self.model != base.model:
            yield "model", self.model
        for each in self.excluded:
            yield "out", each.cohort
            if each.reason:
                yield f"why.{each.cohort}", each.reason
        for column, levels in self.dropped:
            yield from ((f"drop.{column}", level) for level in levels)
        if self.dropped_reason:
            yield "why", self.dropped_reason
        yield from ((f"prior.{key}", str(steps)) for key, steps in self.steps)
        for name in ("link", "tails", "interaction"):
            if value := getattr(self, name):
                yield name, value
        yield from ((f"reference.{column}", level) for column, level in self.reference)
        for name in ("engine", "seed", "draws"):
            if getattr(self, name) != getattr(base, name):
                yield name, str(getattr(self, name))


def parsed(query: str, base: Setting, *, models: Iterable[str] = ()) -> Setting:
    """Return the setting of an address's query.

    Parameters
    ----------
    base
        What stands where the query says nothing.
    models
        Names that `model` may have.

    Raises
    ------
    UsageError
        If it is not the query of a setting.
    """
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        fields = []
        if query:
            raise UsageError(f"the address does not say a setting: found {quoted(query)}.") from None
    found, reasons = _Found(), {}
    for name, value in fields:
        if len(name) > MOST_TEXT + 20 or len(value) > MOST_TEXT:
            raise UsageError(f"the address has a text of more than {MOST_TEXT} characters: {quoted(value or name)}.")
        kind, dot, of = name.partition(".")
        if dot and kind == "why":
            reasons[of] = value
        else:
            found.take(kind, of, value, models=models)
    excluded = tuple(Exclusion(cohort, reasons.get(cohort, "")) for cohort in sorted(found.out))
    dropped = tuple((column, tuple(sorted(levels))) for column, levels in sorted(found.drop.items()))
    return replace(
        base,
        excluded=excluded,
        dropped=dropped,
        dropped_reason=found.single.get("why", ""),
        model=found.single.get("model", base.model),
        steps=tuple(sorted((key, steps) for key, steps in found.prior.items() if steps)),
        link=found.single.get("link", ""),
        tails=found.single.get("tails", ""),
        interaction=found.single.get("interaction", ""),
        reference=tuple(sorted(found.reference.items())),
        engine=Engine(found.single.get("engine", base.engine)),
        seed=found.number("seed", base.seed, 0, MAX_SEED),
        draws=found.number("draws", base.draws, LEAST_DRAWS, MOST_DRAWS),
    )


class _Found:
    """The fields of a query, checked one by one."""

    def __init__(self) -> None:
        self.single: dict[str, str] = {}
        self.out: set[str] = set()
        self.drop: dict[str, set[str]] = {}
        self.prior: dict[str, int] = {}
        self.reference: dict[str, str] = {}

    def take(self, kind: str, of: str, value: str, *, models: Iterable[str]) -> None:
        """Keep one field.

        Raises
        ------
        UsageError
            If there is none of the kind, or its value is not allowed.
        """
        allowed: Mapping[str, Sequence[str] | None] = {
            "why": None,
            "seed": None,
            "draws": None,
            "model": ("", *models),
            "engine": tuple(Engine),
            "link": ("", *Link),
            "tails": ("", *TAILS),
            "interaction": ("", *INTERACTIONS),
        }
        match kind:
            case "out" if not of:
                self.out.add(value)
            case "drop" if of:
                self.drop.setdefault(of, set()).add(value)
            case "reference" if of:
                self.reference[of] = value
            case "prior" if PRIOR_KEY.fullmatch(of):
                self.prior[of] = _whole(f"prior.{of}", value, -MOST_STEPS, MOST_STEPS)
            case _ if not of and kind in allowed:
                choices = allowed[kind]
                if choices is not None and value not in choices:
                    said = ", ".join(filter(None, choices)) or "none but that of the base"
                    raise UsageError(f"{kind}: found {quoted(value)}; allowed: {said}.")
                self.single[kind] = value
            case _:
                raise UsageError(f"the address has {quoted(f'{kind}.{of}' if of else kind)}, which no setting has.")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number, the default where there is none."""
        return _whole(name, self.single[name], low, high) if name in self.single else default


def _whole(name: str, text: str, low: int, high: int) -> int:
    value = int(text) if re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) else None
    if value is None or not low <= value <= high:
        raise UsageError(f"{name}: found {quoted(text)}; allowed: a whole number from {low} to {high:,}.")
    return value
