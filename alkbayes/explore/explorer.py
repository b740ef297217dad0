"""The session behind the page: what is known of each setting, and what is still to be computed."""

import asyncio
import secrets
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from alkbayes.alk.review import OF_DRUGS
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import frame_of, pool_groups
from alkbayes.errors import AlkbayesError
from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.table import BUNDLED_NAME, Evidence
from alkbayes.explore import comparison, edits
from alkbayes.explore.base import (
    Base,
    ModelOf,
    filter_columns,
    fitting_models,
    model_of,
    selection_of,
    spec_before,
    whole_table,
)
from alkbayes.explore.command import command_of, restart_command
from alkbayes.explore.controls import engine_choices, filters_of, model_choices, model_controls
from alkbayes.explore.forest import cohort_forest
from alkbayes.explore.hub import Hub, Lost, Superseded
from alkbayes.explore.jobs import (
    FitJob,
    Fitted,
    KeepJob,
    Kept,
    Made,
    Previewed,
    PreviewJob,
    Refused,
    ReportJob,
    Unreliable,
)
from alkbayes.explore.log import ExplorationLog
from alkbayes.explore.page import (
    Changes,
    KeptRun,
    Leaving,
    ModelControls,
    Page,
    Results,
    State,
)
from alkbayes.explore.setting import Setting
from alkbayes.inference.settings import Engine
from alkbayes.presentation.fit import measures, medians_sentence, outcome_of, verdict
from alkbayes.presentation.standardisation import prediction_lines
from alkbayes.spec.schema import NumericEffect
from alkbayes.text.json import records
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from pathlib import Path

    from alkbayes.explore.forest import CohortForest
    from alkbayes.runs.document import FitDocument

LEAST_COHORTS = 3
"""Cohorts below which a SD between cohorts is hardly more than its prior."""
MOST_COHORTS = 300
SLOW_SECONDS = 2.0
"""Cohorts, and seconds of a first answer, above which a change waits for a button."""
MOST_KNOWN = 40
"""Answers kept."""
BASE_TAB = "base"
BEGUN = "Classical pooling, until the model is fitted."


@dataclass(frozen=True, slots=True)
class Plan:
    """A setting laid over the table, before anything is fitted.

    Attributes
    ----------
    whole
        The table of its model with every cohort.
    model
        Its model.
    dropped
        Cohorts left out by their levels, with these as text.
    excluded
        Cohorts left out by name.
    command
        The command that repeats it.
    """

    setting: Setting
    whole: Evidence
    model: ModelOf
    dropped: Mapping[str, str]
    excluded: frozenset[str]
    command: str

    @property
    def left(self) -> int:
        """Number of cohorts that are left."""
        names = self.whole.frame[COHORT].tolist()
        return sum(name not in self.excluded and name not in self.dropped for name in names)


class Explorer:
    """A session of exploring one base.

    Parameters
    ----------
    base
        What is begun with.
    log
        Where settings tried are written.
    hub
        Who computes.
    begun
        The fit of the run that is begun with, if any.
    """

    def __init__(self, base: Base, log: ExplorationLog, hub: Hub, begun: Fitted | None = None) -> None:
        self.base, self.log, self.hub = base, log, hub
        self.models = fitting_models(base)
        self.kept: list[tuple[Path, bool]] = []
        self._whole: dict[str, Evidence] = {}
        self._known: OrderedDict[tuple[Setting, bool], Fitted | Unreliable] = OrderedDict()
        self._slow: set[str] = set()
        self._base_ready = asyncio.Event()
        self._of_base = begun
        if begun is not None:
            self._base_ready.set()
        self._last_fitted: Fitted | None = begun

    @property
    def of_base(self) -> Fitted | None:
        """The settled fit of the base, as soon as there is one."""
        return self._of_base

    def plan(self, setting: Setting) -> Plan:
        """Return a setting laid over the table.

        Raises
        ------
        AlkbayesError
            If it does not fit the table or the model.
        """
        whole = self.whole(setting)
        model = model_of(self.base, setting, whole)
        selection = selection_of(self.base, setting, whole)
        dropped: dict[str, str] = {}
        for column, levels in setting.dropped:
            for name, cell in zip(whole.frame[COHORT].tolist(), whole.frame[column].astype(str), strict=True):
                if cell in levels or cell not in filter_columns(whole)[column]:
                    dropped.setdefault(name, f"{label_of(column)} {shown(cell) or 'not stated'}")
        names = {*whole.frame[COHORT].tolist()}
        excluded = frozenset(each.cohort for each in setting.excluded) & names
        words = command_of(self.base, setting, model, selection)
        return Plan(setting, whole, model, dropped, excluded, shlex.join(words))

    def whole(self, setting: Setting) -> Evidence:
        """Return every cohort of the table of a setting's model.

        Raises
        ------
        EvidenceError, UsageError
            If the table cannot be read for it.
        """
        if setting.model not in self._whole:
            self._whole[setting.model] = whole_table(self.base, spec_before(self.base, setting))
        return self._whole[setting.model]

    def is_base(self, setting: Setting) -> bool:
        """Return whether a setting is the base."""
        return setting.analysis == self.base.setting.analysis

    def key(self, setting: Setting) -> str:
        """Return what tells settings apart in the log: model file and query, without reasons."""
        return f"{self.base.spec.content_sha256[:12]}?{setting.analysis.query(Setting())}"

    async def fit_base(self) -> None:
        """Fit the base: a first answer, then the settled one with which others are compared."""
        if self._of_base is not None:
            return
        try:
            for quick in (True, False):
                answer = await self.hub.ask(BASE_TAB, FitJob(self.base.setting, quick), lasts=True)
                if isinstance(answer, Fitted | Unreliable):
                    self._remember(self.base.setting, answer, quick=quick)
                if isinstance(answer, Fitted) and not quick:
                    self._of_base = answer
        finally:
            self._base_ready.set()

    async def results(self, tab: str, setting: Setting, *, quick: bool) -> Results | None:
        """Return what is shown of a setting; None if a later job of the tab replaced this one.

        Parameters
        ----------
        quick
            Whether a first answer will do.
        """
        try:
            plan = self.plan(setting)
        except AlkbayesError as error:
            return self.refused(setting, str(error))
        if (named := self._named_state(plan)) is not None:
            return named
        quick = quick and setting.engine is Engine.QUADRATURE
        answer = self._answer_known(setting, quick=quick)
        if answer is None:
            if self.is_base(setting) and not quick:
                await self._base_ready.wait()
                answer = self._answer_known(setting, quick=False)
            answer = answer or await self._asked(tab, setting, quick=quick)
        match answer:
            case Superseded():
                return None
            case Lost(again=again):
                return self._lost(plan, again=again)
            case Refused(message=message):
                return self.refused(setting, message)
            case Unreliable() | Fitted():
                if not self.is_base(setting):
                    await self._base_ready.wait()
                return self._shown(plan, answer)
        raise AssertionError(answer)

    async def _asked(self, tab: str, setting: Setting, *, quick: bool) -> Any:
        answer = await self.hub.ask(tab, FitJob(setting, quick))
        if isinstance(answer, Unreliable) and quick:
            # Few draws may fail where more do not.
            answer = await self.hub.ask(tab, FitJob(setting, quick=False))
            quick = False
        if isinstance(answer, Fitted | Unreliable):
            self._remember(setting, answer, quick=quick)
        return answer

    def _answer_known(self, setting: Setting, *, quick: bool) -> Fitted | Unreliable | None:
        if self._of_base is not None and self.is_base(setting):
            return self._of_base
        settled = self._known.get((setting.analysis, False))
        return settled or (self._known.get((setting.analysis, True)) if quick else None)

    def _remember(self, setting: Setting, answer: Fitted | Unreliable, *, quick: bool) -> None:
        self._known[setting.analysis, quick] = answer
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        if isinstance(answer, Fitted):
            self._last_fitted = answer
            if quick:
                slow = answer.seconds > SLOW_SECONDS
                (self._slow.add if slow else self._slow.discard)(setting.model)

    async def preview(self, tab: str, before: Setting, after: Setting) -> Results | None:
        """Return the pooled rates without one more cohort; None if they cannot be had at once."""
        if not self.hub.idle or self._of_base is None:
            return None
        out = {each.cohort for each in after.excluded} - {each.cohort for each in before.excluded}
        others = replace(after.analysis, excluded=before.analysis.excluded)
        fitted = self._answer_known(before, quick=True)
        if len(out) != 1 or others != before.analysis or not isinstance(fitted, Fitted):
            return None
        try:
            plan = self.plan(after)
        except AlkbayesError:
            return None
        if plan.left < LEAST_COHORTS:
            return None
        (cohort,) = out
        answer = await self.hub.ask(tab, PreviewJob(before, after, cohort), lasts=True)
        if not isinstance(answer, Previewed):
            return None
        document = cast("FitDocument", fitted.document)
        of_base = cast("FitDocument", self._of_base.document)
        return Results(
            state=State.PREVIEW,
            status=f"Preview without {shown(cohort)}, from weights; the refit follows.",
            forest=self._forest(plan, None),
            rows=comparison.headline_rows(document, of_base, pooled=answer.pooled),
            title=_headline_title(document),
            with_base=True,
        )

    def begun(self, setting: Setting) -> Results:
        """Return what is shown at once: what is known of a setting, or classical pooling of its cohorts."""
        try:
            plan = self.plan(setting)
        except AlkbayesError as error:
            return self.refused(setting, str(error))
        if (named := self._named_state(plan)) is not None:
            return named
        if (known := self._answer_known(setting, quick=True)) is not None:
            return self._shown(plan, known)
        names = plan.whole.frame[COHORT]
        table = plan.whole.part((~names.isin({*plan.excluded, *plan.dropped})).to_numpy())
        columns = list(dict.fromkeys(column for effect in plan.model.spec.effect for column in effect.columns))
        numbers = {effect.column for effect in plan.model.spec.effect if isinstance(effect, NumericEffect)}
        methods = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK_ADHOC)
        by = [column for column in columns if column not in numbers and column != "trial"]
        pooled = frame_of(pool_groups(table, by=by, methods=methods, prob=self.base.interval_prob))
        return Results(
            state=State.PENDING,
            status=f"{BEGUN} The engine is being started.",
            forest=self._forest(plan, None),
            tables=(comparison.classical_table(records(pooled), table.outcome),),
        )

    def _named_state(self, plan: Plan) -> Results | None:
        """Return what is shown if there is nothing, or too little, to fit."""
        left = plan.left
        if left >= LEAST_COHORTS:
            return None
        forest = self._forest(plan, None)
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

    def refused(self, setting: Setting, message: str) -> Results:
        """Return what is shown of a setting that does not fit the table or the model."""
        excluded = frozenset(each.cohort for each in setting.excluded)
        try:
            whole = self.whole(setting)
        except AlkbayesError:
            whole = self.whole(self.base.setting)
        forest = cohort_forest(
            whole, excluded=excluded, dropped={}, document=None, cohorts=(), prob=self.base.interval_prob
        )
        return Results(
            State.REFUSED,
            "This setting cannot be fitted.",
            forest,
            message=f"This setting cannot be fitted: {message}",
            advice="Change it, or go back to the base.",
        )

    def _lost(self, plan: Plan, *, again: bool) -> Results:
        message = (
            "The process that computes ended before it was done: it was stopped, or had no memory left. Another one "
            "has been started."
            if again
            else "The process that computes cannot be started. The terminal in which the page was started says why."
        )
        return Results(
            State.LOST,
            "The computation was stopped." if again else "The computation cannot be started.",
            self._forest(plan, None),
            message=message,
            advice="Press Update to compute this setting again." if again else "",
            automatic=False,
        )

    def _forest(self, plan: Plan, fitted: Fitted | None) -> "CohortForest":
        return cohort_forest(
            plan.whole,
            excluded=plan.excluded,
            dropped=plan.dropped,
            document=None if fitted is None else fitted.document,
            cohorts=() if fitted is None else fitted.cohorts,
            prob=self.base.interval_prob,
        )

    def _shown(self, plan: Plan, answer: Fitted | Unreliable) -> Results:
        if isinstance(answer, Unreliable):
            return self._unreliable(plan, answer)
        document = cast("FitDocument", answer.document)
        is_base = self.is_base(plan.setting)
        base = None if is_base or self._of_base is None else cast("FitDocument", self._of_base.document)
        if base is not None and base["outcome"]["responders"] != document["outcome"]["responders"]:
            base = None
        converged = document["diagnostics"]["converged"]
        state = State.FAILED if not converged else State.QUICK if answer.quick else State.SETTLED
        if converged and not is_base:
            self._note(plan, document)
        outcome = outcome_of(document)
        rows = comparison.headline_rows(document, base)
        mean = f"{counted(plan.left, 'cohort')}: mean {outcome.short} {comparison.mean_text(document)}"
        if shift := rows[0].cells[1].shift:
            mean += f", {shift} points from the base"
        first = ", first draws" if answer.quick else ""
        empty = [row.name for row in rows if not row.cells]
        notes = [*prediction_lines(document), medians_sentence(document)]
        if empty:
            notes.insert(0, f"No cohort is left of {listed(empty)}: the base alone has a rate.")
        return Results(
            state=state,
            status=f"{mean}{first}." if converged else "NOT CONVERGED: these numbers may not be used.",
            forest=self._forest(plan, answer),
            message="" if converged else f"NOT CONVERGED: {'; '.join(document['diagnostics']['failures'])}.",
            advice="" if converged else "None of these numbers may be used.",
            rows=rows,
            title=_headline_title(document),
            with_base=base is not None,
            moved="" if base is None or not converged else comparison.moved_most(document, base),
            verdict=_verdict(document, quick=answer.quick),
            tables=(
                *((comparison.heterogeneity_table(document, base),) if document["heterogeneity"] else ()),
                comparison.classical_table(document["classical"], outcome),
            ),
            settles=answer.quick,
            automatic=self._automatic(plan),
            by_nuts=not converged and plan.setting.engine is Engine.QUADRATURE,
            notes=tuple(notes),
        )

    def _unreliable(self, plan: Plan, answer: Unreliable) -> Results:
        """Return what is shown where the gate failed before there were draws: the last numbers, struck out."""
        last = self._last_fitted
        document = None if last is None else cast("FitDocument", last.document)
        return Results(
            state=State.UNRELIABLE,
            status="Quadrature cannot fit this setting; no number of it can be used.",
            forest=self._forest(plan, None),
            message=f"Quadrature cannot fit this setting: {answer.reason}.",
            advice="The rates below are those shown before, struck out: they are not of this setting."
            if document
            else "There are no numbers for it.",
            rows=() if document is None else comparison.headline_rows(document, None),
            title="" if document is None else _headline_title(document),
            by_nuts=answer.by_nuts,
            automatic=self._automatic(plan),
        )

    def _automatic(self, plan: Plan) -> bool:
        slow = plan.setting.model in self._slow or plan.setting.engine is Engine.NUTS
        return not slow and plan.whole.cohorts <= MOST_COHORTS

    def _note(self, plan: Plan, document: "FitDocument") -> None:
        """Write a line for a setting the first time that it is shown."""
        mean = next(row for row in document["pooled"] if row["group"] == "all" and row["estimand"] == "mean")
        self.log.note(
            self.key(plan.setting),
            {
                "source": document["evidence"]["source"],
                "model": document["model"],
                "setting": plan.setting.query(self.base.setting),
                "changes": list(self.words(plan)),
                "cohorts": document["evidence"]["cohorts"],
                "engine": document["engine"],
                "draws": self.base.chains * document["provenance"]["settings"]["draws"],
                "mean": {name: mean[name] for name in ("median", "low", "high")},
            },
        )

    def words(self, plan: Plan) -> tuple[str, ...]:
        """Return how a setting differs from the base, in words."""
        return edits.changes(plan.setting, self.base.setting, spec_before(self.base, plan.setting), table=plan.whole)

    def changes(self, setting: Setting) -> Changes:
        """Return how a setting differs from the base, with its number among those tried."""
        try:
            plan = self.plan(setting)
            words, left_out, of = self.words(plan), plan.whole.cohorts - plan.left, plan.whole.cohorts
        except AlkbayesError:
            # What cannot be laid over the table still differs from the base.
            table = self.whole(self.base.setting)
            words = edits.changes(setting, self.base.setting, spec_before(self.base, setting), table=table)
            left_out, of = len(setting.excluded), table.cohorts
        is_base = self.is_base(setting)
        return Changes(
            setting=setting,
            words=words,
            is_base=is_base,
            number=None if is_base else self.log.number(self.key(setting)),
            tried=self.log.tried,
            earlier=self.log.earlier,
            log=str(self.log.path),
            left_out=left_out,
            of=of,
        )

    def leaving(self, setting: Setting, fault: str = "") -> Leaving:
        """Return what can be taken away of a setting."""
        kept = tuple(KeptRun(number, str(folder), marked) for number, (folder, marked) in enumerate(self.kept, 1))
        run = "" if self.base.run is None else str(self.base.run)
        try:
            plan = self.plan(setting)
        except AlkbayesError:
            return Leaving("", "", "", (), is_base=False, run=run, kept=kept, fault=fault)
        return Leaving(
            command=plan.command,
            model_file=plan.model.word if plan.model.own_file else "",
            query=setting.query(self.base.setting),
            unexplained=setting.unexplained,
            is_base=self.is_base(setting),
            run=run,
            kept=kept,
            fault=fault,
        )

    def model_file(self, setting: Setting) -> tuple[str, bytes]:
        """Return the model file of a setting, with its name.

        Raises
        ------
        AlkbayesError
            If the setting does not fit.
        """
        model = self.plan(setting).model
        return f"{model.spec.name}.toml", model.content

    async def keep(self, setting: Setting) -> str:
        """Write the run of a setting; return why not, or an empty string."""
        try:
            plan = self.plan(setting)
        except AlkbayesError as error:
            return str(error)
        if plan.left < LEAST_COHORTS:
            return "There are too few cohorts to keep."
        if missing := setting.unexplained:
            return f"Every exclusion needs a reason, and there is none yet for {listed(missing)}."
        is_base = self.is_base(setting)
        tried = None if is_base else self.log.tried + (self.log.number(self.key(setting)) is None)
        job = KeepJob(setting, tried, () if is_base else self.words(plan))
        answer = await self.hub.ask(f"keep {secrets.token_hex(4)}", job, lasts=True)
        match answer:
            case Kept(folder=folder):
                self.kept.append((folder, not is_base))
                return ""
            case Refused(message=message):
                return message
            case _:
                return "The process that computes ended before the run was written: nothing was kept. Try again."

    async def report(self, number: int) -> bytes | None:
        """Return the report of a kept run as HTML; None if there is none."""
        if not 1 <= number <= len(self.kept):
            return None
        answer = await self.hub.ask(f"report {secrets.token_hex(4)}", ReportJob(self.kept[number - 1][0]), lasts=True)
        return answer.content if isinstance(answer, Made) else None

    def controls(self, setting: Setting) -> ModelControls:
        """Return what can be changed of the model of a setting."""
        known = self._answer_known(setting, quick=True)
        implied = {} if known is None else known.implied
        return model_controls(spec_before(self.base, setting), self.whole(setting), setting, implied)

    def page(self, setting: Setting) -> Page:
        """Return the whole page of a setting."""
        whole = self.whole(self.base.setting)
        outcome = self.base.spec.outcome
        name = BUNDLED_NAME.capitalize() if whole.bundled else whole.source
        trials = "" if whole.trials is None else f" of {counted(whole.trials, 'trial')}"
        return Page(
            title=f"{outcome.title}{OF_DRUGS if whole.bundled else ''}",
            subtitle=f"{name}: {counted(whole.cohorts, 'cohort')}{trials}, "
            f"{outcome.events_of(whole.responders)} of {outcome.units_of(whole.patients)}",
            tab=secrets.token_hex(8),
            models=model_choices(self.base.spec, self.models, setting),
            filters=filters_of(whole, setting),
            controls=self.controls(setting),
            results=self.begun(setting),
            changes=self.changes(setting),
            leaving=self.leaving(setting),
            setting=setting,
            base=self.base.setting,
            engines=engine_choices(setting),
            restart=restart_command(self.base),
        )


def _headline_title(document: "FitDocument") -> str:
    return f"Pooled {outcome_of(document).rate}, %"


def _verdict(document: "FitDocument", *, quick: bool) -> str:
    """Return how the numbers were made, and whether they passed the gate."""
    if quick:
        draws = document["provenance"]["settings"]["chains"] * document["provenance"]["settings"]["draws"]
        return (
            f"First {draws:,} draws: {measures(document)}. The gate is complete with the settled draws, which follow."
        )
    return " ".join(f"{line}." for line in verdict(document))
