"""A PyMC model's log density and gradient as one function of one vector, compiled by PyTensor with numba."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.pytensorf import compile as compile_graph
from pytensor.graph.replace import clone_replace


def density_and_gradient(model: pm.Model) -> Any:
    """Compile the log density of a model and its gradient.

    Parameters
    ----------
    model
        Its free variables, as the sampler sees them, are raveled and joined in the order of `model.free_RVs`.

    Returns
    -------
    numba dispatcher
        Of a position, shape (parameter,): the log density and its gradient, arrays of shapes () and (parameter,).
    """
    order = [variable.name for variable in model.free_RVs]
    frozen = freeze_dims_and_data(model)
    # By name: a model whose dimensions were frozen lists its variables in another order.
    values = [frozen.rvs_to_values[frozen[name]] for name in order]
    sizes = [int(np.prod(value.type.shape, dtype=int)) for value in values]
    position = pt.vector("position", shape=(sum(sizes),))
    ends = np.cumsum(sizes)
    pieces = {
        value: position[end - size : end].reshape(value.type.shape)
        for value, size, end in zip(values, sizes, ends.tolist(), strict=True)
    }
    log_density = frozen.logp()
    gradient = pt.concatenate([piece.ravel() for piece in pt.grad(log_density, values)])
    graph = clone_replace([log_density, gradient], pieces)
    with frozen:
        return compile_graph([position], graph, mode="NUMBA").vm.jit_fn
