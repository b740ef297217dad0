"""The equation and the priors of every bundled model."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design, build_design
from alkbayes.reporting.blocks import Equation, Paragraph, Table
from alkbayes.reporting.sections.model import equation_of, model_section, prior_rows
from alkbayes.spec.schema import Spec, model_names, model_path, read_spec

type TableOf = Callable[..., Evidence]

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"


def bundled(name: str) -> tuple[Spec, Design]:
    spec = read_spec(model_path(name))
    # The bundled table counts neither adverse events nor complete responses: the design is the same for responses.
    outcome = spec.outcome if spec.outcome.columns in (ORR.columns, ("ic_responders", "ic_n")) else ORR
    return spec, build_design(spec, read_evidence(needed=spec.columns, outcome=outcome))


class Balance(HTMLParser):
    """Whether every element that is opened is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(mathml: str) -> str:
    parser = Balance()
    parser.feed(mathml)
    assert parser.open == []
    return parser.text


def test_the_equation_of_the_default_model() -> None:
    equation = equation_of(bundled("line-generation")[1])
    terms = [
        rf"{letter}_{{\text{{{name}[i]}}}}"
        for letter, name in ((r"\beta", "line"), ("u", "generation"), ("v", "trial"), ("v", "cohort"))
    ]
    assert equation.latex == (
        r"r_i \sim \operatorname{Binomial}(n_i, p_i)",
        r"\operatorname{logit}(p_i) = \theta_i",
        rf"\theta_i = \alpha + {' + '.join(terms)}",
        r"u_{\text{generation}} \sim \operatorname{ZeroSumNormal}(\sigma_{\text{generation}}^2)",
        r"v_{\text{trial}} \sim \operatorname{Normal}(0, \tau_{\text{trial}}^2)",
        r"v_{\text{cohort}} \sim \operatorname{Normal}(0, \tau_{\text{cohort}}^2)",
    )
    assert [read(line) for line in equation.mathml][:3] == [
        "ri∼Binomial(ni,pi)",
        "logit(pi)=θi",
        "θi=α+βline[i]+ugeneration[i]+vtrial[i]+vcohort[i]",
    ]


@pytest.mark.parametrize("name", model_names())
def test_every_bundled_model_has_its_parts(name: str) -> None:
    spec, design = bundled(name)
    equation = equation_of(design)
    assert len(equation.mathml) == len(equation.latex)
    said = " ".join(read(line) for line in equation.mathml)
    assert ("BetaBinomial" in said) == (spec.likelihood.family == "beta_binomial")
    assert f"{spec.likelihood.link}(" in said
    rows = prior_rows(spec, design)
    beta_binomial = spec.likelihood.family == "beta_binomial"
    assert len(rows) == 1 + len(spec.effect) + len(spec.heterogeneity) + beta_binomial
    assert next(why for *_, why in rows) == spec.intercept.why
    assert {why for *_, why in rows} >= {effect.why for effect in spec.effect}


def test_names_of_ones_own_columns_are_text(spec_of: Callable[..., Spec], table_of: TableOf) -> None:
    effect = {"column": "my_column", "kind": "exchangeable", "sd_prior": {"dist": "half_normal", "sd": 0.5}}
    equation = equation_of(build_design(spec_of(effect=[effect]), table_of(my_column=[*"ababababab"])))
    assert r"u_{\text{my\_column[i]}}" in equation.latex[2]
    assert "my_column[i]" in read(equation.mathml[2])


def test_the_model_section_states_the_terms_that_were_fitted() -> None:
    """Of a table with one cohort a trial: one term for two, its prior with both reasons, and why."""
    spec = read_spec(model_path("overall"))
    evidence = read_evidence(STRANGERS / "two.csv", needed=spec.columns)
    settings = SamplerSettings(chains=2, draws=200)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings)
    blocks = model_section(fit).blocks
    (equation,) = (block for block in blocks if isinstance(block, Equation))
    assert equation.latex[2:] == (
        r"\theta_i = \alpha + v_{\text{total[i]}}",
        r"v_{\text{total}} \sim \operatorname{Normal}(0, \tau_{\text{total}}^2)",
    )
    priors = next(block for block in blocks if isinstance(block, Table)).table
    trial, cohort = spec.heterogeneity
    assert priors.rows[1:] == (
        (
            "tau_total",
            "root of half-normal(1)² + half-normal(1)²",
            "heterogeneity between trials and cohorts together (normal): its SD",
            f"tau_trial: {trial.why}; tau_cohort: {cohort.why}",
        ),
    )
    said = [piece for block in blocks if isinstance(block, Paragraph) for piece in block.pieces]
    assert fit.design.notes[0].startswith("Every trial gives one cohort")
    assert fit.design.notes[0] in said


def test_an_effect_that_was_not_fitted_is_in_neither_equation_nor_priors(
    spec_of: Callable[..., Spec], table_of: TableOf
) -> None:
    effect: dict[str, Any] = {"column": "line", "kind": "fixed", "reference": "naive"}
    spec = spec_of(effect=[effect | {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}])
    design = build_design(spec, table_of("a A naive first 30 20\nb B naive first 40 31"))
    assert equation_of(design).latex[2:] == (r"\theta_i = \alpha",)
    assert [name for name, *_ in prior_rows(spec, design)] == ["alpha"]
