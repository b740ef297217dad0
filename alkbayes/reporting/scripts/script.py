"""The script that repeats a run's results in another package, with the run's numbers to compare its own with."""

from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.evidence.table import BUNDLED
from alkbayes.plots.source import warning
from alkbayes.reporting.scripts.content import Content, content_of
from alkbayes.reporting.scripts.literals import comment, python_literal, r_csv_lines, r_literal
from alkbayes.reporting.scripts.targets import NAMES, Target, check_expressible
from alkbayes.runs.places import check_free, format_of
from alkbayes.runs.run import read_fit, read_run
from alkbayes.spec.priors import Exponential, HalfNormal, HalfStudentT, Normal, StudentT
from alkbayes.vocabulary import TOTAL, Estimand, Standard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alkbayes.runs.document import ClassicalRow, RunDocument

COMPARED = (Estimand.TYPICAL, Estimand.MEAN, Estimand.NEXT_COHORT)
"""Estimands of the posterior that a script gives."""

POOLED = {PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.GLMM_ML}
"""Classical methods with a variance between cohorts, which one cohort has not."""

CLASSICAL_COLUMNS = ("estimate", "low", "high", "prediction_low", "prediction_high", "tau2")


def check_script_place(path: Path, target: Target) -> None:
    """Check, before anything is computed, the name of a script's file.

    Raises
    ------
    UsageError
        If it does not end in the language's extension, or exists.
    """
    kind, ending = ("an R script", "r") if target.is_r else ("a Python script", "py")
    format_of(path, None, {kind: (ending,)}, kind)
    check_free([path], "out")


def script_for(folder: Path, target: Target) -> str:
    """Return the script for a package that repeats the results of a finished run.

    The data of the fitted cohorts stand in it. It prints the run's numbers beside its own: classical results to the
    accuracy of the other package's optimiser, posteriors to their Monte Carlo errors.

    Parameters
    ----------
    folder
        Of the run.
    target
        The package; a classical one repeats the run's classical results, any other its posterior.

    Returns
    -------
    str
        A script of R or Python.

    Raises
    ------
    RunError
        If this is not a finished run, or its files have changed.
    UsageError
        If the package cannot express the model.
    """
    document = read_run(folder)
    fit = read_fit(folder, document)
    check_expressible(fit, target)
    # Classical pooling of a group is always over its own cohorts.
    standard = Standard.OWN if target.is_classical else fit.standard
    content = content_of(fit, pairs=target.is_classical, standard=standard)
    numbers = list(_classical(document, content) if target.is_classical else _posterior(document, content))
    template = _environment().get_template(f"{target}.{'R' if target.is_r else 'py'}.j2")
    return template.render(
        content=content,
        document=document,
        package=NAMES[target],
        numbers=numbers,
        level=document["interval_prob"],
        probs=[0.5, *(round((1 + side * document["interval_prob"]) / 2, 9) for side in (-1, 1))],
        model=fit.spec.name,
        bundled=document["evidence"]["source"] == BUNDLED,
        fault="" if target.is_classical else warning(document),
        total=_has_total(content),
    )


def _posterior(document: "RunDocument", content: Content) -> "Iterator[tuple[str | float, ...]]":
    """Yield the run's numbers: row, estimand, median, low, high, and their Monte Carlo standard errors."""
    named = {(row["group"], row["level"], str(row["estimand"])): row for row in document["pooled"]}
    for group, estimand in product(content.groups, COMPARED):
        yield group.name, str(estimand), *_quantiles(named[*group.key, str(estimand)])
    wanted = [term.parameter for term in content.heterogeneity] + [each.parameter for each in content.zero_sums]
    wanted += [f"tau_{TOTAL}"] if _has_total(content) else []
    wanted += ["rho"] if content.rho is not None else []
    for row in document["heterogeneity"]:
        if row["parameter"] in wanted:
            yield row["parameter"], "", *_quantiles(row)


def _has_total(content: Content) -> bool:
    return len(content.heterogeneity) > 1


def _quantiles(row: Any) -> "Iterator[float]":
    for name in ("median", "low", "high", "mcse_median", "mcse_low", "mcse_high"):
        # Without an error there is nothing to compare by.
        yield float(f"{0.0 if row[name] is None else row[name]:.6g}")


def _classical(document: "RunDocument", content: Content) -> "Iterator[tuple[str | float, ...]]":
    """Yield the run's classical results that have an estimate: row, method and `CLASSICAL_COLUMNS`, "" for none."""
    for group, row in product(content.groups, document["classical"]):
        if (row["group"], row["level"]) == group.key and _comparable(row):
            values: Any = row
            yield group.name, row["method"], *(_digits(values[column]) for column in CLASSICAL_COLUMNS)


def _comparable(row: "ClassicalRow") -> bool:
    """Return whether other software has this result: not of one cohort, nor of counts without a finite maximum."""
    several = row["k"] > 1 and 0 < row["responders"] < row["patients"]
    return row["estimate"] is not None and (several or PoolingMethod(row["method"]) not in POOLED)


def _digits(value: float | None) -> float | str:
    return "" if value is None else float(f"{value:.9g}")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("alkbayes", "reporting/scripts/templates"),
        autoescape=False,  # noqa: S701 - no page: what stands in a script is escaped by its own filters
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "comment": comment,
        "csv": r_csv_lines,
        "r": r_literal,
        "py": python_literal,
        "stan": _stan,
        "pm": _pymc,
        "bmb": _bambi,
        "gmap": _gmap,
    }
    return environment


type Prior = Normal | StudentT | HalfNormal | HalfStudentT | Exponential


def _stan(prior: Prior) -> str:
    """Return a prior in Stan's words; that of a scale is cut at zero by its declaration."""
    match prior:
        case Normal():
            return f"normal({prior.mean!r}, {prior.sd!r})"
        case StudentT():
            return f"student_t({prior.nu!r}, {prior.mean!r}, {prior.sd!r})"
        case HalfNormal():
            return f"normal(0, {prior.sd!r})"
        case HalfStudentT():
            return f"student_t({prior.nu!r}, 0, {prior.sd!r})"
        case Exponential():
            return f"exponential({1 / prior.mean!r})"


def _arguments(prior: Prior) -> tuple[str, str]:
    """Return a prior's name and arguments in PyMC, which bambi shares."""
    match prior:
        case Normal():
            return "Normal", f"mu={prior.mean!r}, sigma={prior.sd!r}"
        case StudentT():
            return "StudentT", f"nu={prior.nu!r}, mu={prior.mean!r}, sigma={prior.sd!r}"
        case HalfNormal():
            return "HalfNormal", f"sigma={prior.sd!r}"
        case HalfStudentT():
            return "HalfStudentT", f"nu={prior.nu!r}, sigma={prior.sd!r}"
        case Exponential():
            return "Exponential", f"lam={1 / prior.mean!r}"


def _pymc(prior: Prior, name: str) -> str:
    kind, arguments = _arguments(prior)
    return f"pm.{kind}({python_literal(name)}, {arguments})"


def _bambi(prior: Prior) -> str:
    kind, arguments = _arguments(prior)
    return f'bmb.Prior("{kind}", {arguments})'


def _gmap(prior: Prior) -> str:
    """Return the prior of tau as arguments of gMAP."""
    match prior:
        case HalfNormal():
            return f'tau.dist = "HalfNormal", tau.prior = cbind(0, {prior.sd!r})'
        case HalfStudentT():
            return f'tau.dist = "TruncCauchy", tau.prior = cbind(0, {prior.sd!r})'
        case Exponential():
            return f'tau.dist = "Exp", tau.prior = cbind({1 / prior.mean!r}, 0)'
        case _:
            raise TypeError(f"{prior!r} is no prior of a scale")
