"""Model section of a report: equation, priors with their reasons, and prior implications."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from alkbayes.model.design import Design, EffectBlock, Exnex, Number
from alkbayes.model.prior_implications import prior_implications
from alkbayes.presentation.priors import implication_rows, prior_text, reading
from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.blocks import Equation, Heading, Section, Table, text
from alkbayes.spec.priors import StudentT
from alkbayes.spec.schema import BetaBinomial, Spec
from alkbayes.text.json import records
from alkbayes.text.names import several
from alkbayes.text.wording import joined
from alkbayes.vocabulary import slug_of

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit
    from alkbayes.reporting.blocks import Block

PARAMETER_OF_LINK = {
    "logit": "log odds of {o.response}",
    "probit": "normal score of the {o.rate}",
    "cloglog": "complementary log-log of the {o.rate}",
}


def model_section(fit: "Fit") -> Section:
    """Return the model section of a fit: the assumptions before any data, as they were fitted to its table."""
    spec, design, outcome = fit.spec, fit.design, fit.evidence.outcome
    implied = implication_rows(records(prior_implications(spec, fit.evidence)), outcome)
    names = {"logit": "logistic", "probit": "probit", "cloglog": "complementary log-log"}
    blocks: list[Block] = [
        text(
            f"A hierarchical {names[design.link]} model of the {outcome.events} of each cohort. Cohorts are not taken "
            "for copies of one another: what the named columns do not explain differs between them, and the model says "
            "by how much."
            if design.heterogeneity or design.rho_prior
            else f"A {names[design.link]} model of the {outcome.events} of each cohort, in which cohorts of the same "
            "levels have the same rate.",
        ),
        *(text(note) for note in design.notes),
        equation_of(design),
        text(
            f"r {outcome.events} of n {outcome.units} in cohort i; θ is on the scale of the {design.link}: the "
            f"{PARAMETER_OF_LINK[design.link].format(o=outcome)}."
        ),
        Heading("Priors, with their reasons"),
        Table(
            ReaderTable(
                "Priors",
                ("parameter", "prior", "what it is", "reason given in the model file"),
                tuple(prior_rows(spec, design)),
                words=(1, 2, 3),
            ),
            ("Scales are those of the model. Normal and Student t: mean and SD (scale); half-: folded at zero.",),
        ),
        Heading("What the priors imply before any data, %"),
        *(Table(table) for table in implied),
        *(text(note) for note in reading(outcome)),
    ]
    return Section("model", "Model", tuple(blocks))


def prior_rows(spec: Spec, design: Design) -> list[tuple[str, str, str, str]]:
    """Return name, prior, meaning and reason for each parameter with a prior of a model laid over a table."""
    words = design.in_words
    start = "every fixed effect at its reference, every other at its average"
    if spec.numbers:
        start = "every fixed effect at its reference, every number at its centre, every other effect at its average"
    rows = [("alpha", prior_text(design.intercept_prior), f"intercept: {start}", spec.intercept.why)]
    why = {effect.columns: effect.why for effect in spec.effect}
    for block in design.effects:
        title = design.declared.heading(block.label)
        if block.sd_prior is None:
            rows.append(
                (words(f"beta_{block.slug}"), prior_text(block.prior), _coefficients(block, title), why[block.columns])
            )
        else:
            what = f"SD between the levels of {title}, which are exchangeable"
            rows.append((words(f"sd_{block.slug}"), prior_text(block.sd_prior), what, why[block.columns]))
    if isinstance(spec.likelihood, BetaBinomial):
        what = f"intraclass correlation of the {spec.outcome.units} of a cohort"
        rows.append(("rho", prior_text(spec.likelihood.rho_prior), what, spec.likelihood.why))
    reasons = {design.labels[term.column]: term.why for term in spec.heterogeneity}
    for term in design.heterogeneity:
        unit = term.unit_prior
        kind = f"Student t with {unit.nu:g} degrees of freedom" if isinstance(unit, StudentT) else "normal"
        kind = "normal, of the exchangeable ones" if term.exnex is not None else kind
        units = joined([several(design.declared.name(label)) for label in term.merged or (term.label,)])
        what = f"heterogeneity between {units}{' together' if term.merged else ''} ({kind}): its "
        what += "scale" if isinstance(unit, StudentT) else "SD"
        reason = (
            "; ".join(f"{words(f'tau_{slug_of(label)}')}: {reasons[label]}" for label in term.merged)
            or reasons[term.label]
        )
        by = "" if term.by is None else design.declared.heading(term.by.label)
        if by:
            what += f", each level of {by} with its own; this prior is for their geometric mean"
        rows.append((words(f"tau_{term.slug}"), prior_text(term.sd_prior), what, reason))
        if term.exnex is not None:
            title = design.declared.name(term.label)
            own = f"intercept of a {title} on its own, in place of alpha and its deviation (EXNEX)"
            rows.append((words(f"own_{term.slug}"), prior_text(term.exnex.own), own, reason))
            each = f"whether a {title} is exchangeable with the others (EXNEX), with this probability"
            rows.append((words(term.exchangeable), _probabilities(term.exnex, term.units), each, reason))
        if term.by is not None:
            spread = f"SD of the logs of the taus between {units} over the levels of {by}"
            rows.append((words(f"spread_{term.slug}"), prior_text(term.by.spread_prior), spread, reason))
    return rows


def _probabilities(exnex: Exnex, units: Sequence[str]) -> str:
    """Return the prior probability of being exchangeable, and the units that differ in it."""
    each = zip(units, exnex.probabilities, strict=True)
    others = [f"{unit} {probability:g}" for unit, probability in each if probability != exnex.of_new]
    return "; ".join((f"Bernoulli({exnex.of_new:g})", *others))


def _coefficients(block: EffectBlock, title: str) -> str:
    """Return the meaning of the coefficients of an effect without pooling."""
    if block.factors:
        return f"interaction of {title}: each product of a difference or slope of one with one of the other"
    for number in block.numbers.values():
        return f"slope of {title}, {number.step}: zero at {number.centre:.15g}, one step is {number.scale:.15g}"
    return f"difference of each level of {title} from {block.levels[0]}"


def equation_of(design: Design) -> Equation:
    """Return the definition of a model laid over a table, one line per level."""
    r, n, p, theta = (_sub(letter, "i") for letter in ("r", "n", "p", "θ"))
    beta_binomial = design.rho_prior is not None
    counts = _call("BetaBinomial", n, p, ("ρ", r"\rho")) if beta_binomial else _call("Binomial", n, p)
    terms = [("<mi>α</mi>", r"\alpha")]
    below = []
    for block in design.effects:
        pooled = block.sd_prior is not None
        letter = ("u", "u") if pooled else ("β", r"\beta")
        number = None if block.factors else next(iter(block.numbers.values()), None)
        terms.append(_level(letter, block.label) if number is None else _sloped(number, block.label))
        if pooled:
            below.append(_follows(_level(("u", "u"), block.label, index=False), _zero_sum(block.label)))
    for term in design.heterogeneity:
        terms.append(_level(("v", "v"), term.label))
        by = None if term.by is None else f"{term.label}, {term.by.label}"
        scale = _named(("τ", r"\tau"), by or term.label)
        if isinstance(term.unit_prior, StudentT):
            drawn = _call(f"t{term.unit_prior.nu:g}", ("<mn>0</mn>", "0"), scale)
        else:
            drawn = _call("Normal", ("<mn>0</mn>", "0"), _squared(scale))
        if term.exnex is not None:
            drawn = _either(drawn, term.exnex, term.label)
        below.append(_follows(_level(("v", "v"), term.label, index=False), drawn))
        if by is not None:
            logs = f"<mi>log</mi>{scale[0]}", rf"\log {scale[1]}"
            centre = _named(("τ", r"\tau"), term.label)
            middle = f"<mi>log</mi>{centre[0]}<mo>+</mo>", rf"\log {centre[1]} + "
            zero_sum = _zero_sum(by)
            below.append(_follows(logs, (middle[0] + zero_sum[0], middle[1] + zero_sum[1])))
    plus = "<mo>+</mo>".join(mathml for mathml, _ in terms), " + ".join(latex for _, latex in terms)
    link = _call(design.link, p)
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


def _sloped(number: Number, name: str) -> _Term:
    """Return a slope times the distance from the centre in steps."""
    slope, value = _named(("β", r"\beta"), name), _named(("x", "x"), f"{name}[i]")
    centre, scale = f"{number.centre:.15g}", f"{number.scale:.15g}"
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


def _either(exchangeable: _Term, exnex: Exnex, name: str) -> _Term:
    """Return the mixture of the deviations of exchangeable units and of units on their own."""
    share, mean, sd = _named(("π", r"\pi"), name), f"{exnex.own.mean:g}".replace("-", "−"), f"{exnex.own.sd:g}"
    middle = f"<mn>{mean}</mn><mo>−</mo><mi>α</mi>", rf"{exnex.own.mean:g} - \alpha"
    alone = _call("Normal", (f"<mrow>{middle[0]}</mrow>", middle[1]), _squared((f"<mn>{sd}</mn>", sd)))
    return (
        f"{share[0]}{exchangeable[0]}<mo>+</mo><mo>(</mo><mn>1</mn><mo>−</mo>{share[0]}<mo>)</mo>{alone[0]}",
        rf"{share[1]} {exchangeable[1]} + (1 - {share[1]}) {alone[1]}",
    )


def _follows(left: _Term, right: _Term) -> _Term:
    return f"{left[0]}<mo>∼</mo>{right[0]}", rf"{left[1]} \sim {right[1]}"


def _equal(left: _Term, right: _Term) -> _Term:
    return f"{left[0]}<mo>=</mo>{right[0]}", f"{left[1]} = {right[1]}"


def _latex(name: str) -> str:
    return "".join(rf"\{mark}" if mark in "_%&#$" else mark for mark in name)
