from typing import Any

import pytest

from alkbayes.registry.extraction.events import COLUMNS, event_rows_of, event_totals_of


def test_totals_of_real_records_are_those_posted(posted: dict[str, dict[str, Any]]) -> None:
    """Trap 12: EG000 of this record is the functional test, OG000 the anatomic one."""
    rows = {
        (row.group_id, row.kind): (row.value, row.n) for row in event_totals_of(posted["NCT01174550"], "NCT01174550")
    }
    assert rows["EG000", "serious_ae"] == (161, 5007)
    assert rows["EG001", "serious_ae"] == (168, 4996)


def test_deaths_have_their_own_number_at_risk(posted: dict[str, dict[str, Any]]) -> None:
    rows = {(row.group_id, row.kind): (row.value, row.n) for row in event_totals_of(posted["NCT02545049"], "x")}
    assert rows["EG000", "serious_ae"] == (1158, 3683)
    assert rows["EG000", "death"] == (339, 3686)


@pytest.mark.parametrize(
    ("cell", "counts"),
    [
        ({"groupId": "EG000", "numAffected": 2, "numAtRisk": 10}, (10, 2, 2, "clean")),
        ({"groupId": "EG000", "numAffected": "0", "numAtRisk": "10"}, (10, 0, 0, "clean")),
        ({"groupId": "EG000", "numAffected": 0, "numAtRisk": 0}, (0, 0, None, "refused")),
        ({"groupId": "EG000", "numAffected": 11, "numAtRisk": 10}, (10, 11, None, "refused")),
        ({"groupId": "EG000", "numAtRisk": 10}, (10, None, None, "refused")),
        ({"groupId": "EG000", "numAffected": True, "numAtRisk": [1]}, (None, None, None, "refused")),
    ],
)
def test_single_events_are_rows_of_their_own(cell: dict[str, Any], counts: tuple[object, ...]) -> None:
    document = {
        "resultsSection": {
            "adverseEventsModule": {
                "eventGroups": [{"id": "EG000", "title": "Lorlatinib"}],
                "otherEvents": [{"term": "=Nausea\u202e", "stats": [5, cell]}],
            }
        }
    }
    (row,) = event_rows_of(document, "NCT00000001")
    made = dict(zip(COLUMNS, row, strict=True))
    assert (made["n"], made["value"], made["responders"], made["status"]) == counts
    assert (made["kind"], made["term"], made["group_title"]) == ("other_term", "'=Nausea", "Lorlatinib")
    assert made["pointer"] == "/resultsSection/adverseEventsModule/otherEvents/0/stats/1"


def test_single_events_are_printed_as_posted() -> None:
    """An apostrophe keeps a spreadsheet from running a cell; JSON has none."""
    events = [{"term": "=Nausea", "stats": [{"groupId": "EG000", "numAffected": 1, "numAtRisk": 9}]}]
    document = {"resultsSection": {"adverseEventsModule": {"seriousEvents": events}}}
    (row,) = event_rows_of(document, "NCT00000001", str)
    assert row[1:8] == ("EG000", "", "serious_term", "=Nausea", 9, 1, 1)
