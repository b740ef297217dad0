"""`alkbayes evidence`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from alkbayes.alk.review import RECONSTRUCTION
from alkbayes.cli import Group
from alkbayes.cli.data.evidence import command
from alkbayes.evidence.table import composition, read_evidence
from alkbayes.text.json import records

OWN = Path(__file__).parents[2] / "fixtures" / "evidence" / "own_table.csv"

app = typer.Typer(cls=Group)
app.callback()(lambda: None)
app.command("evidence")(command)


def run(*arguments: str | Path):
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, ["evidence", *map(str, arguments)])


def test_the_bundled_table_for_a_reader() -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[:6] == [
        "Evidence: bundled",
        RECONSTRUCTION,
        f"sha256: {read_evidence().sha256}",
        "66 cohorts of 44 trials, 5,707 patients, 3,436 responders: crude ORR 60.2 %",
        "low certainty: 16 cohorts, 845 patients",
        "inferred assessor: 29 cohorts, 2,107 patients",
    ]
    words = [" ".join(line.split()) for line in lines]
    titles = [
        words.index(title) for title in ("line", "TKI generation", "prior ALK TKI", "agent", "line : TKI generation")
    ]
    assert titles == sorted(titles)
    assert words[titles[0] + 1] == "naive 17 1,612 1,231 76.4"
    assert words[titles[1] + 1] == "first 10 1,496 997 66.6"
    assert words[titles[2] + 1] == "none 32 3,099 2,214 71.4"
    assert "lorlatinib 11 729 406 55.7" in words[titles[3] :]
    assert words[titles[4] + 1 : titles[4] + 3] == ["naive : first 5 636 461 72.5", "naive : second 7 751 601 80.0"]
    assert max(map(len, lines[2:])) <= 100


def test_json() -> None:
    result = run("--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert list(document) == ["evidence", "groups", "notes", "warnings"]
    assert document["notes"] == []
    assert document["warnings"] == []
    assert document["evidence"] == {
        "source": "bundled",
        "sheet": None,
        "sha256": read_evidence().sha256,
        "cohorts": 66,
        "trials": 44,
        "patients": 5707,
        "responders": 3436,
        "orr": 3436 / 5707,
        "columns": {},
        "where": "",
        "exclude": [],
        "reason": "",
    }
    assert document["groups"] == records(composition(read_evidence()))
    assert document["groups"][0] == {
        "group": "line",
        "level": "naive",
        "first_column": "line",
        "first_level": "naive",
        "second_column": None,
        "second_level": None,
        "cohorts": 17,
        "patients": 1612,
        "responders": 1231,
        "orr": 1231 / 1612,
    }


def test_csv() -> None:
    result = run("--csv")
    assert result.exit_code == 0
    assert result.stderr == ""
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    expected = records(composition(read_evidence()))
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected] == rows


def test_an_own_table_leaves_out_what_it_does_not_have() -> None:
    result = run("--data", OWN)
    assert result.exit_code == 0
    assert "reconstructs" not in result.stdout
    assert "certainty" not in result.stdout
    assert "inferred" not in result.stdout
    assert "3 cohorts of 3 trials, 87 patients, 44 responders: crude ORR 50.6 %" in result.stdout
    assert result.stdout.startswith(f"Evidence: {OWN}\n")


def test_a_table_of_three_columns_has_totals_alone(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("cohort_id,responders,n\n[red]a,1,1\n")
    result = run("--data", path)
    assert result.stdout.splitlines()[1:] == [
        "Columns: responders of n is counted; cohort_id names the cohorts.",
        f"sha256: {sha256(path.read_bytes()).hexdigest()}",
        "1 cohort, 1 patient, 1 responder: crude ORR 100.0 %",
        "Crude ORR is all responders over all patients. It is not a pooled estimate.",
    ]
    assert json.loads(run("--data", path, "--json").stdout)["groups"] == []
    assert json.loads(run("--data", path, "--json").stdout)["evidence"]["trials"] is None
    assert run("--data", path, "--csv").stdout == (
        "group,level,first_column,first_level,second_column,second_level,cohorts,patients,responders,orr\n"
    )


def test_names_are_shown_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("cohort_id,responders,n,agent,line,regimen_class\na,1,2,[red]x :smile:,,first\nb,1,2,,mixed,\n")
    lines = [" ".join(line.split()) for line in run("--data", path).stdout.splitlines()]
    agents = lines.index("agent")
    assert lines[agents + 1 : agents + 3] == ["[red]x :smile: 1 2 1 50.0", "(not given) 1 2 1 50.0"]
    assert "(not given) : first 1 2 1 50.0" in lines
    assert "mixed : (not given) 1 2 1 50.0" in lines


@pytest.mark.parametrize("option", [(), ("--json",), ("--csv",)])
def test_a_bad_table_goes_to_stderr_alone(tmp_path: Path, option: tuple[str, ...]) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("cohort_id,responders,n\na,3,2\n")
    result = run("--data", path, *option)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        f"error: {path} has 1 fault; nothing was computed.\n"
        f'  {path}, line 2, cohort "a", column responders: found 3 responders among 2 patients; '
        "allowed: a whole number from 0 to 2. Check both counts, and that their columns are not swapped.\n"
    )


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    result = run("--data", tmp_path / "none.csv")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == f"error: {tmp_path}/none.csv: there is no such file. Check the name and the folder.\n"


def test_two_formats_exclude_each_other() -> None:
    result = run("--json", "--csv")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "error: --json and --csv exclude each other: one document goes to stdout. Give one of them.\n"
    )


def test_the_command_loads_nothing_heavy_until_it_runs() -> None:
    code = "import sys, alkbayes.cli.data.evidence; print(sorted({'pandas', 'numpy', 'pymc'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_it_is_drawn_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "evidence.pdf"
    result = run("--plot", path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["evidence"]["cohorts"] == 66
    assert result.stderr == f"Figure: {path}\n"
    assert path.read_bytes().startswith(b"%PDF")
    again = run("--plot", path)
    assert again.exit_code == 2
    assert "evidence.pdf: is there already" in again.stderr
    assert again.stderr.endswith("choose another name with --plot\n")
    assert again.stdout == ""
    assert run("--plot", tmp_path / "evidence.docx").exit_code == 2


def test_one_s_own_table_is_drawn_as_numbered_pages(tmp_path: Path) -> None:
    result = run("--data", OWN, "--plot", tmp_path / "own.svg")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own-1.svg", "own-2.svg"]
