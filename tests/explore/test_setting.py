"""A setting is the query of an address, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkbayes.errors import UsageError
from alkbayes.explore.setting import Exclusion, Setting, parsed
from alkbayes.inference.settings import Engine

BASE = Setting()
# Reasons and levels may be anything that a browser can send, which lone surrogates are not.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
KEYS = st.sampled_from(["intercept", "effect.0", "effect.1", "heterogeneity.0", "heterogeneity.0.spread"])


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    names = draw(st.lists(TEXTS, unique=True, max_size=4))
    reasons = st.one_of(st.just(""), TEXTS)
    columns = draw(st.dictionaries(TEXTS, st.lists(TEXTS, min_size=1, max_size=3, unique=True), max_size=3))
    steps = draw(st.dictionaries(KEYS, st.integers(-4, 4).filter(bool), max_size=3))
    return Setting(
        excluded=tuple(Exclusion(name, draw(reasons)) for name in sorted(names)),
        dropped=tuple((column, tuple(sorted(levels))) for column, levels in sorted(columns.items())),
        dropped_reason=draw(reasons),
        model=draw(st.sampled_from(["", "overall"])),
        steps=tuple(sorted(steps.items())),
        link=draw(st.sampled_from(["", "probit"])),
        tails=draw(st.sampled_from(["", "student_t", "normal"])),
        interaction=draw(st.sampled_from(["", "with", "without"])),
        reference=tuple(sorted(draw(st.dictionaries(TEXTS, TEXTS, max_size=2)).items())),
        engine=draw(st.sampled_from(Engine)),
        seed=draw(st.integers(0, 2**32 - 1)),
        draws=draw(st.integers(250, 10_000)),
    )


@given(setting=settings())
def test_its_query_says_all_of_it(setting: Setting) -> None:
    assert parsed(setting.query(BASE), BASE, models=["overall"]) == setting


def test_the_base_has_an_empty_query() -> None:
    assert BASE.query(BASE) == ""
    assert parsed("", BASE) == BASE
    other = Setting(seed=7, draws=500)
    assert parsed(other.query(other), other) == other


def test_the_order_of_a_query_does_not_matter() -> None:
    assert parsed("out=b&out=a&drop.line=z&drop.line=y", BASE) == parsed("drop.line=y&drop.line=z&out=a&out=b", BASE)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("nonsense", "nonsense"),
        ("frobnicate=1", "frobnicate"),
        ("out.x=1", "out.x"),
        ("model=../../etc/passwd", "allowed:"),
        ("prior.effect.0=5", "allowed: a whole number from -4 to 4"),
        ("prior.effect.0=1e3", "allowed: a whole number"),
        ("prior.__class__=1", "prior.__class__"),
        ("link=identity", "allowed: logit, probit, cloglog"),
        ("engine=abacus", "allowed: nuts, quadrature"),
        ("seed=-1", "from 0 to"),
        ("seed=٣", "allowed: a whole number"),
        ("draws=1000000", "from 250 to 10,000"),
        (f"out={'x' * 501}", "more than 500 characters"),
        ("&".join(["out=a"] * 20_001), "does not say a setting"),
    ],
)
def test_what_is_no_setting_is_refused_with_what_is_allowed(query: str, found: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parsed(query, BASE, models=["overall"])
    assert found in str(refusal.value)


def test_no_number_depends_on_a_reason() -> None:
    with_reason = parsed("out=a&why.a=phase I&drop.line=x&why=old", BASE)
    assert with_reason.analysis == parsed("out=a&drop.line=x", BASE)
    assert with_reason.unexplained == ()
    assert parsed("out=a&out=b&why.b=x&drop.line=y", BASE).unexplained == ("a", "line")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", ""),
        ("out=a&why.a=phase I", "phase I"),
        ("out=a&out=b&why.a=phase I&why.b=phase I", "phase I"),
        ("out=a&out=b&why.a=phase I&why.b=overlap", "a: phase I; b: overlap"),
        ("out=a&why.a=phase I&drop.line=mixed&why=unclear", "a: phase I; mixed: unclear"),
    ],
)
def test_several_reasons_are_told_apart(query: str, reason: str) -> None:
    assert parsed(query.replace(" ", "+"), BASE).reason == reason
