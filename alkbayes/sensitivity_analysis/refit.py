"""Refits of a run's model and table under alternatives for the evidence and the model.

Every alternative uses the run's seed, and results do not depend on the number of processes. A shift is the
alternative's number minus the run's; its Monte Carlo error treats the two as independent, which is conservative under
common seeds.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from alkbayes.errors import AlkbayesError, EngineWarning, WorkersLostError
from alkbayes.estimates.headline import CONTRAST, HETEROGENEITY, Reported, headline_of
from alkbayes.estimates.monte_carlo import Errors, errors_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.importance.target import unsupported
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design, build_design
from alkbayes.model.summary import summarise
from alkbayes.parallel import Progress, in_processes
from alkbayes.sensitivity_analysis.alternatives import ALTERNATIVES, BY_NAME, apply
from alkbayes.sensitivity_analysis.edits import Inapplicable
from alkbayes.sensitivity_analysis.table import AGAIN, Estimate, Grid, Outcome, Status
from alkbayes.vocabulary import INTERVAL_PROB, Standard

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

NOT_DONE = "worker processes were killed before it was fitted"


def over_own(fit: Fit) -> Fit:
    """Return a fit with each row averaged over its own patients, as everywhere in a sensitivity analysis.

    Dropping cohorts may change the mix that levels share.
    """
    return replace(fit, standard=Standard.OWN)


def outcome_of(name: str, fit: Fit, *, main: Design, same_scale: bool = True, assumed: Sequence[str] = ()) -> Outcome:
    """Return the headline numbers of a fit.

    Parameters
    ----------
    name
        Name of the alternative.
    fit
        Fit, converged or not.
    main
        Design of the main analysis, whose levels an alternative may lack.
    same_scale
        Whether the heterogeneity is on the main analysis's scale; if not, it is omitted.
    assumed
        Levels whose numbers are assumptions, and are omitted.
    """
    errors = errors_of(fit)
    estimates = {}
    for number in headline_of(posterior_of(over_own(fit))):
        contrast = number.contrast
        levels = {number.level} if contrast is None else {contrast.first, contrast.second}
        if (same_scale or number.table != HETEROGENEITY) and levels.isdisjoint(assumed):
            estimates[number.key] = _estimate(number, errors(number.draws), prob=fit.interval_prob)
    found = {(block.label, level) for block in fit.design.effects for level in _observed(fit.design, block.columns)}
    had = [(block.label, level) for block in main.effects for level in _observed(main, block.columns)]
    failures = "; ".join(fit.diagnostics.failures)
    return Outcome(
        name=name,
        status=Status.FITTED if fit.diagnostics.converged else Status.NOT_CONVERGED,
        reason=failures or _fallback(fit),
        engine=fit.provenance.engine,
        cohorts=len(fit.design.cohorts),
        patients=int(fit.design.n.sum()),
        gone=tuple(f"{label} {level}" for label, level in had if (label, level) not in found),
        estimates=estimates,
    )


def run_grid(
    fit: Fit,
    *,
    names: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Grid:
    """Fit a run's model and table under alternatives.

    Parameters
    ----------
    fit
        Fit of the run.
    names
        Names of the alternatives; by default all that make sense for the table and its outcome.
    workers
        Number of processes; by default one per processor. One runs in this process. Results are the same.
    progress
        Callback with the number of fits done and their total.

    Warns
    -----
    EngineWarning
        If alternatives need MCMC, which takes longer.
    """
    settings = SamplerSettings(seed=fit.provenance.settings.seed)
    chosen = names is not None
    if names is None:
        names = [alternative.name for alternative in ALTERNATIVES if alternative.concerns(fit.spec, fit.evidence)]
    outcomes: dict[str, Outcome] = {}
    fast: list[str] = []
    slow: list[str] = []
    for name in (AGAIN, *names):
        try:
            found = _design(name, fit.spec, fit.evidence)
        except AlkbayesError as error:
            outcomes[name] = Outcome(name, Status.FAILED, str(error))
            continue
        if isinstance(found, Inapplicable):
            outcomes[name] = Outcome(name, Status.NOT_APPLICABLE, found.reason)
        else:
            (slow if unsupported(found) else fast).append(name)
    if slow:
        warnings.warn(
            f"the quadrature engine does not cover {', '.join(slow)}: sampled by NUTS, which takes up to half a minute "
            "each the first time",
            EngineWarning,
            stacklevel=2,
        )
    # The slow ones first, so that no process ends up waiting for one of them.
    order = [*slow, *fast]
    work = partial(fit_alternative, spec=fit.spec, evidence=fit.evidence, settings=settings, prob=fit.interval_prob)
    stopped = ""
    try:
        outcomes |= zip(order, in_processes(work, order, workers=workers, progress=progress), strict=True)
    except WorkersLostError as error:
        stopped = str(error)
        outcomes |= {name: Outcome(name, Status.FAILED, NOT_DONE) for name in order}
        outcomes |= {order[place]: outcome for place, outcome in error.done.items()}
    return Grid(
        main=outcome_of("main", fit, main=fit.design),
        again=outcomes[AGAIN],
        outcomes=tuple(outcomes[name] for name in names),
        stopped=stopped,
        chosen=chosen,
    )


def fit_alternative(
    name: str, spec: "Spec", evidence: "Evidence", settings: SamplerSettings, prob: float = INTERVAL_PROB
) -> Outcome:
    """Fit one alternative by its name in :data:`ALTERNATIVES`, or refit the main model, with intervals of `prob`."""
    main = build_design(spec, evidence)
    try:
        if name == AGAIN:
            refit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, interval_prob=prob)
            return outcome_of(name, refit, main=main)
        found = apply(BY_NAME[name], spec, evidence)
        if isinstance(found, Inapplicable):
            return Outcome(name, Status.NOT_APPLICABLE, found.reason)
        refit = fit_model(
            found.spec,
            found.evidence,
            engine=Engine.QUADRATURE,
            settings=settings,
            design=found.design,
            interval_prob=prob,
        )
    except AlkbayesError as error:
        return Outcome(name, Status.FAILED, str(error))
    same_scale = _scale(spec) == _scale(found.spec)
    return outcome_of(name, refit, main=main, same_scale=same_scale, assumed=BY_NAME[name].assumed)


def _fallback(fit: Fit) -> str:
    """Return why NUTS replaced quadrature; empty if it did not."""
    nuts = fit.provenance.engine is Engine.NUTS and fit.provenance.fallback_reason
    return f"sampled by NUTS: {fit.provenance.fallback_reason}" if nuts else ""


def _scale(spec: "Spec") -> tuple[object, ...]:
    """Return the parts of a model that define the meaning of its SDs."""
    terms = ((term.column, term.distribution) for term in spec.heterogeneity)
    return (spec.likelihood.family, spec.likelihood.link, *sorted(terms))


def _estimate(number: Reported, errors: Errors, *, prob: float) -> Estimate:
    positive = float((number.draws > 0).mean()) if number.table == CONTRAST else None
    return Estimate(
        key=number.key,
        name=number.name,
        **summarise(number.draws, prob=prob),
        errors={"median": errors.median, "low": errors.low, "high": errors.high},
        prob_positive=positive,
    )


def _observed(design: Design, columns: tuple[str, ...]) -> list[str]:
    """Return the levels of a single column in order of appearance; empty for a number, and for two columns."""
    if len(columns) > 1 or columns[0] in design.numbers:
        return []
    return list(dict.fromkeys(design.profiles[columns[0]].tolist()))


def _design(name: str, spec: "Spec", evidence: "Evidence") -> Design | Inapplicable:
    if name == AGAIN:
        return build_design(spec, evidence)
    found = apply(BY_NAME[name], spec, evidence)
    return found if isinstance(found, Inapplicable) else found.design
