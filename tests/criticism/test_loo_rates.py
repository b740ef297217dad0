"""The pooled rate without each cohort or trial against direct fits to the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from alkbayes.criticism.loo_rates import rates_without
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.estimates.monte_carlo import errors_of
from alkbayes.estimates.rates import pooled_draws, posterior_of
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings

HALF_NORMAL = {"dist": "half_normal", "sd": 0.5}
LINE = {"column": "line", "kind": "fixed", "reference": "naive", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
LEVELS = [{"column": column, "distribution": "normal", "sd_prior": HALF_NORMAL} for column in ("trial", "cohort_id")]
SETTINGS = SamplerSettings(seed=9)
LIMIT = 4.5
"""Monte Carlo errors between two right answers: exceeded by one of some fifty in fewer than one of a thousand runs."""
FAR = "H"
"""The trial at odds with the others, without which the weights are not reliable."""


@pytest.fixture(scope="module")
def rows() -> list[str]:
    """Twelve trials of two cohorts, one of them at odds with the others."""
    rng = np.random.default_rng(8)
    rates = expit(rng.normal(0.6, 0.4, 12))
    rates["ABCDEFGHIJKL".index(FAR)] = 0.02
    return [
        f"{trial}{line} {trial} {line} first {n} {rng.binomial(n, rate)}"
        for trial, rate in zip("ABCDEFGHIJKL", rates, strict=True)
        for line, n in (("naive", 60), ("pretreated", 45))
    ]


@pytest.fixture(scope="module")
def fitted(spec_of: Any, table_of: Any) -> Any:
    def fitted(rows: list[str], seed: int = SETTINGS.seed) -> Fit:
        spec = spec_of(effect=[LINE], heterogeneity=LEVELS)
        settings = replace(SETTINGS, seed=seed)
        return fit_model(spec, table_of("\n".join(rows)), engine=Engine.QUADRATURE, settings=settings)

    return fitted


@pytest.mark.parametrize("by_trial", [True, False])
def test_rates_are_those_of_direct_fits(rows: list[str], fitted: Any, by_trial: bool) -> None:
    found = rates_without(fitted(rows), by_trial=by_trial, workers=1)
    names = [row.split()[1 if by_trial else 0] for row in rows]
    assert [row.name for row in found.rows] == list(dict.fromkeys(names))
    assert [row.name for row in found.rows if row.refitted] == [FAR if by_trial else f"{FAR}naive"]
    chosen = ("A", FAR, "K") if by_trial else ("Anaive", f"{FAR}naive")
    by_name = {row.name: row.rate.summary for row in found.rows} | {"none": found.whole.summary}
    for name in (*chosen, "none"):
        direct = fitted([row for row, left_out in zip(rows, names, strict=True) if left_out != name], seed=77)
        draws = next(draws for row, draws in pooled_draws(posterior_of(direct)) if row["estimand"] == "mean")
        errors = errors_of(direct)(draws)
        low, median, high = np.quantile(draws, (0.025, 0.5, 0.975))
        for number, value in (("low", low), ("median", median), ("high", high)):
            error = np.hypot(getattr(errors, number), by_name[name][f"mcse_{number}"])
            assert abs(by_name[name][number] - value) < LIMIT * error, (name, number)
    assert abs(by_name[chosen[1]]["median"] - found.whole.summary["median"]) > 0.005, "the far trial matters"


def test_one_cohort_and_a_model_without_heterogeneity_are_refused(rows: list[str], fitted: Any, spec_of: Any) -> None:
    with pytest.raises(EvidenceError, match="The table has one cohort, Anaive: without it, nothing is left"):
        rates_without(fitted(rows[:1]))
    with pytest.raises(EvidenceError, match="All cohorts are of one trial, A"):
        rates_without(fitted(rows[:2]), by_trial=True)
    fit = fitted(rows)
    flat = replace(fit, design=replace(fit.design, group=None, cohort=None))
    with pytest.raises(UsageError, match="neither heterogeneity nor exchangeable effects"):
        rates_without(flat)
