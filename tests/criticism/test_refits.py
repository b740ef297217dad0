"""Refits without some cohorts: what they are made of, and that the number of processes decides nothing."""

from typing import Any

import numpy as np
import pytest

from alkbayes.criticism.predictive import posterior_checks
from alkbayes.criticism.refits import refit, without
from alkbayes.estimates.monte_carlo import mean_error_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.restriction import restricted


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


def test_a_refit_has_the_table_of_its_cohorts_and_is_checked_against_it(case_of: Any) -> None:
    case = case_of("cohort-only")
    settings = SamplerSettings(seed=5, chains=2, draws=500)
    fit = fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=settings)
    made = refit(without(fit, np.array([2])))
    assert tuple(made.evidence.frame["cohort_id"]) == made.design.cohorts
    assert made.evidence.part_of is fit.evidence
    assert made.evidence.part(np.array([0])).part_of is fit.evidence
    found = posterior_checks(made)
    assert found.cohorts["cohort_id"].tolist() == list(made.design.cohorts)
    assert found.cohorts["responders"].tolist() == made.evidence.frame["responders"].tolist()


def test_a_design_of_other_cohorts_than_the_table_s_is_refused(case_of: Any) -> None:
    case = case_of("cohort-only")
    fewer = restricted(case.design, np.arange(len(case.design.cohorts) - 1))
    with pytest.raises(ValueError, match="not of the same cohorts"):
        fit_model(case.spec, case.evidence, design=fewer)
