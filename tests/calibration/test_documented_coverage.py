"""The coverage that the documentation quotes is that of the recorded studies."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| `([a-z0-9-]+)` \| ([\d,]+) \|(.*)\|$",
    (ROOT / "docs" / "how-to" / "calibrate.md").read_text(encoding="utf-8").partition("## What was found")[2],
    re.MULTILINE,
)
COLUMNS = (
    *(("posterior", estimand) for estimand in ("these_cohorts", "typical", "mean", "next_cohort")),
    ("crude-wilson", "mean"),
    *((method, estimand) for method in ("reml-logit-hk", "glmm-ml") for estimand in ("typical", "next_cohort")),
)


def test_every_recorded_study_is_quoted() -> None:
    assert {name for name, _, _ in ROWS} == {
        path.name for path in (ROOT / "validation" / "sbc").iterdir() if path.is_dir()
    }


@pytest.mark.parametrize(("name", "replications", "cells"), ROWS)
def test_quoted_coverage_is_the_recorded_one(name: str, replications: str, cells: str) -> None:
    path = ROOT / "validation" / "sbc" / name / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    found = {(row["method"], row["estimand"]): row["coverage"] for row in summary["coverage"] if row["level"] == "all"}
    assert int(replications.replace(",", "")) == summary["replications"]
    assert [cell.strip() for cell in cells.split("|")] == [f"{100 * found[column]:.1f}" for column in COLUMNS]
