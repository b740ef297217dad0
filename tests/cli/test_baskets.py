"""The page on baskets: its files and commands, as a reader would type them, and the numbers it cites."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "baskets.md"
NUMBER = re.compile(r"[\d.,]*\d")


def block(kind: str, page: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, page = tmp_path_factory.mktemp("baskets"), PAGE.read_text(encoding="utf-8")
    (place / "vemurafenib.csv").write_text(block("csv", page), encoding="utf-8")
    (place / "basket.toml").write_text(block("toml", page), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def printed(folder: Path) -> tuple[str, str]:
    """The page's output and ours."""
    command, _, theirs = block("console", PAGE.read_text(encoding="utf-8")).removeprefix("$ alkbayes ").partition("\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner(env={"COLUMNS": "100", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(app, command.split())
    assert result.exit_code == 0, result.stderr
    return theirs, result.stdout


def test_the_page_shows_what_is_printed(printed: tuple[str, str]) -> None:
    theirs, ours = (NUMBER.sub("#", text).split() for text in printed)
    assert theirs == ours


def test_the_exact_numbers_that_the_page_cites_are_those_of_the_run(
    folder: Path, printed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed
    monkeypatch.chdir(folder)
    document = json.loads(Path("run/run.json").read_text(encoding="utf-8"))
    above = {row["level"]: row for row in document["exceedance"] if row["estimand"] == "these_cohorts"}
    cited = re.findall(
        r"^\| ([^|]*) \|[^|]*\|[^|]*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert len(cited) == 6
    for row, (name, mean, probability, exchangeable) in zip(document["exchangeability"], cited, strict=True):
        assert row["unit"] == name
        # Four Monte Carlo standard errors, and the rounding of the page.
        assert abs(100 * row["mean"] - float(mean)) < 400 * row["mcse"] + 0.05
        assert abs(100 * above[name]["probability"] - float(probability)) < 400 * above[name]["mcse"] + 0.05
        assert abs(100 * row["exchangeable"] - float(exchangeable)) < 400 * row["mcse_exchangeable"] + 0.05


def test_later_commands_know_the_units(folder: Path, printed: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed
    monkeypatch.chdir(folder)
    shown = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["summary", "run", "--above", "30"])
    assert shown.exit_code == 0
    assert "P(above" in shown.stdout
    assert "30 %)" in shown.stdout
    report = CliRunner().invoke(app, ["report", "run", "--out", "basket.html"])
    assert report.exit_code == 0, report.stderr
    text = Path("basket.html").read_text(encoding="utf-8")
    assert "exchangeable with the others, probability" in text


def test_asked_for_chains_a_fit_says_why_it_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    fit = ["fit", "basket.toml", "--data", "vemurafenib.csv", "--no-check", "--draws", "500"]
    result = CliRunner().invoke(app, [*fit, "--out", "by-default"])
    assert result.exit_code == 0
    assert "is fitted by quadrature: chains hardly move a unit" in " ".join(result.stderr.split())
    assert "Fitted by quadrature, not NUTS: chains hardly move" in " ".join(result.stdout.split())
    checked = CliRunner().invoke(app, [*fit, "--cross-check", "--out", "checked"])
    assert checked.exit_code == 2
    assert "Leave the cross-check out." in " ".join(checked.stderr.split())
    assert not Path("checked").exists()
