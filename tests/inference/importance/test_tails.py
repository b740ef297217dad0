"""Few cohorts of 5 to 1,000,000 patients, whose tau ranges over orders of magnitude, against exact integration."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit

from alkbayes.inference.convergence import Thresholds
from alkbayes.inference.fit import fit_model
from alkbayes.inference.importance.engine import Integrated, integrate
from alkbayes.inference.importance.proposals import approximate, best_of, probe, sample, thin_share
from alkbayes.inference.importance.target import Target
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.spec.schema import model_path, read_spec

TAILS = Path(__file__).parents[3] / "validation" / "tails"
ALIKE = ((0.3, 0.31, 0.299), ((3, 10), (0, 5)))
"""Rates of three large cohorts, and two small ones, each of a trial of its own (after a report on huge numbers)."""
FUNNEL = 10
"""A table of validation/tails: cohorts of 90,000 to 300,000 beside ones of 5 and 6."""
RECORDED = 200
"""Tables of validation/tails, by either engine."""


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tails_study", TAILS / "study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tails_study"] = module
    spec.loader.exec_module(module)
    return module


def alike(size: int) -> tuple[np.ndarray, np.ndarray]:
    rates, small = ALIKE
    y = [round(rate * size) for rate in rates] + [responders for responders, _ in small]
    return np.array(y), np.array([size] * len(rates) + [n for _, n in small])


@pytest.mark.slow
def test_the_exact_integration_is_that_of_nested_adaptive_integrals(study: Any) -> None:
    """Of two trials, one of two cohorts: probabilities of tau and mu from SciPy's adaptive rule and a plain grid."""
    trials = [[(6, 20), (9, 12)], [(3, 10)]]
    exact = study.exact_module()
    found = exact.posterior(trials, **exact.COARSE)
    mus, taus = np.arange(-5, 5.1, 0.25), (np.arange(20) + 0.5) * 0.2
    nodes = np.linspace(-7, 7, 41)
    weights = stats.norm.pdf(nodes) / stats.norm.pdf(nodes).sum()

    def cohort(y: int, n: int, theta: Any, tau: Any) -> Any:
        rates = expit(theta[..., None] + tau[..., None] * nodes)
        return (rates**y * (1 - rates) ** (n - y)) @ weights

    # The nodes are enough for the comparison, which is to 3e-3.
    adaptive = quad(lambda z: stats.norm.pdf(z) * expit(-0.5 + 2 * z) ** 3 * expit(0.5 - 2 * z) ** 7, -9, 9)[0]
    assert cohort(3, 10, np.array(-0.5), np.array(2.0)) == pytest.approx(adaptive, rel=1e-5)
    mu, one, two = np.meshgrid(mus, taus, taus, indexing="ij")
    both = sum(
        weight * cohort(6, 20, mu + one * v, two) * cohort(9, 12, mu + one * v, two)
        for v, weight in zip(nodes, weights, strict=True)
    )
    density = both * cohort(3, 10, mu, np.hypot(one, two))
    density *= stats.norm.pdf(mu, 0, 1.5) * stats.norm.pdf(one) * stats.norm.pdf(two)
    density /= density.sum()
    # At edges of cells the midpoint rule is off by its squared step, 0.04, times a slope of at most 1.5, over 24; half
    # the step leaves a quarter of that.
    for at in (0.4, 1.0, 2.0):
        assert found.below("trial", np.log(at)) == pytest.approx(density[one < at].sum(), abs=3e-3)
        assert found.below("cohort", np.log(at)) == pytest.approx(density[two < at].sum(), abs=3e-3)
    following = stats.norm.cdf((0.3 - mu) / np.hypot(one, two))
    assert found.below("next", 0.3) == pytest.approx((density * following).sum(), abs=3e-3)
    assert found.below("typical", 0.125) == pytest.approx(density[mu < 0.125].sum(), abs=3e-3)


@pytest.mark.parametrize(("size", "low", "high", "tau"), [(20_000, 11.8, 53.6, 1.285), (1_000_000, 11.8, 53.6, 1.284)])
def test_the_exact_integration_gives_known_tails(size: int, low: float, high: float, tau: float, study: Any) -> None:
    y, n = alike(size)
    found = study.exact_quantiles(y, n, np.arange(5))
    assert 100 * found["next"]["low"] == pytest.approx(low, abs=0.05)
    assert 100 * found["next"]["high"] == pytest.approx(high, abs=0.05)
    assert found["total"]["high"] == pytest.approx(tau, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "seed"),
    [(20_000, 20251), *(pytest.param(size, 1, marks=pytest.mark.slow) for size in (2_000, 1_000_000))],
)
def test_large_alike_cohorts_beside_small_ones(size: int, seed: int, study: Any) -> None:
    y, n = alike(size)
    spec = read_spec(model_path("overall"))
    evidence = study.evidence_of(y, n, np.arange(5), spec)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(seed=seed))
    assert fit.provenance.engine is Engine.QUADRATURE
    assert fit.diagnostics.converged
    true = study.exact_quantiles(y, n, np.arange(5))
    found = study.distances(fit, true)
    # Of 90 such numbers one is off by 4 errors with a probability of 0.6 %.
    assert max(map(abs, found.values())) < 4, found


def test_the_probe_sees_what_pareto_k_and_ess_do_not(study: Any) -> None:
    """A proposal that passes by its own weights, and has few draws where the tau is that the tiny cohorts allow."""
    spec = read_spec(model_path("overall"))
    evidence = study.evidence_of(*alike(20_000), np.array([0, 1, 2, 3, 3]), spec)
    target = Target(build_design(spec, evidence))
    rng = np.random.default_rng(20251)
    with np.errstate(all="ignore"):
        approximation, proposal = approximate(target, rng)
        found = best_of(sample(approximation, proposal, rng, count=6000))
        seen = probe(approximation, found.proposal, rng)
    limits = Thresholds()
    assert found.pareto_k < limits.pareto_k_max
    assert found.ess > limits.ess_min
    assert thin_share(seen, found.proposal) > limits.thin_max
    assert thin_share(seen, seen.proposal) == 0


@pytest.mark.parametrize(
    "number", [0, 2, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 12) if number != 2)]
)
def test_random_tables(number: int, study: Any) -> None:
    """A dozen of the tables that validation/tails holds: the first tables, half with several cohorts a trial."""
    row = study.held(number, Engine.QUADRATURE)
    assert row["fallback_reason"] == ""
    assert max(map(abs, row["distances"].values())) < 4.5, row


@pytest.mark.slow
def test_chains_go_through_the_funnel_of_an_intercept(study: Any) -> None:
    """Large cohorts that are alike leave a tau of 0.003 or 0.7, and with the one tell the intercept far better.

    In units that do not follow tau, six seeds of six failed the gate at the first try with an ESS of 65 to 340, and one
    passed at the second with an upper limit 4 errors off.
    """
    spec = read_spec(model_path("overall"))
    table = study.simulated(FUNNEL)
    fit = fit_model(spec, study.evidence_of(*table, spec), engine=Engine.NUTS, settings=SamplerSettings(seed=15))
    assert fit.diagnostics.converged
    assert fit.provenance.tries == 1
    assert fit.diagnostics.ess_tail_min > 1000
    assert max(map(abs, study.distances(fit, study.exact_quantiles(*table)).values())) < 4


@pytest.mark.parametrize("engine", ["quadrature", "nuts"])
def test_the_recorded_tables(engine: str) -> None:
    rows = json.loads((TAILS / f"{engine}.json").read_text(encoding="utf-8"))["rows"]
    assert [row["table"] for row in rows] == list(range(RECORDED))
    kept = [row for row in rows if row["converged"]]
    assert all(row["failures"] for row in rows if not row["converged"])
    numbers = np.abs([value for row in kept for value in row["distances"].values()])
    assert (numbers > 4).mean() < 0.01
    assert numbers.max() < 6


def test_draws_that_pass_are_those_of_a_fit_without_a_probe(case_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from alkbayes.inference.importance import proposals

    design, settings = case_of("line-generation").design, SamplerSettings(seed=5, chains=2, draws=300)
    probed = integrate(design, settings)
    monkeypatch.setattr(proposals, "thin_share", lambda *_, **__: 0.0)
    plain = integrate(design, settings)
    assert isinstance(probed, Integrated)
    for name, values in probed.draws.items():
        np.testing.assert_array_equal(values, plain.draws[name])
