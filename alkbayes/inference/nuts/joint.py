"""The No-U-Turn sampler for the joint model of two outcomes, with its density cached like that of one design."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nutpie.compile_pymc import CompiledPyMCModel

from alkbayes.inference.nuts.compiled import MADE_BY, compile_density, data_of, without_counts
from alkbayes.inference.nuts.sampler import NutsEngine
from alkbayes.model.joint import Joint

if TYPE_CHECKING:
    from pymc import Model

JOINT_MADE_BY = (*MADE_BY, "alkbayes.model.joint", "alkbayes.inference.nuts.joint_model")
"""Modules whose source determines the density."""


class JointEngine(NutsEngine):
    """Sampler for two designs with correlated deviations; compiled once, however often it samples."""

    def __init__(self, joint: Joint) -> None:
        started = time.perf_counter()
        self._compiled = compile_joint(joint)
        self._compile_seconds = time.perf_counter() - started


def compile_joint(joint: Joint) -> CompiledPyMCModel:
    """Compile the density of two outcomes for nutpie, or load it from the cache.

    Returns
    -------
    CompiledPyMCModel
        Its draws are of one variable: the free parameters on the sampler's scale in the order of
        :func:`alkbayes.model.joint.from_positions`.
    """

    def build() -> "Model":
        from alkbayes.inference.nuts.joint_model import build_joint_model

        return build_joint_model(joint)

    structure = replace(joint, first=without_counts(joint.first), second=without_counts(joint.second))
    data = data_of(joint.first, joint.second)
    return compile_density(structure, data, size=joint.size, made_by=JOINT_MADE_BY, build=build)
