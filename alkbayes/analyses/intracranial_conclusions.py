"""Conclusions on response in the brain by generation, and on their sensitivity to the prior."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from alkbayes.analyses.intracranial import GENERATION, MAIN, IntracranialAnalysis
from alkbayes.analyses.joint import PRIOR_SD, Correlation, JointFit, beside_separate, brain_less_body, sceptical
from alkbayes.estimates.headline import CONTRAST
from alkbayes.estimates.rates import posterior_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.inference.fit import Fit
from alkbayes.sensitivity_analysis.power_scaling import PowerScaling
from alkbayes.sensitivity_analysis.table import BEYOND_NOISE, MOVED
from alkbayes.text.json import records
from alkbayes.text.wording import counted, points, ratio, share_of_draws
from alkbayes.vocabulary import ALL, SETTLED, label_of

"""A direction is settled if the probability of the opposite one is below this."""
MOST_LEFT = 0.5
"""Largest ratio of posterior to prior SD at which the data are said to inform the correlation."""

type Row = Mapping[str, Any]


def record_of(found: IntracranialAnalysis) -> dict[str, Any]:
    """Return the analysis as JSON values: tables, conclusions and notes."""
    return {
        "rates": records(found.rates),
        "contrasts": records(found.contrasts),
        "power_scaling": found.scaling.as_record(),
        "left_out": found.left_out,
        "conclusions": conclusions(found),
        "notes": list(found.brain.evidence.notes),
        "caveat": ORR.not_randomised(found.brain.evidence.trials),
    }


def joint_record_of(found: JointFit, brain: Fit) -> dict[str, Any]:
    """Return the joint fit as JSON values, beside the intracranial model alone."""
    beside, gap = beside_separate(found, posterior_of(brain)), brain_less_body(found)
    return {
        "correlation": asdict(found.correlation),
        "correlation_lkj2": sceptical(found.draws.rho, prob=found.interval_prob),
        "diagnostics": found.diagnostics.as_record(),
        "settings": asdict(found.settings),
        "beside_separate": records(beside),
        "brain_less_body": records(gap),
        "conclusions": joint_conclusions(found, beside, gap),
    }


def conclusions(found: IntracranialAnalysis) -> list[str]:
    """Return the answer, the sensitivity of each contrast, the power-scaling, and the evidence behind it all."""
    differences = found.contrasts[found.contrasts["scale"] == "risk_difference"]
    if differences.empty:
        return ["The cohorts with intracranial counts are of one generation: there is nothing to compare."]
    ratios = found.contrasts[(found.contrasts["scale"] == "odds_ratio") & (found.contrasts["alternative"] == MAIN)]
    odds = {row["contrast"]: row for row in records(ratios)}
    said = [_answer(records(differences))]
    for contrast, found_rows in differences.groupby("contrast", sort=False):
        rows = records(found_rows)
        said.append(_hangs_on(rows, odds[str(contrast)]))
        said += _other_evidence(rows)
    said.append(_power_scaled(found.scaling))
    said += [f'Not fitted, "{name}": {reason}.' for name, reason in found.left_out.items()]
    return [*said, *found.carried_by]


def joint_conclusions(found: JointFit, beside: pd.DataFrame, gap: pd.DataFrame) -> list[str]:
    """Return the evidence for the correlation, its effect on the intracranial results, and its limits.

    `beside` and `gap` come from :func:`alkbayes.analyses.joint.beside_separate` and
    :func:`alkbayes.analyses.joint.brain_less_body`.
    """
    rho, generation = found.correlation, label_of(GENERATION)
    said = [
        (
            f"Correlation of the deviations: uniform on −1 to 1 before (SD {PRIOR_SD:.2f}); after, "
            f"{_figure(rho.median)} ({_figure(rho.low)} to {_figure(rho.high)}), SD {rho.sd:.2f}, {rho.sd_ratio:.2f} "
            f"of the prior's; probability that it is above 0 {probability_text(rho.prob_positive)}; "
            f"{rho.information:.2f} nats from the prior."
        ),
        _sceptical(sceptical(found.draws.rho, prob=found.interval_prob)),
        carried(rho, cohorts=len(found.joint.second.cohorts)),
        _consequences(records(beside)),
    ]
    said += [
        f"{row['level']} in the joint model: difference of means {_interval(row, 'median')}, probability that "
        f"{row['first']} is better {probability_text(row['prob_better'])}, "
        f"{probability_text(row['separate_prob_better'])} in the intracranial model alone."
        for row in records(beside)
        if row["measure"] == "risk_difference" and row["group"] == generation
    ]
    said += [
        f"Brain against body, {row['level']}: {100 * row['intracranial']:.0f} % against {100 * row['systemic']:.0f} %, "
        f"{_interval(row, 'difference')}; probability that the brain's rate is higher "
        f"{probability_text(row['prob_higher'])}."
        for row in records(gap)
        if row["group"] in (ALL, generation)
    ]
    return [*said, _overlap(found)]


def settled(probability: float) -> bool:
    """Return True if a direction with this probability is settled, either way."""
    return min(probability, 1 - probability) < 1 - SETTLED


def probability_text(probability: float) -> str:
    """Return a probability for a reader, never as exactly 0 or 1: draws cannot show that."""
    return share_of_draws(probability).replace("< ", "below ").replace("> ", "above ")


def carried(rho: Correlation, *, cohorts: int) -> str:
    """Return whether the data inform the correlation: sign settled, and less than half of the prior SD left."""
    if settled(rho.prob_positive) and rho.sd_ratio < MOST_LEFT:
        way = "with" if rho.prob_positive > 1 - SETTLED else "against"
        return (
            f"The data carry it: {cohorts} cohorts with both counts settle that intracranial deviations go {way} "
            "systemic ones, and leave less than half of the prior's SD."
        )
    why = [] if settled(rho.prob_positive) else ["its sign is not settled"]
    why += [] if rho.sd_ratio < MOST_LEFT else [f"{100 * rho.sd_ratio:.0f} % of the prior's SD is left"]
    return (
        f"The data cannot carry it: with {counted(cohorts, 'cohort')} that {'has' if cohorts == 1 else 'have'} "
        f"both counts, {' and '.join(why)}. Take the "
        "intracranial model alone."
    )


def _answer(differences: Sequence[Row]) -> str:
    """Return the answer under the model's own priors, and the number of contrasts on which every prior agrees."""
    main = [row for row in differences if row["alternative"] == MAIN]
    each = ", ".join(f"{row['first']} than {row['second']} {probability_text(row['prob_better'])}" for row in main)
    by_main = [row["contrast"] for row in main if settled(row["prob_better"])]
    always = [
        row["contrast"]
        for row in main
        if all(
            settled(other["prob_better"])
            for other in differences
            if other["of_prior"] and other["contrast"] == row["contrast"]
        )
    ]
    close = [row["contrast"] for row in main if _close(row)]
    return (
        f"Do later generations do better in the brain? Probability that a generation does better: {each}. Settled "
        f"(above {SETTLED:g} either way) under the model's own priors: {_listed(by_main)}; under every prior tried: "
        f"{_listed(always)}.{f' Within Monte Carlo error of that limit: {_listed(close)}.' if close else ''}"
    )


def _close(row: Row) -> bool:
    """Return True if more draws might change whether the direction is settled."""
    least = min(row["prob_better"], 1 - row["prob_better"])
    return bool(abs(least - (1 - SETTLED)) < BEYOND_NOISE * row["mcse_prob"])


def _hangs_on(rows: Sequence[Row], odds: Row) -> str:
    """Return a contrast under the model's own and the other priors, and whether the difference matters."""
    (main,) = [row for row in rows if row["alternative"] == MAIN]
    others = [row for row in rows if row["of_prior"] and row["alternative"] != MAIN]
    start = (
        f"{main['contrast']}: difference of means {_interval(main, 'median')}, odds ratio {ratio(odds)}, "
        f"probability that {main['first']} is better "
        f"{probability_text(main['prob_better'])}"
    )
    if not others:
        return f"{start}. No other prior could be fitted."
    lowest, highest = (of(row["prob_better"] for row in others) for of in (min, max))
    start = f"{start}; {probability_text(lowest)} to {probability_text(highest)} by {len(others)} other priors."
    reasons = []
    was = settled(main["prob_better"])
    # A sign that is not settled cannot change.
    if was and (reversed_ := [row for row in others if row["median"] * main["median"] < 0]):
        reasons.append(f"the difference changes sign with {_named(reversed_)}")
    if changed := [row for row in others if settled(row["prob_better"]) != was]:
        reasons.append(f"its direction {'is no longer' if was else 'is'} settled with {_named(changed)}")
    if moving := [row for row in others if _moved(row, main)]:
        most = max(moving, key=lambda row: abs(row["median"] - main["median"]))
        shift = most["median"] - main["median"]
        reasons.append(
            f"{len(moving)} of {len(others)} priors {'moves' if len(moving) == 1 else 'move'} the difference by more "
            f"than half an SD, most {_named([most])}, by {points(shift)} points ({abs(shift) / main['sd']:.1f} SD)"
        )
    if reasons:
        return f"{start} The prior matters: {'; '.join(reasons)}."
    return (
        f"{start} The prior does not matter: its direction is {'settled' if was else 'not settled'} with every one, "
        "and none moves the difference by more than half an SD."
    )


def _moved(row: Row, main: Row) -> bool:
    """Return True if another prior moves the median by more than half an SD and more than Monte Carlo error."""
    noise = BEYOND_NOISE * float(np.hypot(row["mcse_median"], main["mcse_median"]))
    return bool(abs(row["median"] - main["median"]) > max(MOVED * main["sd"], noise))


def _other_evidence(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the contrast with cohorts left out."""
    for row in rows:
        if not row["of_prior"]:
            yield (
                f"{row['contrast']}, {row['alternative']}: {_interval(row, 'median')}, probability "
                f"{probability_text(row['prob_better'])}, from {counted(row['cohorts'], 'cohort')}."
            )


def _power_scaled(scaling: PowerScaling) -> str:
    """Return the priors flagged by power-scaling for the contrasts between generations."""
    contrasts = [
        found
        for found in scaling.sensitivities
        if found.number.table == CONTRAST and found.number.group == label_of(GENERATION)
    ]
    limit = f"threshold {scaling.threshold:.2f}"
    flagged = [found for found in contrasts if found.responsible]
    if not flagged:
        most = max((found.prior for found in contrasts), default=0.0)
        return (
            f"Power-scaling, which changes the priors a little, flags none (sensitivity at most {most:.2f}, {limit})."
        )
    each = "; ".join(
        f"{found.number.level}: {found.diagnosis}, by the prior of {_listed(found.responsible)}" for found in flagged
    )
    return f"Power-scaling, which changes the priors a little, flags {each} ({limit})."


def _sceptical(found: Mapping[str, float]) -> str:
    """Return the correlation under a prior that favours 0."""
    return (
        f"With a prior that leans to 0, LKJ(2), {_figure(found['median'])} ({_figure(found['low'])} to "
        f"{_figure(found['high'])}), probability {probability_text(found['prob_positive'])}."
    )


def _consequences(beside: Sequence[Row]) -> str:
    """Return how far the intracranial estimates move, and whether they become more precise."""
    moved = [row for row in beside if abs(row["shift_in_sds"]) > MOVED]
    largest = max(beside, key=lambda row: abs(row["shift_in_sds"]))
    widths = [row["width_ratio"] for row in beside]
    pair = [level for level in (largest["first_level"], largest["second_level"]) if level is not None]
    name = "overall" if largest["group"] == ALL else " ".join(pair) or largest["level"]
    return (
        f"Against the intracranial model alone, {len(moved)} of {len(beside)} intracranial numbers move by more than "
        f"half an SD, most {name}, {largest['measure'].replace('_', ' ')}, by {_figure(largest['shift_in_sds'])} SD; "
        f"intervals are {min(widths):.2f} to {max(widths):.2f} times as wide, {np.median(widths):.2f} in the middle."
    )


def _overlap(found: JointFit) -> str:
    """Return the consequence of the same patients being in both counts.

    If m of n patients are in both, and phi is the correlation of the two responses of a patient, the sampling
    correlation of the observed rates is phi sqrt(m / n).
    """
    joint = found.joint
    n = joint.first.n[joint.cohort_of]
    share = np.median(np.sqrt(np.minimum(joint.second.n / n, 1.0)))
    return (
        f"The {joint.second.n.sum():,.0f} patients with brain lesions are among the {n.sum():,.0f} of the systemic "
        "counts of their cohorts, and the model takes the two counts as independent given a cohort's rates. Its "
        "correlation is of trials and cohorts, not of patients: whether a patient who responds in the body does so in "
        "the brain cannot be read from two counts. Where patients do, chance errors of the two rates go together, in "
        f"the middle cohort with {share:.2f} times the correlation within patients, and some of the correlation above "
        "may be that."
    )


def _interval(row: Row, middle: str) -> str:
    return f"{points(row[middle])} points ({points(row['low'])} to {points(row['high'])})"


def _figure(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _named(rows: Sequence[Row]) -> str:
    return _listed([f'"{row["alternative"]}"' for row in rows])


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
