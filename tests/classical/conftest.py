"""What the tests of classical pooling share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alkbayes.evidence.table import Evidence, read_evidence

REFERENCE = Path(__file__).parents[1] / "reference"


def _reference(name: str) -> dict[str, Any]:
    return json.loads((REFERENCE / f"metafor_{name}.json").read_text(encoding="utf-8"))


def _rma_reference(name: str) -> dict[str, Any]:
    return json.loads((REFERENCE / f"rma_{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, Any]]:
    """Reader of what metafor gives for a dataset; validation/metafor says how it was made."""
    return _reference


@pytest.fixture(scope="session")
def rma_reference() -> Callable[[str], dict[str, Any]]:
    """Reader of what metafor gives for a dataset on all scales, in regressions and in subgroups."""
    return _rma_reference


@pytest.fixture(scope="session")
def bundled() -> Evidence:
    return read_evidence()


@pytest.fixture
def table() -> Callable[..., Evidence]:
    """Maker of a small evidence table from rows of (cohort_id, responders, n) and columns of text."""

    def make(*rows: tuple[str, int, int], **columns: list[str]) -> Evidence:
        frame = pd.DataFrame(rows, columns=["cohort_id", "responders", "n"]).assign(**columns)
        counts = {"responders": np.int64, "n": np.int64}
        return Evidence(frame=frame.astype(counts), source="made up", sha256="", content=b"")

    return make
