"""Refits without some cohorts: what they are made of, and that the number of processes decides nothing."""

from typing import Any

import numpy as np

from alkbayes.criticism.refits import refit, without
from alkbayes.estimates.monte_carlo import mean_error_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings


def test_a_refit_leaves_out_what_it_says_with_a_seed_of_its_own(case_of: Any) -> None:
    case = case_of("cohort-only")
    settings = SamplerSettings(seed=5, chains=2, draws=500)
    fit = fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=settings)
    first, second = (without(fit, np.array([cohort])) for cohort in (2, 3))
    assert first.design.cohorts == tuple(name for name in fit.design.cohorts if name != fit.design.cohorts[2])
    assert len({fit.provenance.settings.seed, first.settings.seed, second.settings.seed}) == 3
    made = refit(first)
    assert made.provenance.settings.seed == first.settings.seed
    assert made.draws["theta"].shape == (2, 500, len(fit.design.cohorts) - 1)
    again = refit(without(fit, np.array([2])))
    np.testing.assert_array_equal(made.draws["theta"], again.draws["theta"])
    # Of independent draws, but for duplicates, which make it larger.
    alpha = made.draws["alpha"].ravel()
    assert 1.0 <= mean_error_of(made)(alpha) / (alpha.std() / np.sqrt(alpha.size)) < 2.0
