"""What is shown of a setting in each state: numbers beside those of the base, or why there are none."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import frame_of, pool_groups
from alkbayes.evidence.naming import COHORT, TRIAL
from alkbayes.explore import comparison
from alkbayes.explore.forest import cohort_forest
from alkbayes.explore.page import Results, State
from alkbayes.inference.settings import Engine
from alkbayes.presentation.fit import measures, medians_sentence, outcome_of, verdict
from alkbayes.presentation.standardisation import prediction_lines
from alkbayes.spec.schema import NumericEffect
from alkbayes.text.json import records
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.explore.forest import CohortForest
    from alkbayes.explore.jobs import Fitted, Unreliable
    from alkbayes.explore.plan import Plan
    from alkbayes.explore.setting import Setting
    from alkbayes.runs.document import FitDocument

LEAST_COHORTS = 3
"""Cohorts below which a SD between cohorts is hardly more than its prior."""
BEGUN = "Classical pooling, until the model is fitted."


def pending(plan: "Plan") -> Results:
    """Return what is shown before a fit: classical pooling of the cohorts that are left."""
    names = plan.whole.frame[COHORT]
    table = plan.whole.part((~names.isin({*plan.excluded, *plan.dropped})).to_numpy())
    effects = plan.model.spec.effect
    columns = list(dict.fromkeys(column for effect in effects for column in effect.columns))
    numbers = {effect.column for effect in effects if isinstance(effect, NumericEffect)}
    methods = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK_ADHOC)
    by = [column for column in columns if column not in numbers and column != TRIAL]
    pooled = frame_of(pool_groups(table, by=by, methods=methods, prob=plan.interval_prob))
    return Results(
        state=State.PENDING,
        status=f"{BEGUN} The engine is being started.",
        forest=_forest(plan, None),
        tables=(comparison.classical_table(records(pooled), table.outcome),),
    )


def without_numbers(plan: "Plan") -> Results | None:
    """Return what is shown if there is nothing, or too little, to fit; None if there is enough."""
    left = plan.left
    if left >= LEAST_COHORTS:
        return None
    forest = _forest(plan, None)
    if not left:
        return Results(
            State.NONE,
            "Every cohort is left out.",
            forest,
            message="Every cohort is left out: there is nothing to pool.",
            advice="Tick a cohort again, or one of the levels under “Choose by”.",
        )
    return Results(
        State.FEW,
        f"Too few cohorts: {left}.",
        forest,
        message=f"{counted(left, 'cohort')} left, and {LEAST_COHORTS} are needed here: with fewer, how cohorts "
        "differ would come from the priors alone.",
        advice="Tick more cohorts.",
    )


def refused(whole: "Evidence", setting: "Setting", message: str, *, prob: float) -> Results:
    """Return what is shown of a setting that does not fit the table or the model."""
    excluded = frozenset(each.cohort for each in setting.excluded)
    forest = cohort_forest(whole, excluded=excluded, dropped={}, document=None, cohorts=(), prob=prob)
    return Results(
        State.REFUSED,
        "This setting cannot be fitted.",
        forest,
        message=f"This setting cannot be fitted: {message}",
        advice="Change it, or go back to the base.",
    )


def unrecorded(plan: "Plan", message: str) -> Results:
    """Return what is shown of a setting that could not be written down as tried: not its numbers."""
    return Results(
        State.REFUSED,
        "The numbers are not shown: the setting could not be recorded.",
        _forest(plan, None),
        message=message,
        advice="No numbers are shown of a setting that is not recorded. When the file can be written, change the "
        "setting again.",
    )


def lost(plan: "Plan", *, again: bool) -> Results:
    """Return what is shown when the process that computes has ended; `again` says whether there is another."""
    message = (
        "The process that computes ended before it was done: it was stopped, or had no memory left. Another one "
        "has been started."
        if again
        else "The process that computes cannot be started. The terminal in which the page was started says why."
    )
    return Results(
        State.LOST,
        "The computation was stopped." if again else "The computation cannot be started.",
        _forest(plan, None),
        message=message,
        advice="Press Update to compute this setting again." if again else "",
        automatic=False,
    )


def previewed(
    plan: "Plan", cohort: str, pooled: Sequence[Mapping[str, Any]], *, before: "Fitted", base: "Fitted"
) -> Results:
    """Return the pooled rates without one more cohort than `before`, in whole percents."""
    document = cast("FitDocument", before.document)
    return Results(
        state=State.PREVIEW,
        status=f"Preview without {shown(cohort)}, from weights; the refit follows.",
        forest=_forest(plan, None),
        rows=comparison.headline_rows(document, cast("FitDocument", base.document), pooled=pooled),
        title=_title(document),
        with_base=True,
    )


def fitted(plan: "Plan", answer: "Fitted", *, base: "Fitted | None", automatic: bool) -> Results:
    """Return the numbers of a setting.

    Parameters
    ----------
    base
        What they stand beside; None for the base itself, and where it has not been fitted.
    automatic
        Whether a change is computed without being asked for.
    """
    document = cast("FitDocument", answer.document)
    beside = None if base is None else cast("FitDocument", base.document)
    if beside is not None and beside["outcome"]["responders"] != document["outcome"]["responders"]:
        beside = None
    converged = document["diagnostics"]["converged"]
    outcome = outcome_of(document)
    rows = comparison.headline_rows(document, beside)
    mean = f"{counted(plan.left, 'cohort')}: mean {outcome.short} {comparison.mean_text(document)}"
    if shift := rows[0].cells[1].shift:
        mean += f", {shift} points from the base"
    first = ", first draws" if answer.quick else ""
    empty = [row.name for row in rows if not row.cells]
    notes = [*prediction_lines(document), medians_sentence(document)]
    if empty:
        notes.insert(0, f"No cohort is left of {listed(empty)}: the base alone has a rate.")
    return Results(
        state=State.FAILED if not converged else State.QUICK if answer.quick else State.SETTLED,
        status=f"{mean}{first}." if converged else "NOT CONVERGED: these numbers may not be used.",
        forest=_forest(plan, answer if converged else None),
        message="" if converged else f"NOT CONVERGED: {'; '.join(document['diagnostics']['failures'])}.",
        advice="" if converged else "None of these numbers may be used.",
        rows=rows,
        title=_title(document),
        with_base=beside is not None,
        moved="" if beside is None or not converged else comparison.moved_most(document, beside),
        verdict=_verdict(document, quick=answer.quick),
        tables=(
            *((comparison.heterogeneity_table(document, beside),) if document["heterogeneity"] and converged else ()),
            comparison.classical_table(document["classical"], outcome),
        ),
        settles=answer.quick,
        automatic=automatic,
        by_nuts=not converged and plan.setting.engine is Engine.QUADRATURE,
        notes=tuple(notes),
    )


def unreliable(plan: "Plan", answer: "Unreliable", *, last: "Fitted | None", automatic: bool) -> Results:
    """Return what is shown where the gate failed before there were draws: the `last` numbers, struck out."""
    document = None if last is None else cast("FitDocument", last.document)
    return Results(
        state=State.UNRELIABLE,
        status="Quadrature cannot fit this setting; no number of it can be used.",
        forest=_forest(plan, None),
        message=f"Quadrature cannot fit this setting: {answer.reason}.",
        advice="The rates below are those shown before, struck out: they are not of this setting."
        if document
        else "There are no numbers for it.",
        rows=() if document is None else comparison.headline_rows(document, None),
        title="" if document is None else _title(document),
        by_nuts=answer.by_nuts,
        automatic=automatic,
    )


def _forest(plan: "Plan", answer: "Fitted | None") -> "CohortForest":
    return cohort_forest(
        plan.whole,
        excluded=plan.excluded,
        dropped=plan.dropped,
        document=None if answer is None else answer.document,
        cohorts=() if answer is None else answer.cohorts,
        prob=plan.interval_prob,
    )


def _title(document: "FitDocument") -> str:
    return f"Pooled {outcome_of(document).rate}, %"


def _verdict(document: "FitDocument", *, quick: bool) -> str:
    """Return how the numbers were made, and whether they passed the gate."""
    if quick:
        draws = document["provenance"]["settings"]["chains"] * document["provenance"]["settings"]["draws"]
        return (
            f"First {draws:,} draws: {measures(document)}. The gate is complete with the settled draws, which follow."
        )
    return " ".join(f"{line}." for line in verdict(document))
