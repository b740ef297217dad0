"""Adverse events beside responses: what is pooled and what is not, against integration by hand, SciPy and the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, roots_hermite

from alkbayes.analyses.safety import BENEFIT_COLUMNS, LEAST_COUNTS, Safety, cohort_table, safety_of
from alkbayes.errors import EvidenceError
from alkbayes.evidence.adverse_events import EVENTS, MEASURE, MEMBERS, POOLED, AdverseEvents, read_adverse_events
from alkbayes.evidence.sources import Selection, TableSource
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.presentation.safety import safety_parts
from alkbayes.presentation.tables import ReaderTable
from alkbayes.spec.schema import model_path, read_spec


@pytest.fixture(scope="module")
def bundled() -> Safety:
    return safety_of(read_evidence(), read_adverse_events())


def own(folder: Path, rows: str, header: str = "cohort_id,measure,events,n\n") -> AdverseEvents:
    path = folder / "events.csv"
    path.write_text(header + rows, encoding="utf-8")
    return read_adverse_events(path)


def cohorts(folder: Path, rows: str = "a,A,40,20\nb,B,30,10\nc,C,25,15\nd,D,60,30\n") -> Evidence:
    path = folder / "cohorts.csv"
    path.write_text(f"cohort_id,trial,n,responders\n{rows}", encoding="utf-8")
    return read_evidence(path)


def test_what_there_is_stands_first_and_counts_cohorts_once(bundled: Safety) -> None:
    """By hand from the two files: cohorts named in any counted row, with their own patients."""
    frame, used = read_evidence().frame, read_adverse_events().used
    named = {name for members in used[MEMBERS] for name in members} & set(frame["cohort_id"])
    patients = int(frame.loc[frame["cohort_id"].isin(named), "n"].sum())
    assert bundled.few[0].startswith(f"Sparse data: {len(named)} of 66 cohorts, {patients:,} of 5,707 patients, have a")
    assert (len(named), patients) == (21, 2157)
    whole = bundled.coverage.set_index(["level", MEASURE])
    by_level = whole.drop("all", level="level").groupby(MEASURE).sum()
    for measure in ("any", *POOLED):
        assert by_level.loc[measure].tolist() == whole.loc[("all", measure)].tolist()


def test_levels_of_fewer_counts_are_not_pooled(bundled: Safety) -> None:
    pooled = set(zip(bundled.pooled[MEASURE], bundled.pooled["level"], strict=True))
    of_models = bundled.counts[bundled.counts[MEASURE].isin(list(POOLED))]
    many = of_models[of_models["k"] >= LEAST_COUNTS]
    assert pooled == set(zip(many[MEASURE], many["level"], strict=True))
    assert pooled == {
        ("serious_ae", "first"),
        ("serious_ae", "second"),
        ("grade3_ae", "first"),
        ("grade3_ae", "second"),
        ("discontinuation_ae", "second"),
    }
    assert bundled.failures == ()


def test_summed_counts_have_exact_intervals(bundled: Safety) -> None:
    for row in bundled.counts.to_dict("records"):
        exact = stats.binomtest(row["events"], row["n"]).proportion_ci(0.95, "exact")
        assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)
    disc = bundled.counts.set_index([MEASURE, "level"]).loc[("discontinuation_ae", "second")]
    assert (disc["k"], disc["events"], disc["n"]) == (3, 9 + 16 + 6, 103 + 136 + 115)


def test_a_pooled_rate_is_that_of_its_model_by_integration(bundled: Safety) -> None:
    """On a grid, with nothing of the package: each trial has one cohort, so that both SDs add up to one."""
    events, n = np.array([9, 16, 6]), np.array([103, 136, 115])
    mu = np.linspace(-7, 3, 201)
    trial, cohort = (np.arange(0.5, 400) / 100 for _ in range(2))
    prior = stats.halfnorm(scale=1.0).pdf(trial)[:, None] * stats.halfnorm(scale=0.5).pdf(cohort)
    # Prior mass of the total SD in cells of 0.05.
    mass, edges = np.histogram(np.hypot(trial[:, None], cohort), bins=np.arange(0, 4.05, 0.05), weights=prior)
    nodes, weights = roots_hermite(40)
    weights = weights / np.sqrt(np.pi)
    posterior, rate = np.zeros(len(mu)), np.zeros(len(mu))
    for size, share in zip((edges[1:] + edges[:-1]) / 2, mass, strict=True):
        p = expit(mu[:, None] + np.sqrt(2) * size * nodes)
        likelihood = np.prod([stats.binom.pmf(y, m, p) @ weights for y, m in zip(events, n, strict=True)], axis=0)
        density = share * likelihood * stats.norm(-2, 1).pdf(mu)
        posterior += density
        rate += density * (p @ weights)
    total = posterior.sum()
    pooled = bundled.pooled
    found = pooled[(pooled[MEASURE] == "discontinuation_ae") & (pooled["level"] == "second")].set_index("estimand")
    # Four Monte Carlo errors of the draws.
    typical = (posterior * expit(mu)).sum() / total
    assert found.loc["typical", "mean"] == pytest.approx(typical, abs=4 * found.loc["typical", "mcse"])
    assert found.loc["mean", "mean"] == pytest.approx(rate.sum() / total, abs=4 * found.loc["mean", "mcse"])
    upper = expit(np.interp(0.975, posterior.cumsum() / total, mu))
    assert found.loc["typical", "high"] == pytest.approx(upper, abs=4 * found.loc["typical", "mcse_high"])


def test_response_beside_harm_is_of_the_same_cohorts(bundled: Safety) -> None:
    assert bundled.benefit.columns.tolist() == list(BENEFIT_COLUMNS)
    own_counts = read_evidence().frame.set_index("cohort_id")
    for row in bundled.benefit.to_dict("records"):
        members = row["cohort_id"].split("+")
        assert row["responders"] == own_counts.loc[members, "responders"].sum()
        assert row["patients"] == own_counts.loc[members, "n"].sum()
        exact = stats.binomtest(row["responders"], row["patients"]).proportion_ci(0.95, "exact")
        assert (row["response_low"], row["response_high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)
    lorlatinib = bundled.benefit[bundled.benefit["trial"] == "NCT01970865 phase 2"]
    assert lorlatinib["patients"].unique().tolist() == [30 + 59 + 28 + 111]
    assert "alectinib in J-ALEX" in bundled.without_response


def test_a_table_of_ones_own_has_no_words_of_another_field(tmp_path: Path) -> None:
    evidence = cohorts(tmp_path)
    events = own(tmp_path, "a,serious_ae,4,40\nb,serious_ae,6,30\nc+d,serious_ae,9,85\nx,hot_flushes,2,9\n")
    found = safety_of(evidence, events)
    assert found.by == ""
    assert found.few == (
        "4 of 4 cohorts, 155 of 155 patients, have a count of adverse events of any kind.",
        "Counted too, without a row in the table of cohorts, is x.",
        "A count of several cohorts together is one count.",
        "Measures of the table's own, which are not pooled: hot_flushes.",
    )
    assert found.pooled["level"].unique().tolist() == ["all"]
    assert found.counts["k"].tolist() == [3, 1]
    assert found.to_dict()["units"] == {"response": "ORR", "units": "patients"}


def test_counts_are_parted_by_any_column_of_either_table(tmp_path: Path) -> None:
    path = tmp_path / "cohorts.csv"
    path.write_text("cohort_id,n,responders,dose\na,40,20,low\nb,30,10,low\nc,25,15,high\n", encoding="utf-8")
    evidence = read_evidence(path)
    events = own(
        tmp_path,
        "a,serious_ae,4,40,north\nb+c,serious_ae,9,55,\nz,serious_ae,9,55,south\n",
        "cohort_id,measure,events,n,site\n",
    )
    by_dose = safety_of(evidence, events, by="dose")
    # Cohorts counted together that differ belong to no level, nor does one of which nothing is known.
    assert dict(zip(by_dose.counts["level"], by_dose.counts["k"], strict=True)) == {"low": 1, "": 2}
    assert set(safety_of(evidence, events, by="site").counts["level"]) == {"north", "south", ""}
    with pytest.raises(EvidenceError, match="colour"):
        safety_of(evidence, events, by="colour")


def test_no_counts_of_a_pooled_measure_and_none_of_the_cohorts_is_a_result(tmp_path: Path) -> None:
    found = safety_of(cohorts(tmp_path), own(tmp_path, "x,hot_flushes,2,9\n"))
    assert found.pooled.empty
    assert found.benefit.empty
    assert found.few[0].startswith("Sparse data: 0 of 4 cohorts, 0 of 155 patients")
    assert found.to_dict()["benefit"] == []


def test_counts_of_cohorts_that_a_selection_leaves_out_are_left_out_too() -> None:
    chosen = read_evidence(TableSource(None, selection=Selection(where='agent != "crizotinib"')))
    found = safety_of(chosen, read_adverse_events())
    assert "alesia-crizotinib" not in set(found.benefit["cohort_id"])
    # J-ALEX has no row in the table of cohorts, so that a condition on that says nothing of it.
    first = found.counts[(found.counts["level"] == "first") & (found.counts[MEASURE] == "grade3_ae")]
    assert first[["k", "events", "n"]].to_numpy().tolist() == [[1, 54, 104]]


def test_the_table_of_cohorts_is_read_by_every_model_of_harm(tmp_path: Path) -> None:
    events = read_adverse_events()
    wide = cohort_table(read_evidence(), events)
    assert wide["cohort_id"].is_unique
    path = tmp_path / "harm.csv"
    wide.to_csv(path, index=False)
    for measure, model in POOLED.items():
        spec = read_spec(model_path(model))
        read = read_evidence(path, needed=spec.needed, outcome=spec.outcome)
        rows = events.used[events.used[MEASURE] == measure]
        assert sorted(zip(read.frame["cohort_id"], read.frame["responders"], read.frame["n"], strict=True)) == sorted(
            zip(rows["cohort_id"], rows[EVENTS], rows["n"], strict=True)
        )


def test_the_record_is_json_and_says_what_failed_nowhere(bundled: Safety) -> None:
    record = bundled.to_dict()
    assert record["converged"]
    assert len(record["pooled"]) == 5 * 3
    assert {row["method"] for row in record["classical"]} == {"reml-logit-hk-adhoc", "glmm-ml"}
    assert pd.DataFrame(record["counts"])["events"].sum() == bundled.counts["events"].sum()


def test_a_likelihood_without_a_maximum_is_said(tmp_path: Path) -> None:
    """All patients or none: the SD between cohorts has no finite estimate."""
    table = own(tmp_path, "".join(f"{name},grade3_ae,{k},20\n" for name, k in zip("abcd", (0, 20, 0, 20), strict=True)))
    record = safety_of(cohorts(tmp_path), table).to_dict()
    (rates,) = (part for part in safety_parts(record) if isinstance(part, ReaderTable) and "Rates" in part.title)
    assert any(note.endswith("a typical cohort; – where it has no finite estimate.") for note in rates.notes)


def test_a_count_of_cohorts_of_two_levels_is_of_neither(tmp_path: Path) -> None:
    path = tmp_path / "cohorts.csv"
    path.write_text("cohort_id,arm,n,responders\na,p,40,20\nb,q,30,10\n", encoding="utf-8")
    record = safety_of(read_evidence(path), own(tmp_path, "a+b,serious_ae,5,70\n"), by="arm").to_dict()
    assert [row["level"] for row in record["counts"]] == [""]
    (rates,) = (part for part in safety_parts(record) if isinstance(part, ReaderTable) and "Rates" in part.title)
    assert rates.rows[1][:3] == (" (several, or not given)", "1", "5/70")
