"""Two engines held against each other: errors that are known.

That they have one answer for every bundled model is tests/test_bundled_models.py's to say, which has the fits.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from alkbayes.errors import UsageError
from alkbayes.estimates.cross_check import CrossCheck, cross_check, differences, fit_both
from alkbayes.estimates.rates import pooled_table, posterior_of
from alkbayes.inference.convergence import Check
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.spec.schema import model_names
from alkbayes.vocabulary import GROUP_COLUMNS

SMALL = SamplerSettings(seed=3, tune=500)


def test_both_engines_cover_every_bundled_model(case_of: Any) -> None:
    assert [name for name in model_names() if unsupported(case_of(name).design)] == []


@pytest.fixture(scope="module")
def pair(case_of: Any) -> tuple[Any, Any]:
    """Fits of a small model by both engines."""
    case = case_of("cohort-only")
    integrated, found = fit_both(case.spec, case.evidence, keep=Engine.QUADRATURE, settings=SMALL)
    sampled, _ = fit_both(case.spec, case.evidence, keep=Engine.NUTS, settings=SMALL)
    assert found is not None
    return sampled, integrated


def moved(fit: Any, *, by: float) -> Any:
    """Return a fit whose intercept is off."""
    posterior = fit.tree["posterior"].to_dataset()
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior.assign(alpha=posterior["alpha"] + by),
            "sample_stats": fit.tree["sample_stats"].to_dataset(),
        }
    )
    return replace(fit, tree=tree)


def test_an_engine_that_is_off_is_found_and_named(pair: tuple[Any, Any]) -> None:
    sampled, integrated = pair
    assert cross_check(sampled, integrated).faults == ()
    found = cross_check(sampled, moved(integrated, by=0.4))
    (fault,) = found.faults
    assert "numbers differ by more than" in fault
    assert "typical" in fault or "mean" in fault or "next_cohort" in fault
    assert set(found.beyond["estimand"]) >= {"typical", "mean"}
    means = found.table[(found.table["statistic"] == "mean") & (found.table["estimand"] != "these_cohorts")]
    assert (means["z"] > found.limit).all()
    record = found.as_record()
    assert record["faults"] == [fault]
    assert record["largest"] == pytest.approx(found.table["z"].abs().max())


def test_what_is_compared_is_every_pooled_number(pair: tuple[Any, Any]) -> None:
    found, pooled = cross_check(*pair), pooled_table(posterior_of(pair[1]))
    assert len(found.table) == 5 * len(pooled)
    for statistic in ("mean", "sd", "median", "low", "high"):
        values = found.table.loc[found.table["statistic"] == statistic, "quadrature"]
        np.testing.assert_allclose(values, pooled[statistic], rtol=1e-12)


def test_the_limit_is_bonferronis(pair: tuple[Any, Any]) -> None:
    found = cross_check(*pair)
    assert len(found.table) * 2 * stats.norm.sf(found.limit) == pytest.approx(0.01)


def test_differences_of_engines_that_agree_have_the_tails_of_a_normal() -> None:
    """Of quantiles, too, whose errors vary by seed: differences over these have 0.8 % beyond 3, not 0.27 %."""

    def independent(values: np.ndarray) -> float:
        return float(values.std() / np.sqrt(len(values)))

    rng = np.random.default_rng(1)
    runs = [
        differences(rng.exponential(size=1000), rng.exponential(size=1000), independent, independent)
        for _ in range(3000)
    ]
    z = pd.DataFrame([{str(row["statistic"]): row["z"] for row in run} for run in runs])
    by_error = pd.DataFrame(
        [{str(row["statistic"]): (row["quadrature"] - row["nuts"]) / row["error"] for row in run} for run in runs]
    )
    # 3,000 runs know an SD to 1.3 %, and the variance of 25 draws in a tail is itself known to a few percent. Of 8 that
    # are expected beyond 3, more than 18 come once in a thousand times.
    np.testing.assert_allclose(z.std(), 1.0, atol=0.08)
    assert ((z.abs() > 3).sum() <= 18).all()
    # A sign is that of the difference, in whatever units.
    assert (np.sign(z) * np.sign(by_error) >= 0).all(axis=None)


def test_what_is_no_number_is_no_agreement(pair: tuple[Any, Any]) -> None:
    found = cross_check(*pair)
    table = found.table.assign(z=found.table["z"].where(found.table.index != 7))
    assert "1 of " in CrossCheck(table, found.limit, ()).faults[0]


def test_a_gate_that_either_failed_is_a_fault(pair: tuple[Any, Any]) -> None:
    sampled, integrated = pair
    check = Check("divergences", False, 3, 0, "3 divergences", "Fit again.")
    failed = replace(sampled, diagnostics=replace(sampled.diagnostics, checks=(check,)))
    assert cross_check(failed, integrated).faults == ("nuts did not converge: 3 divergences",)


def test_engines_the_wrong_way_round_are_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="expected fits by nuts and quadrature"):
        cross_check(pair[1], pair[0])


def test_a_model_that_only_one_engine_covers_is_refused_before_sampling(
    spec_of: Any, table_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alkbayes.estimates.cross_check.fit_model", pytest.fail)
    with pytest.raises(UsageError, match="'made-up' has neither heterogeneity nor exchangeable effects"):
        fit_both(spec_of(), table_of(), keep=Engine.NUTS)


def test_the_record_is_what_json_can_hold(pair: tuple[Any, Any]) -> None:
    record = cross_check(*pair).as_record()
    assert set(record) == {"numbers", "limit", "false_alarm", "largest", "faults", "differences"}
    assert record["numbers"] == len(record["differences"])
    names = [*GROUP_COLUMNS, "estimand", "statistic", "nuts", "quadrature", "error", "z"]
    assert list(pd.DataFrame(record["differences"]).columns) == names
