"""The DataTree of a fit: groups, names, coordinates, and that it goes through a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from alkbayes.inference.datatree import PRIOR_DRAWS, build_tree, dimensions
from alkbayes.inference.fit import judged
from alkbayes.model.densities import log_likelihood
from alkbayes.model.design import parameters
from alkbayes.model.draws import from_unconstrained

GROUPS = {
    "posterior",
    "sample_stats",
    "prior",
    "prior_predictive",
    "posterior_predictive",
    "log_likelihood",
    "log_prior",
    "observed_data",
    "constant_data",
}


def tree_of(case: Any, *, seed: int = 1) -> xr.DataTree:
    positions = case.points(10).reshape(2, 5, case.size)
    stats = {"diverging": np.zeros((2, 5), dtype=bool), "energy": np.arange(10.0).reshape(2, 5)}
    draws = from_unconstrained(case.design, positions)
    return build_tree(case.design, draws, stats, seed=seed, attributes={"creation_library": "alkbayes"})


def test_groups_variables_and_dimensions(case: Any) -> None:
    tree, design = tree_of(case), case.design
    assert set(tree.children) == GROUPS
    posterior = tree["posterior"]
    assert {parameter.name for parameter in parameters(design)} | {"theta", "p"} <= set(posterior.data_vars)
    assert dict(posterior.sizes)["chain"] == 2
    assert dict(posterior.sizes)["draw"] == 5
    assert dict(tree["prior"].sizes)["draw"] == PRIOR_DRAWS
    for name, values in posterior.data_vars.items():
        assert values.dims == ("chain", "draw", *dimensions(design)[name])
    for parameter in parameters(design):
        if parameter.dim is not None:
            assert tuple(posterior[parameter.dim].to_numpy()) == parameter.coords
    assert tree.attrs["creation_library"] == "alkbayes"


def test_values_belong_to_their_names(case: Any) -> None:
    tree, design = tree_of(case), case.design
    draws = from_unconstrained(design, case.points(10).reshape(2, 5, case.size))
    for name, values in draws.items():
        np.testing.assert_array_equal(tree["posterior"][name].to_numpy(), values)
    np.testing.assert_array_equal(tree["log_likelihood"]["responders"].to_numpy(), log_likelihood(design, draws))
    frame = case.evidence.frame
    for number, cohort in enumerate(frame["cohort_id"]):
        assert int(tree["observed_data"]["responders"].sel(cohort=cohort)) == frame["responders"][number]
        assert int(tree["constant_data"]["n"].sel(cohort=cohort)) == frame["n"][number]
        for column in design.profiles:
            value = tree["constant_data"][column].sel(cohort=cohort).item()
            assert value == (float(frame[column][number]) if column in design.numbers else frame[column][number])
        if design.group is not None:
            trial = str(tree["constant_data"]["trial_of_cohort"].sel(cohort=cohort).item())
            assert trial == frame["trial"][number]


def test_the_seed_decides_every_random_group(case_of: Any) -> None:
    one, again, other = (tree_of(case_of("beta-binomial"), seed=seed) for seed in (1, 1, 2))
    for group in ("prior", "prior_predictive", "posterior_predictive"):
        xr.testing.assert_identical(one[group].to_dataset(), again[group].to_dataset())
        assert not one[group].to_dataset().equals(other[group].to_dataset())
    xr.testing.assert_identical(one["posterior"].to_dataset(), other["posterior"].to_dataset())


def test_prior_predictive_belongs_to_the_prior(case_of: Any) -> None:
    tree, design = tree_of(case_of("line-generation")), case_of("line-generation").design
    rates = tree["prior_predictive"]["responders"].to_numpy()[0] / design.n
    error = (rates - tree["prior"]["p"].to_numpy()[0]) * np.sqrt(design.n)
    assert abs(error).max() < 3.5  # at most a half times five or so standard errors
    assert abs(error.mean()) < 0.01


@pytest.mark.parametrize("name", ["interaction", "beta-binomial-alone"])
def test_a_tree_goes_through_a_file(name: str, case_of: Any, tmp_path: Path) -> None:
    tree = tree_of(case_of(name))
    tree.to_netcdf(tmp_path / "posterior.nc", engine="netcdf4")
    with xr.open_datatree(tmp_path / "posterior.nc", engine="netcdf4") as read:
        for group in GROUPS:
            for variable, values in tree[group].data_vars.items():
                np.testing.assert_array_equal(read[group][variable].to_numpy(), values.to_numpy())


def test_the_gate_judges_each_number_once(case_of: Any) -> None:
    names = set(judged(tree_of(case_of("interaction"))["posterior"].to_dataset()).data_vars)
    assert names == {
        "alpha",
        "beta_line",
        "sd_generation",
        "effect_generation",
        "sd_line_generation",
        "effect_line_generation",
        "tau_trial",
        "tau_cohort",
        "z_trial",
        "z_cohort",
        "theta",
    }
