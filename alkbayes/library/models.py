"""Models from Python: a bundled model's name, a model file, or the declaration as a mapping."""

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import tomli_w

from alkbayes.errors import UsageError
from alkbayes.spec.schema import Spec, model_path, parse_spec, read_spec

type Model = "str | PathLike[str] | Mapping[str, Any] | Spec"
"""Name of a bundled model, path of a model file, declaration as in such a file, or a model already read."""


def read_model(model: Model) -> Spec:
    """Read a model and check it.

    Parameters
    ----------
    model
        Name of a bundled model; path of a model file (TOML); or a mapping with the same keys as such a file.

    Returns
    -------
    Spec
        The declaration: outcome, likelihood, effects, heterogeneity, and each prior with its reason.

    Raises
    ------
    SpecError
        If there is no such model, or it breaks a rule; the message lists every fault.
    UsageError
        If it is none of these.

    Examples
    --------
    >>> import alkbayes as ab
    >>> ab.read_model("line-generation").columns
    ('line', 'regimen_class', 'trial')
    """
    if isinstance(model, Spec):
        return model
    if isinstance(model, Mapping):
        return parse_spec(dict(model), source="the model")
    if not isinstance(model, str | PathLike):
        raise UsageError(
            f"found {type(model).__name__}; allowed: the name of a bundled model, the path of a model file, a mapping.",
            parameter="model",
        )
    return read_spec(model_path(fspath(model)))


def model_file(model: Model) -> bytes:
    """Return a model as the bytes of a model file: those of its own file if it has one."""
    if isinstance(model, Spec | Mapping):
        declared = read_model(model).model_dump(mode="json", by_alias=True, exclude_none=True)
        return tomli_w.dumps(declared).encode()
    return model_path(fspath(model)).read_bytes()
