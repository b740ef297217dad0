"""The sampler: what decides its draws, what it reports, and the second try."""

from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie
import pytest

from alkbayes.errors import ConvergenceWarning, SamplingError
from alkbayes.inference import fit as fit_module
from alkbayes.inference.convergence import Thresholds, diagnose
from alkbayes.inference.fit import fit_model
from alkbayes.inference.nuts.sampler import SAMPLE_STATS, NutsEngine
from alkbayes.inference.settings import SamplerSettings

SMALL = SamplerSettings(seed=11, chains=2, draws=200, tune=200)


@pytest.fixture(scope="module")
def case(case_of: Callable[[str], Any]) -> Any:
    return case_of("cohort-only")


@pytest.fixture(scope="module")
def engine(case: Any) -> NutsEngine:
    return NutsEngine(case.design)


def test_the_seed_decides_every_draw(engine: NutsEngine) -> None:
    one, again = engine.sample(SMALL), engine.sample(SMALL)
    np.testing.assert_array_equal(one.positions, again.positions)
    for name in SAMPLE_STATS.values():
        np.testing.assert_array_equal(one.stats[name], again.stats[name])
    other = engine.sample(SamplerSettings(seed=12, chains=2, draws=200, tune=200))
    assert (one.positions != other.positions).all()
    assert (one.positions[0] != one.positions[1]).all()  # chains have seeds of their own


def test_another_engine_gives_the_same_draws(case: Any, engine: NutsEngine) -> None:
    np.testing.assert_array_equal(NutsEngine(case.design).sample(SMALL).positions, engine.sample(SMALL).positions)


def test_what_it_returns(case: Any, engine: NutsEngine) -> None:
    found = engine.sample(SMALL)
    assert found.positions.shape == (2, 200, case.size)
    assert {name: values.shape for name, values in found.stats.items()} == dict.fromkeys(
        SAMPLE_STATS.values(), (2, 200)
    )
    assert np.isfinite(found.positions).all()
    assert found.stats["diverging"].dtype == np.bool_


def test_progress_is_reported_to_the_end(engine: NutsEngine) -> None:
    reports: list[tuple[int, int, int]] = []
    engine.sample(SMALL, progress=lambda *report: reports.append(report))
    assert reports
    assert reports[-1][:2] == (800, 800)
    assert [report[0] for report in reports] == sorted(report[0] for report in reports)


def test_a_sampler_that_stops_is_an_error_of_its_own(engine: NutsEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def wait(self, timeout: float) -> None:  # noqa: ARG002
            raise RuntimeError("all initialization points failed")

    monkeypatch.setattr(nutpie, "sample", lambda *_, **__: Broken())
    with pytest.raises(SamplingError, match="all initialization points failed") as caught:
        engine.sample(SMALL)
    assert caught.value.exit_code == 5


def test_an_interrupt_cancels_and_goes_on_up(engine: NutsEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        cancelled = False

        def wait(self, timeout: float) -> None:  # noqa: ARG002
            raise KeyboardInterrupt

        def cancel(self) -> None:
            self.cancelled = True

    sampler = Interrupted()
    monkeypatch.setattr(nutpie, "sample", lambda *_, **__: sampler)
    with pytest.raises(KeyboardInterrupt):
        engine.sample(SMALL)
    assert sampler.cancelled


def test_a_failed_gate_is_tried_once_more_and_says_so(case: Any) -> None:
    # 2 x 100 draws cannot have 400 effective ones: both tries fail.
    with pytest.warns(ConvergenceWarning) as warned:
        fit = fit_model(case.spec, case.evidence, settings=SamplerSettings(seed=3, chains=2, draws=100, tune=100))
    assert fit.provenance.tries == 2
    assert fit.provenance.settings == SamplerSettings(
        seed=3, chains=2, draws=100, tune=200, target_accept=fit.provenance.settings.target_accept
    )
    assert fit.provenance.settings.target_accept == pytest.approx(0.99)
    assert any("ESS" in failure for failure in fit.provenance.first_failures)
    (message,) = [str(each.message) for each in warned]
    assert "target_accept 0.99 and 200 tuning steps" in message
    assert fit.provenance.first_failures[0] in message
    assert not fit.diagnostics.converged
    record = fit.provenance.as_record()
    assert record["tries"] == 2
    assert record["settings"]["tune"] == 200


def test_the_second_try_is_the_one_that_is_kept(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def strict_at_first(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        lax = Thresholds(rhat_max=9.0, ess_min=0.0, divergences=10_000, ebfmi_min=0.0)
        return diagnose(*args, thresholds=Thresholds(ess_min=1e9) if calls == 1 else lax)

    monkeypatch.setattr(fit_module, "diagnose", strict_at_first)
    with pytest.warns(ConvergenceWarning):
        fit = fit_model(case.spec, case.evidence, settings=SMALL)
    assert calls == 2
    assert fit.diagnostics.converged
    assert fit.provenance.tries == 2
    monkeypatch.undo()
    kept = NutsEngine(case.design).sample(fit.provenance.settings)
    np.testing.assert_array_equal(fit.tree["sample_stats"]["lp"].to_numpy(), kept.stats["lp"])


def test_a_passed_gate_is_not_tried_again(case: Any) -> None:
    fit = fit_model(case.spec, case.evidence, settings=SamplerSettings(seed=3))
    assert fit.diagnostics.converged, fit.diagnostics.failures
    assert fit.provenance.tries == 1
    assert fit.provenance.first_failures == ()
    assert set(fit.provenance.seconds) == {"compile", "sample"}
    assert fit.provenance.versions["pymc"]
