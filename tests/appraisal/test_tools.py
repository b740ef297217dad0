"""Bundled tools against their publications, and what a tool of one's own may not be."""

import itertools
import re
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb

from alkbayes.appraisal.tools import OVERALL, REPORTING_QUALITY, TOOLS, bundled_tool, read_tool
from alkbayes.errors import SpecError, UsageError

OWN = """\
schema = 1
name = "mine"
title = "Our own"
question = "What we asked"
source = "our protocol"

[[domain]]
name = "blinding"
label = "Assessors blinded"

[[judgement]]
label = "Yes"
symbol = "y"
shape = "circle"
colour = "#ffffff"

[[judgement]]
label = "No"
symbol = "n"
shape = "triangle"
colour = "#000000"
"""


def test_robins_i_has_the_domains_and_judgements_of_its_publication() -> None:
    # Sterne et al. (2016), doi:10.1136/bmj.i4919, table 1 and the box of judgements.
    tool = bundled_tool("robins-i")
    assert [domain.label for domain in tool.domain] == [
        "Bias due to confounding",
        "Bias in selection of participants into the study",
        "Bias in classification of interventions",
        "Bias due to deviations from intended interventions",
        "Bias due to missing data",
        "Bias in measurement of outcomes",
        "Bias in selection of the reported result",
        "Overall",
    ]
    assert [each.label for each in tool.judgement] == ["Low", "Moderate", "Serious", "Critical", "No information"]
    # robvis's palette for colour-blind readers (its R/helpers.R).
    assert [each.colour for each in tool.judgement] == ["#fed98e", "#fe9929", "#d95f0e", "#993404", "#ffffff"]


@pytest.mark.parametrize(
    ("name", "domains", "judgements", "doi"),
    [
        ("robins-i", 7, 5, "10.1136/bmj.i4919"),
        # Munn et al. 2020 and 2015: ten and nine questions, four answers.
        ("jbi-case-series", 10, 4, "10.11124/JBISRIR-D-19-00099"),
        ("jbi-prevalence", 9, 4, "10.1097/XEB.0000000000000054"),
        # Slim et al. 2003: twelve items, scored 0 to 2.
        ("minors", 12, 3, "10.1046/j.1445-2197.2003.02748.x"),
    ],
)
def test_a_tool_has_as_many_domains_and_judgements_as_published(
    name: str, domains: int, judgements: int, doi: str
) -> None:
    tool = bundled_tool(name)
    assert [domain.name for domain in tool.domain].index(OVERALL) == domains == len(tool.domain) - 1
    assert (len(tool.judgement), tool.doi) == (judgements, doi)
    assert [each.label for each in tool.judgements_of(tool.domain[-1]) if each.low] == ["Low"]


def test_every_column_but_the_overall_one_tells_its_tool() -> None:
    columns = [column for name in TOOLS for column in bundled_tool(name).columns if column != "rob_overall"]
    assert len(columns) == len(set(columns)) == 7 + 10 + 9 + 12


@pytest.mark.parametrize("name", [*TOOLS, REPORTING_QUALITY])
def test_symbols_and_shapes_tell_judgements_apart_without_colour_and_greys_fall_in_order(name: str) -> None:
    tool = bundled_tool(name)
    for domain in tool.domain:
        choices = tool.judgements_of(domain)
        assert len({choice.symbol for choice in choices}) == len({choice.shape for choice in choices}) == len(choices)
        # White and light grey stand for what is no judgement on the scale.
        scale = [choice for choice in choices if choice.symbol not in "?/" or name == REPORTING_QUALITY]
        greys = [sum(w * c for w, c in zip((0.299, 0.587, 0.114), to_rgb(each.colour), strict=True)) for each in scale]
        assert all(light - dark > 0.05 for light, dark in itertools.pairwise(greys)), domain.name


def test_a_tool_of_one_s_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    tool = read_tool(str(path))
    assert (tool.columns, tool.missing, tool.citation) == (
        ("rob_blinding",),
        "not judged",
        "Our own, our protocol",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('symbol = "n"', 'symbol = "no"', 'judgement[1].symbol: found "no"; allowed: one character.'),
        ('symbol = "n"', 'symbol = "y"', 'found "No", whose symbol or word another has; allowed: each symbol and word'),
        ('label = "No"', 'label = "YES!"', 'found "YES!", whose symbol or word another has'),
        ('shape = "triangle"', 'shape = "star"', 'judgement[1].shape: found "star"; allowed: "circle", "square"'),
        ('"#000000"', '"black"', 'judgement[1].colour: found "black"; allowed: a colour such as "#fed98e".'),
        ("[[domain]]", '[[domain]]\nname = "blinding"\nlabel = "Again"\n[[domain]]', "domain[1].name: found"),
        ("[[domain]]", "[[domains]]", "domains: unknown key"),
        ("schema = 1", "schema = 2", "schema: found 2; allowed: 1, the only version"),
        (OWN[OWN.index("[[judgement]]") :], "", "domain[0]: no judgement; allowed: one or more"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    assert old in OWN
    path.write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError, match=re.escape(message)):
        read_tool(str(path))


def test_a_tool_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"found 'minor'; allowed: robins-i, .*, or a TOML file\. Did you mean minors\?"
    ):
        read_tool("minor")
