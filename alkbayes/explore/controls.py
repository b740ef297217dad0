"""What the page lets a reader change: records of its lists, boxes and sliders, each with what it is set to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from alkbayes.explore import edits
from alkbayes.explore.base import filter_columns
from alkbayes.explore.page import Choice, Filter, ModelControls, PriorControl
from alkbayes.explore.setting import MOST_STEPS, Setting
from alkbayes.inference.settings import Engine
from alkbayes.likelihood.links import Link
from alkbayes.spec.schema import FixedEffect, Spec
from alkbayes.text.names import shown
from alkbayes.text.wording import percent, percent_interval, points
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.model.prior_implications import Implied


def model_controls(
    spec: Spec, whole: "Evidence", setting: Setting, implied: "Mapping[tuple[str, ...], Implied]"
) -> ModelControls:
    """Return what can be changed of a model, with what each prior implies where that is known."""
    steps, heading = dict(setting.steps), whole.outcome.declared.heading
    pair = edits.interaction_of(spec)
    return ModelControls(
        name=spec.name,
        priors=tuple(
            PriorControl(
                key=scale.key,
                name=edits.prior_name(scale, whole).removeprefix("the "),
                steps=steps.get(scale.key, 0),
                text=scale.text(steps.get(scale.key, 0)),
                texts=tuple(scale.text(each) for each in range(-MOST_STEPS, MOST_STEPS + 1)),
                implied=_implied(scale, implied),
            )
            for scale in edits.prior_scales(spec)
        ),
        links=_links(spec, setting),
        tails=_tails(spec, setting),
        interaction=() if pair is None else _interaction(spec, setting),
        interaction_name="" if pair is None else " and ".join(heading(label_of(column)) for column in pair),
        references=tuple(
            (effect.column, heading(label_of(effect.column)), _levels(whole, effect, setting))
            for effect in spec.effect
            if isinstance(effect, FixedEffect)
        ),
    )


def _links(spec: Spec, setting: Setting) -> tuple[Choice, ...]:
    """Return the links that the model's priors can be translated to: from the logit any, from another none."""
    own = str(spec.likelihood.link)
    possible = tuple(map(str, Link)) if own == Link.LOGIT else (own,)
    return tuple(Choice("" if link == own else link, link, link == (setting.link or own)) for link in possible)


def _tails(spec: Spec, setting: Setting) -> tuple[Choice, ...]:
    if not spec.heterogeneity or any(term.distribution == "exnex" for term in spec.heterogeneity):
        return ()
    own = edits.has_heavy_tails(spec)
    heavy = setting.tails == "student_t" if setting.tails else own
    return Choice("normal" if own else "", "normal", not heavy), Choice("" if own else "student_t", "Student t", heavy)


def _interaction(spec: Spec, setting: Setting) -> tuple[Choice, ...]:
    own = edits.has_interaction(spec)
    crossed = setting.interaction == "with" if setting.interaction else own
    return Choice("without" if own else "", "no", not crossed), Choice("" if own else "with", "yes", crossed)


def _levels(whole: "Evidence", effect: FixedEffect, setting: Setting) -> tuple[Choice, ...]:
    found = dict.fromkeys(filter(None, [effect.reference, *whole.frame[effect.column].astype(str)]))
    chosen = dict(setting.reference).get(effect.column, effect.reference)
    return tuple(
        Choice("" if level == effect.reference else level, level, level == chosen)
        for level in whole.outcome.declared.in_order(effect.column, list(found))
    )


def _implied(scale: edits.PriorScale, implied: "Mapping[tuple[str, ...], Implied]") -> str:
    """Return what a prior implies on the scale of rates."""
    found = implied.get(scale.of)
    if found is None or scale.kind in {"spread", "own"}:
        return ""
    if found.apart is None:
        return f"rate, 95 % from {percent_interval(found.low, found.high, 0, between=' to ')} %"
    span = f"{points(found.low)} to {points(found.high)}"
    return f"median difference {percent(found.apart, 0)} points ({shown(found.of)}), 95 % from {span}"


def filters_of(whole: "Evidence", setting: Setting) -> tuple[Filter, ...]:
    """Return the columns to choose by."""
    dropped, found = dict(setting.dropped), []
    for column, levels in filter_columns(whole).items():
        cells = whole.frame[column].astype(str).tolist()
        counts = tuple((level, cells.count(level), level not in dropped.get(column, ())) for level in levels)
        heading = whole.outcome.declared.heading(label_of(column, whole.frame.columns))
        found.append(Filter(column, heading, counts, len(cells) - sum(count for _, count, _ in counts)))
    return tuple(found)


def model_choices(
    base: Spec, others: Mapping[str, Spec], setting: Setting
) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    """Return the models by their outcome, that of the base first."""
    groups: dict[str, list[Choice]] = {
        base.outcome.label: [Choice("", f"{base.name}: {base.question}", not setting.model)]
    }
    for name, spec in others.items():
        choice = Choice(name, f"{name}: {spec.question}", name == setting.model)
        groups.setdefault(spec.outcome.label, []).append(choice)
    return tuple((label, tuple(choices)) for label, choices in groups.items())


def engine_choices(setting: Setting) -> tuple[Choice, ...]:
    """Return the engines, the fast one first."""
    names = {Engine.QUADRATURE: "quadrature", Engine.NUTS: "NUTS"}
    return tuple(Choice(str(engine), name, engine is setting.engine) for engine, name in names.items())
