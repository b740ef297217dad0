"""What users of ArviZ and PyMC do with a fit."""

import arviz_base as azb
import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import alkbayes as ab
from alkbayes.library.bayesian import Fit

TABLE = pd.DataFrame(
    {
        "cohort_id": list("abcdefgh"),
        "trial": list("AABBCDEF"),
        "line": ["naive", "pretreated"] * 4,
        "responders": [30, 12, 22, 8, 30, 21, 18, 14],
        "n": [42, 40, 31, 33, 42, 60, 30, 44],
    }
)


@pytest.fixture(scope="module")
def fit() -> Fit:
    return ab.fit(TABLE, "line", engine="quadrature")


def test_summary(fit: Fit) -> None:
    table = azs.summary(fit.tree, var_names=["alpha", "beta_line"])
    assert list(table.index) == ["alpha", "beta_line[pretreated]"]
    assert float(table.loc["alpha", "mean"]) == pytest.approx(
        fit.tree["posterior"]["alpha"].to_numpy().mean(), abs=0.0006
    )  # it prints three decimals


def test_loo_of_arviz_is_of_the_conditional_likelihood_and_ours_of_the_integrated(fit: Fit) -> None:
    """With a deviation for each cohort, the conditional weights are unreliable; the integrated ones are not."""
    with pytest.warns(UserWarning, match="Estimated shape parameter of Pareto distribution is greater than 0.70"):
        conditional = azs.loo(fit.tree, var_name="responders", pointwise=True)
    integrated = ab.leave_one_out(fit).elpd
    assert integrated.n_data_points == conditional.n_data_points == len(TABLE)
    assert integrated.p < conditional.p
    assert (integrated.pareto_k < conditional.pareto_k).all()
    assert (integrated.pareto_k <= integrated.good_k).all()


def test_compare(fit: Fit) -> None:
    overall = ab.fit(TABLE, "overall", engine="quadrature")
    table = azs.compare({name: ab.leave_one_out(each).elpd for name, each in {"line": fit, "overall": overall}.items()})
    assert table.index[0] == "line"


def test_power_scaling(fit: Fit) -> None:
    table = azs.psense_summary(fit.tree, var_names=["alpha", "beta_line"])
    assert set(table.columns) >= {"prior", "likelihood"}
    assert len(table) == 2


def test_estimands_are_draws_like_any_other(fit: Fit) -> None:
    tree = xr.DataTree.from_dict({"posterior": fit.estimands})
    table = azs.summary(tree, var_names=["mean"], kind="stats")
    row = fit.pooled.query("estimand == 'mean' and group == 'all'").iloc[0]
    assert float(table.loc["mean[all]", "mean"]) == pytest.approx(row["mean"], abs=0.0006)  # it prints three decimals
    assert isinstance(azb.extract(tree, var_names=["mean"]), xr.DataArray)


@pytest.mark.slow
def test_the_pymc_model_is_that_of_the_fit() -> None:
    """The log density at a point of PyMC's own choosing, without any code of ours."""
    import pymc as pm

    model = ab.pymc_model(TABLE, "line")
    point = model.initial_point()
    assert np.isfinite(model.compile_logp()(point))
    with model:
        drawn = pm.sample(draws=300, tune=500, chains=2, random_seed=1, progressbar=False, target_accept=0.95)
    ours = ab.fit(TABLE, "line", engine="quadrature").tree["posterior"]["alpha"]
    theirs = drawn["posterior"]["alpha"]
    # Four Monte Carlo errors of the difference of the two means, with at least 100 effective draws of PyMC's.
    assert abs(float(theirs.mean() - ours.mean())) < 4 * float(theirs.std()) / np.sqrt(100)
