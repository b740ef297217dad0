"""The structure of a model: codes, bases, levels and what happens where table and model do not fit."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkbayes.evidence.table import Evidence
from alkbayes.inference.nuts.pymc_model import build_model
from alkbayes.model.design import build_design, level_codes, parameters, zero_sum_basis
from alkbayes.spec.schema import Spec
from alkbayes.text.names import column_title
from alkbayes.vocabulary import joined_key

LINE = {"column": "line", "kind": "fixed", "reference": "naive", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
SD = {"sd_prior": {"dist": "half_normal", "sd": 0.5}}
GENERATION = {"column": "regimen_class", "kind": "exchangeable"} | SD
INTERACTION = {"column": ["line", "regimen_class"], "kind": "exchangeable"} | SD
TRIAL = {"column": "trial", "distribution": "normal"} | SD
COHORT = {"column": "cohort_id", "distribution": "normal"} | SD

type SpecOf = Callable[..., Spec]
type TableOf = Callable[..., Evidence]


@pytest.mark.parametrize("levels", [2, 3, 5, 17])
def test_zero_sum_basis_is_orthonormal_and_sums_to_zero(levels: int) -> None:
    basis = zero_sum_basis(levels)
    assert basis.shape == (levels, levels - 1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(levels - 1), atol=1e-14)
    np.testing.assert_allclose(basis.sum(axis=0), 0.0, atol=1e-14)
    # No level is special: all have the same prior variance, all pairs the same covariance.
    np.testing.assert_allclose(basis @ basis.T, np.eye(levels) - 1 / levels, atol=1e-14)


def test_zero_sum_basis_of_one_level_is_empty() -> None:
    assert zero_sum_basis(1).shape == (1, 0)


def test_a_fixed_effect_has_the_reference_first_and_a_coefficient_for_each_other_level(
    spec_of: SpecOf, table_of: TableOf
) -> None:
    effect = LINE | {"reference": "mixed"}
    (block,) = build_design(spec_of(effect=[effect]), table_of()).effects
    assert block.levels == ("mixed", "naive", "pretreated")
    assert block.free_coords == ("naive", "pretreated")
    assert block.free == "beta_line"
    np.testing.assert_array_equal(block.basis, [[0, 0], [1, 0], [0, 1]])
    assert [block.levels[code] for code in block.index] == table_of().frame["line"].tolist()


def test_levels_are_shown_in_the_vocabularys_order_whatever_the_rows(spec_of: SpecOf, table_of: TableOf) -> None:
    (block,) = build_design(
        spec_of(effect=[GENERATION]), table_of("x1 X naive third 3 1\nx2 X naive first 3 1")
    ).effects
    assert block.levels == ("first", "third")
    assert block.index.tolist() == [1, 0]


def test_a_reference_that_no_cohort_has_stays_the_reference(spec_of: SpecOf, table_of: TableOf) -> None:
    table = table_of("x1 X pretreated third 3 1\nx2 X mixed first 3 1")
    design = build_design(spec_of(effect=[LINE]), table)
    (block,) = design.effects
    assert block.levels == ("naive", "pretreated", "mixed")
    assert block.index.tolist() == [1, 2]
    assert design.notes[0].startswith("line: no cohort has the reference level 'naive',")


def test_an_interaction_has_every_combination(spec_of: SpecOf, table_of: TableOf) -> None:
    design = build_design(spec_of(effect=[LINE, GENERATION, INTERACTION]), table_of())
    block = design.effects[2]
    assert block.label == "line:generation"
    assert block.slug == "line_generation"
    assert len(block.levels) == len(set(block.levels)) == 9
    assert "naive:second" in block.levels  # no cohort has it
    frame = table_of().frame
    assert [block.levels[code] for code in block.index] == (frame["line"] + ":" + frame["regimen_class"]).tolist()


@pytest.mark.parametrize(
    ("effects", "table", "kept", "noted"),
    [
        ([LINE, GENERATION], "x1 X naive third 3 1\nx2 X naive first 3 1", ["generation"], ["line"]),
        ([LINE, GENERATION], "x1 X naive third 3 1\nx2 X mixed third 3 1", ["line"], ["generation"]),
        ([LINE, GENERATION], "x1 X naive third 3 1", [], ["line", "generation"]),
        # An interaction with a column of one level would be the other column's effect a second time.
        (
            [LINE, GENERATION, INTERACTION],
            "x1 X naive third 3 1\nx2 X naive first 3 1",
            ["generation"],
            ["line", "line:generation"],
        ),
        (
            [LINE, GENERATION, INTERACTION],
            "x1 X naive third 3 1\nx2 X mixed third 3 1",
            ["line"],
            ["generation", "line:generation"],
        ),
    ],
)
def test_an_effect_with_nothing_to_compare_is_dropped_and_noted(
    effects: list[Any], table: str, kept: list[str], noted: list[str], spec_of: SpecOf, table_of: TableOf
) -> None:
    design = build_design(spec_of(effect=effects), table_of(table))
    assert [block.label for block in design.effects] == kept
    dropped = [note.split(": every")[0] for note in design.notes if "there is nothing to compare" in note]
    assert dropped == [column_title(label) for label in noted]
    assert set(design.profiles) == {column for block in design.effects for column in block.columns}
    assert not [parameter for parameter in parameters(design) if parameter.size == 0]


def test_a_colon_in_a_level_leaves_combinations_apart(spec_of: SpecOf, table_of: TableOf) -> None:
    table = table_of()
    one = np.resize(["a", "a:b", "a:b", "a\\"], len(table.frame))
    other = np.resize(["b:c", "c", "b:c", "c"], len(table.frame))
    odd = replace(table, frame=table.frame.assign(one=one, other=other))
    single = [{"column": column, "kind": "exchangeable"} | SD for column in ("one", "other")]
    spec = spec_of(effect=[*single, {"column": ["one", "other"], "kind": "exchangeable"} | SD])
    block = build_design(spec, odd).effects[2]
    assert len(set(block.levels)) == len(block.levels) == 6
    pairs = list(zip(one.tolist(), other.tolist(), strict=True))
    found = dict(zip(pairs, block.index.tolist(), strict=True))
    assert len(set(found.values())) == len(set(pairs)) == 4
    # What ordinary levels are called stays.
    assert joined_key(("naive", "first")) == "naive:first"


def test_heterogeneity_knows_its_units(spec_of: SpecOf, table_of: TableOf) -> None:
    table = table_of("x9 Z naive first 3 1\nx1 A naive first 3 1\nx5 Z naive first 3 1")
    design = build_design(spec_of(heterogeneity=[COHORT, TRIAL]), table)
    assert [term.label for term in design.heterogeneity] == ["trial", "cohort"]  # whatever the model file's order
    assert design.group is not None
    assert design.group.units == ("A", "Z")
    assert design.group.index.tolist() == [1, 0, 1]
    assert design.cohort is not None
    assert design.cohort.units == ("x9", "x1", "x5") == design.cohorts
    assert design.cohort.index.tolist() == [0, 1, 2]


def test_a_grouping_column_may_have_any_name(spec_of: SpecOf, table_of: TableOf) -> None:
    spec = spec_of(heterogeneity=[TRIAL | {"column": "country"}, COHORT])
    design = build_design(spec, table_of("x1 A naive first 3 1\nx2 B naive first 3 1", country=["Chile"] * 2))
    assert [parameter.name for parameter in parameters(design)] == [
        "tau_country",
        "tau_cohort",
        "alpha",
        "z_country",
        "z_cohort",
    ]


def test_level_codes_of_an_unknown_level_are_refused() -> None:
    with pytest.raises(KeyError):
        level_codes(("a", "b"), ("column",), {"column": np.array(["a", "c"])})


def test_parameters_are_pymcs_free_variables_in_its_order(case: Any) -> None:
    model = build_model(case.design)
    assert [variable.name for variable in model.free_RVs] == [parameter.name for parameter in parameters(case.design)]
    for parameter in parameters(case.design):
        dims = model.named_vars_to_dims.get(parameter.name, ())
        assert tuple(dims) == (() if parameter.dim is None else (parameter.dim,))
        if parameter.dim is not None:
            assert tuple(model.coords[parameter.dim]) == parameter.coords
    assert len({parameter.name for parameter in parameters(case.design)}) == len(parameters(case.design))


@given(order=st.permutations(range(10)))
@settings(deadline=None)  # a busy machine is no fault
def test_the_order_of_rows_permutes_the_codes_and_nothing_else(
    order: list[int], spec_of: SpecOf, table_of: TableOf
) -> None:
    spec = spec_of(effect=[LINE, GENERATION, INTERACTION], heterogeneity=[TRIAL, COHORT])
    table = table_of()
    shuffled = Evidence(table.frame.iloc[order].reset_index(drop=True), "made up", "", b"")
    one, two = build_design(spec, table), build_design(spec, shuffled)
    np.testing.assert_array_equal(one.n[order], two.n)
    np.testing.assert_array_equal(one.responders[order], two.responders)
    for before, after in zip(one.effects, two.effects, strict=True):
        assert before.levels == after.levels
        np.testing.assert_array_equal(before.index[order], after.index)
        np.testing.assert_array_equal(before.basis, after.basis)
    assert one.group is not None
    assert two.group is not None
    assert one.group.units == two.group.units
    np.testing.assert_array_equal(one.group.index[order], two.group.index)
    assert [one.cohorts[row] for row in order] == list(two.cohorts)


@given(names=st.permutations(["alpha", "Beta", "beta", "Ζeta", "0", "trial 7", "a:b", "ÿ"]))
@settings(deadline=None)  # a busy machine is no fault
def test_relabelled_trials_are_the_same_partition(names: list[str], spec_of: SpecOf, table_of: TableOf) -> None:
    table = table_of()
    new = dict(zip(sorted(set(table.frame["trial"])), names, strict=False))
    renamed = table_of(trial=[new[trial] for trial in table.frame["trial"]])
    spec = spec_of(heterogeneity=[TRIAL])
    one, two = build_design(spec, table).group, build_design(spec, renamed).group
    assert one is not None
    assert two is not None
    same = one.index[:, None] == one.index[None, :]
    np.testing.assert_array_equal(same, two.index[:, None] == two.index[None, :])
    assert [two.units[code] for code in two.index] == [new[one.units[code]] for code in one.index]
