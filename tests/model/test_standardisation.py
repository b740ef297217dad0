"""Whose patients the levels of a column are compared over."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alkbayes.evidence.table import read_evidence
from alkbayes.model.design import Design, build_design
from alkbayes.model.standardisation import common_support, in_words
from alkbayes.spec.schema import model_path, read_spec


@pytest.fixture(scope="module")
def bundled() -> Design:
    spec = read_spec(model_path("sequence"))
    return build_design(spec, read_evidence(needed=spec.columns))


@pytest.mark.parametrize(
    ("column", "patients", "words"),
    [
        # Summed over the bundled cohorts: 1,612 + 871 + 616 of no prior ALK TKI; 2,996 pretreated; all 5,707.
        ("line", 3099, "patients without a prior ALK TKI"),
        ("prior_alk_tki", 2996, "pretreated patients"),
        ("regimen_class", 5707, "the patients of all cohorts"),
    ],
)
def test_levels_are_compared_over_patients_that_could_have_had_any_of_them(
    bundled: Design, column: str, patients: int, words: str
) -> None:
    kept = common_support(bundled, column)
    assert bundled.n[kept].sum() == patients
    assert in_words(bundled, column, kept) == words


def test_nested_columns_are_told_from_crossed_ones(spec_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
    normal = {"dist": "normal", "mean": 0.0, "sd": 1.0}
    effects = [
        {"column": "line", "kind": "fixed", "reference": "naive", "prior": normal},
        {"column": "regimen_class", "kind": "exchangeable", "sd_prior": {"dist": "half_normal", "sd": 0.5}},
    ]
    spec = spec_of(effect=effects)
    nested = "a A naive first 10 6\nb B naive second 20 9\nc C pretreated third 30 9"
    crossed = f"{nested}\nd D pretreated first 5 2"
    assert not common_support(build_design(spec, table_of(nested)), "line").any()
    kept = common_support(build_design(spec, table_of(crossed)), "line")
    np.testing.assert_array_equal(kept, [True] * 4)
    alone = build_design(spec_of(effect=effects[:1]), table_of(crossed))
    assert not common_support(alone, "line").any()
