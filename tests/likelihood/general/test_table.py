"""The table of cohorts' integrals against the integrals themselves, inside and outside its range."""

import numpy as np
import pytest

from alkbayes.evidence.table import read_evidence
from alkbayes.likelihood.cohorts import Binomial
from alkbayes.likelihood.general.cohort import RULE, Level, integrated
from alkbayes.likelihood.general.scores import Score
from alkbayes.likelihood.general.table import TAUS, Table
from alkbayes.likelihood.links import Link


@pytest.mark.slow
@pytest.mark.parametrize(("link", "nu"), [(Link.LOGIT, 4.0), (Link.PROBIT, np.inf), (Link.CLOGLOG, 4.0)])
def test_it_has_the_integrals_where_a_posterior_asks_for_them(link: Link, nu: float) -> None:
    frame = read_evidence().frame
    likelihood = Binomial(frame["responders"].to_numpy(float), frame["n"].to_numpy(float), link)
    rng, size, k = np.random.default_rng(1), 20_000, len(frame)
    cohort, row = rng.integers(0, k, size), np.arange(size)
    level = Level(rng.uniform(*TAUS, size) ** 1.5 / 2 + TAUS[0], Score(nu))
    centre, variance = likelihood.stand_in(cohort, row)
    # As far from what each cohort says as its own error and tau let it be.
    mu = centre + np.sqrt(variance + level.tau**2) * rng.normal(size=size)
    table = Table(likelihood, Score(nu), k)
    found = table.integrated(likelihood, level, mu, cohort, row, RULE)
    error = np.abs(found - integrated(likelihood, level, mu, cohort, row, RULE))
    assert np.sqrt((error**2).mean()) < 3e-6
    assert np.quantile(error, 0.999) < 3e-5
    assert error.max() < 1e-4


def test_beyond_its_range_it_integrates() -> None:
    likelihood = Binomial(np.array([3.0]), np.array([20.0]))
    table = Table(likelihood, Score(4.0), 1)
    level = Level(np.array([0.001, 0.5, 8.0]), Score(4.0))
    mu, zeros, row = np.array([-1.0, 9.0, 0.5]), np.zeros(3, dtype=np.intp), np.arange(3)
    found = table.integrated(likelihood, level, mu, zeros, row, RULE)
    np.testing.assert_array_equal(found, integrated(likelihood, level, mu, zeros, row, RULE))
