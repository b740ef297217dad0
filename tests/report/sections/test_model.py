"""The equation and the priors of every bundled model."""

from html.parser import HTMLParser

import pytest

from alkbayes.report.sections.model import equation_of, prior_rows
from alkbayes.spec.schema import model_names, model_path, read_spec

TABLE = ("cohort_id", "trial", "line", "regimen_class", "generation", "responders", "n")


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
    equation = equation_of(read_spec(model_path("line-generation")), TABLE)
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
    spec = read_spec(model_path(name))
    equation = equation_of(spec, TABLE)
    assert len(equation.mathml) == len(equation.latex)
    said = " ".join(read(line) for line in equation.mathml)
    assert ("BetaBinomial" in said) == (spec.likelihood.family == "beta_binomial")
    assert f"{spec.likelihood.link}(" in said
    rows = prior_rows(spec, TABLE)
    beta_binomial = spec.likelihood.family == "beta_binomial"
    assert len(rows) == 1 + len(spec.effect) + len(spec.heterogeneity) + beta_binomial
    assert next(why for *_, why in rows) == spec.intercept.why
    assert {why for *_, why in rows} >= {effect.why for effect in spec.effect}


def test_names_of_ones_own_columns_are_text() -> None:
    from alkbayes.spec.schema import parse_spec

    spec = read_spec(model_path("line"))
    effect = {"column": "my_column", "kind": "exchangeable", "sd_prior": {"dist": "half_normal", "sd": 0.5}, "why": "x"}
    own = parse_spec(spec.model_dump(by_alias=True) | {"effect": [effect]}, source="test")
    equation = equation_of(own, (*TABLE, "my_column"))
    assert r"u_{\text{my\_column[i]}}" in equation.latex[2]
    assert "my_column[i]" in read(equation.mathml[2])
