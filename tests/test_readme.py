"""The README shows what a newcomer sees."""

import math
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.cli.bayesian.fit_sheet import show_fit
from alkbayes.criticism.confounding import unexamined_columns, unnamed_columns
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.spec.default_model import default_model
from alkbayes.spec.schema import model_path, parse_spec, read_spec
from alkbayes.vocabulary import Standard

README = Path(__file__).parents[1] / "README.md"

APART = 4 * math.sqrt(2)
"""Monte Carlo errors by which two fits' numbers may lie apart: draws differ between kinds of processor."""
LARGEST_WITH_DECIMAL = 0.29
"""Percentage points; a number with a larger Monte Carlo error is printed as a whole one."""

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.slow
def test_the_output_in_the_readme_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    chosen = default_model(read_evidence().frame)
    spec = read_spec(model_path(chosen.name))
    fit = fit_model(spec, read_evidence(needed=spec.columns), standard=Standard.SAME)
    left_out = {
        "unnamed": [asdict(each) for each in unnamed_columns(fit)],
        "unexamined": [asdict(each) for each in unexamined_columns(fit)],
    }
    results = results_of(fit)
    show_fit(results.document | {"chosen": chosen.why} | left_out, "runs/x")
    largest = 100 * float(results.pooled[["mcse_median", "mcse_low", "mcse_high"]].max(axis=None))
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    (shown,) = blocks("text")
    lines = shown.splitlines()
    # The verdict's diagnostics are of one chain's luck; everything else is held to the number.
    # So are decimals, which depend on the Monte Carlo error, and with them the spaces before a number.
    patterns = [[NUMBER.sub("#", line).split() for line in each] for each in (lines, printed[: len(lines)])]
    assert patterns[0] == patterns[1]
    for ours, theirs in zip(lines, printed, strict=False):
        if ours.startswith("Posterior:"):
            continue
        for found, expected in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
            decimal = "." in found and "." in expected
            # Both are rounded: by half a tenth, or by half a point.
            allowed = APART * LARGEST_WITH_DECIMAL + 0.1 if decimal else APART * largest + 1
            assert float(found.replace(",", "")) == pytest.approx(float(expected.replace(",", "")), abs=allowed)


@pytest.mark.parametrize("name", ["audit", "subgroups"])
def test_the_calls_in_the_readme_print_what_it_shows(name: str) -> None:
    (shown,) = [block for block in blocks("console") if block.startswith(f"$ alkbayes {name} ")]
    command, _, output = shown.replace("\\\n", "").partition("\n")
    terminal = {"COLUMNS": "100", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
    result = CliRunner(env=terminal).invoke(app, command.split()[2:])
    assert result.exit_code == 0
    assert output.splitlines() == [line.rstrip() for line in result.stdout.splitlines()]


def test_the_model_in_the_readme_is_a_model() -> None:
    import tomllib

    (text,) = blocks("toml")
    assert parse_spec(tomllib.loads(text), source="README").columns == ("region", "trial")


def test_the_medians_in_the_readme_are_those_of_the_command() -> None:
    from alkbayes.analyses.pfs import pfs_results

    found = pfs_results(read_evidence())
    text = " ".join(README.read_text(encoding="utf-8").split())
    typical = found.pooled.query("level == 'naive' and estimand == 'typical'").iloc[0]
    weighted = found.weighted.set_index("level")["estimate"]
    assert f"{weighted['naive']:.1f} months in naive and {weighted['pretreated']:.1f} in pretreated cohorts" in text
    shown = re.search(r"typical naive median is ([\d.]+) months \(([\d.]+)–([\d.]+)\)", text)
    assert shown is not None
    # Draws differ between kinds of processor; the Monte Carlo errors of these numbers are 0.1 to 0.3 months.
    expected = [typical[name] for name in ("median", "low", "high")]
    assert [float(number) for number in shown.groups()] == pytest.approx(expected, abs=0.6)
