"""What a run's conclusions depend on, as a reader sees it: power-scaling, and numbers under alternative analyses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alkbayes.inference.fit import Fit
from alkbayes.presentation.tables import ReaderTable, Sentence
from alkbayes.sensitivity.alternatives import BY_NAME, FAMILY_NAMES
from alkbayes.sensitivity.power_scaling import PowerScaling
from alkbayes.sensitivity.table import Estimate, Grid, Outcome
from alkbayes.text.digits import supported_decimals
from alkbayes.text.wording import (
    OTHER_DECIMALS,
    counted,
    figure,
    percent,
    percent_interval,
    points,
    shared_decimals,
    signed,
    unsigned_zero,
)
from alkbayes.vocabulary import Contrast, Standard

type Document = Mapping[str, Any]
"""What `sensitivity --json` prints under `sensitivity`."""

MOST_LEVELS = 4
"""Levels of the first effect that the table of shifts shows."""
MOVED, UNUSED = "*", "!"
HYPHENATED = {"pretreated": "pre-\ntreated"}


def scaling_rows(grid: Grid, scaling: PowerScaling) -> ReaderTable:
    """Return each headline number with its interval, and how much it depends on priors and likelihood."""
    kind = (
        "Likelihood: of the global parameters, the cohorts' and trials' deviations integrated out."
        if scaling.likelihood == "integrated"
        else "Likelihood: of the counts given each cohort's rate; it is not integrated for this model, and is noisy."
    )
    noise = f"noise reaches {scaling.prior_noise:.3f} for priors and {scaling.likelihood_noise:.3f} for the likelihood"
    return ReaderTable(
        title="Headline numbers, and how sensitive they are to the power of priors and likelihood",
        headings=("", "median", "95 % interval", "priors", "likelihood", "diagnosis"),
        rows=tuple(
            (
                number.spoken,
                *_estimated(number),
                figure(found.prior),
                figure(found.likelihood),
                "" if not found.responsible else f"{found.diagnosis}: {', '.join(found.responsible)}",
            )
            for number, found in zip(grid.numbers, scaling.sensitivities, strict=True)
        ),
        words=(5,),
        notes=(f"{kind} Flagged from {scaling.threshold:.2f}; {noise}.",),
    )


def shift_rows(grid: Grid, *, patients: bool, estimates: bool) -> ReaderTable:
    """Return how far the numbers move under each alternative that was fitted.

    Parameters
    ----------
    grid
        What was fitted.
    patients
        Whether there is a column of patients.
    estimates
        Whether the number itself stands before its shift.
    """
    numbers = _shown(grid)
    of = "estimate, and shift" if estimates else "shift"
    rows = [
        ("main fit", *_sizes(grid.main, patients=patients), *map(_main_cell, numbers)),
        (
            "the same again",
            *_sizes(grid.again, patients=patients),
            *_cells(grid, grid.again, numbers, estimates=estimates),
        ),
    ]
    previous = None
    for outcome in grid.outcomes:
        if outcome.estimates is None:
            continue
        family = BY_NAME[outcome.name].family
        if family is not previous:
            previous = family
            rows.append((FAMILY_NAMES[family],))
        mark = "" if outcome.usable else f" {UNUSED}"
        cells = _cells(grid, outcome, numbers, estimates=estimates)
        rows.append((f" {outcome.name}{mark}", *_sizes(outcome, patients=patients), *cells))
    return ReaderTable(
        title=f"Alternatives: {of} from the main fit in percentage points; next cohort: 95 % interval",
        headings=("", "k", *(["patients"] if patients else []), *map(_heading, numbers)),
        rows=tuple(rows),
        notes=(f"{MOVED}  more than half a posterior SD of the main fit's number, and more than Monte Carlo error",),
    )


def shift_sentences(fit: Fit, grid: Grid) -> Iterator[Sentence]:
    """Yield how the shifts are to be read: which alternatives failed, lose a level or do not apply, and why."""
    if fit.standard is Standard.SAME:
        yield Sentence(
            "Each level is over its own patients here: an alternative may leave out cohorts, and with them the mix "
            "that levels share."
        )
    for outcome in grid.outcomes:
        if outcome.estimates is not None and not outcome.usable:
            yield Sentence(f"{UNUSED}  {outcome.name} did not converge, and is not used: {outcome.reason}")
        elif outcome.estimates is not None and outcome.reason:
            yield Sentence(f"{outcome.name}: {outcome.reason}")
        elif outcome.estimates is None and outcome.status == "failed":
            yield Sentence(f"{outcome.name} could not be fitted: {outcome.reason}")
        if outcome.gone:
            yield Sentence(f"{outcome.name}: leaves no cohort with {', '.join(outcome.gone)}")
    reasons: dict[str, list[str]] = {}
    for outcome in grid.outcomes:
        if outcome.status == "not applicable":
            reasons.setdefault(outcome.reason, []).append(outcome.name)
    for reason, names in reasons.items():
        yield Sentence(f"Not applicable: {', '.join(names)}: {reason}")
    yield Sentence(
        "Overall is averaged over the patients of each alternative, and moves with their mix. An earlier line is not "
        "randomised: no difference is a treatment effect."
        if len(fit.design.effects)
        else "Overall is averaged over the patients of each alternative."
    )


def largest_rows(found: Document) -> ReaderTable:
    """Return the alternative that moves each number most."""
    rows = tuple(
        (row["number"], row["alternative"], _shift(row), unsigned_zero(row["shift_in_sds"], 1))
        for row in found["largest"]
    )
    return ReaderTable(
        "The alternative that moves each number most",
        ("number", "alternative", "shift", "in posterior SDs"),
        rows,
        words=(1,),
        notes=("Shifts of rates and differences in points; each level is over its own patients.",),
    )


def change_rows(found: Document) -> ReaderTable:
    """Return what each alternative changes, why a reviewer asks for it, and what became of it."""
    return ReaderTable(
        "What each alternative changes",
        ("alternative", "change", "why a reviewer asks", "fitted"),
        tuple((row["alternative"], row["change"], row["why"], _status(row)) for row in asked_of(found)),
        words=(1, 2, 3),
    )


def asked_of(found: Document) -> list[Document]:
    """Return the alternatives beside the main fit."""
    return [row for row in found["alternatives"] if row["why"] is not None]


def _status(row: Document) -> str:
    if row["status"] == "fitted":
        return f"{counted(row['cohorts'], 'cohort')}"
    return f"{row['status']}: {row['reason']}" if row["reason"] else str(row["status"])


def _shift(row: Document) -> str:
    """Return a shift in points; of an SD on the scale of the model."""
    if row["number"].startswith("tau"):
        return signed(row["shift"], supported_decimals((row["shift_error"],), most=OTHER_DECIMALS))
    return points(row["shift"], shared_decimals((row["shift_error"],)))


def _estimated(number: Estimate) -> tuple[str, str]:
    """Return median and interval: of rates in percent, of differences in points, of SDs on the model's scale."""
    if number.key[0] == "heterogeneity":
        digits = supported_decimals(number.errors.values(), most=OTHER_DECIMALS)
        return figure(number.median, digits), f"{figure(number.low, digits)}–{figure(number.high, digits)}"
    digits = shared_decimals(number.errors.values())
    if number.prob_positive is not None:
        return points(number.median, digits), f"{points(number.low, digits)} to {points(number.high, digits)}"
    return percent(number.median, digits), percent_interval(number.low, number.high, digits)


def _shown(grid: Grid) -> list[Estimate]:
    """Return the numbers that a table in a terminal has room for."""
    pooled = [number for number in grid.numbers if number.key[0] == "pooled"]
    means = [number for number in pooled if number.key[3] != "next_cohort"]
    following = [number for number in pooled if number.key[3] == "next_cohort"]
    contrasts = [number for number in grid.numbers if number.key[0] == "contrast"]
    rest = [number for number in grid.numbers if number.key[0] == "heterogeneity"]
    return [*means[: 1 + MOST_LEVELS], *contrasts[:1], *following, *rest]


def _heading(number: Estimate) -> str:
    table, group, level, _ = number.key
    if number.key[3] == "next_cohort":
        return "next\ncohort"
    if isinstance(level, Contrast):
        return f"{HYPHENATED.get(level.first, level.first)}\nvs {level.second}"
    if table == "pooled":
        return "overall" if group == "all" else HYPHENATED.get(level, level)
    return level.replace("_", "_\n", 1)


def _sizes(outcome: Outcome, *, patients: bool) -> list[str]:
    counts = (outcome.cohorts, outcome.patients) if patients else (outcome.cohorts,)
    return ["–" if count is None else f"{count:,}" for count in counts]


def _main_cell(number: Estimate) -> str:
    if number.key[3] == "next_cohort":
        return percent_interval(number.low, number.high, 0)
    return _estimated(number)[0]


def _cells(grid: Grid, outcome: Outcome, numbers: Sequence[Estimate], *, estimates: bool) -> list[str]:
    cells = []
    for number in numbers:
        found, shift = (outcome.estimates or {}).get(number.key), grid.shift(outcome, number.key)
        if found is None or shift is None:
            cells.append("–")
            continue
        mark = MOVED if shift.moved and outcome.usable else ""
        by, error = shift.by["median"], shift.errors["median"]
        # points() has the sign, and none of a zero, of SDs as of percentage points.
        if number.key[0] == "heterogeneity":
            text = points(by / 100, supported_decimals((error,), most=OTHER_DECIMALS))
        else:
            text = points(by, shared_decimals((error,)))
        if number.key[3] == "next_cohort":
            text = _main_cell(found)
        elif estimates:
            text = f"{_main_cell(found)} {f'{mark}{text}':>6}"
            mark = ""
        cells.append(f"{mark}{text}")
    return cells
