"""Other readings of an analysis, as data: other priors, evidence and models, each with why a reviewer would ask.

One that says nothing about a model and a table gives the reason.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from alkbayes.model.design import Design, build_design
from alkbayes.sensitivity import edits as changes
from alkbayes.sensitivity.edits import Inapplicable, Maker
from alkbayes.spec.schema import FixedEffect
from alkbayes.vocabulary import Line

if TYPE_CHECKING:
    import pandas as pd

    from alkbayes.evidence.table import Evidence
    from alkbayes.spec.schema import Spec

LEAST_COHORTS = 3
"""That a reading must leave of a table that has so many; a smaller table is read as a whole, or not at all."""


class Family(StrEnum):
    """What a reading changes."""

    PRIOR = "prior"
    EVIDENCE = "evidence"
    MODEL = "model"


FAMILY_NAMES = {Family.PRIOR: "other priors", Family.EVIDENCE: "other evidence", Family.MODEL: "other models"}
"""What the readings of a family are called together, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Variation:
    """What is fitted in place of the main analysis.

    Attributes
    ----------
    spec, evidence
        Both checked.
    design
        The model laid over the table, with what no model file can say.
    """

    spec: "Spec"
    evidence: "Evidence"
    design: Design


@dataclass(frozen=True, slots=True)
class Reading:
    """Another way to read the evidence, or to model it.

    Attributes
    ----------
    name
        What its row is called, unique.
    family
        What it changes.
    change
        What exactly.
    why
        The question of a reviewer that it answers.
    make
        From the main model and table to the changed ones.
    assumed
        Levels whose numbers follow from what is assumed of them, so that they are no finding.
    """

    name: str
    family: Family
    change: str
    why: str
    make: Maker
    assumed: tuple[str, ...] = ()


def _tau_reading(name: str, dist: dict[str, str | float], why: str) -> Reading:
    return Reading(
        f"tau {name}",
        Family.PRIOR,
        f"every SD of the heterogeneity has the prior {name}",
        why,
        changes.every_tau(dist, why),
    )


def _line_reading(sd: float, why: str) -> Reading:
    change = f"the differences of the first fixed effect have the prior normal(0, {sd:g})"
    return Reading(f"differences normal {sd:g}", Family.PRIOR, change, why, changes.first_fixed(sd, why))


def _effect_sd_reading(sd: float, why: str) -> Reading:
    change = f"the SD of every exchangeable effect has the prior half-normal({sd:g})"
    return Reading(f"effect SD {sd:g}", Family.PRIOR, change, why, changes.every_effect_sd(sd, why))


def _mixture_reading(share: float) -> Reading:
    percent = f"{100 * share:.0f} %"
    return Reading(
        f"mixed {percent} pretreated",
        Family.EVIDENCE,
        f"a mixed cohort's logit lies {percent} of the way from naive to pretreated: an approximation, since patients "
        "mix on the scale of rates",
        "Do mixed cohorts, which say little of either line, need a parameter of their own?",
        changes.mixture(share),
        assumed=(Line.MIXED,),
    )


READINGS: tuple[Reading, ...] = (
    _tau_reading("half-normal 0.25", {"dist": "half_normal", "sd": 0.25}, "Would a prior for like cohorts pool more?"),
    _tau_reading("half-normal 0.5", {"dist": "half_normal", "sd": 0.5}, "What does the usual prior give?"),
    _tau_reading("half-normal 1", {"dist": "half_normal", "sd": 1.0}, "Would a prior for unlike cohorts pool less?"),
    _tau_reading(
        "half-t 4, 0.5", {"dist": "half_student_t", "nu": 4.0, "sd": 0.5}, "Does the prior's light tail hold tau down?"
    ),
    _tau_reading(
        "half-Cauchy 0.5", {"dist": "half_student_t", "nu": 1.0, "sd": 0.5}, "Does a prior with no mean change tau?"
    ),
    _tau_reading(
        "exponential 0.5", {"dist": "exponential", "mean": 0.5}, "Does it matter that the prior is flat near zero?"
    ),
    _line_reading(0.5, "Does a sceptical prior shrink the difference?"),
    _line_reading(1.0, "What does the usual prior give?"),
    _line_reading(2.0, "Does the prior shrink the difference?"),
    _effect_sd_reading(0.25, "Would a prior for like levels pool them more?"),
    _effect_sd_reading(0.5, "What does the usual prior give?"),
    _effect_sd_reading(1.0, "Does the prior pool levels that differ?"),
    Reading(
        "intercept normal 3",
        Family.PRIOR,
        "the intercept has the prior normal(0, 3)",
        "Does the prior of the rate itself matter?",
        changes.wide_intercept(3.0, "all rates but the most extreme"),
    ),
    Reading(
        "independent review",
        Family.EVIDENCE,
        "cohorts with assessor irc",
        "Do investigators see more responses?",
        changes.only("assessor", "irc"),
    ),
    Reading(
        "intention to treat",
        Family.EVIDENCE,
        "cohorts with analysis_set itt",
        "Do evaluable patients respond more often?",
        changes.only("analysis_set", "itt"),
    ),
    Reading(
        "stated counts",
        Family.EVIDENCE,
        "cohorts with count_basis stated",
        "Do counts that were worked out from percentages matter?",
        changes.only("count_basis", "stated"),
    ),
    Reading(
        "confirmed responses",
        Family.EVIDENCE,
        "cohorts with confirmed yes",
        "Do responses that need no confirmation matter?",
        changes.only("confirmed", "yes"),
    ),
    Reading(
        "no phase 1",
        Family.EVIDENCE,
        "cohorts of phase 1 left out",
        "Do cohorts of dose finding matter?",
        changes.without("phase", "1"),
    ),
    Reading(
        "no phase 1 or 1/2",
        Family.EVIDENCE,
        "cohorts of phase 1 and 1/2 left out",
        "Do small early trials matter?",
        changes.without("phase", "1", "1/2"),
    ),
    Reading(
        "high certainty",
        Family.EVIDENCE,
        "cohorts with certainty high",
        "Do second-hand, interim or assumed figures matter?",
        changes.only("certainty", "high"),
    ),
    Reading(
        "mixed lines left out",
        Family.EVIDENCE,
        "cohorts with line mixed left out",
        "Do cohorts that mix lines matter to the rest?",
        changes.without("line", "mixed"),
    ),
    *(_mixture_reading(share) for share in (0.25, 0.5, 0.75)),
    Reading(
        "line by prior TKI",
        Family.EVIDENCE,
        "naive is no prior ALK TKI, pretreated any, mixed some patients; chemotherapy does not count",
        "Is it the prior ALK TKI, or any prior therapy?",
        changes.line_by_tki,
    ),
    Reading(
        "Student t cohorts",
        Family.MODEL,
        f"cohorts' deviations are Student t with {changes.STUDENT_NU:g} degrees of freedom",
        "Do a few odd cohorts drive the result?",
        changes.heavy_tails,
    ),
    Reading(
        "normal deviations",
        Family.MODEL,
        "all deviations are normal",
        "Do the heavy tails of the model matter?",
        changes.normal_tails,
    ),
    Reading(
        "beta-binomial",
        Family.MODEL,
        "cohorts' rates are beta distributed about their trial's",
        "Does the normal distribution of logits matter?",
        changes.beta_binomial,
    ),
    Reading(
        "binomial",
        Family.MODEL,
        "cohorts' logits are normally distributed about their trial's",
        "Does the beta distribution of rates matter?",
        changes.binomial,
    ),
    *(
        Reading(
            f"{link} link",
            Family.MODEL,
            f"the model stands on the {link} scale, its priors with it",
            "Does the logit scale matter?",
            changes.link(link),
        )
        for link in changes.LINKS
    ),
)
"""Every other reading, in the order of the table."""

BY_NAME = {reading.name: reading for reading in READINGS}


def vary(reading: Reading, spec: "Spec", evidence: "Evidence") -> Variation | Inapplicable:
    """Return what a reading makes of a model and a table, or why it says nothing about them.

    Parameters
    ----------
    reading
        One of :data:`READINGS`.
    spec, evidence
        The main analysis.

    Returns
    -------
    Variation or Inapplicable
        The latter where the table lacks what it reads, where it changes nothing, and where it leaves out all but one or
        two cohorts, all but one level of an effect, or all cohorts of a reference level.
    """
    changed = reading.make(spec, evidence)
    if isinstance(changed, Inapplicable):
        return changed
    if changed.spec == spec and changed.reshape is None and changed.evidence.frame.equals(evidence.frame):
        what = "table" if reading.family is Family.EVIDENCE else "model"
        return Inapplicable(f"it changes nothing: the {what} is like this already")
    if why := _too_little(changed.spec, before=evidence.frame, after=changed.evidence.frame):
        return Inapplicable(why)
    design = build_design(changed.spec, changed.evidence)
    return Variation(changed.spec, changed.evidence, design if changed.reshape is None else changed.reshape(design))


def _too_little(spec: "Spec", *, before: "pd.DataFrame", after: "pd.DataFrame") -> str:
    """Return why what a reading leaves is too little; empty if it is not."""
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
