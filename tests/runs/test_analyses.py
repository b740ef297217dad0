"""Analyses kept beside a run: whole or not at all, and never taken for those of another run."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from alkbayes.errors import RunError
from alkbayes.runs.analyses import COMMANDS, command_for, keep_analysis, kept_analysis

DOCUMENT = {"sensitivity": {"model": "é\x1b[31m", "alternatives": [{"median": 0.1 + 0.2}, {"median": None}]}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "run.json").write_text('{"schema": 1}\n', encoding="utf-8")
    return folder


def change(path: Path, **parts: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | parts), encoding="utf-8")


def test_what_was_kept_is_read_back(run: Path) -> None:
    assert kept_analysis(run, "sensitivity") is None
    path = keep_analysis(run, "sensitivity", DOCUMENT)
    assert path == run / "sensitivity.json"
    assert kept_analysis(run, "sensitivity") == DOCUMENT
    assert kept_analysis(run, "outliers") is None
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "schema": 1,
        "analysis": "sensitivity",
        "run_sha256": sha256(b'{"schema": 1}\n').hexdigest(),
        "document": DOCUMENT,
    }
    assert sorted(each.name for each in run.iterdir()) == ["run.json", "sensitivity.json"]


def test_an_older_one_is_replaced_and_numbers_that_json_has_not_are_null(run: Path) -> None:
    keep_analysis(run, "outliers", DOCUMENT)
    keep_analysis(run, "outliers", {"outliers": {"k": float("nan"), "high": float("inf")}})
    assert kept_analysis(run, "outliers") == {"outliers": {"k": None, "high": None}}


@pytest.mark.parametrize("step", ["write_text", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_the_older_one(
    run: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    keep_analysis(run, "compare", DOCUMENT)

    def broken(self: Path, *_: Any, **__: Any) -> None:
        if step == "write_text":
            self.write_bytes(b"half")
        raise error

    monkeypatch.setattr(Path, step, broken)
    expected = RunError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        keep_analysis(run, "compare", {"comparison": {}})
    if expected is RunError:
        assert str(caught.value) == f"{run / 'compare.json'}: could not be kept: No space left on device."
    assert kept_analysis(run, "compare") == DOCUMENT
    assert sorted(each.name for each in run.iterdir()) == ["compare.json", "run.json"]


def test_one_of_another_run_is_refused(run: Path) -> None:
    keep_analysis(run, "outliers-by-trial", DOCUMENT)
    (run / "run.json").write_text('{"schema": 1, "model": "other"}\n', encoding="utf-8")
    with pytest.raises(RunError, match=r"was made from another run than the run\.json beside it\.") as caught:
        kept_analysis(run, "outliers-by-trial")
    assert str(caught.value).endswith(f"Make it again: alkbayes outliers '{run}' --by-trial")
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"schema": 2}, r"found schema and analysis \(2, 'compare'\); allowed: \(1, 'compare'\)"),
        ({"analysis": "outliers"}, r"found schema and analysis \(1, 'outliers'\)"),
        ({"document": [1]}, "has no document"),
    ],
)
def test_one_of_another_make_is_refused(run: Path, parts: dict[str, Any], message: str) -> None:
    change(keep_analysis(run, "compare", DOCUMENT), **parts)
    with pytest.raises(RunError, match=message) as caught:
        kept_analysis(run, "compare")
    assert str(caught.value).endswith(f"Make it again: alkbayes compare '{run}' OTHER-RUN")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_damaged_one_is_refused(run: Path, content: bytes) -> None:
    (run / "sensitivity.json").write_bytes(content)
    with pytest.raises(RunError, match=r"sensitivity\.json: (cannot be read|found schema and analysis None)"):
        kept_analysis(run, "sensitivity")


def test_a_folder_in_its_place_is_no_analysis(run: Path) -> None:
    (run / "sensitivity.json").mkdir()
    with pytest.raises(RunError, match="cannot be read: "):
        kept_analysis(run, "sensitivity")
    with pytest.raises(RunError, match="could not be kept: "):
        keep_analysis(run, "sensitivity", DOCUMENT)


def test_nothing_else_of_a_run_can_be_overwritten(run: Path) -> None:
    for name in ("run", "pooled", "../run", ""):
        with pytest.raises(ValueError, match="no analysis that is kept"):
            keep_analysis(run, name, DOCUMENT)
    assert [each.name for each in run.iterdir()] == ["run.json"]


def test_each_says_the_command_that_makes_it() -> None:
    assert {name: command_for(name, Path("runs/a")) for name in COMMANDS} == {
        "sensitivity": "alkbayes sensitivity runs/a",
        "outliers": "alkbayes outliers runs/a",
        "outliers-by-trial": "alkbayes outliers runs/a --by-trial",
        "compare": "alkbayes compare runs/a OTHER-RUN",
        "pfs": "alkbayes pfs --for runs/a",
        "intracranial": "alkbayes intracranial --for runs/a",
        "sequence": "alkbayes sequence --for runs/a",
        "resistance": "alkbayes resistance --for runs/a",
        "randomised": "alkbayes randomised --for runs/a",
        "safety": "alkbayes safety --for runs/a",
        "risk-of-bias": "alkbayes risk-of-bias --for runs/a",
        "predict": "alkbayes predict runs/a --n N",
    }
