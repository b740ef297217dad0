"""What the worker computes: the fit of the command line, and a preview that the refit confirms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alkbayes.estimates.results import results_of
from alkbayes.evidence.sources import TableSource
from alkbayes.explore.analyst import Analyst, without_one
from alkbayes.explore.base import Base, base_of_table, settings_of, whole_table
from alkbayes.explore.jobs import (
    FitJob,
    Fitted,
    KeepJob,
    NoPreview,
    Previewed,
    PreviewJob,
    Refused,
    ReportJob,
    Unreliable,
)
from alkbayes.explore.setting import Exclusion, Setting, parsed
from alkbayes.inference.fit import fit_by_quadrature, fit_model
from alkbayes.inference.importance import engine
from alkbayes.inference.settings import Engine
from alkbayes.text.json import records


def rows(pooled, *names: str) -> dict[tuple[str, str, str], list[float]]:
    return {
        (row["group"], row["level"], row["estimand"]): [row[name] for name in names]
        for row in pooled
        if row["estimand"] != "these_cohorts"
    }


def test_a_settled_fit_is_that_of_the_command(base: Base) -> None:
    fitted = Analyst(base).answer(FitJob(base.setting, quick=False))
    assert isinstance(fitted, Fitted)
    table = whole_table(base, base.spec)
    same = fit_model(
        base.spec, table, engine=Engine.QUADRATURE, settings=settings_of(base, base.setting), standard=base.standard
    )
    results = results_of(same)
    assert fitted.document["pooled"] == results.document["pooled"]
    assert [*fitted.cohorts] == records(results.cohorts)
    assert set(fitted.implied) == {(), ("line",), ("trial",), ("cohort",)}


def test_a_first_answer_agrees_within_its_monte_carlo_error(base: Base) -> None:
    analyst = Analyst(base)
    quick, settled = (analyst.answer(FitJob(base.setting, quick)) for quick in (True, False))
    assert quick.document["provenance"]["settings"]["draws"] == 250
    found, known = (rows(each.document["pooled"], "median", "mcse_median") for each in (quick, settled))
    assert found.keys() == known.keys()
    for place, (median, error) in found.items():
        # Five standard errors of a dozen differences: one false alarm in about 10^5 runs, and the seed is fixed.
        assert median == pytest.approx(known[place][0], abs=5 * np.hypot(error, known[place][1]))
    assert {row["method"] for row in quick.document["classical"]} < {
        row["method"] for row in settled.document["classical"]
    }


@pytest.mark.parametrize("cohort", ["a1", "b1", "d2", "e1"])
def test_a_preview_is_what_the_refit_gives(base: Base, cohort: str) -> None:
    analyst = Analyst(base)
    analyst.answer(FitJob(base.setting, quick=False))
    after = replace(base.setting, excluded=(Exclusion(cohort),))
    preview = analyst.answer(PreviewJob(base.setting, after, cohort))
    refit = analyst.answer(FitJob(after, quick=False))
    assert isinstance(preview, Previewed)
    assert isinstance(refit, Fitted)
    found, known = rows(preview.pooled, "median", "k"), rows(refit.document["pooled"], "median", "k", "sd")
    assert found.keys() == known.keys()
    for place, (median, k) in found.items():
        exact, exact_k, sd = known[place]
        assert k == exact_k
        # Weights leave at least a quarter of 4,000 draws: six standard errors of a median are below a quarter of an SD.
        assert median == pytest.approx(exact, abs=0.25 * sd), place


def test_there_is_no_preview_of_what_weights_cannot_tell(base: Base) -> None:
    analyst = Analyst(base)
    after = replace(base.setting, excluded=(Exclusion("a1"),))
    assert analyst.answer(PreviewJob(base.setting, after, "a1")) == NoPreview(), "nothing was fitted yet"
    analyst.answer(FitJob(base.setting, quick=True))
    assert analyst.answer(PreviewJob(after, base.setting, "a1")) == NoPreview(), "this setting was not fitted"
    assert analyst.answer(PreviewJob(base.setting, after, "z9")) == NoPreview()
    # The one mixed cohort: its level would be empty.
    assert analyst.answer(PreviewJob(base.setting, after, "g1")) == NoPreview()


def test_weights_with_a_heavy_tail_give_no_preview(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("cohort_id,n,responders\na,400,8\nb,40,38\nc,40,38\nd,40,38\ne,40,39\n", encoding="utf-8")
    base = base_of_table(TableSource(path), "overall")
    table = whole_table(base, base.spec)
    fit = fit_by_quadrature(base.spec, table, settings=settings_of(base, base.setting))
    assert without_one(fit, 0) == NoPreview()


def test_a_gate_that_fails_is_an_answer_and_not_a_fit_by_another_engine(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "fault", lambda *_: "Pareto k is 0.90, above 0.7")
    answer = Analyst(base).answer(FitJob(base.setting, quick=False))
    assert isinstance(answer, Unreliable)
    assert "Pareto k is 0.90" in answer.reason
    assert answer.by_nuts
    kept = Analyst(base).answer(KeepJob(base.setting, None, ()))
    assert isinstance(kept, Refused)
    assert "nothing to keep" in kept.message


def test_what_a_user_can_mend_is_an_answer(base: Base, tmp_path: Path) -> None:
    analyst = Analyst(base)
    refused = analyst.answer(FitJob(parsed("reference.line=none", base.setting), quick=True))
    assert isinstance(refused, Refused)
    assert "none" in refused.message
    assert isinstance(analyst.answer(ReportJob(tmp_path / "no-run")), Refused)


def test_a_reason_is_no_other_analysis(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    analyst = Analyst(base)
    one = analyst.answer(FitJob(parsed("out=a1", base.setting), quick=False))
    monkeypatch.setattr("alkbayes.explore.analyst.fit_by_quadrature", None)
    other = analyst.answer(FitJob(parsed("out=a1&why.a1=phase+I", base.setting), quick=False))
    assert one.document["pooled"] == other.document["pooled"]
    assert one.setting == other.setting == Setting(excluded=(Exclusion("a1"),))


def test_the_table_of_a_setting_has_its_reason(base: Base) -> None:
    setting = parsed("out=a1&why.a1=phase+I", base.setting)
    table = Analyst(base).table(setting)
    assert table.selection.reason == "phase I"
