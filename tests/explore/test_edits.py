"""What the page changes of a model makes a complete model file, each change with its reason."""

import tomllib

import pytest

from alkbayes.errors import SpecError, UsageError
from alkbayes.explore.base import Base, whole_table
from alkbayes.explore.edits import bundled, changes, edited, interaction_of, model_file, prior_scales
from alkbayes.explore.setting import Setting, parsed
from alkbayes.spec.schema import model_names, parse_spec


def asked(query: str) -> Setting:
    return parsed(query, Setting())


def test_nothing_changed_is_the_same_model(base: Base) -> None:
    assert edited(base.spec, Setting(), whole_table(base, base.spec)) is base.spec


@pytest.mark.parametrize("name", model_names())
def test_every_prior_of_every_bundled_model_can_be_moved(base: Base, name: str) -> None:
    spec, table = bundled(name), whole_table(base, base.spec)
    for scale in prior_scales(spec):
        moved = edited(spec, Setting(steps=((scale.key, -2),)), table)
        found = next(each for each in prior_scales(moved) if each.key == scale.key)
        before, after = scale.prior.model_dump(), found.prior.model_dump()
        key = "sd" if "sd" in before else "mean"
        # A factor of two down, to two significant digits.
        assert after == before | {key: pytest.approx(before[key] / 2, rel=0.05)}
        others = [each.prior for each in prior_scales(moved) if each.key != scale.key]
        assert others == [each.prior for each in prior_scales(spec) if each.key != scale.key]


def test_a_moved_prior_says_what_it_was(base: Base) -> None:
    spec = edited(base.spec, asked("prior.heterogeneity.0=-1"), whole_table(base, base.spec))
    declared = tomllib.loads(model_file(spec).decode())
    assert declared["name"] == "line-explored"
    assert declared["heterogeneity"][0]["sd_prior"]["sd"] == 0.35
    assert declared["heterogeneity"][0]["why"] == "explored: half-normal(0.35) instead of half-normal(0.5)"
    assert parse_spec(declared, source="it") == spec


def test_tails_link_interaction_and_reference_change_the_model(base: Base) -> None:
    table, spec = whole_table(base, base.spec), bundled("line-generation")
    found = edited(spec, asked("tails=student_t&link=cloglog&interaction=with&reference.line=mixed"), table)
    assert [term.distribution for term in found.heterogeneity] == ["normal", "student_t"]
    assert found.likelihood.link == "cloglog"
    assert found.effect[-1].columns == ("line", "regimen_class")
    assert found.effect[0].reference == "mixed"
    crossed = bundled("line-by-generation")
    assert [len(effect.columns) for effect in edited(crossed, asked("interaction=without"), table).effect] == [1, 1]
    assert edited(crossed, asked("interaction=with"), table) is crossed
    assert interaction_of(bundled("overall")) is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("prior.effect.7=1", "has no prior effect.7"),
        ("reference.region=Asia", "no fixed effect of region"),
        ("interaction=with", "no two effects"),
    ],
)
def test_a_change_that_does_not_fit_the_model_is_refused(base: Base, query: str, found: str) -> None:
    with pytest.raises((UsageError, SpecError), match=found):
        edited(base.spec, asked(query), whole_table(base, base.spec))


def test_changes_are_said_in_words(base: Base) -> None:
    query = (
        "out=a1&out=a2&why.a1=phase I&why.a2=phase I&drop.region=Asia&prior.effect.0=2&prior.heterogeneity.1=-2"
        "&link=probit&tails=student_t&reference.line=mixed&seed=4&draws=500&engine=nuts"
    ).replace(" ", "+")
    assert changes(asked(query), Setting(), base.spec, table=whole_table(base, base.spec)) == (
        "without a1, a2 (phase I)",
        "without region Asia",
        "prior of the differences of line normal(0, 2) for normal(0, 1)",
        "prior of the SD between cohorts half-normal(0.25) for half-normal(0.5)",
        "link probit",
        "Student t deviations",
        "reference line mixed",
        "seed 4",
        "500 draws per chain",
        "by NUTS",
    )
    assert changes(Setting(), Setting(), base.spec, table=whole_table(base, base.spec)) == ()
