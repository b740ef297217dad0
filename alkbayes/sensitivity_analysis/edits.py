"""Edits of alternative analyses: functions from a model and a table to changed ones.

Each builds a complete model file, checked like any other.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, ndtri

from alkbayes.alk.levels import LEVELS, LINE_BY_TKI, Line
from alkbayes.errors import SpecError
from alkbayes.evidence.cuts import at_later_cuts
from alkbayes.evidence.table import Evidence
from alkbayes.model.design import Design, EffectBlock
from alkbayes.spec.schema import COHORT, ExnexHeterogeneity, FixedEffect, Spec, parse_spec
from alkbayes.text.names import listed, plain, quoted

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
PRIOR_ALK_TKI = "prior_alk_tki"

OF_RESPONDERS = frozenset({"assessor", "analysis_set", "confirmed", "count_basis"})
"""Columns that describe the usual counts, not those of another outcome."""

SAID_OTHERWISE = {
    "assessor": {
        "bicr": "irc",
        "birc": "irc",
        "icr": "irc",
        "independent": "irc",
        "independentreview": "irc",
        "central": "irc",
        "centralreview": "irc",
        "inv": "investigator",
        "local": "investigator",
    },
    "analysis_set": {"intentiontotreat": "itt", "intenttotreat": "itt", "responseevaluable": "evaluable"},
    "confirmed": {"y": "yes", "true": "yes", "confirmed": "yes", "n": "no", "false": "no", "unconfirmed": "no"},
}
"""Synonyms of levels, as normalised by :func:`alkbayes.text.names.plain`."""

PHASES = {"1": "1", "i": "1", "2": "2", "ii": "2", "3": "3", "iii": "3", "4": "4", "iv": "4"}
"""Spellings of phase numbers."""

STUDENT_NU = 4.0
"""Degrees of freedom of the heavy tails, as in the model `robust`."""

RHO_PRIOR = {"dist": "beta", "a": 1.0, "b": 15.0}
"""Prior of the intraclass correlation, as in the model `beta-binomial`."""

ALL_EXCHANGEABLE = "all exchangeable"
"""Name of the alternative to EXNEX without units on their own."""

SD_PRIOR = {"dist": "half_normal", "sd": 0.5}
"""Prior of the SD between cohorts, as in the model `line-generation`."""

LINKS: dict[str, tuple[Callable[[float], float], float]] = {
    "probit": (lambda rate: float(ndtri(rate)), 0.25 / float(np.exp(-0.5 * ndtri(0.5) ** 2) / np.sqrt(2 * np.pi))),
    "cloglog": (lambda rate: float(np.log(-np.log1p(-rate))), 0.25 / (0.5 * float(np.log(2)))),
}
"""By link: the link function, and the factor on a logit prior's width (the ratio of slopes at one half) that gives the
same prior for rates near one half."""


@dataclass(frozen=True, slots=True)
class Inapplicable:
    """Alternative that does not apply to a model and a table.

    Attributes
    ----------
    reason
        Reason as a clause: "the table has no column assessor".
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """Model and table under an alternative.

    Attributes
    ----------
    spec, evidence
        Model and table; unchanged ones are the same object.
    reshape
        Change to the design, or None.
    """

    spec: Spec
    evidence: Evidence
    reshape: Callable[[Design], Design] | None = None


type Edit = Callable[[Spec, Evidence], Change | Inapplicable]
"""Function from a model and a table to changed ones, or to the reason it does not apply."""


def rewritten(spec: Spec, **parts: Any) -> Spec:
    """Return a model file with some parts replaced, checked like any other.

    Raises
    ------
    SpecError
        If the new parts break a rule.
    """
    return parse_spec(spec.model_dump(by_alias=True) | parts, source=spec.name)


def every_tau(prior: Mapping[str, Any], why: str) -> Edit:
    """Return an edit that gives every heterogeneity SD this prior."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        if not spec.heterogeneity:
            return Inapplicable("the model has no SD of heterogeneity")
        terms = [term.model_dump() | {"sd_prior": dict(prior)} for term in spec.heterogeneity]
        if terms == [term.model_dump() for term in spec.heterogeneity]:
            return Inapplicable("it changes nothing: the model has this prior")
        return Change(rewritten(spec, heterogeneity=[term | {"why": why} for term in terms]), evidence)

    return edit


def first_fixed(sd: float, why: str) -> Edit:
    """Return an edit that gives the contrasts of the first fixed effect a zero-mean normal prior with this SD."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        position = next((place for place, effect in enumerate(spec.effect) if isinstance(effect, FixedEffect)), None)
        if position is None:
            return Inapplicable("the model has no fixed effect")
        effects = [effect.model_dump() for effect in spec.effect]
        prior = {"dist": "normal", "mean": 0.0, "sd": sd}
        if effects[position]["prior"] == prior:
            return Inapplicable("it changes nothing: the model has this prior")
        effects[position] |= {"prior": prior, "why": why}
        return Change(rewritten(spec, effect=effects), evidence)

    return edit


def every_effect_sd(sd: float, why: str) -> Edit:
    """Return an edit that gives the SD of every exchangeable effect a half-normal prior."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        prior = {"dist": "half_normal", "sd": sd}
        effects = [effect.model_dump() for effect in spec.effect]
        if not any("sd_prior" in effect for effect in effects):
            return Inapplicable("the model has no exchangeable effect")
        if all(effect.get("sd_prior", prior) == prior for effect in effects):
            return Inapplicable("it changes nothing: the model has this prior")
        effects = [effect | {"sd_prior": prior, "why": why} if "sd_prior" in effect else effect for effect in effects]
        return Change(rewritten(spec, effect=effects), evidence)

    return edit


def wide_intercept(sd: float, why: str) -> Edit:
    """Return an edit that gives the intercept a zero-mean normal prior with this SD."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        prior = {"dist": "normal", "mean": 0.0, "sd": sd}
        if spec.intercept.prior.model_dump() == prior:
            return Inapplicable("it changes nothing: the model has this prior")
        return Change(rewritten(spec, intercept={"prior": prior, "why": why}), evidence)

    return edit


def only(column: str, *values: str) -> Edit:
    """Return an edit that keeps the cohorts whose `column` is one of `values`."""
    return _kept(column, lambda found: found.isin(values))


def without(column: str, *values: str) -> Edit:
    """Return an edit that drops the cohorts whose `column` is one of `values`."""
    return _kept(column, lambda found: ~found.isin(values))


def level_meant(column: str, cell: str) -> str | None:
    """Return the level that a table cell means, or None for an unknown word; an empty cell stays empty.

    A user's table need not use the bundled table's words: a phase may be "I/II" or "Phase 1b/2a", an assessor "BICR".
    """
    if not cell:
        return cell
    if column == "phase":
        parts = re.split(r"[/–&,+-]|and", cell.casefold().replace("phase", ""))
        numbers = [PHASES.get(re.sub(r"[abc]$", "", part.strip()), "") for part in parts]
        return "/".join(dict.fromkeys(numbers)) if all(numbers) else None
    levels = {plain(level): level for level in LEVELS.get(column, ())}
    if not levels:
        return cell
    return (levels | SAID_OTHERWISE.get(column, {})).get(plain(cell))


def _kept(column: str, keep: "Callable[[pd.Series[str]], pd.Series[bool]]") -> Edit:
    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        if column not in evidence.frame:
            return Inapplicable(f"the table has no column {column}")
        if column in OF_RESPONDERS and not evidence.outcome.usual:
            return Inapplicable(f"the column {column} is about responders and n, which the model does not count")
        cells = evidence.frame[column]
        meant = {cell: level_meant(column, cell) for cell in cells.unique()}
        if unknown := [cell for cell, level in meant.items() if level is None]:
            verb = "is" if len(unknown) == 1 else "are"
            words = f"{listed([quoted(cell) for cell in unknown])}, which {verb} none of {', '.join(LEVELS[column])}"
            return Inapplicable(f"the column {column} has {words}")
        kept = keep(cells.map(meant).astype("str"))
        if kept.all():
            return Inapplicable("it leaves no cohort out")
        return Change(spec, evidence.part(kept.to_numpy()))

    return edit


def later_cut(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Put the count at a later data cut-off in the place of a cohort's own, where there is one."""
    if not evidence.outcome.usual:
        return Inapplicable("other data cuts are of responders and n, which the model does not count")
    later = at_later_cuts(evidence)
    if later.frame.equals(evidence.frame):
        return Inapplicable("no cohort has a count at a later data cut-off")
    return Change(spec, later)


def low_risk(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Keep the cohorts that people judged at low risk of bias overall; one that nobody judged is left out."""
    if evidence.low_risk is None:
        return Inapplicable("the table has no overall judgements of the risk of bias")
    kept = evidence.frame["cohort_id"].astype("str").isin(evidence.low_risk)
    if kept.all():
        return Inapplicable("it leaves no cohort out")
    return Change(spec, evidence.part(kept.to_numpy()))


def line_by_tki(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Define the treatment line by prior ALK TKIs alone."""
    if LINE not in spec.columns:
        return Inapplicable("the model does not read the column line")
    if PRIOR_ALK_TKI not in evidence.frame:
        return Inapplicable(f"the table has no column {PRIOR_ALK_TKI}")
    found = evidence.frame[PRIOR_ALK_TKI]
    if other := sorted(set(found) - set(LINE_BY_TKI)):
        return Inapplicable(f"the column {PRIOR_ALK_TKI} has {', '.join(map(repr, other))}, which say no line")
    line = found.map({str(tki): str(line) for tki, line in LINE_BY_TKI.items()}).astype("str")
    return Change(spec, replace(evidence, frame=evidence.frame.assign(**{LINE: line})))


def mixture(share: float) -> Edit:
    """Return an edit that makes mixed cohorts a mixture of naive patients and this share of pretreated ones."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        effect = next((effect for effect in spec.effect if effect.columns == (LINE,)), None)
        if not isinstance(effect, FixedEffect):
            return Inapplicable("the model has no fixed effect of line")
        if effect.reference == Line.MIXED:
            return Inapplicable("mixed cohorts are what the model compares others with")
        if missing := [str(line) for line in Line if line not in set(evidence.frame[LINE])]:
            return Inapplicable(f"the table has no {' and no '.join(missing)} cohorts")
        return Change(spec, evidence, reshape=lambda design: _mixed(design, share))

    return edit


def _mixed(design: Design, share: float) -> Design:
    """Return a design in which the mixed effect interpolates between the other lines, without a parameter."""
    effects = [_mixed_block(block, share) if block.columns == (LINE,) else block for block in design.effects]
    return replace(design, effects=tuple(effects))


def _mixed_block(block: EffectBlock, share: float) -> EffectBlock:
    naive, pretreated, mixed = (block.levels.index(line) for line in Line)
    basis = block.basis.copy()
    basis[mixed] = (1 - share) * basis[naive] + share * basis[pretreated]
    # The column of mixed, which loses its parameter; it is the last, as the level is.
    return replace(block, basis=np.delete(basis, mixed - 1, axis=1))


def exchangeable(probability: float) -> Edit:
    """Return an edit that gives every unit this prior probability of being exchangeable (EXNEX)."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        if isinstance(term := _exnex(spec), Inapplicable):
            return term
        changed = term.model_dump() | {"exchangeable": probability, "exchangeable_of": {}}
        if changed == term.model_dump():
            return Inapplicable("it changes nothing: the model has this probability")
        return Change(rewritten(spec, heterogeneity=[changed]), evidence)

    return edit


def own_prior(ratio: float) -> Edit:
    """Return an edit that widens the prior of a unit on its own (EXNEX) by a factor."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        if isinstance(term := _exnex(spec), Inapplicable):
            return term
        prior = term.nex_prior.model_dump() | {"sd": ratio * term.nex_prior.sd}
        return Change(rewritten(spec, heterogeneity=[term.model_dump() | {"nex_prior": prior}]), evidence)

    return edit


def all_exchangeable(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Make all units exchangeable: normal deviations with the same prior of tau."""
    if isinstance(term := _exnex(spec), Inapplicable):
        return term
    normal = {key: value for key, value in term.model_dump().items() if key in ("column", "sd_prior", "why")}
    return Change(rewritten(spec, heterogeneity=[normal | {"distribution": "normal"}]), evidence)


def _exnex(spec: Spec) -> ExnexHeterogeneity | Inapplicable:
    """Return the heterogeneity whose units may be on their own, or that the model has none."""
    term = next((term for term in spec.heterogeneity if isinstance(term, ExnexHeterogeneity)), None)
    return Inapplicable("all units of the model are exchangeable") if term is None else term


def heavy_tails(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Give Student t deviations to the cohorts, or to their groups if the model has no cohort level."""
    if not spec.heterogeneity:
        return Inapplicable("the model has no heterogeneity")
    terms = [term.model_dump() for term in spec.heterogeneity]
    term = next((term for term in terms if term["column"] == COHORT), terms[-1])
    if any(other["distribution"] == "student_t" for other in terms):
        return Inapplicable("the model has Student t deviations already")
    if any(other["distribution"] == "exnex" for other in terms):
        return Inapplicable(f"the model has EXNEX: compare {ALL_EXCHANGEABLE!r}")
    term |= {"distribution": "student_t", "nu": STUDENT_NU}
    return Change(rewritten(spec, heterogeneity=terms), evidence)


def normal_tails(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Give every heterogeneity level normal deviations."""
    terms = [term.model_dump() for term in spec.heterogeneity]
    if all(term["distribution"] == "normal" for term in terms):
        return Inapplicable("it changes nothing: all deviations of the model are normal")
    if any(term["distribution"] == "exnex" for term in terms):
        return Inapplicable(f"the model has EXNEX: compare {ALL_EXCHANGEABLE!r}")
    normal = [{key: term[key] for key in term if key != "nu"} | {"distribution": "normal"} for term in terms]
    return Change(rewritten(spec, heterogeneity=normal), evidence)


def beta_binomial(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Give cohorts beta-binomial overdispersion."""
    likelihood = spec.likelihood.model_dump()
    if likelihood["family"] == "beta_binomial":
        return Inapplicable("it changes nothing: the model is beta-binomial")
    if not isinstance(_exnex(spec), Inapplicable):
        return Inapplicable("the model has EXNEX, which goes with the binomial alone")
    terms = [term.model_dump() for term in spec.heterogeneity if term.column != COHORT]
    likelihood |= {"family": "beta_binomial", "rho_prior": RHO_PRIOR, "why": "that of the model beta-binomial"}
    return Change(rewritten(spec, likelihood=likelihood, heterogeneity=terms), evidence)


def binomial(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
    """Give cohorts normal deviations of their logits, as in the model `line-generation`."""
    if spec.likelihood.family == "binomial":
        return Inapplicable("it changes nothing: the model is binomial")
    why = "that of the model line-generation"
    cohort = {"column": COHORT, "distribution": "normal", "sd_prior": SD_PRIOR, "why": why}
    terms = [*(term.model_dump() for term in spec.heterogeneity), cohort]
    likelihood = {"family": "binomial", "link": spec.likelihood.link}
    return Change(rewritten(spec, likelihood=likelihood, heterogeneity=terms), evidence)


def link(name: str) -> Edit:
    """Return an edit that replaces the logit by another link, with equivalent priors."""

    def edit(spec: Spec, evidence: Evidence) -> Change | Inapplicable:
        likelihood = spec.likelihood.model_dump()
        if likelihood["link"] != "logit":
            return Inapplicable(f"the model has the link {likelihood['link']}, whose priors are on that scale")
        at_rate, ratio = LINKS[name]
        intercept = spec.intercept.model_dump()
        moved = intercept["prior"] | {"mean": at_rate(float(expit(intercept["prior"]["mean"])))}
        parts: dict[str, Any] = {
            "likelihood": likelihood | {"link": name},
            "intercept": intercept | {"prior": moved | {"sd": ratio * moved["sd"]}},
            "effect": [_scaled(effect.model_dump(), ratio) for effect in spec.effect],
            "heterogeneity": [_scaled(term.model_dump(), ratio) for term in spec.heterogeneity],
        }
        for term in parts["heterogeneity"]:
            if "nex_prior" in term:
                own = term["nex_prior"]
                moved = {"mean": at_rate(float(expit(own["mean"]))), "sd": ratio * own["sd"]}
                term["nex_prior"] = own | moved
        try:
            return Change(rewritten(spec, **parts), evidence)
        except SpecError:
            return Inapplicable(f"models of this version have no link {name}")

    return edit


def _scaled(part: dict[str, Any], ratio: float) -> dict[str, Any]:
    """Return an effect or term with its prior, of contrasts or of an SD, wider by a factor."""
    key = "prior" if "prior" in part else "sd_prior"
    prior = {name: ratio * value if name in ("mean", "sd") else value for name, value in part[key].items()}
    return part | {key: prior}
