"""Records broken at random places: whatever stands there, they are read for what they have, and nothing fails."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import candidates_of
from alkbayes.registry.extraction.cohorts import cohorts_of
from alkbayes.registry.extraction.events import event_rows_of, event_totals_of
from alkbayes.registry.screening.rules import screen
from alkbayes.registry.study import study_of

BROKEN = 400
LARGEST = 30_000
"""Characters of the records that are broken: larger ones take longer and have no other kinds of places."""

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, "", "NA", "\u202e=x", "a" * 5000, [], {}, [[]], [None], {"x": 1}, ["a", {}]),
    *("1e999", "٣", "12,345", "<0.1", "99999999999999", "NCT00000002", "OG000", "participants"),
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value within a record."""
    if here:
        yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*here, key))


def broken(record: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a record with one to four values replaced, removed or repeated."""
    record = copy.deepcopy(record)
    for _ in range(rng.randint(1, 4)):
        *way, last = rng.choice(list(paths(record)))
        owner: Any = record
        for key in way:
            owner = owner[key]
        what = rng.random()
        if what < 0.8:
            owner[last] = copy.deepcopy(rng.choice(VALUES))
        elif isinstance(owner, dict):
            owner.pop(last)
        else:
            owner.insert(last, copy.deepcopy(owner[last]))
    return record


def test_no_broken_record_stops_a_review(
    built: dict[str, dict[str, Any]], posted: dict[str, dict[str, Any]], protocol: Protocol
) -> None:
    rng = random.Random(5)  # noqa: S311 - a test that is the same each time
    records = [record for record in (*built.values(), *posted.values()) if len(json.dumps(record)) < LARGEST]
    for _ in range(BROKEN):
        record = broken(rng.choice(records), rng)
        study = study_of(record)
        screen(study, protocol)
        rows = candidates_of(record, study, protocol)
        for row in rows:
            assert row.responders is None or row.n is None or 0 <= row.responders <= row.n
            assert row.responders is None or row.responders in row.responders_fits
        made = cohorts_of(rows, study, protocol)
        assert all(0 <= cohort["responders"] <= cohort["n"] for cohort in made.rows)
        list(event_rows_of(record, "NCT00000001"))
        list(event_totals_of(record, "NCT00000001"))


def test_no_record_is_changed_by_reading_it(built: dict[str, dict[str, Any]], protocol: Protocol) -> None:
    before = copy.deepcopy(built)
    for record in built.values():
        candidates_of(record, study_of(record), protocol)
    assert built == before
