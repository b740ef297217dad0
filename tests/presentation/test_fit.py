"""A fit's tables as text: each number stands in its place, whatever is there."""

from types import SimpleNamespace

import pytest

from alkbayes.classical.notes import NO_TAU2
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.presentation import fit as fit_tables
from alkbayes.spec.schema import model_path, read_spec


@pytest.fixture(scope="module")
def document() -> dict:
    spec = read_spec(model_path("line-generation"))
    settings = SamplerSettings(seed=11, chains=4, draws=250)
    evidence = read_evidence(needed=spec.columns)
    return results_of(fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings)).document


def row_of(table: fit_tables.ReaderTable, name: str) -> SimpleNamespace:
    (cells,) = [row for row in table.rows if row[0].strip() == name]
    return SimpleNamespace(**dict(zip(("name", *map(plain, table.headings[1:])), cells, strict=True)))


def plain(heading: str) -> str:
    return "".join(mark if mark.isalnum() else "_" for mark in heading.replace("-\n", "-"))


def test_a_row_has_the_numbers_of_its_level_under_their_headings(document: dict) -> None:
    table = fit_tables.pooled_rows(document)
    naive = row_of(table, "naive")
    assert (naive.k, naive.patients_responders) == ("17", "1,612\n1,231")
    # Wilson's interval of 1,231 / 1,612, by statsmodels' proportion_confint.
    assert naive.crude == "76.4\n74.2–78.4"
    (mean,) = [row for row in document["pooled"] if (row["level"], row["estimand"]) == ("naive", "mean")]
    shown, interval = naive.mean.split("\n")
    assert float(shown) == pytest.approx(100 * mean["median"], abs=0.51)
    assert [float(end) for end in interval.split("–")] == pytest.approx(
        [100 * mean["low"], 100 * mean["high"]], abs=0.51
    )
    (new,) = [row for row in document["pooled"] if (row["level"], row["estimand"]) == ("naive", "next_cohort")]
    assert [float(end) for end in naive.next_cohort.split("–")] == pytest.approx(
        [100 * new["low"], 100 * new["high"]], abs=0.51
    )


def test_groups_have_a_title_above_their_levels(document: dict) -> None:
    titles = [row[0] for row in fit_tables.pooled_rows(document).rows if len(row) == 1]
    assert titles == ["line", "TKI generation", "line : TKI generation"]
    names = [row[0] for row in fit_tables.pooled_rows(document).rows]
    assert names[0] == "overall"
    assert names[names.index("line") + 1] == " naive"
    assert " naive : first" in names


def test_what_pool_says_of_an_inverse_variance_interval_stands_under_the_table(document: dict) -> None:
    notes = fit_tables.inverse_variance_notes(document)
    assert notes[0] == (
        "Inverse-variance (overall, mixed, second, mixed : second): 1/2 was added to events and non-events of "
        "cohort brig101-crizotinib-naive, where one of them is 0."
    )
    # Two experimental cohorts, 0.5 to 98.6 %; each interval that is better is said once, in one sentence.
    (few,) = [note for note in notes if "of little use" in note]
    binomial = {row["level"]: row for row in document["classical"] if row["method"] == "glmm-ml"}
    found = binomial["experimental"]
    interval = "–".join(f"{100 * found[limit]:.1f}" for limit in ("low", "high"))
    assert f"{100 * found['estimate']:.1f} ({interval}) in experimental" in few
    assert few.startswith("Inverse-variance: A t interval with one or two degrees of freedom, 12.7 or 4.3 standard")
    rows = [row for row in document["classical"] if row["method"] == fit_tables.INVERSE_VARIANCE]
    advised, caution, without_tau2 = few.partition(f" {NO_TAU2.removesuffix('.')}")
    named = [part.partition(") in ")[2] for part in advised.partition("glmm-ml: ")[2].rstrip(".").split(", ")]
    assert named == [row["level"].replace(":", " : ") for row in rows if "of little use" in row["note"]]
    assert caution
    zero = [
        row["level"].replace(":", " : ")
        for row in document["classical"]
        if row["method"] == "glmm-ml" and row["tau2"] == 0
    ]
    assert without_tau2 == f" ({', '.join(name for name in named if name in zero)})."
    assert not [note for note in notes if "prediction interval" in note]
    assert len(notes) < len({row["note"] for row in rows} - {""})


def test_what_no_method_gives_is_a_dash(document: dict) -> None:
    without = document | {"classical": [row for row in document["classical"] if row["method"] != "crude-wilson"]}
    assert row_of(fit_tables.pooled_rows(without), "overall").crude == "–"
    nothing = [row | {"estimate": None} for row in document["classical"]]
    assert row_of(fit_tables.pooled_rows(document | {"classical": nothing}), "overall").inverse_variance == "–"


def test_each_effect_has_its_contrasts(document: dict) -> None:
    lines, generations = fit_tables.contrast_rows(document)
    assert (lines.title, generations.title) == ("Contrasts of line", "Contrasts of TKI generation")
    # No naive or mixed cohort had an experimental agent, which two pretreated ones had.
    assert [row[0] for row in lines.rows] == ["pretreated vs naive *", "mixed vs naive", "mixed vs pretreated *"]
    _, odds, points, first_higher = lines.rows[0]
    assert odds.startswith("0.")
    assert points.startswith("−")
    assert first_higher == "< 1 %"


def test_shares_are_percent_and_deviations_are_not(document: dict) -> None:
    rows = {row[0]: row for row in fit_tables.heterogeneity_rows(document).rows}
    assert rows["i2"][1].endswith(" %")
    assert 0 < float(rows["tau_total"][1]) < 2
    assert rows["tau_cohort"][3] == "between cohorts of one trial, SD on the logit scale"
    assert rows["sd_generation"][3] == "between the levels of TKI generation, SD on the logit scale"


def test_the_verdict_says_which_engine_and_what_failed(document: dict) -> None:
    (made,) = fit_tables.verdict(document)
    assert made.startswith("Posterior: converged. 1,000 draws by quadrature and importance sampling, seed 11; Pareto k")
    failed = document["diagnostics"] | {"converged": False, "failures": ["Pareto k 0.9"]}
    made, why = fit_tables.verdict(document | {"diagnostics": failed})
    assert made.startswith("Posterior: NOT CONVERGED: DO NOT USE THESE NUMBERS.")
    assert why == "failed: Pareto k 0.9"
