"""A PyMC model's log density and gradient as native code that nutpie calls, kept on disk between runs.

`nutpie.compile_pymc_model` does the same for any model and compiles its two glue functions anew in every process,
which takes longer than everything else together. Ours need no error path (the density of a checked design raises
nothing) and no computed outputs (the draws are mapped to the parameters in numpy), so they are small; and they are
kept in PyTensor's own numba cache, under the key of the graph that they call.
"""

from hashlib import sha256
from typing import Any

import numba
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from nutpie.compile_pymc import CompiledPyMCModel
from pymc.model.transform.optimization import freeze_dims_and_data
from pymc.pytensorf import compile as compile_graph
from pytensor.configdefaults import config
from pytensor.graph.replace import clone_replace
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src

VARIABLE = "unconstrained"
"""Name of the one variable of the raw draws: all free parameters on the sampler's scale, in the design's order."""

LOG_DENSITY = """
def log_density(dim, position_, gradient_, value_, user_data_):
    value, gradient = density_and_gradient(carray(position_, (N_DIM,)))
    value_[0] = value.item()
    if not isfinite(value_[0]):
        return 4
    for i in range(N_DIM):
        if not isfinite(gradient[i]):
            return 3
        gradient_[i] = gradient[i]
    return 0
"""
EXPAND = """
def expand(dim, expanded, position_, out_, user_data_):
    for i in range(N_DIM):
        out_[i] = position_[i]
    return 0
"""
# nutpie's signatures; a positive code makes the sampler reject the step.
_DOUBLES = numba.types.CPointer(numba.types.double)
_LOG_DENSITY_TYPE = numba.types.int64(numba.types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, numba.types.voidptr)
_EXPAND_TYPE = numba.types.int64(numba.types.uint64, numba.types.uint64, _DOUBLES, _DOUBLES, numba.types.voidptr)


def compile_model(model: pm.Model) -> CompiledPyMCModel:
    """Compile a PyMC model for nutpie.

    Returns
    -------
    CompiledPyMCModel
        Its draws are of one variable, `unconstrained`: what the sampler sees of the model's free variables, raveled and
        joined in the order of `model.free_RVs`.
    """
    order = [variable.name for variable in model.free_RVs]
    function, n_dim = _log_density_function(freeze_dims_and_data(model), order)
    # No key: PyTensor was told to keep nothing, or could not name the graph.
    key = CACHED_SRC_FUNCTIONS.get(function.py_func) if config.numba__cache else None
    log_density = _native(LOG_DENSITY, _LOG_DENSITY_TYPE, n_dim, key=key, density_and_gradient=function)
    expand = _native(EXPAND, _EXPAND_TYPE, n_dim, key=key)

    def initial_point(seed: int | None) -> NDArray[np.float64]:
        # On the sampler's scale everything is of order one; uniform on (-1, 1) starts the chains apart, as Stan does.
        return np.random.default_rng(seed).uniform(-1, 1, n_dim)

    return CompiledPyMCModel(
        dims={VARIABLE: ("parameter",)},
        _coords={"parameter": np.arange(n_dim)},
        _n_dim=n_dim,
        _shapes={VARIABLE: (n_dim,)},
        compiled_logp_func=log_density,
        compiled_expand_func=expand,
        initial_point_func=initial_point,
        shared_data={},
        shared_var_keys={},
        user_data=np.zeros(1),
        n_expanded=n_dim,
        shape_info=([VARIABLE], [slice(0, n_dim)], [(n_dim,)]),
        logp_func=None,
        expand_func=None,
        reparameterized_names=[],
    )


def _log_density_function(model: pm.Model, order: list[str]) -> tuple[Any, int]:
    # By name: a model whose dimensions were frozen lists its variables in another order.
    values = [model.rvs_to_values[model[name]] for name in order]
    sizes = [int(np.prod(value.type.shape, dtype=int)) for value in values]
    position = pt.vector("position", shape=(sum(sizes),))
    ends = np.cumsum(sizes)
    pieces = {
        value: position[end - size : end].reshape(value.type.shape)
        for value, size, end in zip(values, sizes, ends.tolist(), strict=True)
    }
    log_density = model.logp()
    gradient = pt.concatenate([piece.ravel() for piece in pt.grad(log_density, values)])
    graph = clone_replace([log_density, gradient], pieces)
    with model:
        compiled = compile_graph([position], graph, mode="NUMBA")
    return compiled.vm.jit_fn, sum(sizes)


def _native(source: str, signature: Any, n_dim: int, *, key: str | None, **names: Any) -> Any:
    name = source.partition("(")[0].split()[-1]
    # Of a cached function, numba looks for the module by name when it loads it.
    known = {"__name__": __name__, "carray": numba.carray, "isfinite": np.isfinite, "N_DIM": n_dim, **names}
    own_key = None if key is None else sha256(f"{source} {n_dim} {key} {numba.__version__}".encode()).hexdigest()
    python = compile_numba_function_src(source, name, global_env=known, cache_key=own_key and f"alkbayes_{own_key}")
    return numba.cfunc(signature, cache=own_key is not None)(python)
