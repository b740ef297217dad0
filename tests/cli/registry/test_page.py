"""The page on starting a review: its commands run, on a registry of this machine, and say what the page says."""

import importlib.util
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.cli.registry import search as command
from alkbayes.registry.service import Service
from alkbayes.registry.study import nct_id_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tutorials" / "start-a-review.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (alkbayes registry [^#\n]+?) *(?:#.*)?$", PAGE, re.MULTILINE)


def test_the_page_shows_every_step_for_two_diseases() -> None:
    steps = [line.split()[2] for line in COMMANDS]
    assert steps == ["search", "screen", "extract", "flow", "diff", "search", "screen", "extract", "flow"]


def test_its_commands_run_in_their_order(
    alkbayes: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("replay", ROOT / "tests" / "registry" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    lines = (ROOT / "tests" / "fixtures" / "registry" / "built.jsonl").read_text(encoding="utf-8").splitlines()
    monkeypatch.chdir(tmp_path)
    with replay.serving({nct_id_of(record): record for record in map(json.loads, lines)}) as registry:
        monkeypatch.setattr(command, "_service", lambda: Service(base=registry.base, sleep=lambda _: None))
        for line in COMMANDS:
            result = alkbayes(*shlex.split(line)[1:])
            assert result.exit_code == 0, (line, result.output)
    included = (tmp_path / "ros1" / "screening.csv").read_text(encoding="utf-8")
    assert "No ROS1-positive patients" in included, "the protocol of the query's name"
    for name in re.findall(r"`(\w+\.(?:csv|json|svg|png|pdf))`", PAGE):
        elsewhere = name in {"table.csv", "labels.csv", "titles.csv"}
        assert elsewhere or (tmp_path / "reg" / name).is_file(), name


def test_its_query_is_one(tmp_path: Path) -> None:
    from alkbayes.registry.declarations import read_query

    (text,) = re.findall(r"^    schema = 1\n(?:    .*\n|\n)+", PAGE, re.MULTILINE)
    path = tmp_path / "q.toml"
    path.write_text(re.sub(r"^    ", "", text, flags=re.MULTILINE), encoding="utf-8")
    assert read_query(path).name == "ros1"
