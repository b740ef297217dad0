"""The page on another outcome: its files and commands, as a reader would type them."""

import json
import re
import shlex
from pathlib import Path

import pytest
from scipy.special import logit
from typer.testing import CliRunner

from alkbayes.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "your-table.md"
NUMBER = re.compile(r"−?\d[\d.]*")


def block(kind: str, page: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_page_goes_from_its_file_to_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    (table,), (model,) = block("csv", page), block("toml", page)
    Path("catheters.csv").write_text(table, encoding="utf-8")
    Path("infection.toml").write_text(model, encoding="utf-8")
    shown = block("console", page)
    assert len(shown) == 2
    for each in shown:
        command, _, output = each.removeprefix("$ alkbayes ").partition("\n")
        result = CliRunner(env={"COLUMNS": "100", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(app, command.split())
        assert result.exit_code == 0, result.stderr
        ours, theirs = ([NUMBER.sub("#", text).split(), NUMBER.findall(text)] for text in (output, result.stdout))
        assert ours[0] == theirs[0]
        if command.startswith("evidence"):
            assert ours[1] == theirs[1]
    # Those before are about a table of the reader's own.
    commands = re.findall(r"^    alkbayes (.*)$", page[page.index("## The report and the forest") :], re.MULTILINE)
    typed = [shlex.split(command, comments=True) for command in commands]
    assert [CliRunner().invoke(app, words).exit_code for words in typed] == [0, 0]
    assert "Bloodstream infection rate" in Path("infections.html").read_text(encoding="utf-8")
    assert Path("infections.pdf").stat().st_size > 5_000


def test_the_numbers_that_the_page_cites_are_those_of_metafor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """coef and tau2 of rma(measure="PLO", xi=ai, ni=n1i), as metafor's test of Stijnen et al. 2010 has them."""
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    Path("catheters.csv").write_text(block("csv", page)[0], encoding="utf-8")
    Path("infection.toml").write_text(block("toml", page)[0], encoding="utf-8")
    arguments = ["pool", "--data", "catheters.csv", "--outcome", "infection.toml", "--method", "reml-logit", "--json"]
    (row,) = json.loads(CliRunner().invoke(app, arguments).stdout)["pooled"]
    assert logit(row["estimate"]) == pytest.approx(-4.26, abs=0.005)
    assert row["tau2"] == pytest.approx(0.393, abs=0.0005)
