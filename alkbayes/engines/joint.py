"""The No-U-Turn sampler for two outcomes together: their log density as native code, kept as that of one design is.

It stands beside :mod:`alkbayes.engines.compiled` and changes nothing there: recorded calibration studies are of that
code.
"""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from nutpie.compile_pymc import CompiledPyMCModel

from alkbayes.design import Design
from alkbayes.engines.compiled import MADE_BY, SOURCES, VARIABLE
from alkbayes.engines.compiled import _sources as sources_of
from alkbayes.engines.kept import Shelf, key_of
from alkbayes.engines.nuts import NutsEngine
from alkbayes.joint import Joint
from alkbayes.parametrisation import counts_of

JOINT_MADE_BY = ("alkbayes.joint", "alkbayes.joint_model", "alkbayes.engines.joint")
"""The modules whose source decides the density, beside those of a single design."""


class JointEngine(NutsEngine):
    """Samples two designs with correlated deviations; the model is compiled once, however often it samples."""

    def __init__(self, joint: Joint) -> None:
        started = time.perf_counter()
        self._compiled = compile_joint(joint)
        self._compile_seconds = time.perf_counter() - started


def compile_joint(joint: Joint) -> CompiledPyMCModel:
    """Compile the density of two outcomes for nutpie, or load it where it was compiled before.

    Returns
    -------
    CompiledPyMCModel
        Its draws are of one variable, what the sampler sees of the free parameters in the order of
        :func:`alkbayes.joint.from_positions`.
    """
    n_dim = joint.size
    data = np.concatenate([each for design in (joint.first, joint.second) for each in counts_of(design).values()])
    structure = replace(joint, first=_without_counts(joint.first), second=_without_counts(joint.second))
    shelf = Shelf(key_of(structure, sources_of((*MADE_BY, *JOINT_MADE_BY))))
    functions = shelf.load(SOURCES)
    if functions is None:
        # Not above: PyMC takes a second to import, and is not needed for code that is kept.
        from pytensor.configdefaults import config

        from alkbayes.engines.graph import density_and_gradient
        from alkbayes.joint_model import build_joint_model

        with config.change_flags(floatX="float64"):
            made = density_and_gradient(build_joint_model(joint))
        functions = shelf.compile(SOURCES, {"N_DIM": n_dim, "N_DATA": len(data), "density_and_gradient": made})
    log_density, expand = functions

    def initial_point(seed: int | None) -> NDArray[np.float64]:
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
        user_data=data,
        n_expanded=n_dim,
        shape_info=([VARIABLE], [slice(0, n_dim)], [(n_dim,)]),
        logp_func=None,
        expand_func=None,
        reparameterized_names=[],
    )


def _without_counts(design: Design) -> Design:
    none = np.zeros_like(design.n)
    return replace(design, responders=none, n=none)
