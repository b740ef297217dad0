"""Sensitivity of a run's conclusions for readers: power-scaling, and numbers under alternative analyses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alkbayes.evidence.outcomes import Outcome
from alkbayes.presentation.tables import ReaderTable, Sentence
from alkbayes.sensitivity_analysis.alternatives import FAMILY_NAMES, Family
from alkbayes.sensitivity_analysis.table import Status
from alkbayes.text.wording import (
    counted,
    figure,
    headline,
    level_text,
    limits,
    moved_by,
    unsigned_zero,
)
from alkbayes.vocabulary import ALL, Estimand

if TYPE_CHECKING:
    from alkbayes.sensitivity_analysis.conclusions import SensitivityRecord

type Document = Mapping[str, Any]
"""An alternative, or one of its numbers, in the record of a sensitivity analysis."""

MOST_LEVELS = 4
"""Levels of the first effect in the table of shifts."""
MOVED, UNUSED = "*", "!"
HYPHENATED = {"pretreated": "pre-\ntreated"}


def scaling_rows(found: "SensitivityRecord") -> ReaderTable:
    """Return each headline number with its interval and its sensitivity to priors and likelihood."""
    scaling = found["power_scaling"]
    kind = (
        "Likelihood: of the global parameters, the cohorts' and trials' deviations integrated out."
        if scaling["likelihood"] == "integrated"
        else "Likelihood: of the counts given each cohort's rate; it is not integrated for this model, and is noisy."
    )
    priors, likelihood = scaling["prior_noise"], scaling["likelihood_noise"]
    noise = f"noise reaches {priors:.3f} for priors and {likelihood:.3f} for the likelihood"
    return ReaderTable(
        title="Headline numbers, and how sensitive they are to the power of priors and likelihood",
        headings=("", "median", f"{level_text(found['interval_prob'])} interval", "priors", "likelihood", "diagnosis"),
        rows=tuple(
            (
                number["label"],
                *headline(number),
                figure(of["prior"]),
                figure(of["likelihood"]),
                f"{of['diagnosis']}: {', '.join(of['responsible'])}" if of["responsible"] else "",
            )
            for number, of in zip(_main(found)["numbers"], scaling["numbers"], strict=True)
        ),
        words=(5,),
        notes=(f"{kind} Flagged from {scaling['threshold']:.2f}; {noise}.",),
    )


def shift_rows(
    found: "SensitivityRecord", outcome: Outcome, *, patients: bool = True, estimates: bool = True
) -> ReaderTable:
    """Return the shifts of the numbers under each fitted alternative.

    `patients` adds a column of patients, `estimates` the number itself before its shift.
    """
    main, again, *others = found["alternatives"]
    level = level_text(found["interval_prob"])
    numbers = _shown(main["numbers"])
    of = "estimate, and shift" if estimates else "shift"
    rows = [("main fit", *_sizes(main, patients=patients), *map(_main_cell, numbers))]
    previous = None
    for name, row in (("the same again", again), *((f" {row['alternative']}", row) for row in others)):
        if not row["numbers"]:
            continue
        if row is not again and row["family"] != previous:
            previous = row["family"]
            rows.append((FAMILY_NAMES[Family(previous)],))
        mark = "" if _usable(row) else f" {UNUSED}"
        rows.append((f"{name}{mark}", *_sizes(row, patients=patients), *_cells(row, numbers, estimates=estimates)))
    return ReaderTable(
        title=f"Alternatives: {of} from the main fit in percentage points; next cohort: {level} interval",
        headings=("", "k", *([outcome.units] if patients else []), *map(_heading, numbers)),
        rows=tuple(rows),
        notes=(f"{MOVED}  more than half a posterior SD of the main fit's number, and more than Monte Carlo error",),
    )


def shift_sentences(found: "SensitivityRecord", outcome: Outcome) -> Iterator[Sentence]:
    """Yield notes on the shifts: alternatives that failed, lost a level or do not apply, with reasons."""
    if found["over_own"]:
        yield Sentence(
            f"Each level is over its own {outcome.units} here: an alternative may leave out cohorts, and with them the "
            "mix that levels share."
        )
    reasons: dict[str, list[str]] = {}
    for row in found["alternatives"][2:]:
        name, reason = row["alternative"], row["reason"]
        if row["status"] == Status.NOT_APPLICABLE:
            reasons.setdefault(reason, []).append(name)
        elif row["status"] == Status.FAILED:
            yield Sentence(f"{name} could not be fitted: {reason}")
        elif not _usable(row):
            yield Sentence(f"{UNUSED}  {name} did not converge, and is not used: {reason}")
        elif reason:
            yield Sentence(f"{name}: {reason}")
        if row["gone"]:
            yield Sentence(f"{name}: leaves no cohort with {', '.join(row['gone'])}")
    for reason, names in reasons.items():
        yield Sentence(f"Not applicable: {', '.join(names)}: {reason}")
    over = f"Overall is averaged over the {outcome.units} of each alternative"
    yield Sentence(
        f"{over}, and moves with their mix. Cohorts are not randomised between levels: no difference is a treatment "
        "effect."
        if found["effects"]
        else f"{over}."
    )


def largest_rows(found: "SensitivityRecord", outcome: Outcome) -> ReaderTable:
    """Return the alternative that shifts each number most."""
    rows = tuple(
        (
            row["number"],
            row["alternative"],
            moved_by(row["shift"], row["shift_error"], row["measure"]),
            unsigned_zero(row["shift_in_sds"], 1),
        )
        for row in found["largest"]
    )
    return ReaderTable(
        "The alternative that moves each number most",
        ("number", "alternative", "shift", "in posterior SDs"),
        rows,
        words=(1,),
        notes=(f"Shifts of rates and differences in points; each level is over its own {outcome.units}.",),
    )


def change_rows(found: "SensitivityRecord") -> ReaderTable:
    """Return each alternative's change, the reviewer's question behind it, and its status."""
    return ReaderTable(
        "What each alternative changes",
        ("alternative", "change", "why a reviewer asks", "fitted"),
        tuple((row["alternative"], row["change"], row["why"], _status(row)) for row in asked_of(found)),
        words=(1, 2, 3),
    )


def asked_of(found: "SensitivityRecord") -> list[Document]:
    """Return the alternatives, without the main fit."""
    return [row for row in found["alternatives"] if row["why"] is not None]


def _status(row: Document) -> str:
    if row["status"] == "fitted":
        return f"{counted(row['cohorts'], 'cohort')}"
    return f"{row['status']}: {row['reason']}" if row["reason"] else str(row["status"])


def _main(found: "SensitivityRecord") -> Document:
    """Return the record of the run itself."""
    main: Document = found["alternatives"][0]
    return main


def _usable(row: Document) -> bool:
    return bool(row["status"] == Status.FITTED)


def _is_sd(number: Document) -> bool:
    """Return whether a number is on the model's scale rather than a rate or risk difference."""
    return bool(number["table"] == "heterogeneity")


def _is_next_cohort(number: Document) -> bool:
    return bool(number["measure"] == Estimand.NEXT_COHORT)


def _shown(numbers: Sequence[Document]) -> list[Document]:
    """Return the numbers that fit on a terminal."""
    pooled = [number for number in numbers if number["table"] == "pooled"]
    means = [number for number in pooled if not _is_next_cohort(number)]
    following = [number for number in pooled if _is_next_cohort(number)]
    contrasts = [number for number in numbers if number["table"] == "contrast"]
    rest = [number for number in numbers if _is_sd(number)]
    return [*means[: 1 + MOST_LEVELS], *contrasts[:1], *following, *rest]


def _heading(number: Document) -> str:
    level = str(number["level"])
    if _is_next_cohort(number):
        return "next\ncohort"
    if number["table"] == "contrast":
        return f"{HYPHENATED.get(number['first'], number['first'])}\nvs {number['second']}"
    if number["table"] == "pooled":
        return "overall" if number["group"] == ALL else HYPHENATED.get(level, level)
    return level.replace("_", "_\n", 1)


def _sizes(row: Document, *, patients: bool) -> list[str]:
    counts = (row["cohorts"], row["patients"]) if patients else (row["cohorts"],)
    return ["–" if count is None else f"{count:,}" for count in counts]


def _main_cell(number: Document) -> str:
    if _is_next_cohort(number):
        return limits(number)
    return headline(number)[0]


def _cells(row: Document, numbers: Sequence[Document], *, estimates: bool) -> list[str]:
    of = {number["number"]: number for number in row["numbers"]}
    cells = []
    for number in numbers:
        if (found := of.get(number["number"])) is None:
            cells.append("–")
            continue
        mark = MOVED if found["moved"] and _usable(row) else ""
        if _is_next_cohort(number):
            text = _main_cell(found)
        else:
            text = moved_by(found["shift"], found["shift_error"], found["measure"])
            if estimates:
                text, mark = f"{_main_cell(found)} ({mark}{text})", ""
        cells.append(f"{mark}{text}")
    return cells
