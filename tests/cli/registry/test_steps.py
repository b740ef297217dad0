"""The five commands in their order, on built records and against a registry of this machine."""

import csv
import importlib.util
import inspect
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from alkbayes.cli.registry import search as command
from alkbayes.cli.registry.group import STEPS
from alkbayes.registry.service import Service
from alkbayes.registry.study import nct_id_of

type Run = Callable[..., Result]
TESTS = Path(__file__).parents[2]
BUILT = TESTS / "fixtures" / "registry" / "built.jsonl"
BIDI, ESCAPE = "\u202e", "\x1b"


@pytest.fixture
def registry() -> Any:
    """A registry of this machine."""
    spec = importlib.util.spec_from_file_location("replay", TESTS / "registry" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    records = {nct_id_of(record): record for record in map(json.loads, BUILT.read_text(encoding="utf-8").splitlines())}
    with replay.serving(records) as server:
        yield server


def test_the_whole_way_leaves_files_that_a_person_can_read(made: Path) -> None:
    names = {path.name for path in made.iterdir()}
    assert {"search.json", "screening.csv", "candidates.csv", "cohorts.csv", "sources.csv", "undecided.csv"} <= names
    assert {
        "adverse_events.csv",
        "flow.json",
        "prisma.csv",
        "flow.svg",
        "flow.png",
        "flow.pdf",
        "protocol.toml",
    } <= names
    assert not [name for name in names if "partial" in name]
    with (made / "candidates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    needed = {
        "nct_id",
        "outcome_index",
        "class_title",
        "pointer",
        "kind",
        "title",
        "time_frame",
        "assessor",
        "confirmed",
    }
    needed |= {"group_id", "group_title", "agent", "regimen_class", "line", "prior_alk_tki", "n", "n_source", "value"}
    needed |= {"unit", "ci_low", "ci_high", "ci_level", "comment", "responders", "responders_fits", "status", "why"}
    assert needed <= set(rows[0])
    alex = next(row for row in rows if row["nct_id"] == "NCT02075840")
    assert (alex["responders"], alex["responders_fits"], alex["status"]) == ("", "108;109", "ambiguous")


@pytest.mark.parametrize("step", STEPS)
def test_help_has_an_example_that_runs(alkbayes: Run, reg: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    last = (inspect.getdoc(STEPS[step].command) or "").strip().splitlines()[-1]
    assert last.startswith("Example: alkbayes registry ")
    monkeypatch.chdir(reg.parent)
    (reg.parent / "downloads").symlink_to(reg / "records")
    (reg.parent / "cohorts.csv").write_bytes((reg / "cohorts.csv").read_bytes())
    result = alkbayes(*shlex.split(last.removeprefix("Example: alkbayes ")))
    assert result.exit_code == 0, result.output


def test_extract_prints_candidates_and_adverse_events(alkbayes: Run, reg: Path) -> None:
    result = alkbayes("registry", "extract", reg, "--json")
    document = json.loads(result.stdout)
    assert {"candidates", "adverse_events", "cohorts", "undecided"} <= set(document)
    (served,) = [
        row
        for row in document["adverse_events"]
        if (row["nct_id"], row["group_id"], row["kind"]) == ("NCT01828099", "EG000", "serious_ae")
    ]
    assert (served["n"], served["responders"], served["group_title"]) == (189, 84, "Ceritinib")


def test_flow_and_diff_print_json_and_csv(alkbayes: Run, reg: Path) -> None:
    flow = json.loads(alkbayes("registry", "flow", reg, "--json").stdout)["flow"]
    assert (flow["identified"], flow["studies"]) == (30, 11)
    differences = json.loads(alkbayes("registry", "diff", reg, "--json").stdout)["differences"]
    rows = list(csv.DictReader(alkbayes("registry", "diff", reg, "--csv").stdout.splitlines()))
    assert len(rows) == len(differences)
    assert {row["verdict"] for row in rows} >= {"same", "other cut", "other assessor", "only here", "only there"}


def test_the_figure_keeps_its_text(made: Path) -> None:
    svg = (made / "flow.svg").read_text(encoding="utf-8")
    assert "Records screened (n = 30)" in svg
    assert "No results posted (n = 3)" in svg
    assert (made / "flow.pdf").read_bytes().startswith(b"%PDF")


def test_a_search_over_the_network(
    alkbayes: Run, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_service", lambda: Service(base=registry.base, sleep=lambda _: None))
    first = alkbayes("registry", "search", "--out", tmp_path / "reg")
    assert first.exit_code == 0, first.output
    assert "after removal of" in first.output
    registry.records.pop("NCT02477826")
    again = alkbayes("registry", "search", "alk", "--out", tmp_path / "reg")
    assert "0 new; 0 changed; 1 gone (NCT02477826)" in again.output
    registry.faults = [(400, {}, b"Unknown area name: `X`")]
    refused = alkbayes("registry", "search", "--out", tmp_path / "reg")
    assert refused.exit_code == 8
    assert "Unknown area name" in refused.output


def test_ctrl_c_keeps_what_has_come(
    alkbayes: Run, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_service", lambda: Service(base=registry.base, sleep=interrupted))
    result = alkbayes("registry", "search", "--out", tmp_path / "reg")
    assert result.exit_code == 130
    assert "records that have come are kept" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("search", "alk", "--from", BUILT, "--out", "x"), 2, "Give one of them"),
        (("search", "--from", "none.json", "--out", "x"), 8, "there is no such file or folder"),
        (("search", "none.toml", "--out", "x"), 8, "or a bundled query: alk, ros1"),
        (("screen", "none"), 8, "Search first: alkbayes registry search"),
        (("extract", "none"), 8, "Search first"),
        (("flow", "none"), 8, "Search first"),
        (("diff", "none", "--json", "--csv"), 2, "exclude each other"),
        (("screen", "none", "--protocol", "none.toml"), 8, "or a bundled protocol: alk, ros1"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(
    alkbayes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = alkbayes("registry", *arguments)
    assert result.exit_code == code, result.output
    assert said in result.output.replace("\n", " ")
    assert not (tmp_path / "x" / "search.json").exists()


def test_nothing_hostile_reaches_the_terminal_or_a_file(alkbayes: Run, tmp_path: Path) -> None:
    record = json.loads(BUILT.read_text(encoding="utf-8").splitlines()[0])
    evil = f"=1+1 {ESCAPE}[2J{BIDI}<script>alert(1)</script> ALK-positive NSCLC, advanced"
    names = record["protocolSection"]["identificationModule"]
    names["briefTitle"] = evil
    names["acronym"] = f"=EVIL{BIDI}()"
    outcome = record["resultsSection"]["outcomeMeasuresModule"]["outcomeMeasures"][1]
    outcome["groups"][0]["title"] = f"@SUM(A1){ESCAPE}[31m Ceritinib{BIDI}"
    outcome["title"] += f"{ESCAPE}]0;x\x07"
    path = tmp_path / "evil.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    reg = tmp_path / "reg"
    output = ""
    for step in (("search", "--from", path, "--out"), ("screen",), ("extract",), ("flow",), ("diff",)):
        result = alkbayes("registry", *step, reg)
        assert result.exit_code == 0, result.output
        output += result.output
    assert ESCAPE not in output
    assert BIDI not in output
    for file in reg.iterdir():
        if file.suffix in {".csv", ".svg"}:
            text = file.read_text(encoding="utf-8")
            assert ESCAPE not in text
            assert BIDI not in text
            assert "<script" not in text
        if file.suffix == ".csv":
            with file.open(encoding="utf-8", newline="") as sheet:
                cells = [cell for row in csv.reader(sheet) for cell in row]
            assert not [cell for cell in cells if cell[:1] in "=+@" and cell], file.name


def test_help_imports_no_library_of_the_network(alkbayes: Run) -> None:
    assert alkbayes("registry", "--help").exit_code == 0
    assert alkbayes("registry", "search", "--help").exit_code == 0
    # Only the module that uses the network imports it, and only when it does.
    users = [
        name for name, module in list(sys.modules.items()) if name.startswith("alkbayes") and hasattr(module, "httpx2")
    ]
    assert users == []
