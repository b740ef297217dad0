"""The page on starting a review: its commands run, on a registry of this machine, and say what the page says."""

import csv
import importlib.util
import json
import re
import shlex
import shutil
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
        elsewhere = name in {"table.csv", "labels.csv", "titles.csv", "unseen.csv"}
        assert elsewhere or (tmp_path / "reg" / name).is_file(), name


def test_its_query_is_one(tmp_path: Path) -> None:
    from alkbayes.registry.declarations import read_query

    (text,) = re.findall(r"^    schema = 1\n(?:    .*\n|\n)+", PAGE, re.MULTILINE)
    path = tmp_path / "q.toml"
    path.write_text(re.sub(r"^    ", "", text, flags=re.MULTILINE), encoding="utf-8")
    assert read_query(path).name == "ros1"


def test_ros1_goes_from_records_to_a_report_with_its_flow(
    alkbayes: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's commands on the built records, with the one decision that a person makes between them."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests" / "fixtures" / "registry" / "ros1.jsonl", tmp_path)
    section = PAGE.partition("## Another disease: ROS1")[2].partition("\n## ")[0]
    shown, after = section.split("The basket is TRIDENT-1")
    for line in re.findall(r"^\$ alkbayes (.+)$", shown, re.MULTILINE):
        assert alkbayes(*shlex.split(line)).exit_code == 0, line
    path = tmp_path / "ros1" / "screening.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count("\nNCT03093116,unclear,basket,") == 1
    path.write_text(text.replace("NCT03093116,unclear,", "NCT03093116,include,"), encoding="utf-8")
    for line, comment in re.findall(r"^    alkbayes ([^#\n]+?) *(?:# (.*))?$", after, re.MULTILINE):
        result = alkbayes(*shlex.split(line))
        assert result.exit_code == 0, (line, result.output)
        assert comment.strip('"') in " ".join(result.output.split()), line
    page = (tmp_path / "ros1.html").read_text(encoding="utf-8")
    for words in ("Records screened (n = 8)", "No results posted (n = 1)", "8 cohorts, 554 participants"):
        assert words in page
    with (tmp_path / "ros1" / "cohorts.csv").open(encoding="utf-8", newline="") as file:
        cohorts = {
            row["cohort_id"]: (row["responders"], row["n"], row["prior_alk_tki"]) for row in csv.DictReader(file)
        }
    assert set(cohorts.values()) == {
        ("91", "127", ""),
        ("21", "30", ""),
        ("56", "71", "none"),
        ("21", "56", "any"),
        ("93", "103", "none"),
        ("34", "66", "crizotinib"),
        ("46", "54", "none"),
        ("29", "47", "any"),
    }, "the published counts"
