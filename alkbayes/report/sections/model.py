"""Model section of a report: equation, priors with their reasons, and prior implications."""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from alkbayes.model.prior_implications import prior_implications
from alkbayes.presentation.priors import implication_rows, prior_text, reading
from alkbayes.presentation.tables import ReaderTable
from alkbayes.report.blocks import Equation, Heading, Section, Table, text
from alkbayes.spec.schema import (
    BetaBinomial,
    ExchangeableEffect,
    FixedEffect,
    Interaction,
    NumericEffect,
    Spec,
    StudentTHeterogeneity,
    effect_label,
)
from alkbayes.text.json import records
from alkbayes.text.names import column_title
from alkbayes.vocabulary import label_of, slug_of

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.report.blocks import Block

PARAMETER_OF_LINK = {
    "logit": "log odds of {o.response}",
    "probit": "normal score of the {o.rate}",
    "cloglog": "complementary log-log of the {o.rate}",
}


def model_section(fit: "Fit") -> Section:
    """Return the model section of a fit: the assumptions before any data."""
    spec, columns, outcome = fit.spec, fit.evidence.frame.columns, fit.evidence.outcome
    implied = implication_rows(records(prior_implications(spec, fit.evidence)), outcome)
    names = {"logit": "logistic", "probit": "probit", "cloglog": "complementary log-log"}
    blocks: list[Block] = [
        text(
            f"A hierarchical {names[spec.likelihood.link]} model of the {outcome.events} of each cohort. Cohorts are "
            "not taken for copies of one another: what the named columns do not explain differs between them, and the "
            "model says by how much."
            if spec.heterogeneity or isinstance(spec.likelihood, BetaBinomial)
            else f"A {names[spec.likelihood.link]} model of the {outcome.events} of each cohort, in which cohorts of "
            "the same levels have the same rate.",
        ),
        equation_of(spec, columns),
        text(
            f"r {outcome.events} of n {outcome.units} in cohort i; θ is on the scale of the {spec.likelihood.link}: "
            f"the {PARAMETER_OF_LINK[spec.likelihood.link].format(o=outcome)}."
        ),
        Heading("Priors, with their reasons"),
        Table(
            ReaderTable(
                "Priors",
                ("parameter", "prior", "what it is", "reason given in the model file"),
                tuple(prior_rows(spec, columns)),
                words=(1, 2, 3),
            ),
            ("Scales are those of the model. Normal and Student t: mean and SD (scale); half-: folded at zero.",),
        ),
        Heading("What the priors imply before any data, %"),
        *(Table(table) for table in implied),
        *(text(note) for note in reading(outcome)),
    ]
    return Section("model", "Model", tuple(blocks))


def prior_rows(spec: Spec, table: Iterable[str]) -> list[tuple[str, str, str, str]]:
    """Return name (with the columns of a table), prior, meaning and reason for each parameter with a prior."""
    start = "every fixed effect at its reference, every other at its average"
    if spec.numbers:
        start = "every fixed effect at its reference, every number at its centre, every other effect at its average"
    rows = [("alpha", prior_text(spec.intercept.prior), f"intercept: {start}", spec.intercept.why)]
    for effect in spec.effect:
        label = effect_label(effect.columns, table)
        slug = slug_of(label)
        title = column_title(label)
        if isinstance(effect, FixedEffect):
            what = f"difference of each level of {title} from {effect.reference}"
            rows.append((f"beta_{slug}", prior_text(effect.prior), what, effect.why))
        elif isinstance(effect, NumericEffect):
            what = f"slope of {title}, {effect.step}: zero at {effect.centre:.15g}, one step is {effect.scale:.15g}"
            rows.append((f"beta_{slug}", prior_text(effect.prior), what, effect.why))
        elif isinstance(effect, Interaction):
            what = f"interaction of {title}: each product of a difference or slope of one with one of the other"
            rows.append((f"beta_{slug}", prior_text(effect.prior), what, effect.why))
        else:
            what = f"SD between the levels of {title}, which are exchangeable"
            rows.append((f"sd_{slug}", prior_text(effect.sd_prior), what, effect.why))
    if isinstance(spec.likelihood, BetaBinomial):
        what = f"intraclass correlation of the {spec.outcome.units} of a cohort"
        rows.append(("rho", prior_text(spec.likelihood.rho_prior), what, spec.likelihood.why))
    for term in spec.heterogeneity:
        label = label_of(term.column, table)
        kind = f"Student t with {term.nu:g} degrees of freedom" if isinstance(term, StudentTHeterogeneity) else "normal"
        what = f"heterogeneity between {label}s ({kind}): its {'scale' if kind != 'normal' else 'SD'}"
        if term.by is not None and term.spread_prior is not None:
            by = column_title(label_of(term.by, table))
            what += f", each level of {by} with its own; this prior is for their geometric mean"
            rows.append((f"tau_{label}", prior_text(term.sd_prior), what, term.why))
            spread = f"SD of the logs of the taus between {label}s over the levels of {by}"
            rows.append((f"spread_{label}", prior_text(term.spread_prior), spread, term.why))
            continue
        rows.append((f"tau_{label}", prior_text(term.sd_prior), what, term.why))
    return rows


def equation_of(spec: Spec, table: Iterable[str]) -> Equation:
    """Return the definition of the model with the columns of a table, one line per level."""
    beta_binomial = isinstance(spec.likelihood, BetaBinomial)
    r, n, p, theta = (_sub(letter, "i") for letter in ("r", "n", "p", "θ"))
    counts = _call("BetaBinomial", n, p, ("ρ", r"\rho")) if beta_binomial else _call("Binomial", n, p)
    terms = [("<mi>α</mi>", r"\alpha")]
    below = []
    for effect in spec.effect:
        name = effect_label(effect.columns, table)
        pooled = isinstance(effect, ExchangeableEffect)
        letter = ("u", "u") if pooled else ("β", r"\beta")
        terms.append(_sloped(effect, name) if isinstance(effect, NumericEffect) else _level(letter, name))
        if pooled:
            below.append(_follows(_level(("u", "u"), name, index=False), _zero_sum(name)))
    for term in spec.heterogeneity:
        name = label_of(term.column, table)
        terms.append(_level(("v", "v"), name))
        by = None if term.by is None else label_of(term.by, table)
        scale = _named(("τ", r"\tau"), name if by is None else f"{name}, {by}")
        if isinstance(term, StudentTHeterogeneity):
            drawn = _call(f"t{term.nu:g}", ("<mn>0</mn>", "0"), scale)
        else:
            drawn = _call("Normal", ("<mn>0</mn>", "0"), _squared(scale))
        below.append(_follows(_level(("v", "v"), name, index=False), drawn))
        if by is not None:
            logs = f"<mi>log</mi>{scale[0]}", rf"\log {scale[1]}"
            centre = _named(("τ", r"\tau"), name)
            middle = f"<mi>log</mi>{centre[0]}<mo>+</mo>", rf"\log {centre[1]} + "
            zero_sum = _zero_sum(f"{name}, {by}")
            below.append(_follows(logs, (middle[0] + zero_sum[0], middle[1] + zero_sum[1])))
    plus = "<mo>+</mo>".join(mathml for mathml, _ in terms), " + ".join(latex for _, latex in terms)
    link = _call(spec.likelihood.link, p)
    lines = [
        _follows(r, counts),
        _equal(link, theta),
        _equal(theta, plus),
        *below,
    ]
    return Equation(
        tuple(f'<math display="block">{line[0]}</math>' for line in lines), tuple(line[1] for line in lines)
    )


type _Term = tuple[str, str]
"""Piece of an equation, in MathML and in LaTeX."""

LATEX = {"θ": r"\theta", "α": r"\alpha"}


def _sub(letter: str, index: str) -> _Term:
    return f"<msub><mi>{letter}</mi><mi>{index}</mi></msub>", f"{LATEX.get(letter, letter)}_{index}"


def _named(letter: _Term, name: str) -> _Term:
    return (
        f"<msub><mi>{letter[0]}</mi><mtext>{escape(name)}</mtext></msub>",
        rf"{letter[1]}_{{\text{{{_latex(name)}}}}}",
    )


def _level(letter: _Term, name: str, *, index: bool = True) -> _Term:
    at = f"{name}[i]" if index else name
    return _named(letter, at)


def _sloped(effect: NumericEffect, name: str) -> _Term:
    """Return a slope times the distance from the centre in steps."""
    slope, value = _named(("β", r"\beta"), name), _named(("x", "x"), f"{name}[i]")
    centre, scale = f"{effect.centre:.15g}", f"{effect.scale:.15g}"
    top = f"{value[0]}<mo>−</mo><mn>{centre}</mn>", f"{value[1]} - {centre}"
    return (
        f"{slope[0]}<mfrac><mrow>{top[0]}</mrow><mn>{scale}</mn></mfrac>",
        rf"{slope[1]} \frac{{{top[1]}}}{{{scale}}}",
    )


def _squared(term: _Term) -> _Term:
    return f"<msup><mrow>{term[0]}</mrow><mn>2</mn></msup>", f"{term[1]}^2"


def _call(name: str, *arguments: _Term) -> _Term:
    inner = "<mo>,</mo>".join(mathml if mathml.startswith("<") else f"<mi>{mathml}</mi>" for mathml, _ in arguments)
    return (
        f"<mtext>{name}</mtext><mo>(</mo>{inner}<mo>)</mo>",
        rf"\operatorname{{{name}}}({', '.join(latex for _, latex in arguments)})",
    )


def _zero_sum(name: str) -> _Term:
    scale = _named(("σ", r"\sigma"), name)
    return _call("ZeroSumNormal", _squared(scale))


def _follows(left: _Term, right: _Term) -> _Term:
    return f"{left[0]}<mo>∼</mo>{right[0]}", rf"{left[1]} \sim {right[1]}"


def _equal(left: _Term, right: _Term) -> _Term:
    return f"{left[0]}<mo>=</mo>{right[0]}", f"{left[1]} = {right[1]}"


def _latex(name: str) -> str:
    return "".join(rf"\{mark}" if mark in "_%&#$" else mark for mark in name)
