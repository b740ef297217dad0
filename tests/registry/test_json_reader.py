import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.json_reader import decoded, root


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1', "is cut off"),
        (b'{"a": "b', "is cut off"),
        (b"<html>busy</html>", "is no JSON"),
        (b'{"a": NaN}', "is no JSON"),
        (b'{"a": "\xff"}', "found the byte 0xFF; allowed: JSON in UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "is no JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(content: bytes, said: str) -> None:
    with pytest.raises(RegistryError, match=r"x\.json, line 1") as caught:
        decoded(content, "x.json")
    assert said in str(caught.value)
    assert caught.value.exit_code == 8


def test_a_file_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(RegistryError, match="found 12 bytes; allowed: 10 at most"):
        decoded(b'{"a": "bcd"}', "x.json", most=10)


def test_a_value_of_another_type_counts_as_missing_and_is_noted_with_its_pointer() -> None:
    record = root({"a": {"list": "no list", "text": ["x"], "n": -1, "items": [{"t": "x"}, 3], "b": "yes"}})
    a = record.at("a")
    assert list(a.objects("list")) == []
    assert a.text("text") == ""
    assert a.count("n") is None
    assert [each.text("t") for each in a.objects("items")] == ["x"]
    assert a.flag("b") is None
    assert record.faults == [
        "/a/list: found a text; allowed: a list",
        "/a/text: found a list; allowed: a text",
        "/a/n: found a number; allowed: a whole number",
        "/a/items/1: found a number; allowed: an object",
        "/a/b: found a text; allowed: a truth value",
    ]


def test_a_root_that_is_no_object_is_an_empty_record() -> None:
    assert root([1]).at("a", "b").text("c") == ""


@pytest.mark.parametrize(
    ("value", "count"), [("12", 12), ("1,234", 1234), (7, 7), ("NA", None), (True, None), ("1e3", None)]
)
def test_counts_are_numbers_or_texts(value: object, count: int | None) -> None:
    assert root({"n": value}).count("n") == count
