"""What each package can express of a model: what it cannot is refused, never approximated."""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from alkbayes.errors import UsageError
from alkbayes.likelihood.links import Link
from alkbayes.spec.priors import HalfStudentT, Normal, StudentT
from alkbayes.text.names import listed, quoted

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit


class Target(StrEnum):
    """Software that a script is for; the values are its names on the command line."""

    METAFOR = "metafor"
    META = "meta"
    BRMS = "brms"
    RBEST = "rbest"
    PYMC = "pymc"
    BAMBI = "bambi"

    @property
    def is_r(self) -> bool:
        """Whether its scripts are of R, not Python."""
        return self not in {Target.PYMC, Target.BAMBI}

    @property
    def is_classical(self) -> bool:
        """Whether it gives the classical results of a run, not the posterior."""
        return self in {Target.METAFOR, Target.META}


NAMES = {
    Target.METAFOR: "metafor",
    Target.META: "meta",
    Target.BRMS: "brms",
    Target.RBEST: "RBesT",
    Target.PYMC: "PyMC",
    Target.BAMBI: "bambi",
}
"""The packages by their own names."""

GENERAL = frozenset({Target.BRMS, Target.PYMC})
NORMAL = frozenset({*GENERAL, Target.BAMBI})


def target_named(name: str, *, parameter: str = "for") -> Target:
    """Return the target of that name; `parameter` is what gave it.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in set(Target):
        raise UsageError(f"found {quoted(name)}; allowed: {', '.join(Target)}.", parameter=parameter)
    return Target(name)


def check_expressible(fit: "Fit", target: Target) -> None:
    """Check that a package can express the whole of a fitted model.

    Raises
    ------
    UsageError
        If it cannot; the message names what, and the packages that can express all of the model.
    """
    if target.is_classical:
        return  # pools the counts, whatever the model
    features = list(_features(fit))
    if lacking := [what for what, able in features if target not in able]:
        able = [each for each in Target if not each.is_classical and all(each in can for _, can in features)]
        classical = "metafor and meta give the run's classical results."
        instead = f"Scripts for {listed(able)} can." if able else f"No script can; {classical}"
        raise UsageError(
            f"{NAMES[target]} cannot express this model ({fit.spec.name}): it has {_joined(lacking)}. {instead}",
        )


def _joined(features: list[str]) -> str:
    """Return features in a sentence; `listed` is for names, and would cut these short."""
    return " and ".join(filter(None, (", ".join(features[:-1]), features[-1])))


def _features(fit: "Fit") -> Iterator[tuple[str, frozenset[Target]]]:
    """Yield what is particular in a model, in words, and the packages whose scripts express it."""
    design, spec = fit.design, fit.spec
    terms = spec.heterogeneity
    if design.exnex is not None:
        yield "units that are exchangeable or on their own (EXNEX)", frozenset()
    if any(term.by is not None for term in design.heterogeneity):
        yield "heterogeneity that differs by level (by)", frozenset()
    if design.rho_prior is not None:
        yield "a beta-binomial likelihood", frozenset({Target.PYMC})
    if any(isinstance(term.unit_prior, StudentT) for term in design.heterogeneity):
        yield "Student t heterogeneity", frozenset({Target.PYMC})
    if pooled := [block.label for block in design.effects if block.sd_prior is not None]:
        yield f"exchangeable effects that sum to zero ({', '.join(pooled)})", GENERAL
    if design.link is not Link.LOGIT:
        yield f"the link {design.link}", NORMAL
    if len(terms) != 1:
        yield "no heterogeneity" if not terms else "two levels of heterogeneity", NORMAL
    located = [design.intercept_prior, *(block.prior for block in design.effects if block.sd_prior is None)]
    if not all(isinstance(prior, Normal) for prior in located):
        yield "a Student t prior of a coefficient", NORMAL
    if any(isinstance(term.sd_prior, HalfStudentT) and term.sd_prior.nu != 1 for term in terms):
        yield "a half-Student-t prior of tau that is not a half-Cauchy", NORMAL
