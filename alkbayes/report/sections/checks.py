"""The checks of a report: whether the model expects these cohorts, and what classical methods say of the counts."""

from typing import TYPE_CHECKING, Any

from alkbayes.classical import ALL_METHODS, pool_table, small_study_effects
from alkbayes.classical.pooling.disagreements import POINTS, WIDTH_RATIO, disagreements
from alkbayes.criticism.predictive import LEAST_COHORTS, posterior_checks
from alkbayes.plots.figures.calibration import calibration
from alkbayes.plots.figures.predictive import predictive
from alkbayes.presentation.predictive import posterior_parts
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Bullets, Fold, Heading, Paragraph, Section, Table, blocks_of, text
from alkbayes.report.sections.results import figure_of, shown
from alkbayes.text.json import records
from alkbayes.text.wording import p_equals, p_value, percent, percent_interval, signed, unsigned_zero, variance

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.plots.source import RunTables
    from alkbayes.report.blocks import Block


def predictive_section(fit: "Fit", tables: "RunTables") -> Section:
    """Return whether data like the observed are what the model expects."""
    found = posterior_checks(fit)
    blocks: list[Block] = [Paragraph((found.conclusion,), strong=True), *blocks_of(posterior_parts(found))]
    # Drawn from what was found: the kinds of figures would replicate the table anew for each.
    blocks.append(shown("predictive", predictive(found.cohorts, tables.caption)))
    if len(found.cohorts) >= LEAST_COHORTS:
        blocks.append(shown("calibration", calibration(found.pit, found.uniform, tables.caption)))
    return Section("fit", "Does the model expect these cohorts?", tuple(blocks))


def classical_section(tables: "RunTables") -> Section:
    """Return what classical methods say of the same counts, and where they disagree."""
    evidence = tables.evidence
    pooled = pool_table(evidence, by=(), methods=ALL_METHODS)
    rows = records(pooled)
    apart = records(disagreements(pooled))
    effects = small_study_effects(evidence.frame["responders"], evidence.frame["n"])
    headings = ("method", "rate, %", "95 % confidence interval", "95 % prediction interval", "tau²", "I², %")
    crude = next((row for row in rows if row["q"] is not None), None)
    blocks: list[Block] = [
        text(
            "From the counts alone, never from the posterior. A method that leaves the differences between cohorts "
            "out has a narrow interval that holds for these patients only."
        ),
        figure_of(tables, "comparison"),
        Fold(
            f"All {len(rows)} methods in numbers",
            (
                Table(ReaderTable("All cohorts by every classical method", headings, tuple(map(_method, rows)))),
                Bullets(tuple((f"{', '.join(methods)}: {note}",) for note, methods in _notes(rows).items())),
            ),
        ),
    ]
    if crude is not None:
        blocks.append(
            text(
                f"Heterogeneity: Q = {crude['q']:.1f} on {crude['q_df']:.0f} degrees of freedom, "
                f"{p_equals(crude['q_p'])}; I² {percent(crude['i2'], 0)} %, which large cohorts make large whatever "
                "the differences are."
            )
        )
    blocks += _disagreements(apart)
    blocks += [Heading("Small and single cohorts"), *_small_study(effects)]
    blocks += [figure_of(tables, "funnel"), figure_of(tables, "baujat")]
    return Section("classical", "Classical checks", tuple(blocks))


def _notes(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the methods that each note is of."""
    methods: dict[str, list[str]] = {}
    for row in rows:
        if row["note"]:
            methods.setdefault(row["note"], []).append(row["method"])
    return methods


def _method(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["method"],
        percent(row["estimate"]),
        percent_interval(row["low"], row["high"]),
        percent_interval(row["prediction_low"], row["prediction_high"]),
        variance(row["tau2"]),
        percent(row["i2"], 0),
    )


def _disagreements(pairs: list[dict[str, Any]]) -> "list[Block]":
    limits = f"estimates {100 * POINTS:g} point or more apart, or one interval {WIDTH_RATIO:g} times as wide"
    if not pairs:
        return [text(f"No two methods that differ in one property disagree ({limits}).")]
    rows = tuple(
        (
            row["property"],
            f"{row['method']}, {row['other']}",
            signed(100 * row["difference"]),
            "–" if row["width_ratio"] is None else f"× {row['width_ratio']:.2f}",
        )
        for row in pairs
    )
    table = ReaderTable(
        "Methods that differ in one property and disagree",
        ("property", "methods", "second less first, points", "width of interval"),
        rows,
        words=(1,),
    )
    explained = dict.fromkeys((row["property"], row["explanation"]) for row in pairs)
    return [
        Heading("Where methods disagree, and why"),
        Table(table, (f"Disagree: {limits}.",)),
        Bullets(tuple((f"{name}: {why}.",) for name, why in explained)),
    ]


def _small_study(effects: Any) -> "list[Block]":
    rows = tuple(
        (
            str(effect.test),
            "–" if effect.slope is None else unsigned_zero(effect.slope),
            "–" if effect.se is None else f"{effect.se:.2f}",
            p_value(effect.p),
        )
        for effect in effects
    )
    notes = tuple(dict.fromkeys(effect.note for effect in effects if effect.note))
    heading = "Small-study effects: regression of the logits on the size of cohorts"
    above = "A slope above 0: the smaller the cohort, the higher its rate."
    return [Table(ReaderTable(heading, ("test", "slope", "SE", "p"), rows), (above, *notes))]
