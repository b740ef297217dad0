"""Faults of a model file, one line each, in terms of the file rather than of the validating library."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from alkbayes.spec.priors import Record
from alkbayes.text.names import near_miss, quoted, shown

LARGEST_SHOWN = 10**15
"""Largest integer that is spelt out."""

MISSING = object()


@dataclass(frozen=True, slots=True)
class _Place:
    """Location of a fault.

    `path` is the key's path, such as "effect[1].sd_prior.sd", `owner` its table and `field` its declaration (None for
    an unknown key). `records` are the tables allowed there, several if a key such as `dist` decides; `found` is the
    value or MISSING; `near` is the column that tells apart entries of a list.
    """

    path: str
    records: tuple[type[Record], ...]
    field: FieldInfo | None
    owner: type[Record]
    found: Any
    near: Any


def faults_of(root: type[Record], data: Any, error: ValidationError) -> tuple[str, ...]:
    """Return every fault that `error` found in `data`, without duplicates."""
    lines: list[str] = []
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "model_faults":
            lines += detail["msg"].split("\n")
        else:
            lines.append(_line(_place(root, data, detail["loc"]), detail["type"]))
    # A key that may hold one of several types has a fault for each of them; one is enough.
    return tuple(dict.fromkeys(lines))


def fault(path: str, found: str, allowed: str, advice: str = "") -> str:
    """Return one fault as a line; `advice` consists of whole sentences."""
    return f"{path}: {found}; allowed: {allowed}. {advice}".rstrip()


def _judged(path: str, value: Any, allowed: str) -> str:
    """Return the fault of a key with this value."""
    if value is MISSING:
        return f"{path}: is missing; needed: {allowed}."
    return fault(path, f"found {as_written(value)}", allowed)


def as_written(value: Any) -> str:
    """Return `value` roughly as in a TOML file, on one short line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int() if abs(value) > LARGEST_SHOWN:
            return "a very large number" if value > 0 else "a very large negative number"
        case int() | float():
            return str(value)
        case dict():
            return "a table" if value else "an empty table"
        case list() if any(isinstance(item, dict | list) for item in value):
            return "a list of tables" if all(isinstance(item, dict) for item in value) else "a list with lists in it"
        case list() | tuple():
            return shown(f"[{', '.join(map(as_written, value))}]")
    return shown(str(value))


def one_of(choices: Sequence[str]) -> str:
    """Return `choices` as listed in messages: '"normal" or "student_t"'."""
    quoted = [f'"{choice}"' for choice in choices]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def _line(place: _Place, kind: str) -> str:
    """Return a pydantic fault as a line; `kind` is pydantic's name for it."""
    name = place.path if place.near is MISSING else f"{place.path} (of {as_written(place.near)})"
    if place.field is None:
        keys = _keys(place.owner)
        guess = near_miss(place.path.rpartition(".")[2], keys)
        return fault(name, "unknown key", ", ".join(keys), f'Did you mean "{guess}"?' if guess else "")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        # The first key distinguishes the tables allowed here.
        key = next(iter(place.records[0].model_fields))
        allowed = one_of([tag for record in place.records for tag in _tags(record)])
        found = place.found.get(key, MISSING) if isinstance(place.found, dict) else MISSING
        return _judged(name.replace(place.path, f"{place.path}.{key}", 1), found, allowed)
    return _judged(name, place.found, _allowed(place.field))


def _place(root: type[Record], data: Any, location: Sequence[str | int]) -> _Place:
    """Follow pydantic's path, which includes union tags (`effect`, 0, `fixed`, `prior`, `normal`, `sd`)."""
    path, here, near, owner = "", data, MISSING, root
    records: tuple[type[Record], ...] = (root,)
    field: FieldInfo | None = None
    named = False
    for part in location:
        if isinstance(part, int):
            path, here = f"{path}[{part}]", here[part]
            near = here.get("column", MISSING) if isinstance(here, dict) else MISSING
        elif len(records) > 1:
            records = tuple(record for record in records if part in _tags(record))
        else:
            owner = records[0]
            if named and field is not None and location[-1] == "[key]":  # pydantic's word for a fault of the name
                return _Place(path, (), FieldInfo.from_annotation(get_args(field.annotation)[0]), owner, part, MISSING)
            path = f"{path}.{key_text(part)}" if path else key_text(part)
            here = here.get(part, MISSING) if isinstance(here, dict) else MISSING
            if named:
                named, near = False, MISSING
                continue  # a table under a name of the user's
            field = next((field for name, field in owner.model_fields.items() if (field.alias or name) == part), None)
            records = () if field is None else _records(field.annotation)
            named = field is not None and get_origin(field.annotation) is dict
            if not records:  # what follows are pydantic's names for the types of one value
                break
    return _Place(path, records, field, owner, here, MISSING if path.endswith(".column") else near)


def key_text(key: str) -> str:
    """Return a key in TOML syntax."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else as_written(key)


def _keys(record: type[Record]) -> list[str]:
    """Return the keys of a table in declaration order."""
    return [field.alias or name for name, field in record.model_fields.items()]


def _records(annotation: Any) -> tuple[type[Record], ...]:
    """Return the tables within a type."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return (annotation,)
    return tuple(record for part in get_args(annotation) for record in _records(part))


def _tags(record: type[Record]) -> tuple[str, ...]:
    """Return the values of a table's first key, which distinguishes it from its alternatives."""
    annotation = next(iter(record.model_fields.values())).annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _allowed(field: FieldInfo) -> str:
    """Return the allowed values of a key."""
    return field.description or one_of(get_args(field.annotation))
