"""The page of fields has every field that commands print, and no other."""

import csv
import importlib.util
import io
import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import Result

from alkbayes.cli import COMMANDS
from alkbayes.sensitivity_analysis import refit
from alkbayes.sensitivity_analysis.refit import run_grid

ROOT = Path(__file__).parents[2]
TABLE = """\
cohort_id,trial,line,regimen_class,age,responders,n,ic_responders,ic_n
a1,A,naive,first,60,31,44,6,10
a2,A,pretreated,first,58,12,30,4,11
b1,B,naive,second,61,52,65,9,14
c1,C,naive,second,57,20,24,3,5
c2,C,pretreated,second,63,33,70,8,20
c3,C,pretreated,second,55,9,33,2,9
d1,D,pretreated,first,59,18,40,5,12
d2,D,naive,first,62,28,37,7,9
"""
OTHERS = {"fit", "summary", "explore"}
"""Commands that print `run.json`, which has a page of its own, and the one that serves a page."""

type Command = Callable[..., Result]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("output_fields", ROOT / "scripts" / "output_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIELDS = script()
DATA: dict[str, Any] = FIELDS.described()


@pytest.fixture(scope="module")
def place(alkbayes: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small table and two runs of it."""
    folder = tmp_path_factory.mktemp("fields")
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    (folder / "judged.csv").write_text(
        "cohort_id,responders,n,rob_sampling,rob_overall\na,1,2,yes,low\nb,3,4,,high\n", encoding="utf-8"
    )
    for model in ("line", "overall"):
        arguments = ("--data", folder / "t.csv", "--engine", "quadrature", "--draws", "500", "--out", folder / model)
        assert alkbayes("fit", model, *arguments).exit_code == 0
    return folder


def test_every_command_is_described() -> None:
    assert {output["command"] for output in DATA["output"]} == set(COMMANDS) - OTHERS


def test_every_meaning_is_of_a_field() -> None:
    used = {
        name
        for output in DATA["output"]
        for names in (*output["json"].values(), *output.get("csv", ()))
        for name in names.split()
    }
    assert {key.rpartition(".")[2].rpartition(" ")[2] for key in DATA["fields"]} <= used


@pytest.mark.slow
@pytest.mark.parametrize("output", DATA["output"], ids=lambda output: output["command"])
def test_commands_print_the_fields_of_the_page(
    alkbayes: Command, place: Path, output: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    few = ("differences normal 0.5", "tau half-normal 1")
    monkeypatch.setattr(refit, "run_grid", partial(run_grid, names=few, workers=1))
    found: dict[str, dict[str, None]] = {}
    columns = []
    for call in output["calls"]:
        arguments = shlex.split(call)
        result = alkbayes(*arguments, "--json")
        assert result.exit_code in (0, 6), result.output
        for record, names in FIELDS.records_of(output["command"], json.loads(result.stdout), set(DATA["maps"])).items():
            found.setdefault(record, {}).update(dict.fromkeys(names))
        if "csv" in output:
            printed = alkbayes(*arguments, "--csv")
            assert printed.exit_code in (0, 6), printed.output
            columns.append(" ".join(next(csv.reader(io.StringIO(printed.stdout)))))
    described = {record: names.split() for record, names in output["json"].items()}
    assert {record: [*names] for record, names in found.items()} == described
    assert columns == output.get("csv", [])
