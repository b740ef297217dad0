"""Model files for median progression-free survival: the same declaration with another likelihood.

Given the scales, everything about a log median is normal and integrated out exactly, which requires normal priors for
the coefficients and normal heterogeneity.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from alkbayes.errors import SpecError
from alkbayes.spec.faults import as_written, fault
from alkbayes.spec.files import family_of, read_declaration
from alkbayes.spec.priors import Normal, Record
from alkbayes.spec.schema import (
    LOG_MEDIAN,
    Declaration,
    ExchangeableEffect,
    NormalHeterogeneity,
    parse,
)

REASON = "The coefficients of a model of medians are integrated out exactly, which needs normal ones."


class LogMedian(Record):
    """Normal likelihood of a cohort's log median, with the standard error of the reported interval."""

    family: Literal["log_median"]


class MedianSpec(Declaration[LogMedian]):
    """Model file for medians: outcome, effects and priors, on the scale of log months."""

    @model_validator(mode="after")
    def _all_normal(self) -> Self:
        if faults := [*_not_normal(self)]:
            raise PydanticCustomError("model_faults", "{message}", {"message": "\n".join(faults)})
        return self


def _not_normal(spec: MedianSpec) -> Iterator[str]:
    """Yield the priors and distributions that should be normal but are not, and effects of other kinds."""
    priors = [("intercept.prior.dist", spec.intercept.prior)]
    priors += [
        (f"effect[{position}].prior.dist", effect.prior)
        for position, effect in enumerate(spec.effect)
        if not isinstance(effect, ExchangeableEffect)
    ]
    for path, prior in priors:
        if not isinstance(prior, Normal):
            yield fault(path, f"found {as_written(prior.dist)}", '"normal"', REASON)
    for position, term in enumerate(spec.heterogeneity):
        if not isinstance(term, NormalHeterogeneity):
            path = f"heterogeneity[{position}].distribution"
            yield fault(path, f"found {as_written(term.distribution)}", '"normal"', REASON)
        if term.by is not None:
            yield fault(f"heterogeneity[{position}].by", "found it in a model of medians", "only for response rates")


def read_median_spec(path: Path) -> MedianSpec:
    """Read and check a model file for medians.

    Raises
    ------
    SpecError
        If the file cannot be read or breaks a rule, or is a response-rate model.
    """
    return parse_median_spec(read_declaration(path), source=str(path))


def parse_median_spec(data: dict[str, Any], *, source: str) -> MedianSpec:
    """Check the declaration of a model for medians; `source` names it in error messages.

    Raises
    ------
    SpecError
        If the declaration breaks a rule, or is for response rates.
    """
    if (family := family_of(data)) in {"binomial", "beta_binomial"}:
        raise SpecError(
            f"{source}: this is a model of response rates (likelihood.family is {as_written(family)}), not of medians, "
            f'whose family is "{LOG_MEDIAN}". Fit it with: alkbayes fit {source}'
        )
    return parse(MedianSpec, data, source=source)
