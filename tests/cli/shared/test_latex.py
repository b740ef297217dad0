"""`--latex`: wherever there is `--csv`, the tables that a reader sees, and nothing that LaTeX would not compile."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from alkbayes.cli import app

type Command = Callable[..., Result]


def commands(group: Any, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    for name, command in getattr(group, "commands", {}).items():
        yield f"{above}{name}", {option for parameter in command.params for option in parameter.opts}
        yield from commands(command, f"{name} ")


def test_it_is_where_csv_is() -> None:
    options = dict(commands(typer.main.get_command(app)))
    with_csv = {name for name, opts in options.items() if "--csv" in opts}
    assert {name for name, opts in options.items() if "--latex" in opts} == with_csv
    assert len(with_csv) == 22


def test_cells_are_those_of_the_run(alkbayes: Command, own_table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fitted = alkbayes("fit", "line", "--data", own_table, "--engine", "quadrature", "--draws", "500", "--out", folder)
    assert fitted.exit_code == 0, fitted.output
    result = alkbayes("summary", folder, "--latex")
    assert result.exit_code == 0, result.output
    (line,) = re.findall(r"^overall & .*$", result.stdout, re.MULTILINE)
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (mean,) = [row for row in document["pooled"] if (row["group"], row["estimand"]) == ("all", "mean")]
    cells = line.removesuffix(r" \\*").split(" & ")
    assert cells[:3] == ["overall", str(mean["k"]), f"{mean['patients']:,}"]
    assert float(cells[6]) == pytest.approx(100 * mean["median"], abs=0.51)
    assert r"\caption{Pooled objective response rate, \%}" in result.stdout


@pytest.mark.parametrize(
    "arguments", [("pool",), ("subgroups", "line"), ("influence",), ("regress", "line"), ("evidence",)]
)
def test_what_is_no_table_is_a_comment(alkbayes: Command, own_table: Path, arguments: tuple[str, ...]) -> None:
    result = alkbayes(*arguments, "--data", own_table, "--latex")
    assert result.exit_code == 0, result.output
    outside = re.sub(
        r"\\begin\{(table)\}.*?\\end\{table\}|\\begingroup.*?\\endgroup", "", result.stdout, flags=re.DOTALL
    )
    assert "\\begin" in result.stdout
    assert [line for line in outside.splitlines() if line and not line.startswith("%")] == []
    assert f"% Evidence: {own_table}" in outside


def test_a_later_command_is_not_in_latex(alkbayes: Command, own_table: Path) -> None:
    assert "\\begin" in alkbayes("evidence", "--data", own_table, "--latex").stdout
    assert "\\" not in alkbayes("evidence", "--data", own_table).stdout
    assert "\\begin" not in alkbayes("models").stdout


def test_it_excludes_the_other_formats(alkbayes: Command, own_table: Path) -> None:
    result = alkbayes("pool", "--data", own_table, "--csv", "--latex")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: --csv and --latex exclude each other")


def test_control_characters_are_codes_that_compile(alkbayes: Command, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [("a\x1b[31m_%", 12, 30), ("b\u202e", 5, 20), ("c", 9, 31), ("d", 20, 24)]
    lines = ["cohort_id,responders,n", *(f"{name},{events},{n}" for name, events, n in rows)]
    table.write_text("\n".join(lines), encoding="utf-8")
    result = alkbayes("influence", "--data", table, "--latex")
    assert result.exit_code == 0, result.output
    assert r"a\textbackslash{}x1b{[}31m\_\%" in result.stdout
    assert r"b\textbackslash{}u202e" in result.stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", result.stdout)
