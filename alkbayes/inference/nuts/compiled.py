"""Log density and gradient of a design as native code for nutpie.

`nutpie.compile_pymc_model` does the same for any model and compiles its two glue functions anew in every process, which
takes longer than everything else together. Ours need no error path (the density of a checked design raises nothing) and
no computed outputs (numpy maps the draws to the parameters), so they are small; and they are kept on disk with the
density that they call (:mod:`alkbayes.inference.nuts.cache`).
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray
from nutpie.compile_pymc import CompiledPyMCModel

from alkbayes.inference.nuts.cache import Shelf, key_of
from alkbayes.model.design import Design, parameters
from alkbayes.model.parametrisation import counts_of

if TYPE_CHECKING:
    from pymc import Model

VARIABLE = "unconstrained"
"""Name of the one variable of the raw draws: all free parameters on the sampler's scale, in the design's order."""

LOG_DENSITY = """
def log_density(dim, position_, gradient_, value_, data_):
    value, gradient = density_and_gradient(carray(position_, (N_DIM,)), carray(data_, (N_DATA,)))
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
# nutpie's signatures, except that the user's pointer is one to doubles: the data. A positive code
# makes the sampler reject the step.
_DOUBLES = numba.types.CPointer(numba.types.double)
_LOG_DENSITY_TYPE = numba.types.int64(numba.types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, _DOUBLES)
_EXPAND_TYPE = numba.types.int64(numba.types.uint64, numba.types.uint64, _DOUBLES, _DOUBLES, numba.types.voidptr)
SOURCES = {"log_density": (LOG_DENSITY, _LOG_DENSITY_TYPE), "expand": (EXPAND, _EXPAND_TYPE)}

MADE_BY = (
    "alkbayes.inference.nuts.compiled",
    "alkbayes.inference.nuts.graph",
    "alkbayes.inference.nuts.pymc_model",
    "alkbayes.likelihood.links",
    "alkbayes.model.design",
    "alkbayes.model.parametrisation",
    "alkbayes.spec.priors",
)
"""Modules whose source determines the density of a design."""


def compile_design(design: Design) -> CompiledPyMCModel:
    """Compile a design's density for nutpie, or load it from the cache.

    Returns
    -------
    CompiledPyMCModel
        Its draws are of one variable, `unconstrained`: the free parameters on the sampler's scale, raveled and joined
        in the order of :func:`alkbayes.model.design.parameters`.
    """

    def build() -> "Model":
        from alkbayes.inference.nuts.pymc_model import build_model

        return build_model(design)

    size = sum(parameter.size for parameter in parameters(design))
    return compile_density(without_counts(design), data_of(design), size=size, made_by=MADE_BY, build=build)


def compile_density(
    structure: object, data: NDArray[np.float64], *, size: int, made_by: Sequence[str], build: "Callable[[], Model]"
) -> CompiledPyMCModel:
    """Compile a model's density for nutpie, or load it from the cache.

    Parameters
    ----------
    structure
        Everything the density depends on except the data.
    data
        The counts, as the density takes them.
    size
        Dimension of the sampler's position.
    made_by
        Names of the modules whose source determines the density.
    build
        Called if nothing is cached.
    """
    shelf = Shelf(key_of(structure, _sources(made_by)))
    functions = shelf.load(SOURCES)
    if functions is None:
        # Not above: PyMC takes a second to import, and is not needed for cached code.
        from pytensor.configdefaults import config

        from alkbayes.inference.nuts.graph import density_and_gradient

        # Overrides the user's PyTensor settings: nutpie calls in doubles, and the key does not include them.
        with config.change_flags(floatX="float64"):
            made = density_and_gradient(build())
            names = {"N_DIM": size, "N_DATA": len(data), "density_and_gradient": made}
        functions = shelf.compile(SOURCES, names)
    log_density, expand = functions

    def initial_point(seed: int | None) -> NDArray[np.float64]:
        # On the sampler's scale everything is of order one; uniform on (-1, 1) starts the chains apart, as Stan does.
        return np.random.default_rng(seed).uniform(-1, 1, size)

    return CompiledPyMCModel(
        dims={VARIABLE: ("parameter",)},
        _coords={"parameter": np.arange(size)},
        _n_dim=size,
        _shapes={VARIABLE: (size,)},
        compiled_logp_func=log_density,
        compiled_expand_func=expand,
        initial_point_func=initial_point,
        shared_data={},
        shared_var_keys={},
        user_data=data,
        n_expanded=size,
        shape_info=([VARIABLE], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        reparameterized_names=[],
    )


def without_counts(design: Design) -> Design:
    """Return the structure of a design: its counts are data of the density."""
    none = np.zeros_like(design.n)
    return replace(design, responders=none, n=none)


def data_of(*designs: Design) -> NDArray[np.float64]:
    """Return the counts of designs as the density takes them, one after another."""
    return np.concatenate([each for design in designs for each in counts_of(design).values()])


def _sources(modules: Sequence[str]) -> tuple[bytes, ...]:
    """Return the source of each module, without importing it."""
    found = (importlib.util.find_spec(name) for name in modules)
    return tuple(Path(str(spec and spec.origin)).read_bytes() for spec in found)
