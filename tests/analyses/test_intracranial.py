"""Systemic and intracranial response side by side: what is fitted to what, and under which priors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alkbayes.analyses.intracranial import (
    ALTERNATIVES,
    BRAIN,
    MAIN,
    SAME,
    SYSTEMIC,
    IntracranialAnalysis,
    intracranial_analysis,
)
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.settings import SamplerSettings
from alkbayes.spec.schema import FixedEffect, Spec, model_path, read_spec

SETTINGS = SamplerSettings(seed=3, draws=500)


def read(name: str, path: Path | None) -> tuple[Spec, Evidence]:
    spec = read_spec(model_path(name))
    return spec, read_evidence(path, needed=spec.columns, outcome=spec.outcome)


@pytest.fixture(scope="module")
def calls() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def found(brain_table: Path, calls: list[tuple[int, int]]) -> IntracranialAnalysis:
    return intracranial_analysis(
        *read("intracranial", brain_table),
        systemic=read("line-generation", brain_table),
        settings=SETTINGS,
        progress=lambda done, total: calls.append((done, total)),
    )


def row(found: IntracranialAnalysis, side: str, group: str, level: str, estimand: str = "mean") -> pd.Series:
    rates = found.rates
    chosen = rates[
        (rates["side"] == side)
        & (rates["group"] == group)
        & (rates["level"] == level)
        & (rates["estimand"] == estimand)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_each_side_counts_its_own_patients(found: IntracranialAnalysis) -> None:
    counts = {
        side: tuple(row(found, side, "all", "all")[["k", "patients", "responders"]]) for side in (SYSTEMIC, SAME, BRAIN)
    }
    # Of eight cohorts one says nothing of the brain, and one had no such patient.
    assert counts == {SYSTEMIC: (8, 365, 206), SAME: (6, 302, 185), BRAIN: (6, 74, 38)}
    assert list(dict.fromkeys(found.rates["side"])) == [SYSTEMIC, SAME, BRAIN]
    assert set(found.rates["estimand"]) == {"typical", "mean"}
    assert row(found, SAME, "generation", "first")["k"] == row(found, BRAIN, "generation", "first")["k"] == 1


def test_like_is_compared_with_like_by_one_model(found: IntracranialAnalysis, brain_table: Path) -> None:
    # The intracranial model on the systemic counts of the same cohorts, fitted here from a table of these alone.
    from alkbayes.estimates.rates import pooled_table, posterior_of
    from alkbayes.inference.fit import fit_model
    from alkbayes.inference.settings import Engine
    from alkbayes.sensitivity_analysis.edits import rewritten

    spec, _evidence = read("intracranial", brain_table)
    frame = pd.read_csv(brain_table, keep_default_na=False)
    kept = frame[frame["cohort_id"].isin(["a1", "a2", "c1", "d1", "e1", "f1"])].reset_index(drop=True)
    table = Evidence(frame=kept, source="own", sha256="", content=b"")
    fit = fit_model(rewritten(spec, outcome=None), table, engine=Engine.QUADRATURE, settings=SETTINGS)
    expected = pooled_table(posterior_of(fit)).query("group == 'all' and estimand == 'mean'").iloc[0]
    assert row(found, SAME, "all", "all")["median"] == expected["median"]


def test_contrasts_stand_under_each_alternative_the_model_s_own_first(found: IntracranialAnalysis) -> None:
    contrasts = found.contrasts
    assert found.left_out == {}
    assert list(dict.fromkeys(contrasts["alternative"])) == [MAIN, *(alternative.name for alternative in ALTERNATIVES)]
    assert contrasts.groupby("alternative").size().eq(6).all()
    assert list(dict.fromkeys(contrasts["contrast"])) == ["second vs first", "third vs first", "third vs second"]
    other = contrasts[~contrasts["of_prior"]]
    assert set(other["alternative"]) == {"read independently (ic_assessor irc)"}
    assert set(other["cohorts"]) == {5}
    assert set(contrasts.loc[contrasts["of_prior"], "cohorts"]) == {6}


def test_wider_priors_of_generations_pull_less_together(found: IntracranialAnalysis) -> None:
    rows = found.contrasts.query("scale == 'odds_ratio' and contrast == 'third vs first'").set_index("alternative")
    width = np.log(rows["high"] / rows["low"])
    order = [
        "generations alike: SD half-normal 0.25",
        "as systemic: SD half-normal 0.5",
        MAIN,
        "generations apart: SD half-normal 2",
    ]
    assert width[order].is_monotonic_increasing
    assert rows.loc[order, "median"].is_monotonic_increasing


def test_probabilities_have_the_error_of_their_draws(found: IntracranialAnalysis) -> None:
    p, error = found.contrasts["prob_better"], found.contrasts["mcse_prob"]
    binomial = np.sqrt(p * (1 - p) / 2000)
    # Duplicates and weights make it larger than that of independent draws, not much.
    assert (error > 0.8 * binomial).all()
    assert (error < 3 * binomial).all()


def test_a_main_row_is_that_of_the_fit(found: IntracranialAnalysis) -> None:
    from alkbayes.estimates.rates import contrast_table, posterior_of

    expected = contrast_table(posterior_of(found.brain)).query("column == 'generation'")
    main = found.contrasts[found.contrasts["alternative"] == MAIN]
    for name in ("contrast", "scale", "median", "low", "high", "prob_better"):
        assert main[name].tolist() == expected[name].tolist()


def test_what_carries_it_is_named(found: IntracranialAnalysis) -> None:
    assert found.carried_by == (
        "Generation first is 1 cohort of 9 patients: a1 3/9. Every contrast with it rests on these.",
        (
            "Generation second is 3 cohorts of 45 patients: a2 8/10, c1 9/21, f1 5/14. Every contrast with it "
            "rests on these."
        ),
        "Generation third is 2 cohorts of 20 patients: d1 7/12, e1 6/8. Every contrast with it rests on these.",
        "1 trial of 5 (A) has cohorts of several generations; all other comparisons are between trials.",
    )


def test_it_tells_how_far_it_has_come(found: IntracranialAnalysis, calls: list[tuple[int, int]]) -> None:
    assert calls == [(done, 11) for done in range(1, 12)]


def test_generations_as_fixed_effects_have_a_prior_each(brain_table: Path) -> None:
    spec, evidence = read("intracranial", brain_table)
    (alternative,) = (alternative for alternative in ALTERNATIVES if alternative.name.startswith("generations fixed"))
    changed = alternative.edit(spec, evidence).spec
    (effect,) = (effect for effect in changed.effect if effect.columns == ("regimen_class",))
    assert isinstance(effect, FixedEffect)
    assert (effect.reference, effect.prior.sd) == ("first", 2.0)
    assert changed.heterogeneity == spec.heterogeneity
    later = replace(evidence, frame=evidence.frame[evidence.frame["regimen_class"] != "first"])
    (effect, _) = alternative.edit(spec, later).spec.effect
    assert effect.reference == "second"


def test_an_alternative_that_says_nothing_is_left_out_with_its_reason(brain_table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(brain_table, keep_default_na=False).drop(columns="ic_assessor")
    path = tmp_path / "plain.csv"
    frame[frame["regimen_class"] == "second"].to_csv(path, index=False)
    fewer = intracranial_analysis(
        *read("intracranial", path),
        systemic=read("line-generation", path),
        settings=replace(SETTINGS, draws=250),
    )
    assert fewer.left_out == {"read independently (ic_assessor irc)": "the table has no column ic_assessor"}
    assert fewer.contrasts.empty
