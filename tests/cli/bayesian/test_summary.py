"""`alkbayes summary`: a finished run, printed again as it was; nothing else is taken for one."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alkbayes.runs import run
from alkbayes.runs.run import sealed


def test_it_prints_what_fit_printed(alkbayes, text_run, monkeypatch) -> None:
    monkeypatch.chdir(text_run.home)
    result = alkbayes("summary", text_run.folder.relative_to(text_run.home))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == text_run.result.stdout
    assert "Posterior: converged." in result.stdout


def test_json_is_the_document_of_fit(alkbayes, json_run) -> None:
    result = alkbayes("summary", json_run.folder, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout) == json_run.document
    assert result.stdout == json_run.result.stdout


def test_files_are_hashed_once(alkbayes, json_run, monkeypatch) -> None:
    hashed = []
    file_hash = run.file_hash
    monkeypatch.setattr(run, "file_hash", lambda path: hashed.append(path.name) or file_hash(path))
    assert alkbayes("summary", json_run.folder, "--above", "50").exit_code == 0
    assert sorted(hashed) == sorted(json_run.document["files"])


def test_a_run_that_was_moved_says_where_it_is_now(alkbayes, json_run, tmp_path: Path) -> None:
    shutil.copytree(json_run.folder, tmp_path / "moved")
    result = alkbayes("summary", tmp_path / "moved", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_run.document | {"run": str(tmp_path / "moved")}


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_run_that_did_not_converge_is_printed_and_refused(alkbayes, failed_run, arguments: list[str]) -> None:
    result = alkbayes("summary", failed_run.folder, *arguments)
    assert result.exit_code == 6
    assert result.stderr.startswith("error: the posterior of this run did not converge: ")
    assert result.stderr.endswith("Do not use its results.\n")
    if arguments:
        assert json.loads(result.stdout)["diagnostics"]["converged"] is False
    else:
        assert result.stdout == failed_run.result.stdout


def tamper_with_a_table(folder: Path) -> None:
    path = folder / "pooled.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("naive", "mixed", 1), encoding="utf-8")


def lose_the_posterior(folder: Path) -> None:
    (folder / "posterior.nc").unlink()


def put_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "model.toml").unlink()
    (folder / "model.toml").mkdir()


def lose_the_record(folder: Path) -> None:
    (folder / "run.json").unlink()


def cut_the_record_short(folder: Path) -> None:
    path = folder / "run.json"
    path.write_bytes(path.read_bytes()[:500])


def make_the_record_something_else(folder: Path) -> None:
    (folder / "run.json").write_text("[1, 2]")


def make_the_record_binary(folder: Path) -> None:
    (folder / "run.json").write_bytes(b"\xff\xfe\x00")


def write_with_another_schema(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"schema": 99}), encoding="utf-8")


def change_a_number(folder: Path) -> None:
    path = folder / "run.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["pooled"][0]["median"] += 0.01
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def write_without_a_part(folder: Path) -> None:
    path = folder / "run.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["diagnostics"]
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (tamper_with_a_table, r"pooled\.csv is not what the run wrote, so .* Fit again: alkbayes "),
        (lose_the_posterior, r"posterior\.nc is missing, so the run is incomplete\. Fit again: alkbayes "),
        (put_a_folder_in_place_of_a_file, r"model\.toml is missing, so the run is incomplete\."),
        (lose_the_record, r"has no run\.json, so it is no finished run\. Fit again: alkbayes fit\."),
        (cut_the_record_short, r"run\.json: cannot be read: "),
        (make_the_record_something_else, r"run\.json: found schema None; allowed: 2\."),
        (make_the_record_binary, r"run\.json: cannot be read: "),
        (
            write_with_another_schema,
            r"schema 99; allowed: 2\. .* written by another version of alkbayes\. Fit again with this one: alkbayes ",
        ),
        (change_a_number, r"run\.json: is not what the run wrote: .*Restore it, or fit again: alkbayes "),
        (write_without_a_part, r"run\.json: has no diagnostics, so it is not what a run writes\. Fit again"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_damaged_run_is_refused(
    alkbayes, json_run, tmp_path: Path, damage: Callable[[Path], None], message: str, arguments: list[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(json_run.folder, folder)
    damage(folder)
    result = alkbayes("summary", folder, *arguments)
    assert result.exit_code == 7, result.output
    assert result.stdout == ""
    assert re.match(f"error: {re.escape(str(folder))}.*{message}", result.stderr)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: there is no such folder. Give the folder of a run"),
        ("a-file", "a-file: is a file. Give the folder of a run"),
        ("a-folder", "a-folder: has no run.json, so it is no finished run."),
    ],
)
def test_what_is_no_run_is_refused(alkbayes, tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "a-file").write_text("{}")
    (tmp_path / "a-folder").mkdir()
    result = alkbayes("summary", tmp_path / place)
    assert result.exit_code == 7
    assert result.stdout == ""
    assert f"error: {tmp_path}/{message}" in result.stderr


def test_a_run_has_to_be_named(alkbayes) -> None:
    assert alkbayes("summary").exit_code == 2


def test_diagnostics_that_are_no_numbers_are_written_and_printed(
    json_run, alkbayes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chains that stand still have no R-hat; the run is written all the same, and says so."""
    from alkbayes.inference.convergence import Check, Diagnostics

    nothing = float("nan")
    failed = Check("E-BFMI", False, nothing, 0.3, "stuck", "Fit again.")
    stuck = Diagnostics(float("inf"), "alpha", float("-inf"), "alpha", 12.0, "alpha", 0, nothing, None, None, (failed,))
    record = stuck.as_record()
    assert (record["rhat_max"], record["ess_bulk_min"], record["ebfmi_min"]) == (None, None, None)
    folder = tmp_path / "run"
    shutil.copytree(json_run.folder, folder)
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    document["diagnostics"] = record
    (folder / "run.json").write_text(json.dumps(sealed(document), allow_nan=False), encoding="utf-8")
    result = alkbayes("summary", folder)
    assert result.exit_code == 6
    assert "R-hat ≤ not a number, ESS ≥ not a number" in result.stdout
    assert "E-BFMI ≥ not a number" in result.stdout
