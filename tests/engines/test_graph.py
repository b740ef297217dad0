"""The compiled log density against PyMC's own compilation of the same model, and its gradient against differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alkbayes.engines.graph import density_and_gradient
from alkbayes.model import build_model


@pytest.mark.parametrize("name", ["cohort-only", "interaction", "student-t-group", "beta-binomial-alone"])
def test_value_and_gradient(case_of: Callable[[str], Any], name: str) -> None:
    case = case_of(name)
    model = build_model(case.design)
    compiled = density_and_gradient(model)
    reference = model.compile_logp()
    rng = np.random.default_rng(5)
    for _ in range(3):
        position = rng.uniform(-1, 1, case.size)
        value, gradient = compiled(position)
        point, start = {}, 0
        for variable in model.value_vars:
            size = int(np.prod(model.initial_point()[variable.name].shape, dtype=int))
            point[variable.name] = position[start : start + size].reshape(model.initial_point()[variable.name].shape)
            start += size
        assert start == case.size == gradient.size
        # The same sums in another order.
        assert float(value) == pytest.approx(float(reference(point)), rel=1e-12)
        step = 1e-5
        for place in range(case.size):
            ahead, behind = position.copy(), position.copy()
            ahead[place] += step
            behind[place] -= step
            slope = (float(compiled(ahead)[0]) - float(compiled(behind)[0])) / (2 * step)
            # Central differences: an error of step**2, and of rounding over step.
            assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-5)
