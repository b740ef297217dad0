"""The session behind the page: what is known of each setting, and what is still to be computed."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from alkbayes.alk.review import OF_DRUGS
from alkbayes.errors import AlkbayesError, RunError
from alkbayes.evidence.table import BUNDLED_NAME, Evidence
from alkbayes.explore import results
from alkbayes.explore.base import Base, changes_of, fitting_models, is_base, spec_before, whole_table
from alkbayes.explore.command import restart_command
from alkbayes.explore.controls import engine_choices, filters_of, model_choices, model_controls
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
from alkbayes.explore.page import Changes, KeptRun, Leaving, ModelControls, Page, Results, State
from alkbayes.explore.plan import Plan, plan_of
from alkbayes.explore.setting import Setting
from alkbayes.inference.settings import Engine
from alkbayes.text.names import listed
from alkbayes.text.wording import counted
from alkbayes.vocabulary import ALL

if TYPE_CHECKING:
    from pathlib import Path

    from alkbayes.runs.document import FitDocument

MOST_COHORTS = 300
SLOW_SECONDS = 2.0
"""Cohorts, and seconds of a first answer, above which a change waits for a button."""
MOST_KNOWN = 40
"""Answers kept."""
BASE_TAB = "base"


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
        self._base_begun, self._base_ready = asyncio.Event(), asyncio.Event()
        self._of_base = begun
        if begun is not None:
            self._base_begun.set()
            self._base_ready.set()
        self._last_fitted: Fitted | None = begun

    @property
    def of_base(self) -> Fitted | None:
        """The settled fit of the base, as soon as there is one."""
        return self._of_base

    @property
    def _to_compare(self) -> Fitted | None:
        """The same, unless it did not converge: then nothing can be said against it."""
        found = self._of_base
        return found if found is not None and found.document["diagnostics"]["converged"] else None

    def plan(self, setting: Setting) -> Plan:
        """Return a setting laid over the table.

        Raises
        ------
        AlkbayesError
            If it does not fit the table or the model.
        """
        return plan_of(self.base, setting, self.whole(setting))

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

    def _whole_or_base(self, setting: Setting) -> Evidence:
        """Return the same, or that of the base where it cannot be read: its folder may be gone."""
        try:
            return self.whole(setting)
        except AlkbayesError:
            return self.whole(self.base.setting)

    def is_base(self, setting: Setting) -> bool:
        """Return whether a setting is the base."""
        return is_base(self.base, setting)

    def key(self, setting: Setting) -> str:
        """Return what tells settings apart in the log: model file and query, without reasons."""
        return f"{self.base.spec.content_sha256[:12]}?{setting.analysis.query(Setting())}"

    async def fit_base(self) -> None:
        """Fit the base: a first answer, then the settled one with which others are compared."""
        if self._of_base is not None:
            return
        try:
            await self._ask_base(quick=True)
            self._base_begun.set()
            await self._ask_base(quick=False)
        finally:
            self._base_begun.set()
            self._base_ready.set()

    async def _ask_base(self, *, quick: bool) -> None:
        answer = await self.hub.ask(BASE_TAB, FitJob(self.base.setting, quick), lasts=True)
        if isinstance(answer, Fitted | Unreliable):
            self._remember(self.base.setting, answer, quick=quick)

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
        if (named := results.without_numbers(plan)) is not None:
            return named
        quick = quick and setting.engine is Engine.QUADRATURE
        answer = self._answer_known(setting, quick=quick)
        if answer is None and self.is_base(setting):
            await (self._base_begun if quick else self._base_ready).wait()
            answer = self._answer_known(setting, quick=quick)
        answer = answer or await self._asked(tab, setting, quick=quick)
        match answer:
            case Superseded():
                return None
            case Lost(again=again):
                return results.lost(plan, again=again)
            case Refused(message=message):
                return self.refused(setting, message)
            case Unreliable() | Fitted():
                if not self.is_base(setting):
                    await self._base_fitted()
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

    async def _base_fitted(self) -> None:
        """Wait for the base; its first worker may have been stopped."""
        await self._base_ready.wait()
        if self._answer_known(self.base.setting, quick=False) is None:
            await self._ask_base(quick=False)

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
            elif self.is_base(setting):
                self._of_base = answer

    async def preview(self, tab: str, before: Setting, after: Setting) -> Results | None:
        """Return the pooled rates without one more cohort; None if they cannot be had at once."""
        if not self.hub.idle or self._to_compare is None:
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
        if plan.left < results.LEAST_COHORTS:
            return None
        (cohort,) = out
        answer = await self.hub.ask(tab, PreviewJob(before, after, cohort), lasts=True)
        if not isinstance(answer, Previewed):
            return None
        draws = self.base.chains * fitted.document["provenance"]["settings"]["draws"]
        try:
            self._note(plan, answer.pooled, by="preview", draws=draws)
        except RunError:
            # The refit says so.
            return None
        return results.previewed(plan, cohort, answer.pooled, before=fitted, base=self._to_compare)

    def begun(self, setting: Setting) -> Results:
        """Return what is shown at once: what is known of a setting, or classical pooling of its cohorts."""
        try:
            plan = self.plan(setting)
        except AlkbayesError as error:
            return self.refused(setting, str(error))
        if (named := results.without_numbers(plan)) is not None:
            return named
        if (known := self._answer_known(setting, quick=True)) is not None:
            return self._shown(plan, known)
        return results.pending(plan)

    def refused(self, setting: Setting, message: str) -> Results:
        """Return what is shown of a setting that does not fit the table or the model."""
        return results.refused(self._whole_or_base(setting), setting, message, prob=self.base.interval_prob)

    def _shown(self, plan: Plan, answer: Fitted | Unreliable) -> Results:
        automatic = self._automatic(plan)
        if isinstance(answer, Unreliable):
            return results.unreliable(plan, answer, last=self._last_fitted, automatic=automatic)
        base = None if self.is_base(plan.setting) else self._to_compare
        found = results.fitted(plan, answer, base=base, automatic=automatic)
        if found.state is not State.FAILED and not self.is_base(plan.setting):
            document = cast("FitDocument", answer.document)
            draws = self.base.chains * document["provenance"]["settings"]["draws"]
            try:
                self._note(plan, document["pooled"], by=document["engine"], draws=draws)
            except RunError as error:
                return results.unrecorded(plan, str(error))
        return found

    def _automatic(self, plan: Plan) -> bool:
        slow = plan.setting.model in self._slow or plan.setting.engine is Engine.NUTS
        return not slow and plan.whole.cohorts <= MOST_COHORTS

    def _note(self, plan: Plan, pooled: Sequence[Mapping[str, Any]], *, by: str, draws: int) -> None:
        """Write a line for a setting the first time that it is shown, be it as a preview.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        mean = next(row for row in pooled if row["group"] == ALL and row["estimand"] == "mean")
        self.log.note(
            self.key(plan.setting),
            {
                "source": plan.whole.source,
                "model": plan.model.spec.name,
                "setting": plan.setting.query(self.base.setting),
                "changes": list(plan.words),
                "cohorts": plan.left,
                "engine": by,
                "draws": draws,
                "mean": {name: mean[name] for name in ("median", "low", "high")},
            },
        )

    def changes(self, setting: Setting) -> Changes:
        """Return how a setting differs from the base, with its number among those tried."""
        try:
            plan = self.plan(setting)
            words, left_out, of = plan.words, plan.whole.cohorts - plan.left, plan.whole.cohorts
        except AlkbayesError:
            # What cannot be laid over the table still differs from the base.
            table = self.whole(self.base.setting)
            words, left_out, of = changes_of(self.base, setting, table), len(setting.excluded), table.cohorts
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
            of_base=() if self.base.exploration is None else tuple(self.base.exploration["changes"]),
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
        if plan.left < results.LEAST_COHORTS:
            return "There are too few cohorts to keep."
        if missing := setting.unexplained:
            return f"Every exclusion needs a reason, and there is none yet for {listed(missing)}."
        tab, is_base = f"keep {secrets.token_hex(4)}", self.is_base(setting)
        if not is_base and self.log.number(self.key(setting)) is None:
            # What is kept before its numbers have been seen is a setting tried, too.
            found = await self.results(tab, setting, quick=False)
            if found is None or found.state is not State.SETTLED:
                return f"There is nothing to keep. {'' if found is None else found.message}".rstrip()
        job = self._keep_job(plan)
        answer = await self.hub.ask(tab, job, lasts=True)
        match answer:
            case Kept(folder=folder):
                self.kept.append((folder, job.tried is not None))
                return ""
            case Refused(message=message):
                return message
            case _:
                return "The process that computes ended before the run was written: nothing was kept. Try again."

    def _keep_job(self, plan: Plan) -> KeepJob:
        """Return what is to be kept, as exploratory unless it is the base and that was not come upon by exploring."""
        earlier = self.base.exploration
        if earlier is None:
            return KeepJob(plan.setting, None if self.is_base(plan.setting) else self.log.tried, plan.words)
        tried = max(self.log.tried, earlier["settings_tried"])
        return KeepJob(plan.setting, tried, (*earlier["changes"], *plan.words))

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
        return model_controls(spec_before(self.base, setting), self._whole_or_base(setting), setting, implied)

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
