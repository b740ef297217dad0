"""Alternative analyses as data: priors, evidence and models, each with a reviewer's question.

An alternative that does not apply to a model and a table gives the reason.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from alkbayes.alk.levels import Line
from alkbayes.model.design import Design, build_design
from alkbayes.sensitivity_analysis import edits
from alkbayes.sensitivity_analysis.edits import Edit, Inapplicable
from alkbayes.spec.schema import ExnexHeterogeneity, FixedEffect

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

LEAST_COHORTS = 3
"""Cohorts that an alternative must leave of a table with at least as many; smaller tables are kept whole or skipped."""


class Family(StrEnum):
    """Part of the analysis that an alternative changes."""

    PRIOR = "prior"
    EVIDENCE = "evidence"
    MODEL = "model"


FAMILY_NAMES = {Family.PRIOR: "other priors", Family.EVIDENCE: "other evidence", Family.MODEL: "other models"}
"""Family names in display order."""


@dataclass(frozen=True, slots=True)
class AlternativeAnalysis:
    """Analysis that replaces the main one.

    Attributes
    ----------
    spec, evidence
        Checked model and table.
    design
        The model laid over the table, with changes that no model file can express.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design


@dataclass(frozen=True, slots=True)
class Alternative:
    """Alternative choice of priors, evidence or model.

    Attributes
    ----------
    name
        Unique row label.
    family
        Part of the analysis that changes.
    change
        Description of the change.
    why
        Reviewer's question behind it.
    edit
        Function from the main model and table to the changed ones.
    column
        Column of the table that it is about, if any: a table without it is not asked.
    of_responses
        Whether it is about how responses were counted: another outcome is not asked.
    of_exnex
        Whether it is about units that may be on their own: a model without these is not asked.
    of_cuts
        Whether it needs other counts of the cohorts: a table without these is not asked.
    of_judgements
        Whether it needs overall judgements of the risk of bias: a table without these is not asked.
    assumed
        Levels whose numbers follow from the assumption itself rather than from data.
    """

    name: str
    family: Family
    change: str
    why: str
    edit: Edit
    column: str | None = None
    of_responses: bool = False
    of_exnex: bool = False
    of_cuts: bool = False
    of_judgements: bool = False
    assumed: tuple[str, ...] = ()

    def concerns(self, spec: "Spec", evidence: "Evidence") -> bool:
        """Return whether the question makes sense for a model, and for a table and its outcome."""
        has = self.column is None or self.column in evidence.frame
        if self.of_exnex and not any(isinstance(term, ExnexHeterogeneity) for term in spec.heterogeneity):
            return False
        if (self.of_cuts and evidence.cuts is None) or (self.of_judgements and evidence.low_risk is None):
            return False
        return has and (evidence.outcome.of_response or not self.of_responses)


def _tau_alternative(name: str, dist: dict[str, str | float], why: str) -> Alternative:
    return Alternative(
        f"tau {name}",
        Family.PRIOR,
        f"every SD of the heterogeneity has the prior {name}",
        why,
        edits.every_tau(dist, why),
    )


def _line_alternative(sd: float, why: str) -> Alternative:
    change = f"the differences of the first fixed effect have the prior normal(0, {sd:g})"
    return Alternative(f"differences normal {sd:g}", Family.PRIOR, change, why, edits.first_fixed(sd, why))


def _effect_sd_alternative(sd: float, why: str) -> Alternative:
    change = f"the SD of every exchangeable effect has the prior half-normal({sd:g})"
    return Alternative(f"effect SD {sd:g}", Family.PRIOR, change, why, edits.every_effect_sd(sd, why))


def _mixture_alternative(share: float) -> Alternative:
    percent = f"{100 * share:.0f} %"
    return Alternative(
        f"mixed {percent} pretreated",
        Family.EVIDENCE,
        f"a mixed cohort's logit lies {percent} of the way from naive to pretreated: an approximation, since patients "
        "mix on the scale of rates",
        "Do mixed cohorts, which say little of either line, need a parameter of their own?",
        edits.mixture(share),
        column="line",
        assumed=(Line.MIXED,),
    )


def _exchangeable_alternative(probability: float, why: str) -> Alternative:
    change = f"each unit is exchangeable with a prior probability of {probability:g} (EXNEX)"
    edit = edits.exchangeable(probability)
    return Alternative(f"exchangeable {probability:g}", Family.PRIOR, change, why, edit, of_exnex=True)


def _own_prior_alternative(ratio: float, how: str, why: str) -> Alternative:
    change = f"the prior of a unit on its own is {how} as wide (EXNEX)"
    return Alternative(f"own prior {how} as wide", Family.PRIOR, change, why, edits.own_prior(ratio), of_exnex=True)


ALTERNATIVES: tuple[Alternative, ...] = (
    _tau_alternative(
        "half-normal 0.25", {"dist": "half_normal", "sd": 0.25}, "Would a prior for like cohorts pool more?"
    ),
    _tau_alternative("half-normal 0.5", {"dist": "half_normal", "sd": 0.5}, "What does the usual prior give?"),
    _tau_alternative(
        "half-normal 1", {"dist": "half_normal", "sd": 1.0}, "Would a prior for unlike cohorts pool less?"
    ),
    _tau_alternative(
        "half-t 4, 0.5", {"dist": "half_student_t", "nu": 4.0, "sd": 0.5}, "Does the prior's light tail hold tau down?"
    ),
    _tau_alternative(
        "half-Cauchy 0.5", {"dist": "half_student_t", "nu": 1.0, "sd": 0.5}, "Does a prior with no mean change tau?"
    ),
    _tau_alternative(
        "exponential 0.5", {"dist": "exponential", "mean": 0.5}, "Does it matter that the prior is flat near zero?"
    ),
    _line_alternative(0.5, "Does a sceptical prior shrink the difference?"),
    _line_alternative(1.0, "What does the usual prior give?"),
    _line_alternative(2.0, "Does the prior shrink the difference?"),
    _effect_sd_alternative(0.25, "Would a prior for like levels pool them more?"),
    _effect_sd_alternative(0.5, "What does the usual prior give?"),
    _effect_sd_alternative(1.0, "Does the prior pool levels that differ?"),
    _exchangeable_alternative(0.25, "Would less trust in exchangeability borrow less?"),
    _exchangeable_alternative(0.5, "What does the usual probability give?"),
    _exchangeable_alternative(0.75, "Would more trust in exchangeability borrow more?"),
    _own_prior_alternative(0.5, "half", "Does a unit on its own depend on how vague its prior is?"),
    _own_prior_alternative(2.0, "twice", "Does a vague prior of its own make a unit exchangeable?"),
    Alternative(
        "intercept normal 3",
        Family.PRIOR,
        "the intercept has the prior normal(0, 3)",
        "Does the prior of the rate itself matter?",
        edits.wide_intercept(3.0, "all rates but the most extreme"),
    ),
    Alternative(
        "independent review",
        Family.EVIDENCE,
        "cohorts with assessor irc",
        "Do investigators see more responses?",
        edits.only("assessor", "irc"),
        column="assessor",
        of_responses=True,
    ),
    Alternative(
        "intention to treat",
        Family.EVIDENCE,
        "cohorts with analysis_set itt",
        "Do evaluable patients respond more often?",
        edits.only("analysis_set", "itt"),
        column="analysis_set",
        of_responses=True,
    ),
    Alternative(
        "stated counts",
        Family.EVIDENCE,
        "cohorts with count_basis stated",
        "Do counts that were worked out from percentages matter?",
        edits.only("count_basis", "stated"),
        column="count_basis",
    ),
    Alternative(
        "confirmed responses",
        Family.EVIDENCE,
        "cohorts with confirmed yes",
        "Do responses that need no confirmation matter?",
        edits.only("confirmed", "yes"),
        column="confirmed",
        of_responses=True,
    ),
    Alternative(
        "no phase 1",
        Family.EVIDENCE,
        "cohorts of phase 1 left out",
        "Do cohorts of dose finding matter?",
        edits.without("phase", "1"),
        column="phase",
    ),
    Alternative(
        "no phase 1 or 1/2",
        Family.EVIDENCE,
        "cohorts of phase 1 and 1/2 left out",
        "Do small early trials matter?",
        edits.without("phase", "1", "1/2"),
        column="phase",
    ),
    Alternative(
        "high certainty",
        Family.EVIDENCE,
        "cohorts with certainty high",
        "Do second-hand, interim or assumed figures matter?",
        edits.only("certainty", "high"),
        column="certainty",
    ),
    Alternative(
        "low risk of bias",
        Family.EVIDENCE,
        "cohorts judged at low risk of bias overall",
        "Do cohorts at a higher risk of bias, or that nobody judged, matter?",
        edits.low_risk,
        of_judgements=True,
    ),
    Alternative(
        "later cut",
        Family.EVIDENCE,
        "the count at a later data cut-off in place of the primary one, where there is one",
        "Do results depend on which analysis of a trial is taken?",
        edits.later_cut,
        of_cuts=True,
    ),
    Alternative(
        "mixed lines left out",
        Family.EVIDENCE,
        "cohorts with line mixed left out",
        "Do cohorts that mix lines matter to the rest?",
        edits.without("line", "mixed"),
        column="line",
    ),
    *(_mixture_alternative(share) for share in (0.25, 0.5, 0.75)),
    Alternative(
        "line by prior TKI",
        Family.EVIDENCE,
        "naive is no prior ALK TKI, pretreated any, mixed some patients; chemotherapy does not count",
        "Is it the prior ALK TKI, or any prior therapy?",
        edits.line_by_tki,
        column="prior_alk_tki",
    ),
    Alternative(
        "Student t cohorts",
        Family.MODEL,
        f"cohorts' deviations are Student t with {edits.STUDENT_NU:g} degrees of freedom",
        "Do a few outlying cohorts drive the result?",
        edits.heavy_tails,
    ),
    Alternative(
        "normal deviations",
        Family.MODEL,
        "all deviations are normal",
        "Do the heavy tails of the model matter?",
        edits.normal_tails,
    ),
    Alternative(
        edits.ALL_EXCHANGEABLE,
        Family.MODEL,
        "no unit is on its own: the deviations of all are normal",
        "Does it matter that units may be on their own (EXNEX)?",
        edits.all_exchangeable,
        of_exnex=True,
    ),
    Alternative(
        "beta-binomial",
        Family.MODEL,
        "cohorts' rates are beta distributed about their trial's",
        "Does the normal distribution of logits matter?",
        edits.beta_binomial,
    ),
    Alternative(
        "binomial",
        Family.MODEL,
        "cohorts' logits are normally distributed about their trial's",
        "Does the beta distribution of rates matter?",
        edits.binomial,
    ),
    *(
        Alternative(
            f"{link} link",
            Family.MODEL,
            f"the model stands on the {link} scale, its priors with it",
            "Does the logit scale matter?",
            edits.link(link),
        )
        for link in edits.LINKS
    ),
)
"""Every alternative, in the order of the table."""

BY_NAME = {alternative.name: alternative for alternative in ALTERNATIVES}


def apply(alternative: Alternative, spec: "Spec", evidence: "Evidence") -> AlternativeAnalysis | Inapplicable:
    """Return an alternative applied to the main model and table, or why it does not apply.

    It does not apply if the table lacks a column, if nothing changes, or if it leaves too little: fewer than three
    cohorts, one level of an effect, or no cohort of a reference level.
    """
    changed = alternative.edit(spec, evidence)
    if isinstance(changed, Inapplicable):
        return changed
    if changed.spec == spec and changed.reshape is None and changed.evidence.frame.equals(evidence.frame):
        what = "table" if alternative.family is Family.EVIDENCE else "model"
        return Inapplicable(f"it changes nothing: the {what} is like this already")
    if why := _too_little(changed.spec, before=evidence.frame, after=changed.evidence.frame):
        return Inapplicable(why)
    design = build_design(changed.spec, changed.evidence)
    return AlternativeAnalysis(
        changed.spec, changed.evidence, design if changed.reshape is None else changed.reshape(design)
    )


def _too_little(spec: "Spec", *, before: "pd.DataFrame", after: "pd.DataFrame") -> str:
    """Return why an alternative leaves too little, else an empty string."""
    if len(after) < (least := min(LEAST_COHORTS, len(before))):
        return f"it leaves {len(after)} of {len(before)} cohorts, fewer than {least}"
    for effect in spec.effect:
        for column in effect.columns:
            had, left = set(before[column]), set(after[column])
            if len(left) == 1 < len(had):
                return f"it leaves cohorts of one {column} alone, {next(iter(left))}: nothing to compare"
            if isinstance(effect, FixedEffect) and effect.reference in had - left:
                return f"it leaves no cohort with {column} {effect.reference}, the level that others are compared with"
    return ""
