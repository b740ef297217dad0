"""Settings tried are counted over sessions, by table, whatever else stands in the file."""

import json
from pathlib import Path

import pytest

from alkbayes.errors import RunError
from alkbayes.explore.log import ExplorationLog


def test_settings_are_counted_once_and_over_sessions(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "exploration.jsonl"
    log = ExplorationLog(path, "abc")
    assert (log.tried, log.number("one")) == (0, None)
    assert not path.parent.exists(), "nothing is made before there is something to write"
    for key in ("one", "two", "one"):
        log.note(key, {"name": "\u202e<b>", "mean": 0.5})
    assert (log.tried, log.earlier, log.number("two")) == (2, 0, 2)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["key"] for line in lines] == ["one", "two"]
    assert lines[0]["table_sha256"] == "abc"
    again = ExplorationLog(path, "abc")
    assert (again.tried, again.earlier) == (2, 2)
    assert ExplorationLog(path, "of another table").tried == 0


def test_what_the_program_did_not_write_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "exploration.jsonl"
    path.write_bytes(
        b'\xff\n[1]\n{"table_sha256": "abc"}\n{"table_sha256": "abc", "key": 3}\n' + b"[" * 100_000 + b"\n"
    )
    log = ExplorationLog(path, "abc")
    assert log.tried == 0
    log.note("one", {})
    assert ExplorationLog(path, "abc").tried == 1


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="every setting tried is written here"):
        ExplorationLog(tmp_path / "runs" / "exploration.jsonl", "abc")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(RunError):
        ExplorationLog(tmp_path / "folder.jsonl", "abc")
