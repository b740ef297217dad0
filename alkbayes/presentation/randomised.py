"""Randomised evidence for readers: contrasts within trials, their consistency, and what single arms suggest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, Title, not_converged
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import counted, level_text, p_value, ratio_figure
from alkbayes.vocabulary import label_of

if TYPE_CHECKING:
    from alkbayes.randomised.analysis import OutcomeRecord, RandomisedRecord

BUNDLED = "bundled"
TITLES = {"odds_ratio": "Response: odds ratios", "hazard_ratio": "Progression-free survival: hazard ratios"}
PLAIN_TITLES = {"odds_ratio": "Odds ratios", "hazard_ratio": "Hazard ratios"}
NAMES = {"odds_ratio": "odds ratio", "hazard_ratio": "hazard ratio"}
ONE = "*"
"""Mark of direct evidence from a single trial."""
DISAGREE = 0.05
"""Posterior probability, two-sided, below which direct and indirect evidence are said to disagree."""
LEAST_SHARE = 0.01
COMMON = "common"


def randomised_parts(record: "RandomisedRecord") -> tuple[Part, ...]:
    """Return the results on randomised trials."""
    bundled = record["table"]["source"] == BUNDLED
    return (
        *not_converged(record["failures"]),
        Sentence(f"Randomised trials: {record['table']['source']}; treatments by {_by(record)}."),
        *map(Sentence, record["notes"]),
        Sentence(_model(record)),
        *(part for outcome in record["outcomes"] for part in _outcome(record, outcome, bundled=bundled)),
    )


def pair_name(row: Row) -> str:
    """Return a contrast's name, such as "second vs first"."""
    return f"{shown(row['first'])} vs {shown(row['second'])}"


def outcome_title(measure: str, *, bundled: bool) -> str:
    """Return the title of an outcome; a table of one's own does not say what its ratios are of."""
    return (TITLES if bundled else PLAIN_TITLES)[measure]


def _by(record: "RandomisedRecord") -> str:
    return shown(label_of(record["by"]).replace("_", " "))


def _model(record: "RandomisedRecord") -> str:
    """Return a sentence on the effects and the priors."""
    priors = record["priors"]
    vague = f"effects normal with SD {priors['effect_sd']:g}, baselines with SD {priors['baseline_sd']:g}"
    if record["effects"] == COMMON:
        return f"Effects are common to all trials. Priors: {vague}, on the log scale."
    return (
        f"Random effects: trials of the same treatments differ with SD tau. Priors: tau {priors['tau']}, {vague}, all "
        "on the log scale."
    )


def _outcome(record: "RandomisedRecord", outcome: "OutcomeRecord", *, bundled: bool) -> Iterator[Part]:
    yield Title(outcome_title(outcome["measure"], bundled=bundled))
    trials = {name for row in outcome["edges"] for name in row["names"].split("; ")}
    patients = sum(row["patients"] or 0 for row in outcome["nodes"])
    known = all(row["patients"] is not None for row in outcome["nodes"])
    yield Sentence(f"{counted(len(trials), 'trial')}{f', {int(patients):,} patients' if known else ''}.")
    yield from map(Sentence, outcome["notes"])
    if len({row["lines"].partition(" ")[2] for row in outcome["edges"]}) > 1:
        of = "; ".join(f"{pair_name(row)} {row['lines']}" for row in outcome["edges"])
        yield Sentence(f"Trials by line: {of}. Effects are taken to be the same in all.")
    yield from _spread(record, outcome)
    yield from _disagreement(record, outcome)
    yield _contrasts(record, outcome)
    yield _classical(record, outcome)
    if outcome["consistency"]:
        yield _consistency(outcome)
    else:
        yield Sentence("No pair has both direct and indirect evidence, so their consistency cannot be checked.")
    if outcome["single_arms"]:
        yield _single_arms(record, outcome)
    elif bundled:
        yield Sentence(
            "Single arms: medians are modelled by class, not by agent, so that they suggest no hazard ratio here."
        )


def _spread(record: "RandomisedRecord", outcome: "OutcomeRecord") -> Iterator[Part]:
    """Yield the SD between trials, with what estimated it."""
    if record["effects"] == COMMON:
        return
    posterior, classical = outcome["heterogeneity"]
    interval = f"{ratio_figure(posterior['low'])}–{ratio_figure(posterior['high'])}"
    log = f"log {NAMES[outcome['measure']]}s"
    yield Sentence(
        f"SD between trials, of {log}: {ratio_figure(posterior['median'])} ({interval}); by "
        f"{classical['method']} {ratio_figure(classical['median'])}."
    )
    if not outcome["replicated"]:
        yield Sentence(
            "No comparison is made twice, so that the SD between trials rests on its prior alone.", strong=True
        )


def _disagreement(record: "RandomisedRecord", outcome: "OutcomeRecord") -> Iterator[Part]:
    """Yield a warning if direct and indirect evidence of a pair disagree."""
    pairs = [row for row in outcome["consistency"] if row["p"] < DISAGREE]
    if not pairs:
        return
    classes = record["table"]["source"] == BUNDLED and record["by"] == "treatment_class"
    advice = " Agents of a class differ; by agent, treatments are more alike." if classes else ""
    yield Sentence(
        f"Direct and indirect evidence disagree: {listed([pair_name(row) for row in pairs])}. The network's assumption "
        "that trials differ in nothing that changes the effects does not hold, and combined ratios mix what disagrees: "
        f"use the direct ones where there are any.{advice}",
        strong=True,
    )


def _contrasts(record: "RandomisedRecord", outcome: "OutcomeRecord") -> ReaderTable:
    """Return the posterior of every pair."""
    level, name = level_text(record["interval_prob"]), NAMES[outcome["measure"]]
    random = record["effects"] != COMMON
    rows = []
    for row in outcome["contrasts"]:
        direct = _lines(row, "direct")
        mark = ONE if row["trials"] == 1 else ""
        following = (_range(row, "new"),) if random else ()
        rows.append(
            (
                f"{pair_name(row)}{mark}",
                f"{row['trials']}\n{_patients(row)}" if row["trials"] else "–",
                direct,
                _lines(row, "indirect"),
                _lines(row, "combined"),
                *following,
            )
        )
    more = {"odds_ratio": ": above 1, more respond to it", "hazard_ratio": ": below 1, progression is later with it"}
    meaning = more[outcome["measure"]] if record["table"]["source"] == BUNDLED else ""
    kinds = "direct: within trials of the two; indirect: from the rest of the network; combined: both."
    notes = [
        f"The {name} of the treatment named before vs against the other{meaning}.",
        f"Posterior medians with {level} credible intervals. {kinds}",
    ]
    if random:
        notes.append("another trial: prediction interval of the ratio in another trial.")
    if any(row["trials"] == 1 for row in outcome["contrasts"]):
        differ = "; how trials differ is taken from the others and the prior" if random else ""
        notes.append(f"{ONE}: one trial{differ}.")
    if outcome["several_arms"]:
        notes.append(
            f"Trials of three arms or more ({listed(outcome['several_arms'])}): direct ratios of two arms rest on the "
            "network's effects of the other arms too, and may differ from the trial's own."
        )
    if missing := [pair_name(row) for row in outcome["contrasts"] if not row["trials"]]:
        notes.append(f"No trial compares {listed(missing)}: indirect evidence alone.")
    return ReaderTable(
        f"{PLAIN_TITLES[outcome['measure']]}, Bayesian",
        ("", "trials\npatients", "direct", "indirect", "combined", *(("another\ntrial",) if random else ())),
        tuple(rows),
        notes=tuple(notes),
    )


def _classical(record: "RandomisedRecord", outcome: "OutcomeRecord") -> ReaderTable:
    """Return the estimates by maximum likelihood, or REML."""
    method = outcome["heterogeneity"][-1]["method"]
    rows = tuple(
        (pair_name(row), *(_lines(row, f"ml_{kind}") for kind in ("direct", "indirect", "combined")))
        for row in outcome["contrasts"]
    )
    level = level_text(record["interval_prob"])
    random = record["effects"] != COMMON
    known = " at the estimated SD between trials, which they take as known" if random else ""
    notes = [f"{level} Wald confidence intervals{known}."]
    if infinite := [pair_name(row) for row in outcome["contrasts"] if row["ml_combined_median"] is None]:
        notes.append(
            f"No finite estimate of {listed(infinite)}: a treatment has no events, or only events. The far end of the "
            "Bayesian interval rests on the prior of effects."
        )
    title = f"{PLAIN_TITLES[outcome['measure']]} by {method}"
    return ReaderTable(title, ("", "direct", "indirect", "combined"), rows, notes=tuple(notes))


def _consistency(outcome: "OutcomeRecord") -> ReaderTable:
    """Return how far direct and indirect evidence are apart."""
    rows = tuple(
        (
            pair_name(row),
            _ratio(row["median"], row["low"], row["high"], row),
            _share(row["p"]),
            "–" if row["ml_ratio"] is None else _ratio(row["ml_ratio"], row["ml_low"], row["ml_high"]),
            p_value(row["ml_p"]),
        )
        for row in outcome["consistency"]
    )
    method = outcome["heterogeneity"][-1]["method"]
    p = "p, Bayesian: twice the posterior probability of the less likely side of 1."
    return ReaderTable(
        f"Consistency: direct over indirect {NAMES[outcome['measure']]} (node-splitting)",
        ("", "Bayesian", "p", method, "p"),
        rows,
        notes=(f"1 if the two agree. {p} Pairs of one loop share their evidence, and are no separate checks.",),
    )


def _single_arms(record: "RandomisedRecord", outcome: "OutcomeRecord") -> ReaderTable:
    """Return each randomised contrast beside that of single arms."""
    rows = tuple(
        (
            pair_name(row),
            f"{row['first_cohorts']}, {row['second_cohorts']}",
            *(_lines(row, name) for name in SIDES),
        )
        for row in outcome["single_arms"]
    )
    level = level_text(record["interval_prob"])
    model, adjusted = outcome["single_arms_model"], outcome["single_arms_adjusted"]
    other = f"from cohorts of other trials by the model {model}, adjusted for {adjusted}"
    apart = f"single arms over randomised, with its {level} interval; 1 if they agree"
    notes = [
        f"randomised: the combined ratio above. single arms: {other}. They were not randomised against each other.",
        f"apart: the ratio of {apart}. The two rest on different trials.",
        "all cohorts: the same model with the arms of the randomised trials, unpaired.",
        "cohorts: single arms of the treatment named first, and of the other.",
    ]
    if outcome["measure"] == "hazard_ratio":
        notes.append(
            "Single arms give no hazard ratio: theirs is the inverse ratio of median times, which equals it only if "
            "survival is exponential. It is rough."
        )
    return ReaderTable(
        f"{PLAIN_TITLES[outcome['measure']]} beside what single arms suggest",
        ("", "cohorts", "randomised", "single\narms", "apart", "all\ncohorts"),
        rows,
        notes=tuple(notes),
    )


SIDES = ("randomised", "single", "apart", "all")
"""Prefixes of the columns of a table of single arms."""


def _lines(row: Row, kind: str) -> str:
    """Return a ratio above its interval; a dash if there is none."""
    median = row[f"{kind}_median"]
    if median is None:
        return "–"
    errors = {name: row.get(f"{kind}_mcse_{name}") for name in ("median", "low", "high")}
    return "\n".join(
        (
            ratio_figure(median, errors["median"]),
            f"{ratio_figure(row[f'{kind}_low'], errors['low'])}–{ratio_figure(row[f'{kind}_high'], errors['high'])}",
        )
    )


def _ratio(median: float, low: float, high: float, row: Row | None = None) -> str:
    errors = [None if row is None else row.get(f"mcse_{name}") for name in ("median", "low", "high")]
    middle, lower, upper = map(ratio_figure, (median, low, high), errors)
    return f"{middle} ({lower}–{upper})"


def _share(p: float) -> str:
    """Return a share of draws, whose Monte Carlo error leaves two decimals."""
    return "< 0.01" if p < LEAST_SHARE else f"{p:.2f}"


def _range(row: Row, kind: str) -> str:
    low, high = (ratio_figure(row[f"{kind}_{end}"], row.get(f"{kind}_mcse_{end}")) for end in ("low", "high"))
    return f"{low}–{high}"


def _patients(row: Row) -> str:
    return "?" if row["patients"] is None else f"{int(row['patients']):,}"
