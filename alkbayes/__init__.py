"""Bayesian meta-analysis of response rates and other proportions.

>>> import alkbayes as ab
>>> fit = ab.fit("trials.csv", "line-generation")  # doctest: +SKIP
>>> fit.pooled  # doctest: +SKIP

Names are imported on first use, so that `import alkbayes` takes no time. Everything else in the package can be
imported too, but may change between versions.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alkbayes.library.bayesian import fit, open_run, pymc_model, save_run
    from alkbayes.library.classical import pool, regress, subgroups
    from alkbayes.library.criticism import (
        compare,
        diagnose,
        leave_one_out,
        posterior_checks,
        prior_checks,
        sensitivity,
    )
    from alkbayes.library.evidence import read_evidence
    from alkbayes.library.models import read_model
    from alkbayes.library.output import export, plot, report, script
    from alkbayes.library.planning import predict

__version__ = "0.1.0"

_MODULES = {
    "compare": "criticism",
    "diagnose": "criticism",
    "export": "output",
    "fit": "bayesian",
    "leave_one_out": "criticism",
    "open_run": "bayesian",
    "plot": "output",
    "pool": "classical",
    "posterior_checks": "criticism",
    "predict": "planning",
    "prior_checks": "criticism",
    "pymc_model": "bayesian",
    "read_evidence": "evidence",
    "read_model": "models",
    "regress": "classical",
    "report": "output",
    "save_run": "bayesian",
    "script": "output",
    "sensitivity": "criticism",
    "subgroups": "classical",
}
"""Module of :mod:`alkbayes.library` that has each public function."""

__all__ = [
    "compare",
    "diagnose",
    "export",
    "fit",
    "leave_one_out",
    "open_run",
    "plot",
    "pool",
    "posterior_checks",
    "predict",
    "prior_checks",
    "pymc_model",
    "read_evidence",
    "read_model",
    "regress",
    "report",
    "save_run",
    "script",
    "sensitivity",
    "subgroups",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"alkbayes.library.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
