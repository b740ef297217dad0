"""Links against SciPy's and arbitrary-precision values, in the middle and in both tails."""

from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from scipy import stats

from alkbayes.likelihood.links import Link, complement, inverse, inverse_derivative, link_function, log_rates

MIDDLE = np.linspace(-4, 4, 81)
TAILS = np.array([-1000.0, -300.0, -40.0, -20.0, -9.0, 9.0, 20.0, 40.0, 300.0, 1000.0])


def exact_cloglog(eta: float) -> tuple[float, float]:
    """Return log p and log(1 - p) of the complementary log-log in 600 digits."""
    with localcontext() as context:
        context.prec = 600
        hazard = Decimal(eta).exp()
        return float((1 - (-hazard).exp()).ln()), float(-hazard)


@pytest.mark.parametrize(
    ("link", "distribution"),
    [(Link.LOGIT, stats.logistic), (Link.PROBIT, stats.norm), (Link.CLOGLOG, stats.gumbel_l)],
)
def test_each_link_is_the_distribution_function_it_is_known_as(link: Link, distribution: Any) -> None:
    assert inverse(link, MIDDLE) == pytest.approx(distribution.cdf(MIDDLE), rel=1e-12)
    assert complement(link, MIDDLE) == pytest.approx(distribution.sf(MIDDLE), rel=1e-12)
    assert inverse_derivative(link, MIDDLE) == pytest.approx(distribution.pdf(MIDDLE), rel=1e-12)
    rates = np.linspace(0.001, 0.999, 99)
    assert link_function(link, rates) == pytest.approx(distribution.ppf(rates), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("link", "distribution"), [(Link.LOGIT, stats.logistic), (Link.PROBIT, stats.norm)])
def test_logs_of_symmetric_links_are_those_of_scipy_in_both_tails(link: Link, distribution: Any) -> None:
    log_p, log_q = log_rates(link, TAILS)
    assert log_p == pytest.approx(distribution.logcdf(TAILS), rel=1e-12, abs=0)
    assert log_q == pytest.approx(distribution.logsf(TAILS), rel=1e-12, abs=0)


@pytest.mark.parametrize("eta", [-700.0, -100.0, -36.5, -5.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 3.0, 6.0])
def test_logs_of_the_cloglog_are_those_in_600_digits(eta: float) -> None:
    log_p, log_q = exact_cloglog(eta)
    found_p, found_q = log_rates(Link.CLOGLOG, np.array(eta))
    # exp loses about |eta| units of rounding, 700 of 1.1e-16 at most.
    assert float(found_p) == pytest.approx(log_p, rel=1e-13, abs=0)
    assert float(found_q) == pytest.approx(log_q, rel=1e-13, abs=0)


@pytest.mark.parametrize("link", Link)
def test_logs_are_finite_and_rates_in_range_far_out(link: Link) -> None:
    """Counts multiply the logs: no responders times an infinite log would be no number."""
    logs = np.concatenate(log_rates(link, TAILS))
    assert np.isfinite(logs).all()
    assert (logs <= 0).all()
    rates = inverse(link, TAILS)
    assert ((rates >= 0) & (rates <= 1)).all()
    assert np.isfinite(inverse_derivative(link, TAILS)).all()


@pytest.mark.parametrize("link", Link)
def test_a_rate_of_none_or_all_is_infinitely_far(link: Link) -> None:
    assert link_function(link, np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
