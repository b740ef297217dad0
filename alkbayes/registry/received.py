"""Records as they came: each decoded, beside its own bytes, cut from the answer or the file that it came in.

JSON that is written again is not what was received: blanks, escapes and the digits of numbers would be this program's.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DECODER = json.JSONDecoder()
"""It tells where a value ends, which the faster one of `json_reader` does not."""

BLANKS = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Received:
    """A study, decoded, and the bytes that it was sent in."""

    study: Any
    content: bytes


def converted(study: Mapping[str, Any]) -> Received:
    """Return a study that came in another format, with the JSON that stands for it."""
    return Received(study, json.dumps(study, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())


def items_of(content: bytes, items: list[Any], key: str = "") -> Iterator[Received]:
    """Yield the items of a list, each with its bytes.

    Parameters
    ----------
    content
        JSON in UTF-8, known to be valid: a list, or an object with the list under `key`.
    items
        The list, decoded.
    """
    text = content.removeprefix(codecs.BOM_UTF8).decode()
    places = [(start, end) for name, start, end in _members(text, _next(text, 0), key) if name == key]
    # Of a key that comes twice the last one counts, as in every decoder.
    for item, (start, end) in zip(items, places[len(places) - len(items) :], strict=True):
        yield Received(item, text[start:end].encode())


def value_of(content: bytes, value: Any, key: str = "") -> Received:
    """Return a decoded value with its bytes: the whole of `content`, or what stands under a key of its object."""
    text = content.removeprefix(codecs.BOM_UTF8).decode()
    if not key:
        return Received(value, text.strip(" \t\n\r").encode())
    *_, (start, end) = ((start, end) for name, start, end in _members(text, _next(text, 0)) if name == key)
    return Received(value, text[start:end].encode())


def _members(text: str, place: int, opened: str = "") -> Iterator[tuple[str, int, int]]:
    """Yield key, start and end of each member of the object or list that starts at a place; a list's have no key.

    In place of a list under the key `opened`, its items are yielded, under that key.
    """
    keyed = text[place] == "{"
    place = _next(text, place + 1)
    while text[place] not in "]}":
        key = ""
        if keyed:
            key, place = DECODER.raw_decode(text, place)
            place = _next(text, _next(text, place) + 1)
        if key and key == opened and text[place] == "[":
            end = place + 1
            for _, start, end in _members(text, place):
                yield key, start, end
            end = _next(text, end) + 1
        else:
            _, end = DECODER.raw_decode(text, place)
            yield key, place, end
        place = _next(text, end)
        if text[place] == ",":
            place = _next(text, place + 1)


def _next(text: str, place: int) -> int:
    """Return the place of the next character that is no blank."""
    found = BLANKS.match(text, place)
    return place if found is None else found.end()
