"""What alternatives change: each against the table read by another reader, or a model file written by hand."""

import csv
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.evidence.cuts import with_cuts
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.model.design import build_design
from alkbayes.model.draws import linear_predictor
from alkbayes.sensitivity_analysis import edits
from alkbayes.sensitivity_analysis.edits import Change, Inapplicable
from alkbayes.spec.schema import Spec, model_path, read_spec

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(model_path("line-generation"))


@pytest.fixture(scope="module")
def evidence(spec: Spec) -> Evidence:
    return read_evidence(needed=spec.columns)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The bundled table as Python's own reader has it."""
    text = files("alkbayes").joinpath("data", "cohorts.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def changed(found: Change | Inapplicable) -> Change:
    assert isinstance(found, Change), found
    return found


@pytest.mark.parametrize(
    ("edit", "column", "values", "kept"),
    [
        (edits.only("assessor", "irc"), "assessor", {"irc"}, True),
        (edits.only("analysis_set", "itt"), "analysis_set", {"itt"}, True),
        (edits.only("count_basis", "stated"), "count_basis", {"stated"}, True),
        (edits.only("certainty", "high"), "certainty", {"high"}, True),
        (edits.without("phase", "1"), "phase", {"1"}, False),
        (edits.without("phase", "1", "1/2"), "phase", {"1", "1/2"}, False),
        (edits.without("line", "mixed"), "line", {"mixed"}, False),
    ],
)
def test_a_selection_has_the_rows_that_the_file_has(
    spec: Spec,
    evidence: Evidence,
    rows: list[dict[str, str]],
    edit: edits.Edit,
    column: str,
    values: set[str],
    kept: bool,
) -> None:
    frame = changed(edit(spec, evidence)).evidence.frame
    expected = [row for row in rows if (row[column] in values) is kept]
    assert 0 < len(expected) < len(rows)
    assert frame["cohort_id"].tolist() == [row["cohort_id"] for row in expected]
    assert frame["n"].sum() == sum(int(row["n"]) for row in expected)
    assert frame.index.tolist() == list(range(len(expected)))


def test_the_line_by_prior_tki_is_that_of_the_file(spec: Spec, evidence: Evidence, rows: list[dict[str, str]]) -> None:
    after = changed(edits.line_by_tki(spec, evidence)).evidence.frame
    kinds = Counter(row["prior_alk_tki"] for row in rows)
    treated = kinds["crizotinib"] + kinds["second"] + kinds["any"]
    assert after["line"].value_counts().to_dict() == {
        "naive": kinds["none"],
        "pretreated": treated,
        "mixed": kinds["mixed"],
    }
    # All else is as it was.
    assert after.drop(columns="line").equals(evidence.frame.drop(columns="line"))


def test_a_later_cut_changes_the_counts_that_the_file_has_and_nothing_else(spec: Spec, evidence: Evidence) -> None:
    text = files("alkbayes").joinpath("data", "cuts.csv").read_text(encoding="utf-8")
    later = {row["cohort_id"]: row for row in csv.DictReader(text.splitlines()) if row["cut"] == "later"}
    before = with_cuts(evidence).frame.set_index("cohort_id")
    after = changed(edits.later_cut(spec, with_cuts(evidence))).evidence.frame.set_index("cohort_id")
    assert after.index.tolist() == before.index.tolist()
    for name, row in later.items():
        assert after.loc[name, ["responders", "n"]].tolist() == [int(row["responders"]), int(row["n"])]
    rest = [name for name in before.index if name not in later]
    assert after.loc[rest].equals(before.loc[rest])
    assert after[["line", "trial"]].equals(before[["line", "trial"]])


def test_without_later_cuts_there_is_nothing_to_put_in_their_place(spec: Spec, evidence: Evidence) -> None:
    nothing = Inapplicable("no cohort has a count at a later data cut-off")
    assert edits.later_cut(spec, evidence) == nothing
    kept = evidence.frame["cohort_id"].to_numpy() == "alesia-alectinib"
    assert edits.later_cut(spec, with_cuts(evidence).part(kept)) == nothing
    brain = read_spec(model_path("intracranial"))
    of_brain = with_cuts(read_evidence(needed=brain.columns, outcome=brain.outcome))
    assert of_brain.cuts is None
    assert isinstance(edits.later_cut(brain, of_brain), Inapplicable)


def test_a_table_that_lacks_what_is_read_says_so(spec: Spec, table_of: Callable[..., Evidence]) -> None:
    small = table_of()
    assert edits.only("assessor", "irc")(spec, small) == Inapplicable("the table has no column assessor")
    assert edits.line_by_tki(spec, small) == Inapplicable("the table has no column prior_alk_tki")
    odd = table_of(prior_alk_tki=["none"] * 9 + ["maybe"])
    assert edits.line_by_tki(spec, odd) == Inapplicable("the column prior_alk_tki has 'maybe', which say no line")
    same = table_of(assessor=["irc"] * 10)
    assert edits.only("assessor", "irc")(spec, same) == Inapplicable("it leaves no cohort out")


def test_priors_are_changed_where_they_stand_and_nowhere_else(spec: Spec, evidence: Evidence) -> None:
    prior = {"dist": "exponential", "mean": 0.5}
    after = changed(edits.every_tau(prior, "why")(spec, evidence)).spec
    assert [term.sd_prior.model_dump() for term in after.heterogeneity] == [prior, prior]
    assert after.effect == spec.effect
    assert (after.intercept, after.likelihood) == (spec.intercept, spec.likelihood)
    after = changed(edits.first_fixed(2.0, "why")(spec, evidence)).spec
    assert after.effect[0].model_dump()["prior"] == {"dist": "normal", "mean": 0.0, "sd": 2.0}
    assert after.effect[1:] == spec.effect[1:]
    assert after.heterogeneity == spec.heterogeneity
    after = changed(edits.every_effect_sd(1.0, "why")(spec, evidence)).spec
    assert after.effect[0] == spec.effect[0]
    assert after.effect[1].model_dump()["sd_prior"] == {"dist": "half_normal", "sd": 1.0}
    after = changed(edits.wide_intercept(3.0, "why")(spec, evidence)).spec
    assert after.intercept.prior.model_dump() == {"dist": "normal", "mean": 0.0, "sd": 3.0}
    assert after.effect == spec.effect


def test_a_change_is_checked_as_a_model_file_is(spec: Spec) -> None:
    from alkbayes.errors import SpecError

    with pytest.raises(SpecError, match="sd"):
        edits.rewritten(spec, intercept={"prior": {"dist": "normal", "mean": 0.0, "sd": -1.0}, "why": "no"})
    assert edits.rewritten(spec) == spec


@pytest.mark.parametrize("edit", [edits.every_tau({"dist": "half_normal", "sd": 0.5}, "w")])
def test_a_prior_that_the_model_has_changes_nothing(spec: Spec, evidence: Evidence, edit: edits.Edit) -> None:
    assert edit(spec, evidence) == Inapplicable("it changes nothing: the model has this prior")


def test_the_bundled_robust_and_beta_binomial_models_are_reached(spec: Spec, evidence: Evidence) -> None:
    def bare(found: Spec) -> dict[str, Any]:
        record = found.model_dump(by_alias=True, exclude={"name", "question"})
        for part in [record["likelihood"], record["intercept"], *record["effect"], *record["heterogeneity"]]:
            part.pop("why", None)
        return record

    robust, beta = read_spec(model_path("robust")), read_spec(model_path("beta-binomial"))
    assert bare(changed(edits.heavy_tails(spec, evidence)).spec) == bare(robust)
    assert bare(changed(edits.beta_binomial(spec, evidence)).spec) == bare(beta)
    # And back.
    assert bare(changed(edits.normal_tails(robust, evidence)).spec) == bare(spec)
    assert bare(changed(edits.binomial(beta, evidence)).spec) == bare(spec)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("reference", ["naive", "pretreated"])
def test_mixed_cohorts_lie_between_the_lines(
    spec_of: Callable[..., Spec], table_of: Callable[..., Evidence], share: float, reference: str
) -> None:
    prior = {"dist": "normal", "mean": 0.0, "sd": 1.0}
    spec = spec_of(effect=[{"column": "line", "kind": "fixed", "reference": reference, "prior": prior}])
    table = table_of()
    change = changed(edits.mixture(share)(spec, table))
    assert change.reshape is not None
    design = change.reshape(build_design(spec, table))
    assert len(design.effects[0].free_coords) == 1
    draws = {"alpha": np.array([0.3]), "beta_line": np.array([[-1.2]])}
    logits = linear_predictor(design, draws, {"line": design.effects[0].index})[0]
    by_line = dict(zip(table.frame["line"], logits, strict=True))
    # Of the reference the intercept; of the other line the intercept and its difference; of mixed the mean of both.
    other = {"naive": "pretreated", "pretreated": "naive"}[reference]
    assert by_line[reference] == pytest.approx(0.3)
    assert by_line[other] == pytest.approx(-0.9)
    assert by_line["mixed"] == pytest.approx((1 - share) * by_line["naive"] + share * by_line["pretreated"])


def test_a_mixture_needs_all_three_lines_and_their_fixed_effect(
    spec: Spec, evidence: Evidence, spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    edit = edits.mixture(0.5)
    assert edit(spec_of(), table_of()) == Inapplicable("the model has no fixed effect of line")
    unmixed = changed(edits.without("line", "mixed")(spec, evidence)).evidence
    assert edit(spec, unmixed) == Inapplicable("the table has no mixed cohorts")


def test_other_links_say_the_same_of_rates_near_one_half() -> None:
    inverse = {"probit": stats.norm.cdf, "cloglog": lambda eta: 1 - np.exp(-np.exp(eta))}
    for name, (at_rate, ratio) in edits.LINKS.items():
        assert inverse[name](at_rate(0.3)) == pytest.approx(0.3)
        # A small step of the logit moves the rate as far as one as many times as wide on the other scale.
        step = 1e-4
        rate = inverse[name](at_rate(0.5) + ratio * step)
        assert rate - 0.5 == pytest.approx(expit(step) - 0.5, rel=1e-3)


@pytest.mark.parametrize("name", list(edits.LINKS))
def test_a_link_carries_its_priors_over_or_is_told_to_be_missing(spec: Spec, evidence: Evidence, name: str) -> None:
    found = edits.link(name)(spec, evidence)
    if isinstance(found, Inapplicable):
        assert found.reason == f"models of this version have no link {name}"
        return
    _, ratio = edits.LINKS[name]
    assert found.spec.likelihood.link == name
    for before, after in zip(spec.heterogeneity, found.spec.heterogeneity, strict=True):
        assert after.sd_prior.model_dump()["sd"] == pytest.approx(ratio * before.sd_prior.model_dump()["sd"])
    assert found.spec.intercept.prior.sd == pytest.approx(1.5 * ratio)


@pytest.mark.parametrize(
    ("column", "cells", "level"),
    [
        ("phase", ("1", "I", "i", "Phase 1", "phase I", "1b", "Ib", "1a/1b"), "1"),
        ("phase", ("1/2", "I/II", "I–II", "1-2", "1b/2a", "Phase Ib/IIa", "phase 1 and 2"), "1/2"),
        ("phase", ("2", "II", "2b", "Phase II"), "2"),
        ("phase", ("IV", "Phase 4"), "4"),
        ("phase", ("expanded access", "0", "1/x"), None),
        ("assessor", ("irc", "IRC", "BICR", "Independent review"), "irc"),
        ("assessor", ("Investigator", "INV", "local"), "investigator"),
        ("assessor", ("site",), None),
        ("analysis_set", ("ITT", "intention-to-treat"), "itt"),
        # Not a slip of ITT: a set of its own.
        ("analysis_set", ("mITT",), None),
        ("confirmed", ("Yes", "y", "TRUE"), "yes"),
        ("count_basis", ("stated",), "stated"),
        ("phase", ("",), ""),
    ],
)
def test_a_cell_means_the_level_that_a_reader_sees(column: str, cells: tuple[str, ...], level: str | None) -> None:
    assert [edits.level_meant(column, cell) for cell in cells] == [level] * len(cells)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (edits.only("assessor", "irc"), {"IRC", "BICR"}),
        (edits.only("analysis_set", "itt"), {"ITT"}),
        (edits.only("confirmed", "yes"), {"Yes"}),
        (edits.without("phase", "1"), {"I/II", "2", "II", "1b/2a"}),
        (edits.without("phase", "1", "1/2"), {"2", "II"}),
    ],
)
def test_the_words_of_another_table_are_read(spec: Spec, change: edits.Edit, left: set[str]) -> None:
    table = read_evidence(STRANGERS / "tdxd_words.csv")
    made = change(spec, table)
    assert isinstance(made, Change)
    column = next(name for name in made.evidence.frame if left <= set(table.frame[name]))
    assert set(made.evidence.frame[column]) == left
    assert 0 < made.evidence.cohorts < table.cohorts


def test_a_word_that_means_no_level_is_named(spec: Spec, table_of: Callable[..., Evidence]) -> None:
    table = table_of("a A naive first 9 4\nb B naive first 9 4", phase=["1", "expanded access"])
    assert edits.without("phase", "1")(spec, table) == Inapplicable(
        'the column phase has "expanded access", which is none of 1, 1/2, 2, 3, 4'
    )
