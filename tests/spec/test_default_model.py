"""Which model is fitted where none is named, and what is said of it."""

import pandas as pd
import pytest

from alkbayes.evidence.table import read_evidence
from alkbayes.spec.default_model import Chosen, default_model

LINES, GENERATIONS, HISTORIES = ["naive", "pretreated"], ["first", "second"], ["none", "crizotinib"]
ALLOWED = "bundled models know none, crizotinib, second, any and mixed"


def frame(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"cohort_id": ["a", "b"], "trial": ["A", "B"]} | columns)


def test_the_bundled_table_has_the_columns_of_the_richest_model() -> None:
    why = "the table has line, prior_alk_tki and regimen_class"
    assert default_model(read_evidence().frame) == Chosen("sequence", why)


@pytest.mark.parametrize(
    ("columns", "name", "why"),
    [
        (
            {"line": LINES, "regimen_class": GENERATIONS},
            "line-generation",
            "the table has line and regimen_class, but no column prior_alk_tki",
        ),
        (
            {"line": LINES, "regimen_class": GENERATIONS, "prior_alk_tki": ["none", ""]},
            "line-generation",
            "the table has line and regimen_class, but 1 cohort without prior_alk_tki",
        ),
        (
            {"line": LINES, "regimen_class": GENERATIONS, "prior_alk_tki": ["yes", "none"]},
            "line-generation",
            f'the table has line and regimen_class, but "yes" for prior_alk_tki ({ALLOWED})',
        ),
        ({"line": LINES, "prior_alk_tki": HISTORIES}, "line", "the table has line, but no column regimen_class"),
        (
            {"prior_alk_tki": HISTORIES},
            "prior-tki",
            "the table has prior_alk_tki, but no column line and no column regimen_class",
        ),
        # Generations alone would look worse the later they are, for what their patients had before.
        (
            {"prior_alk_tki": HISTORIES, "regimen_class": GENERATIONS},
            "prior-tki",
            "the table has prior_alk_tki, but no column line",
        ),
        (
            {"regimen_class": GENERATIONS},
            "generation",
            "the table has regimen_class, but no column line and no column prior_alk_tki",
        ),
        # A table of another field is not told what columns this one has.
        ({}, "overall", "the table has none of the columns of the bundled models with effects"),
        ({"country": LINES}, "overall", "the table has none of the columns of the bundled models with effects"),
    ],
)
def test_a_table_gets_the_richest_model_that_it_has_columns_for(
    columns: dict[str, list[str]], name: str, why: str
) -> None:
    assert default_model(frame(**columns)) == Chosen(name, why)
