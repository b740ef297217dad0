"""The README shows what a newcomer sees."""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from alkbayes.cli.bayesian.fit_sheet import show_fit
from alkbayes.criticism.confounding import unexamined_columns, unnamed_columns
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.spec.default_model import default_model
from alkbayes.spec.schema import model_path, read_spec
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
    parts = [part.strip("\n").splitlines() for part in shown.split("…\n")]
    assert len(parts) == 3
    # The verdict's diagnostics are of one chain's luck; everything else is held to the number.
    # So are decimals, which depend on the Monte Carlo error, and with them the spaces before a number.
    words = [NUMBER.sub("#", line).split() for line in printed]
    place = 0
    for lines in parts:
        wanted = [NUMBER.sub("#", line).split() for line in lines]
        place = next(at for at in range(place, len(words)) if words[at : at + len(wanted)] == wanted)
        for ours, theirs in zip(lines, printed[place : place + len(lines)], strict=True):
            if ours.startswith("Posterior:"):
                continue
            for found, expected in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
                decimal = "." in found and "." in expected
                # Both are rounded: by half a tenth, or by half a point.
                allowed = APART * LARGEST_WITH_DECIMAL + 0.1 if decimal else APART * largest + 1
                assert float(found.replace(",", "")) == pytest.approx(float(expected.replace(",", "")), abs=allowed)


def test_the_python_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    Path("my-trials.csv").write_text("study,event,total\na,12,40\nb,30,52\nc,8,33\nd,21,60\n", encoding="utf-8")
    # By quadrature, which has the same interface, as chains take ten times as long.
    exec(code.replace('n="total")', 'n="total", engine="quadrature")'), {})  # noqa: S102
    assert "Pooled" in Path("report.html").read_text(encoding="utf-8")


def test_the_coverage_in_the_readme_is_that_of_the_recorded_study() -> None:
    study = json.loads((README.parent / "validation/sbc/bundled-quadrature/summary.json").read_text(encoding="utf-8"))
    found = {
        (row["estimand"], row["method"]): 100 * row["coverage"] for row in study["coverage"] if row["level"] == "all"
    }
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert "In 1,000 simulated reviews of the shape of its first 63 cohorts" in text
    assert study["replications"] == 1_000
    crude, typical = found["mean", "crude-wilson"], found["typical", "reml-logit-hk"]
    assert f"held the mean rate {crude:.0f} % of the time" in text
    assert f"REML with Hartung-Knapp the typical rate {typical:.0f} %" in text
    ours = sorted(value for (_, method), value in found.items() if method == "posterior")
    assert f"posterior's intervals held theirs {ours[0]:.0f}–{ours[-1]:.0f} %" in text


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = README.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) > 30
    assert [link for link in links if not (README.parent / link).exists()] == []
    assert len(text.splitlines()) <= 150
