"""The model of a setting: the base's, or a bundled one, with what the page changed; a complete model file again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomli_w

from alkbayes.errors import UsageError
from alkbayes.evidence.naming import COHORT
from alkbayes.explore.setting import Setting
from alkbayes.inference.settings import Engine
from alkbayes.presentation.priors import prior_text
from alkbayes.sensitivity_analysis import edits
from alkbayes.sensitivity_analysis.edits import Inapplicable, rewritten
from alkbayes.spec.schema import (
    ExnexHeterogeneity,
    FixedEffect,
    NumericEffect,
    Spec,
    effect_label,
    model_path,
    read_spec,
)
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence
    from alkbayes.sensitivity_analysis.edits import Edit
    from alkbayes.spec.priors import Prior

LONGEST_NAME = 51
"""Characters of a model's name that leave room for what is added."""
ADDED = "-explored"
INTERACTION_SD = 0.25
"""Scale of the prior of an added interaction's SD, as in the model `line-by-generation`."""


@dataclass(frozen=True, slots=True)
class PriorScale:
    """A prior with a scale that can be moved.

    Attributes
    ----------
    key
        Its name in a setting, such as "effect.0".
    of
        What it is the prior of: columns of an effect, the label of a level of heterogeneity, nothing for the intercept.
    kind
        "intercept", "difference", "slope", "sd", "spread" or "own".
    prior
        As the model file has it.
    """

    key: str
    of: tuple[str, ...]
    kind: str
    prior: "Prior"

    @property
    def path(self) -> tuple[str, int, str]:
        """Table of the model file, position in it, and key there."""
        table, _, rest = self.key.partition(".")
        number, _, which = rest.partition(".")
        name = {"spread": "spread_prior", "own": "nex_prior"}.get(
            which, "prior" if self.kind in ("intercept", "difference", "slope") else "sd_prior"
        )
        return table, int(number or 0), name

    def moved(self, steps: int) -> dict[str, Any]:
        """Return the prior with its scale moved by half doublings, to two significant digits."""
        declared: dict[str, Any] = self.prior.model_dump()  # type: ignore[union-attr]
        key = "sd" if "sd" in declared else "mean"
        return declared | ({key: float(f"{declared[key] * 2 ** (steps / 2):.2g}")} if steps else {})

    def text(self, steps: int = 0) -> str:
        """Return the prior, moved, in publication notation."""
        return prior_text(type(self.prior)(**self.moved(steps)))


def prior_scales(spec: Spec) -> tuple[PriorScale, ...]:
    """Return the priors of a model whose scale can be moved, in the order of its file."""
    return tuple(_prior_scales(spec))


def _prior_scales(spec: Spec) -> Iterator[PriorScale]:
    yield PriorScale("intercept", (), "intercept", spec.intercept.prior)
    for place, effect in enumerate(spec.effect):
        key = f"effect.{place}"
        if hasattr(effect, "sd_prior"):
            yield PriorScale(key, effect.columns, "sd", effect.sd_prior)
        else:
            kind = "slope" if isinstance(effect, NumericEffect) else "difference"
            yield PriorScale(key, effect.columns, kind, effect.prior)
    for place, term in enumerate(spec.heterogeneity):
        key, label = f"heterogeneity.{place}", (label_of(term.column),)
        yield PriorScale(key, label, "sd", term.sd_prior)
        if term.spread_prior is not None:
            yield PriorScale(f"{key}.spread", label, "spread", term.spread_prior)
        if isinstance(term, ExnexHeterogeneity):
            yield PriorScale(f"{key}.own", label, "own", term.nex_prior)


def interaction_of(spec: Spec) -> tuple[str, str] | None:
    """Return the columns of the interaction that can be added to a model or is in it; None if it has no two effects."""
    for effect in spec.effect:
        if len(effect.columns) == 2:
            return effect.columns[0], effect.columns[1]
    single = [effect.columns[0] for effect in spec.effect if not isinstance(effect, NumericEffect)]
    return (single[0], single[1]) if len(single) > 1 else None


def has_interaction(spec: Spec) -> bool:
    """Return whether a model has an effect of two columns."""
    return any(len(effect.columns) == 2 for effect in spec.effect)


def has_heavy_tails(spec: Spec) -> bool:
    """Return whether a model has Student t deviations."""
    return any(term.distribution == "student_t" for term in spec.heterogeneity)


def edited(spec: Spec, setting: Setting, evidence: "Evidence") -> Spec:
    """Return a model with a setting's changes; the same object if there are none.

    Raises
    ------
    UsageError
        If a change does not fit the model.
    SpecError
        If the changed model breaks a rule.
    """
    found = _with_priors(spec, setting)
    found = _with_reference(found, setting)
    if setting.interaction:
        found = _with_interaction(found, present=setting.interaction == "with")
    if setting.tails:
        heavy = setting.tails == "student_t"
        if has_heavy_tails(found) != heavy:
            found = _applied(edits.heavy_tails if heavy else edits.normal_tails, found, evidence)
    if setting.link and setting.link != found.likelihood.link:
        found = _applied(edits.link(setting.link), found, evidence)
    if found is spec or found == spec:
        return spec
    return rewritten(found, name=f"{spec.name[:LONGEST_NAME]}{ADDED}")


def model_file(spec: Spec) -> bytes:
    """Return a model as the bytes of a model file."""
    declared = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return tomli_w.dumps(declared).encode()


def bundled(name: str) -> Spec:
    """Return a bundled model."""
    return read_spec(model_path(name))


def _applied(edit: "Edit", spec: Spec, evidence: "Evidence") -> Spec:
    change = edit(spec, evidence)
    if isinstance(change, Inapplicable):
        raise UsageError(f"this cannot be changed in the model {spec.name}: {change.reason}.")
    return change.spec


def _with_priors(spec: Spec, setting: Setting) -> Spec:
    if not setting.steps:
        return spec
    scales = {scale.key: scale for scale in prior_scales(spec)}
    parts: dict[str, Any] = {
        "intercept": spec.intercept.model_dump(),
        "effect": [effect.model_dump() for effect in spec.effect],
        "heterogeneity": [term.model_dump() for term in spec.heterogeneity],
    }
    for key, steps in setting.steps:
        if key not in scales:
            raise UsageError(f"the model {spec.name} has no prior {key} whose scale could be moved.")
        scale = scales[key]
        table, place, name = scale.path
        part = parts[table] if table == "intercept" else parts[table][place]
        part[name] = scale.moved(steps)
        part["why"] = f"explored: {scale.text(steps)} instead of {scale.text()}"
    return rewritten(spec, **parts)


def _with_reference(spec: Spec, setting: Setting) -> Spec:
    if not setting.reference:
        return spec
    effects = [effect.model_dump() for effect in spec.effect]
    for column, level in setting.reference:
        fixed = {of.column: at for at, of in enumerate(spec.effect) if isinstance(of, FixedEffect)}
        if column not in fixed:
            raise UsageError(f"the model {spec.name} has no fixed effect of {column}, and so no reference level of it.")
        effects[fixed[column]]["reference"] = level
    return rewritten(spec, effect=effects)


def _with_interaction(spec: Spec, *, present: bool) -> Spec:
    if has_interaction(spec) == present:
        return spec
    effects = [effect.model_dump() for effect in spec.effect]
    if not present:
        return rewritten(
            spec, effect=[each for each, of in zip(effects, spec.effect, strict=True) if len(of.columns) == 1]
        )
    columns = interaction_of(spec)
    if columns is None:
        raise UsageError(f"the model {spec.name} has no two effects that could interact.")
    added = {
        "kind": "exchangeable",
        "column": list(columns),
        "sd_prior": {"dist": "half_normal", "sd": INTERACTION_SD},
        "why": "explored: an interaction, mostly smaller than main effects",
    }
    return rewritten(spec, effect=[*effects, added])


def changes(setting: Setting, base: Setting, spec: Spec, *, table: "Evidence") -> tuple[str, ...]:
    """Return how a setting differs from the base, in words; nothing for the base itself.

    Parameters
    ----------
    spec
        The model of the setting before it is edited.
    table
        Whose columns name the effects.
    """
    return tuple(_changes(setting, base, spec, table))


def _changes(setting: Setting, base: Setting, spec: Spec, table: "Evidence") -> Iterator[str]:
    if setting.model != base.model:
        yield f"model {spec.name}"
    for reason, names in _by_reason(setting):
        yield f"without {', '.join(names)}{f' ({reason})' if reason else ''}"
    for column, levels in setting.dropped:
        reason = f" ({setting.dropped_reason.strip()})" if setting.dropped_reason.strip() else ""
        yield f"without {label_of(column)} {', '.join(levels)}{reason}"
    yield from _model_changes(setting, spec, table)
    for name, text in (("seed", f"seed {setting.seed}"), ("draws", f"{setting.draws:,} draws per chain")):
        if getattr(setting, name) != getattr(base, name):
            yield text
    if setting.engine != base.engine:
        yield "by NUTS" if setting.engine is Engine.NUTS else "by quadrature"


def _model_changes(setting: Setting, spec: Spec, table: "Evidence") -> Iterator[str]:
    scales = {scale.key: scale for scale in prior_scales(spec)}
    for key, steps in setting.steps:
        if key in scales:
            yield f"prior of {prior_name(scales[key], table)} {scales[key].text(steps)} for {scales[key].text()}"
    if setting.link and setting.link != spec.likelihood.link:
        yield f"link {setting.link}"
    if setting.tails and has_heavy_tails(spec) != (setting.tails == "student_t"):
        yield "Student t deviations" if setting.tails == "student_t" else "normal deviations"
    if setting.interaction and has_interaction(spec) != (setting.interaction == "with"):
        columns = effect_label(interaction_of(spec) or (), table.frame.columns)
        yield f"{setting.interaction} the interaction {columns}"
    yield from (f"reference {label_of(column)} {level}" for column, level in setting.reference)


def _by_reason(setting: Setting) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for each in setting.excluded:
        found.setdefault(each.reason.strip(), []).append(each.cohort)
    return list(found.items())


def prior_name(scale: PriorScale, table: "Evidence") -> str:
    """Return what a prior is of, for a reader."""
    heading = table.outcome.declared.heading
    if scale.kind == "intercept":
        return "the intercept"
    if scale.key.startswith("heterogeneity"):
        unit = scale.of[0] if scale.of[0] != COHORT else "cohort"
        kinds = {"spread": f"the spread of the SDs between {unit}s", "own": f"the intercept of a {unit} on its own"}
        return kinds.get(scale.kind, f"the SD between {unit}s")
    name = heading(effect_label(scale.of, table.frame.columns))
    return {"sd": f"the SD of {name}", "slope": f"the slope of {name}"}.get(scale.kind, f"the differences of {name}")
