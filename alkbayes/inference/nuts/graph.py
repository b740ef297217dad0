"""Log density and gradient of a PyMC model as one function of one vector, compiled by PyTensor with numba."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.pytensorf import compile as compile_graph
from pytensor.graph.replace import clone_replace


def density_and_gradient(model: pm.Model) -> Any:
    """Compile the log density of a model and its gradient.

    The free variables of `model` on the sampler's scale are raveled and joined in the order of `model.free_RVs`, its
    shared data in order of creation.

    Returns
    -------
    numba dispatcher
        Function of a position, shape (parameter,), and the data, shape (datum,): the log density and its gradient,
        arrays of shapes () and (parameter,).
    """
    order = [variable.name for variable in model.free_RVs]
    given = [variable.name for variable in model.data_vars]
    # The dimensions alone: the data stay as given in the call.
    frozen = freeze_dims_and_data(model, data=[])
    # By name: a model whose dimensions were frozen lists its variables in another order.
    values = [frozen.rvs_to_values[frozen[name]] for name in order]
    log_density = frozen.logp()
    gradient = pt.concatenate([piece.ravel() for piece in pt.grad(log_density, values)])
    position, pieces = _joined("position", values)
    data, data_pieces = _joined("data", [frozen[name] for name in given])
    graph = clone_replace([log_density, gradient], pieces | data_pieces)
    with frozen:
        return compile_graph([position, data], graph, mode="NUMBA").vm.jit_fn


def _joined(name: str, variables: Sequence[Any]) -> tuple[Any, dict[Any, Any]]:
    """Return a vector, and for each variable its piece of that vector."""
    sizes = [int(np.prod(variable.type.shape, dtype=int)) for variable in variables]
    vector = pt.vector(name, shape=(sum(sizes),))
    ends = np.cumsum(sizes)
    return vector, {
        variable: vector[end - size : end].reshape(variable.type.shape)
        for variable, size, end in zip(variables, sizes, ends.tolist(), strict=True)
    }
