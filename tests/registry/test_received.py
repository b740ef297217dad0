import json

import pytest

from alkbayes.registry.json_reader import decoded
from alkbayes.registry.received import items_of, value_of

ITEMS = (
    b'{"a": "\xe2\x89\xa5 \\u2265 \xf0\x9f\xab\x81", "b": "},{ [] \\" \\\\"}',
    b"[ ]",
    b"{}",
    b'"text, with ]"',
    b"-1.50E+2",
    b"1" * 300,
    b"null",
    b'{"studies": [1, [2]]}',
    b"[" * 900 + b"]" * 900,
)
"""Values that cutting by hand would cut wrong: marks within texts, any depth, numbers with too many digits."""


@pytest.mark.parametrize("blank", [b"", b" ", b"\r\n\t "])
def test_each_item_of_a_list_has_its_own_bytes(blank: bytes) -> None:
    whole = blank + b"[" + blank + (blank + b"," + blank).join(ITEMS) + blank + b"]" + blank
    page = b'{"nextPageToken"' + blank + b': "x", "studies"' + blank + b":" + whole + b', "totalCount": 9}'
    for content, key in ((whole, ""), (b"\xef\xbb\xbf" + whole, ""), (page, "studies")):
        value = decoded(content, "x")
        found = list(items_of(content, value[key] if key else value, key))
        assert [each.content for each in found] == list(ITEMS)
        assert [each.study for each in found] == [decoded(each, "x") for each in ITEMS]


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    for lists in (b"[1, 2], [3]", b"[1], [2, 3]", b"[1, 2], []", b"5, [6]"):
        first, _, second = lists.partition(b", [")
        content = b'{"stud\\u0069es": ' + first + b', "studies": [' + second + b"}"
        items = json.loads(content)["studies"]
        assert [each.content for each in items_of(content, items, "studies")] == [str(each).encode() for each in items]


def test_a_value_has_its_bytes_without_what_is_around_it() -> None:
    study = b'{"protocolSection": { }}'
    assert value_of(b"\xef\xbb\xbf\n" + study + b"\n", {}).content == study
    assert value_of(b'{"study": 1, "x": {}, "study":\t' + study + b"}", {}, "study").content == study
