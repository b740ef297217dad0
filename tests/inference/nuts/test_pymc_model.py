"""The PyMC model against what NumPy makes of the same design, and against a model written without either. No sampling.

Graphs are run by PyTensor's Python linker, which compiles nothing. What the bundled models have and no variant of the
small table is the links; of their densities and gradients whole tests/test_bundled_models.py has the compiled ones.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from alkbayes.evidence.table import Evidence
from alkbayes.inference.nuts.pymc_model import Conditioned, NormalScore, build_model
from alkbayes.model.densities import log_likelihood, log_prior
from alkbayes.model.design import build_design, parameters
from alkbayes.model.draws import complete, from_prior, from_unconstrained
from alkbayes.model.parametrisation import positive_from_score

PLAIN = Mode(linker="py", optimizer=None)
QUICK = ("interaction", "student-t-both", "beta-binomial-trials", "number-by-level", "by-level")
SLOW = (
    *("no-heterogeneity", "group-only", "cohort-only", "student-t-group", "half-student-t", "exponential"),
    *("student-t-locations", "beta-binomial-alone", "probit", "cloglog"),
    *("number", "levels-by-levels", "number-by-number", "cohorts-by-level", "student-t-by-level"),
)


class Graph:
    """The model of a case, as functions of a point on the sampler's scale, shape (parameter,)."""

    def __init__(self, case: Any) -> None:
        self.case = case
        self.model = build_model(case.design)
        self._sizes = [(parameter.size, parameter.coords is None) for parameter in parameters(case.design)]
        self._inputs = [self.model.rvs_to_values[self.model[parameter.name]] for parameter in parameters(case.design)]

    def function(self, outputs: Any) -> Callable[[np.ndarray], Any]:
        compiled = self.model.compile_fn(outputs, inputs=self._inputs, mode=PLAIN, point_fn=False)

        def at(position: np.ndarray) -> Any:
            pieces, start = [], 0
            for size, scalar in self._sizes:
                pieces.append(position[start] if scalar else position[start : start + size])
                start += size
            return compiled(*pieces)

        return at


ALONE = {
    "normal": {"dist": "normal", "mean": 0.3, "sd": 1.5},
    "student_t": {"dist": "student_t", "nu": 4.0, "mean": 0.4, "sd": 1.2},
}
DEVIATIONS = {
    column: {
        "column": column,
        "distribution": "normal",
        "sd_prior": {"dist": "half_normal", "sd": 0.5},
    }
    for column in ("trial", "cohort_id")
}
LIKELIHOODS = {
    **{link: {"family": "binomial", "link": link} for link in ("logit", "probit", "cloglog")},
    "beta_binomial": {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.5, "b": 7.0}},
}


@pytest.mark.parametrize(
    ("likelihood", "prior", "columns"),
    [
        pytest.param(likelihood, prior, columns, marks=() if likelihood == "logit" else pytest.mark.slow)
        for likelihood in LIKELIHOODS
        for prior in ALONE
        for columns in ((), ("trial",), ("cohort_id",), ("trial", "cohort_id"))
        if likelihood != "beta_binomial" or "cohort_id" not in columns  # which says the same twice, and is refused
    ],
)
def test_without_effects_the_intercept_has_its_prior_whatever_it_is_sampled_by(
    likelihood: str, prior: str, columns: tuple[str, ...], spec_of: Any, table_of: Any, oracle_log_density: Any
) -> None:
    spec = spec_of(
        likelihood=LIKELIHOODS[likelihood],
        intercept={"prior": ALONE[prior]},
        heterogeneity=[DEVIATIONS[column] for column in columns],
    )
    evidence = table_of()
    design = build_design(spec, evidence)
    case = SimpleNamespace(spec=spec, evidence=evidence, design=design)
    at = Graph(case)
    log_density = at.function(at.model.logp())
    size = sum(parameter.size for parameter in parameters(design))
    for position in np.random.default_rng(1).normal(size=(3, size)):
        # The oracle's Jacobian is by differences with a step of 1e-5.
        assert float(log_density(position)) == pytest.approx(oracle_log_density(case, position), abs=1e-6, rel=1e-9)


@pytest.fixture(scope="module", params=[*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def graph(request: pytest.FixtureRequest, case_of: Any) -> Graph:
    return Graph(case_of(request.param))


def test_log_density_is_likelihood_times_priors(graph: Graph) -> None:
    case, design = graph.case, graph.case.design
    at = graph.function(graph.model.logp(jacobian=False))
    points = case.points(6, scale=1.5)
    draws = from_unconstrained(design, points)
    ours = log_likelihood(design, draws).sum(axis=-1)
    for values in log_prior(design, draws).values():
        ours += values if values.ndim == 2 else values.sum(axis=-1)
    for term in design.heterogeneity:
        ours += term.unit_prior.log_density(draws[f"z_{term.label}"]).sum(axis=-1)
    np.testing.assert_allclose([at(point) for point in points[0]], ours[0], rtol=1e-7)


def test_log_likelihood_and_priors_are_pymcs_one_by_one(graph: Graph) -> None:
    design, model = graph.case.design, graph.model
    points = graph.case.points(3, seed=3)
    draws = from_unconstrained(design, points)
    ours = {"responders": log_likelihood(design, draws)} | log_prior(design, draws)
    assert {f"z_{term.label}" for term in design.heterogeneity}.isdisjoint(ours)
    at = graph.function(model.logp(vars=[model[name] for name in ours], jacobian=False, sum=False))
    for number, point in enumerate(points[0]):
        for name, theirs in zip(ours, at(point), strict=True):
            np.testing.assert_allclose(ours[name][0, number], theirs, rtol=1e-6, atol=1e-6, err_msg=name)


def test_variables_are_pymcs(graph: Graph) -> None:
    design, model = graph.case.design, graph.model
    names = [parameter.name for parameter in parameters(design)] + [variable.name for variable in model.deterministics]
    at = graph.function(model.replace_rvs_by_values([model[name] for name in names]))
    points = graph.case.points(3, scale=2.0, seed=4)
    draws = from_unconstrained(design, points)
    for block in design.effects:
        if block.sd_prior is None:  # PyMC's graph names the effect of every level, the posterior the coefficients alone
            draws[f"effect_{block.slug}"] = draws[block.free] @ block.basis.T
    assert set(names) == set(draws) - {"p"}
    for number, point in enumerate(points[0]):
        for name, theirs in zip(names, at(point), strict=True):
            np.testing.assert_allclose(draws[name][0, number], theirs, rtol=1e-8, atol=1e-10, err_msg=name)


def test_log_density_with_its_jacobian_is_the_plain_models(graph: Graph, oracle_log_density: Any) -> None:
    at = graph.function(graph.model.logp())
    points = graph.case.points(3, scale=1.3, seed=5)[0]
    exact = [oracle_log_density(graph.case, point) for point in points]
    np.testing.assert_allclose([at(point) for point in points], exact, rtol=0, atol=2e-5)


def test_gradient_is_that_of_finite_differences(graph: Graph) -> None:
    log_density = graph.model.logp()
    gradient = pt.concatenate([piece.ravel() for piece in pt.grad(log_density, graph._inputs)])
    at = graph.function([log_density, gradient])
    point = graph.case.points(1, seed=6)[0, 0]
    found = at(point)[1]
    step = 1e-5
    for entry in np.random.default_rng(1).permutation(len(point))[:25]:
        nudge = step * (np.arange(len(point)) == entry)
        slope = (at(point + nudge)[0] - at(point - nudge)[0]) / (2 * step)
        assert found[entry] == pytest.approx(slope, rel=1e-5, abs=1e-4), entry


@pytest.mark.parametrize("name", ["interaction", "beta-binomial-trials", "student-t-both"])
def test_the_order_of_cohorts_changes_nothing(name: str, case_of: Any) -> None:
    case = case_of(name)
    order = np.random.default_rng(8).permutation(case.evidence.cohorts)
    shuffled = Evidence(case.evidence.frame.iloc[order].reset_index(drop=True), "made up", "", b"")
    other = build_design(case.spec, shuffled)
    # The deviations of the cohorts, the last piece of a point, follow their cohorts.
    columns = np.arange(case.size)
    if case.design.cohort is not None:
        columns[-len(order) :] = columns[-len(order) :][order]
    point = case.points(1)[0, 0]
    one, two = Graph(case), Graph(type(case)(name, case.spec, shuffled, other))
    before = one.function(one.model.logp())(point)
    assert two.function(two.model.logp())(point[columns]) == pytest.approx(before, abs=1e-9)
    theta = from_unconstrained(case.design, point[None, None])["theta"][0, 0]
    after = from_unconstrained(other, point[columns][None, None])["theta"][0, 0]
    np.testing.assert_allclose(after, theta[order], rtol=1e-10)


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_normal_score_maps_there_and_back_with_its_derivative(scale: float) -> None:
    x = pt.dvector("x")
    transform = NormalScore(scale)
    value = transform.backward(x)
    outputs = [value, transform.forward(value), transform.log_jac_det(x), pt.grad(value.sum(), x)]
    f = pm.pytensorf.compile([x], outputs, mode=PLAIN)
    grid = np.linspace(-5, 30, 101)
    values, back, log_slope, slope = f(grid)
    assert (values > 0).all()
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(back[:90], grid[:90], atol=1e-5)
    np.testing.assert_allclose(log_slope, np.log(slope), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(positive_from_score(grid, scale), values, rtol=1e-8)


def test_conditioned_maps_there_and_back_with_its_derivative() -> None:
    x, mean, precision = pt.dvectors("x", "mean", "precision")
    transform = Conditioned()
    value = transform.backward(x, mean, precision)
    outputs = [transform.forward(value, mean, precision), transform.log_jac_det(x, mean, precision)]
    f = pm.pytensorf.compile([x, mean, precision], [*outputs, pt.grad(value.sum(), x)], mode=PLAIN)
    rng = np.random.default_rng(1)
    point, moments = rng.normal(size=9), (rng.normal(size=9), rng.gamma(1.0, 20.0, 9))
    back, log_slope, slope = f(point, *moments)
    np.testing.assert_allclose(back, point, atol=1e-12)
    np.testing.assert_allclose(log_slope, np.log(slope), rtol=1e-12)


def test_pymc_draws_the_same_prior(case_of: Any) -> None:
    # What a user would get from `pm.sample_prior_predictive(build_model(...))`.
    design = case_of("student-t-group").design
    model = build_model(design)
    names = [parameter.name for parameter in parameters(design)]
    theirs = pm.draw([model[name] for name in names], draws=2000, random_seed=3, mode=PLAIN)
    ours = from_prior(design, rng=np.random.default_rng(4), draws=2000)
    for name, values in zip(names, theirs, strict=True):
        one, two = (np.quantile(draws.reshape(2000, -1)[:, 0], [0.25, 0.5, 0.75]) for draws in (values, ours[name][0]))
        spread = np.ptp(two)
        np.testing.assert_allclose(one, two, atol=0.12 * spread, err_msg=name)
    assert set(complete(design, ours)) == set(ours)
