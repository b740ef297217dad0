"""The compiled log density against PyMC's own compilation of the same model, and its gradient against differences."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alkbayes.inference.nuts.graph import density_and_gradient
from alkbayes.inference.nuts.pymc_model import build_model
from alkbayes.model.design import Design
from alkbayes.model.parametrisation import counts_of


def data_of(design: Design) -> np.ndarray:
    return np.concatenate(list(counts_of(design).values()))


def reference_of(design: Design) -> Callable[[np.ndarray], float]:
    """Return PyMC's own log density of a position."""
    model = build_model(design)
    log_density, initial = model.compile_logp(), model.initial_point()

    def at(position: np.ndarray) -> float:
        point, start = {}, 0
        for variable in model.value_vars:
            shape = initial[variable.name].shape
            size = int(np.prod(shape, dtype=int))
            point[variable.name] = position[start : start + size].reshape(shape)
            start += size
        assert start == position.size
        return float(log_density(point))

    return at


@pytest.mark.parametrize(
    "name",
    [
        "cohort-only",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("interaction", "student-t-group", "beta-binomial-alone")
        ),
    ],
)
def test_value_and_gradient(case_of: Callable[[str], Any], name: str) -> None:
    case = case_of(name)
    function, data = density_and_gradient(build_model(case.design)), data_of(case.design)
    reference = reference_of(case.design)
    rng = np.random.default_rng(5)
    for _ in range(3):
        position = rng.uniform(-1, 1, case.size)
        value, gradient = function(position, data)
        assert case.size == gradient.size
        # The same sums in another order.
        assert float(value) == pytest.approx(reference(position), rel=1e-12)
        step = 1e-5
        for place in range(case.size):
            ahead, behind = position.copy(), position.copy()
            ahead[place] += step
            behind[place] -= step
            slope = (float(function(ahead, data)[0]) - float(function(behind, data)[0])) / (2 * step)
            # Central differences: an error of step**2, and of rounding over step.
            assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("interaction", marks=pytest.mark.slow), "beta-binomial-trials"])
def test_what_is_compiled_for_one_table_is_the_density_of_every_other(case_of: Callable[[str], Any], name: str) -> None:
    case = case_of(name)
    other = replace(case.design, responders=case.design.n - case.design.responders, n=case.design.n + 3)
    function, reference = density_and_gradient(build_model(case.design)), reference_of(other)
    position = np.linspace(-1, 1, case.size)
    assert float(function(position, data_of(other))[0]) == pytest.approx(reference(position), rel=1e-12)
    assert float(function(position, data_of(case.design))[0]) != pytest.approx(reference(position), rel=1e-3)
