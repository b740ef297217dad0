"""Estimators of tau2, against whole matrices, direct searches and each other; the Q profile against its definition."""

import time

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2, multivariate_normal

from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator, estimate_tau2, normal_log_likelihood, tau2_q_profile

YI = np.array([0.2, 1.1, -0.4, 0.9, 2.0])
VI = np.array([0.10, 0.25, 0.05, 0.40, 0.20])
ONES = np.ones((5, 1))
SLOPE = np.column_stack([np.ones(5), [0.0, 1.0, 4.0, 2.0, 3.0]])
DESIGNS = [ONES, SLOPE]
ESTIMATORS = list(Tau2Estimator)
CLOSED = [Tau2Estimator.DL, Tau2Estimator.HE, Tau2Estimator.HS, Tau2Estimator.SJ]


def projection(tau2: float, vi: np.ndarray, design: np.ndarray) -> np.ndarray:
    """The k x k matrix P that our code never builds."""
    w = np.diag(1 / (vi + tau2))
    return w - w @ design @ np.linalg.inv(design.T @ w @ design) @ design.T @ w


def generalised_q(tau2: float, yi: np.ndarray, vi: np.ndarray, design: np.ndarray) -> float:
    return float(yi @ projection(tau2, vi, design) @ yi)


def restricted(tau2: float, yi: np.ndarray, vi: np.ndarray, design: np.ndarray = ONES) -> float:
    """Restricted log-likelihood from the joint density of k - p orthonormal contrasts, no formula of ours in it."""
    k, p = design.shape
    contrasts = np.linalg.svd(design)[0][:, p:].T
    assert contrasts.shape == (k - p, k)
    return float(multivariate_normal(cov=contrasts @ np.diag(vi + tau2) @ contrasts.T).logpdf(contrasts @ yi))


@pytest.mark.parametrize("design", DESIGNS, ids=["mean", "slope"])
def test_closed_forms_from_whole_matrices(design: np.ndarray) -> None:
    k, p = design.shape
    fixed = projection(0, VI, design)
    q = YI @ fixed @ YI
    plain = projection(0, np.ones(k), design)
    start = YI.var()
    expected = {
        Tau2Estimator.DL: (q - (k - p)) / np.trace(fixed),
        Tau2Estimator.HS: (q - k) / (1 / VI).sum(),
        Tau2Estimator.HE: (YI @ plain @ YI - np.trace(plain @ np.diag(VI))) / (k - p),
        Tau2Estimator.SJ: start * generalised_q(start, YI, VI, design) / (k - p),
    }
    for estimator in CLOSED:
        estimate = estimate_tau2(YI, VI, design, estimator)
        assert estimate.converged
        assert expected[estimator] > 0
        assert estimate.tau2 == pytest.approx(expected[estimator], rel=1e-12), estimator


@pytest.mark.parametrize("design", DESIGNS, ids=["mean", "slope"])
@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e4])
def test_maximum_likelihood_is_where_a_direct_search_finds_it(scale: float, design: np.ndarray) -> None:
    yi, vi = YI * np.sqrt(scale), VI * scale

    def full(tau2: float) -> float:
        w = np.diag(1 / (vi + tau2))
        beta = np.linalg.solve(design.T @ w @ design, design.T @ w @ yi)
        return float(multivariate_normal(mean=design @ beta, cov=np.diag(vi + tau2)).logpdf(yi))

    for estimator, loglik in (
        (Tau2Estimator.REML, lambda t: restricted(t, yi, vi, design)),
        (Tau2Estimator.ML, full),
    ):
        found = minimize_scalar(lambda t, f=loglik: -f(t * scale), bounds=(0, 10), options={"xatol": 1e-10})
        estimate = estimate_tau2(yi, vi, design, estimator)
        assert estimate.converged
        assert estimate.tau2 == pytest.approx(found.x * scale, rel=1e-6)
        ours = normal_log_likelihood(estimate.tau2, yi, vi, design, restricted=estimator is Tau2Estimator.REML)
        assert ours == pytest.approx(loglik(estimate.tau2), rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("design", DESIGNS, ids=["mean", "slope"])
@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e4])
def test_paule_mandel_puts_q_at_its_expectation(scale: float, design: np.ndarray) -> None:
    yi, vi = YI * np.sqrt(scale), VI * scale
    estimate = estimate_tau2(yi, vi, design, Tau2Estimator.PM)
    assert estimate.converged
    assert generalised_q(estimate.tau2, yi, vi, design) == pytest.approx(5 - design.shape[1], rel=1e-10)


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if e is not Tau2Estimator.SJ])
def test_no_more_than_chance_gives_exactly_0(estimator: Tau2Estimator) -> None:
    estimate = estimate_tau2(np.array([0.50, 0.52, 0.49]), np.array([0.1, 0.2, 0.3]), np.ones((3, 1)), estimator)
    assert estimate.converged
    assert estimate.tau2 == 0


def test_sidik_jonkman_is_0_only_where_nothing_differs() -> None:
    vi, ones = np.array([0.1, 0.2, 0.3]), np.ones((3, 1))
    assert estimate_tau2(np.array([0.50, 0.52, 0.49]), vi, ones, Tau2Estimator.SJ).tau2 > 0
    assert estimate_tau2(np.array([0.5, 0.5, 0.5]), vi, ones, Tau2Estimator.SJ).tau2 == 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sampling_without_error_leaves_the_variance_of_the_means(estimator: Tau2Estimator) -> None:
    """DL and HS weigh by sampling variances alone, which are equal here; ML, HS and no other divide by k."""
    yi = np.array([0.2, 1.1, -0.4, 0.9, 2.0])
    estimate = estimate_tau2(yi, np.full(5, 1e-9), np.ones((5, 1)), estimator)
    ddof = 0 if estimator in {Tau2Estimator.ML, Tau2Estimator.HS} else 1
    assert estimate.tau2 == pytest.approx(yi.var(ddof=ddof), rel=1e-6)


def test_reml_takes_the_higher_of_two_maxima() -> None:
    """Nearly all weight in two like cohorts, and a third far off: the likelihood has a maximum at 0 and one inside."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        k = int(rng.integers(2, 6))
        yi, vi = rng.normal(size=k), 10.0 ** rng.uniform(-3, 1, size=k)
        ones = np.ones((k, 1))
        estimate = estimate_tau2(yi, vi, ones, Tau2Estimator.REML)
        assert estimate.converged
        assert restricted(estimate.tau2, yi, vi, ones) >= restricted(0.0, yi, vi, ones) - 1e-9


@pytest.mark.parametrize("estimator", [Tau2Estimator.REML, Tau2Estimator.ML, Tau2Estimator.PM])
def test_an_iteration_says_so_when_it_runs_out_of_steps(estimator: Tau2Estimator) -> None:
    assert not estimate_tau2(YI, VI, ONES, estimator, max_iterations=2).converged


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_as_many_coefficients_as_cohorts_leave_nothing_to_estimate_from(estimator: Tau2Estimator) -> None:
    with pytest.raises(ValueError, match="5 cohorts leave no degrees of freedom beside 5"):
        estimate_tau2(YI, VI, np.eye(5), estimator)


@pytest.mark.parametrize("design", DESIGNS, ids=["mean", "slope"])
def test_the_q_profile_ends_where_q_meets_the_quantiles(design: np.ndarray) -> None:
    df = 5 - design.shape[1]
    interval = tau2_q_profile(YI, VI, design, prob=0.95)
    for limit, quantile in ((interval.low, chi2.ppf(0.975, df)), (interval.high, chi2.ppf(0.025, df))):
        root = brentq(lambda t, q=quantile: generalised_q(t, YI, VI, design) - q, 0, 1e4, xtol=1e-13)
        assert limit == pytest.approx(root, rel=1e-9)
    s2 = df / np.trace(projection(0, VI, design))
    assert interval.i2_high == pytest.approx(interval.high / (interval.high + s2), rel=1e-12)
    assert interval.h2_low == pytest.approx(1 + interval.low / s2, rel=1e-12)


def test_the_lower_limit_is_0_where_q_is_unremarkable() -> None:
    interval = tau2_q_profile(np.array([0.1, 0.9, 0.4]), np.array([0.1, 0.2, 0.3]), np.ones((3, 1)), prob=0.95)
    assert (interval.low, interval.i2_low, interval.h2_low) == (0, 0, 1)
    assert interval.high > 0


def test_the_interval_is_empty_where_cohorts_are_too_much_alike() -> None:
    yi = 0.5 + 1e-4 * np.arange(6)
    interval = tau2_q_profile(yi, np.full(6, 0.2), np.ones((6, 1)), prob=0.95)
    assert interval.low is interval.high is interval.i2_low is interval.i2_high is interval.h2_low is None
    assert interval.h2_high is None


def test_the_q_profile_covers_what_it_says() -> None:
    """2,000 samples of 12 cohorts: a coverage of 95 % has a standard error of 0.5 %."""
    rng = np.random.default_rng(7)
    vi = rng.uniform(0.02, 0.5, size=12)
    ones, tau2, inside = np.ones((12, 1)), 0.2, 0
    for _ in range(2000):
        interval = tau2_q_profile(rng.normal(0, np.sqrt(vi + tau2)), vi, ones, prob=0.95)
        inside += interval.low is not None and interval.low <= tau2 <= interval.high
    assert 0.935 < inside / 2000 < 0.965


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_ten_thousand_cohorts_take_no_matrix_of_their_square(estimator: Tau2Estimator) -> None:
    rng = np.random.default_rng(11)
    k = 10_000
    vi = rng.uniform(0.05, 0.5, size=k)
    design = np.column_stack([np.ones(k), rng.normal(size=k)])
    yi = design @ [0.3, 0.5] + rng.normal(0, np.sqrt(vi + 0.4))
    start = time.process_time()
    estimate = estimate_tau2(yi, vi, design, estimator)
    assert time.process_time() - start < 1
    if estimator is Tau2Estimator.SJ:  # keeps a share of where it starts, the slope's variance included
        assert 0.4 < estimate.tau2 < 0.65
        return
    # A standard error of tau2 is sqrt(2 / k) times a marginal variance of 0.7: 0.01.
    assert estimate.tau2 == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize(
    ("events", "n"),
    [
        # Rare events and zeros with 0.5 added, as in studies of catheters: plain scoring needs more than 200 steps.
        ([1, 1, 0, 1, 0, 0, 1, 5], [179, 237, 94, 47, 29, 31, 179, 193]),
        ([4, 4, 1, 0, 2, 0, 3], [122, 98, 140, 55, 61, 130, 208]),
        ([1, 4, 11], [213, 58, 241]),
    ],
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_reml_of_rare_events_is_the_maximum_on_a_grid(events: list[int], n: list[int], everywhere: bool) -> None:
    y, total = np.array(events, dtype=float), np.array(n, dtype=float)
    added = np.where(everywhere | (y == 0), 0.5, 0.0)
    y, total = y + added, total + 2 * added
    yi, vi, ones = np.log(y / (total - y)), 1 / y + 1 / (total - y), np.ones((len(y), 1))
    for estimator, is_restricted in ((Tau2Estimator.REML, True), (Tau2Estimator.ML, False)):
        estimate = estimate_tau2(yi, vi, ones, estimator)
        assert estimate.converged
        grid = np.linspace(0, 5, 5001)
        values = [normal_log_likelihood(t, yi, vi, ones, restricted=is_restricted) for t in grid]
        # Within one step of the grid, whose likelihood a test above compares with a density of contrasts.
        assert estimate.tau2 == pytest.approx(grid[int(np.argmax(values))], abs=1e-3)
