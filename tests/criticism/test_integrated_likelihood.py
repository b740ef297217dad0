"""The likelihood of cohorts given the others of their trial, against sums over dense grids of the deviations."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from alkbayes.criticism.integrated_likelihood import (
    check_covered,
    log_likelihood_given_others,
    with_neighbours,
)
from alkbayes.errors import UsageError
from alkbayes.inference.importance.target import Target, positions, unsupported
from alkbayes.model.design import Design, build_design
from alkbayes.model.draws import linear_predictor
from alkbayes.spec.schema import model_names

GRID = np.linspace(-8, 8, 321)
"""Of a standard normal deviation: the trapezoid rule on it is exact to rounding for the integrands here."""


def log_sum(design: Design, draws: dict[str, np.ndarray], cohorts: list[int], draw: int) -> float:
    """Return the log-likelihood of some cohorts of one trial, deviations summed over a grid of each."""
    if not cohorts:
        return 0.0
    eta = linear_predictor(design, draws, {block.label: block.index for block in design.effects})[0, draw]
    tau = {term.label: float(draws[f"tau_{term.label}"][0, draw]) for term in design.heterogeneity}
    weight = stats.norm.logpdf(GRID) + np.log(GRID[1] - GRID[0])
    by_group = weight if design.group is not None else np.zeros(1)
    v = GRID if design.group is not None else np.zeros(1)
    for cohort in cohorts:
        centre = eta[cohort] + (tau[design.group.label] * v if design.group is not None else 0.0)
        spread = tau["cohort"] * GRID if design.cohort is not None else np.zeros(1)
        share = weight if design.cohort is not None else np.zeros(1)
        p = expit(np.add.outer(np.atleast_1d(centre), spread))
        likelihood = stats.binom.logpmf(design.responders[cohort], design.n[cohort], p)
        by_group = by_group + logsumexp(likelihood + share, axis=1)
    return float(logsumexp(by_group))


def made_up_draws(design: Design, count: int = 3) -> dict[str, np.ndarray]:
    """Return global parameters where posteriors have their mass, shape (1, count, ...)."""
    rng = np.random.default_rng(8)
    draws = {"alpha": rng.normal(0.3, 0.3, (1, count))}
    for block in design.effects:
        if block.sd_prior is not None:
            draws[f"sd_{block.slug}"] = rng.uniform(0.1, 0.6, (1, count))
        draws[block.free] = rng.normal(0, 0.7, (1, count, len(block.free_coords)))
    for term in design.heterogeneity:
        draws[f"tau_{term.label}"] = rng.uniform(0.2, 0.9, (1, count))
    return draws


@pytest.mark.parametrize("name", ["interaction", "cohort-only", "group-only"])
def test_a_cohort_given_the_others_of_its_trial(name: str, case_of: Any) -> None:
    design = case_of(name).design
    draws = made_up_draws(design)
    found = log_likelihood_given_others(design, draws, [np.array([i]) for i in range(len(design.cohorts))])
    assert found.shape == (1, 3, len(design.cohorts))
    for cohort in range(len(design.cohorts)):
        family = [cohort] if design.group is None else np.flatnonzero(design.group.index == design.group.index[cohort])
        others = [int(other) for other in family if other != cohort]
        for draw in range(3):
            expected = log_sum(design, draws, sorted([cohort, *others]), draw) - log_sum(design, draws, others, draw)
            # The nodes' error on cohorts as extreme as none or all of 44 responding.
            assert found[0, draw, cohort] == pytest.approx(expected, abs=2e-5)


def test_a_whole_trial_given_the_other_trials(case_of: Any) -> None:
    design = case_of("interaction").design
    draws = made_up_draws(design)
    trials = [np.flatnonzero(design.group.index == unit) for unit in range(len(design.group.units))]
    found = log_likelihood_given_others(design, draws, trials)
    for place, cohorts in enumerate(trials):
        for draw in range(3):
            expected = log_sum(design, draws, cohorts.tolist(), draw)
            assert found[0, draw, place] == pytest.approx(expected, abs=2e-5)


def test_trials_that_are_not_the_models_groups(case_of: Any) -> None:
    # Cohorts of two groups at once: one alone in its group, one of a group of three.
    design = case_of("interaction").design
    draws = made_up_draws(design)
    left_out = np.array([4, 5])
    np.testing.assert_array_equal(with_neighbours(design, left_out), [4, 5, 6, 7])
    (found,) = log_likelihood_given_others(design, draws, [left_out])[0, 0]
    expected = log_sum(design, draws, [4], 0) + log_sum(design, draws, [5, 6, 7], 0) - log_sum(design, draws, [6, 7], 0)
    assert found == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", model_names())
def test_positions_are_the_inverse_of_names(name: str, case_of: Any) -> None:
    design = case_of(name).design
    if unsupported(design):
        pytest.skip(f"has {unsupported(design)}")
    target = Target(design)
    rng = np.random.default_rng(2)
    psi, b = rng.uniform(size=(7, len(target.scales))), rng.normal(size=(7, target.matrix.shape[1]))
    ours = positions(target, target.named(psi, b))
    np.testing.assert_allclose(ours[0], psi, rtol=1e-12)
    np.testing.assert_allclose(ours[1], b, rtol=1e-12)


def test_a_model_that_is_not_covered_is_refused_with_the_reason(case_of: Any, spec_of: Any, table_of: Any) -> None:
    plain = build_design(spec_of(), table_of())
    with pytest.raises(UsageError, match="'plain' has neither heterogeneity nor exchangeable effects"):
        check_covered(plain, model="plain")
    check_covered(case_of("cohort-only").design, model="covered")
