"""Posteriors of models with another link than the logit, by NUTS: against a grid, and against the logit's."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from alkbayes.estimates.rates import contrast_draws, pooled_table, posterior_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings

SETTINGS = SamplerSettings(seed=5, chains=2, draws=1500, tune=800)
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 0.4}}
DISTRIBUTION_OF = {"probit": stats.norm, "cloglog": stats.gumbel_l}


@pytest.mark.slow
@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_one_level_of_heterogeneity_is_the_grid_s(link: str, spec_of: Any, table_of: Any) -> None:
    spec = spec_of(likelihood={"family": "binomial", "link": link}, heterogeneity=[COHORT])
    evidence = table_of()
    fit = fit_model(spec, evidence, settings=SETTINGS)
    alpha, tau = np.meshgrid(np.linspace(-2.5, 2.5, 201), np.linspace(0.004, 2.4, 161), indexing="ij")
    z = np.linspace(-6, 6, 121)
    log_z = stats.norm.logpdf(z) + np.log(z[1] - z[0])
    log_density = stats.norm.logpdf(alpha, 0, 1.5) + stats.halfnorm.logpdf(tau, scale=0.4)
    for n, y in zip(evidence.frame["n"], evidence.frame["responders"], strict=True):
        theta = alpha[..., None] + tau[..., None] * z
        unit = DISTRIBUTION_OF[link]
        log_density += logsumexp(y * unit.logcdf(theta) + (n - y) * unit.logsf(theta) + log_z, axis=-1)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    for name, grid in (("alpha", alpha), ("tau_cohort", tau)):
        mean = float((weight * grid).sum())
        sd = float(np.sqrt((weight * (grid - mean) ** 2).sum()))
        draws = fit.draws[name]
        # Four standard errors at 400 effective draws, the least that the convergence gate lets pass.
        assert draws.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(400))
        assert draws.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * 400))


@pytest.mark.slow
def test_line_rates_hardly_depend_on_the_link(case_of: Any) -> None:
    """Phi(x) and expit(1.702 x) differ by less than 0.01 for every x (Camilli 1994, doi:10.3102/10769986019003293).

    So much may remain of the link; the Monte Carlo error of a median is below half a point.
    """
    logit = case_of("line-generation")
    one = posterior_of(
        fit_model(logit.spec, logit.evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(seed=5))
    )
    case = case_of("probit")
    other = posterior_of(fit_model(case.spec, case.evidence, settings=SETTINGS))
    tables = [
        pooled_table(posterior).query("group in ('all', 'line') and estimand in ('registry', 'typical', 'mean')")
        for posterior in (one, other)
    ]
    assert tables[1]["median"].to_numpy() == pytest.approx(tables[0]["median"].to_numpy(), abs=0.015)
    # The odds ratio is that of the typical rates, whatever the link: exp of a probit's coefficient, 0.6 of the logit's,
    # would be 20 to 40 % off.
    ratios = [
        next(float(np.median(draws)) for _, scale, draws in contrast_draws(posterior) if scale == "odds_ratio")
        for posterior in (one, other)
    ]
    assert ratios[1] == pytest.approx(ratios[0], rel=0.1)
