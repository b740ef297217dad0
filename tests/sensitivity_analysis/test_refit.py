"""A run fitted again under alternative analyses: the same fits as made by hand, whatever the number of processes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest

from alkbayes import parallel
from alkbayes.errors import EngineWarning, WorkersLostError
from alkbayes.estimates.headline import headline_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.sensitivity_analysis import refit as sensitivity
from alkbayes.sensitivity_analysis.power_scaling import power_scaling
from alkbayes.sensitivity_analysis.refit import AGAIN, NOT_DONE, fit_alternative, outcome_of, over_own, run_grid
from alkbayes.sensitivity_analysis.table import Grid, Outcome, Status
from alkbayes.spec.schema import Spec, model_path, parse_spec, read_spec
from alkbayes.vocabulary import Contrast, Standard

SETTINGS = SamplerSettings(seed=11, draws=250)


@pytest.fixture(scope="module", autouse=True)
def _few(fewer_draws: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with fewer_draws():
        yield


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(model_path("line"))


@pytest.fixture(scope="module")
def evidence(spec: Spec) -> Evidence:
    return read_evidence(needed=spec.columns)


@pytest.fixture(scope="module")
def fit(spec: Spec, evidence: Evidence) -> Fit:
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)


def medians(outcome: Outcome) -> dict[tuple[str, str, str, str], float]:
    assert outcome.estimates is not None
    return {key: estimate.median for key, estimate in outcome.estimates.items()}


def test_the_main_model_again_is_the_main_fit(fit: Fit) -> None:
    grid = run_grid(fit, names=("differences normal 1", "effect SD 1"), workers=1)
    assert medians(grid.again) == medians(grid.main)  # the same engine and seed: not one digit of noise
    assert grid.not_reproduced == ()
    assert [outcome.status for outcome in grid.outcomes] == [Status.NOT_APPLICABLE] * 2
    assert grid.outcomes[0].reason == "it changes nothing: the model has this prior"


def test_another_seed_gives_the_same_numbers_up_to_monte_carlo_error(fit: Fit) -> None:
    again = fit_alternative(AGAIN, fit.spec, fit.evidence, SamplerSettings(seed=12, draws=250))
    grid = Grid(outcome_of("main", fit, main=fit.design), again, ())
    assert grid.not_reproduced == ()
    assert medians(again) != medians(grid.main)
    for number in grid.numbers:
        shift = grid.shift(again, number.key)
        assert shift is not None
        assert not shift.moved
        for name in shift.shown:
            # Of some 15 numbers, one in a million of the tests that agree is beyond 5.3 errors.
            assert abs(shift.by[name]) < 5.3 * shift.errors[name]


@pytest.mark.slow
def test_the_same_again_is_of_the_same_patients_as_the_run() -> None:
    spec = read_spec(model_path("sequence"))
    settings = SamplerSettings(seed=11, draws=500)
    evidence = read_evidence(needed=spec.columns)
    run = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=settings, standard=Standard.SAME)
    grid = run_grid(run, names=(), workers=1)
    assert grid.not_reproduced == ()
    for number in grid.numbers:
        shift = grid.shift(grid.again, number.key)
        assert shift is not None
        for name in shift.shown:
            # As above: other draws, as these are of the default number.
            assert abs(shift.by[name]) < 5.3 * shift.errors[name], number.name
    # Both are what the run gives for each level's own patients, and power-scaling is of these numbers too.
    pooled = results_of(run).document["pooled"]
    own = {row["level"]: row["own_median"] for row in pooled if (row["group"], row["estimand"]) == ("line", "mean")}
    same = {row["level"]: row["median"] for row in pooled if (row["group"], row["estimand"]) == ("line", "mean")}
    found = {key[2]: value for key, value in medians(grid.main).items() if key[1] == "line" and key[3] == "mean"}
    assert found == pytest.approx(own, rel=1e-12)
    assert abs(found["pretreated"] - same["pretreated"]) > 0.05
    scaled = {
        each.number.key: float(np.median(each.number.draws)) for each in power_scaling(over_own(run)).sensitivities
    }
    assert scaled == pytest.approx(medians(grid.main), rel=1e-12)


def test_an_alternative_is_the_fit_that_one_would_make_by_hand(spec: Spec, evidence: Evidence) -> None:
    prior = {"dist": "half_normal", "sd": 1.0}
    terms = [term.model_dump() | {"sd_prior": prior} for term in spec.heterogeneity]
    other = parse_spec(spec.model_dump(by_alias=True) | {"heterogeneity": terms}, source="by hand")
    direct = fit_model(other, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)
    expected = {number.key: float(np.median(number.draws)) for number in headline_of(posterior_of(direct))}
    found = fit_alternative("tau half-normal 1", spec, evidence, SETTINGS)
    assert found.usable
    assert medians(found) == expected


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_number_of_processes(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "FEW", 2)
    names = ("high certainty", "mixed 50 % pretreated")
    seen: list[tuple[int, int]] = []
    one = run_grid(fit, names=names, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    two = run_grid(fit, names=names, workers=2)
    assert one == two
    certain, mixture = one.outcomes
    high = fit.evidence.frame["certainty"] == "high"
    assert (certain.cohorts, certain.patients) == (high.sum(), fit.evidence.frame.loc[high, "n"].sum())
    # What is assumed of mixed cohorts is no finding about them.
    assert [key[2] for key in medians(mixture)] == [
        "all",
        "all",
        "naive",
        "pretreated",
        Contrast("line", first="pretreated", second="naive"),
        "tau_total",
    ]


def test_what_is_gone_is_told_and_has_no_number(fit: Fit) -> None:
    found = fit_alternative("mixed lines left out", fit.spec, fit.evidence, SETTINGS)
    assert found.gone == ("line mixed",)
    assert all("mixed" not in str(key[2]) for key in medians(found))


def test_an_sd_on_another_scale_is_not_compared(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    # That of a Student t is its scale. The fit is the main model's, for this is not about the engine.
    monkeypatch.setattr(sensitivity, "fit_model", lambda *_, **__: fit)
    found = fit_alternative("Student t cohorts", fit.spec, fit.evidence, SETTINGS)
    assert all(key[0] != "heterogeneity" for key in medians(found))
    assert len(medians(found)) == len(medians(outcome_of("main", fit, main=fit.design))) - 1


def test_that_sampling_takes_longer_is_told_before(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensitivity, "unsupported", lambda _: "something odd")
    monkeypatch.setattr(sensitivity, "fit_alternative", lambda name, **_: Outcome(name, Status.FAILED, "not tried"))
    told = "^the quadrature engine does not cover main model again, no phase 1: sampled by NUTS"
    with pytest.warns(EngineWarning, match=told) as warned:
        grid = run_grid(fit, names=("no phase 1",), workers=1)
    assert len(warned) == 1
    assert grid.outcomes[0].status is Status.FAILED


def test_what_was_done_before_workers_were_lost_stays(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(work: object, order: list[str], **_: object) -> None:
        raise WorkersLostError("killed", {1: Outcome(order[1], Status.FITTED, cohorts=40)})

    monkeypatch.setattr(sensitivity, "in_processes", lost)
    grid = run_grid(fit, names=("no phase 1", "tau half-normal 1"))
    assert grid.stopped == "killed"
    assert grid.again == Outcome(AGAIN, Status.FAILED, NOT_DONE)
    assert grid.outcomes == (
        Outcome("no phase 1", Status.FITTED, cohorts=40),
        Outcome("tau half-normal 1", Status.FAILED, NOT_DONE),
    )


def test_a_fit_that_fails_is_one_row_and_not_the_end(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    from alkbayes.errors import SamplingError

    def refuse(*_: object, **__: object) -> Fit:
        raise SamplingError("no luck")

    monkeypatch.setattr(sensitivity, "fit_model", refuse)
    grid = run_grid(fit, names=("no phase 1",), workers=1)
    assert grid.outcomes == (Outcome("no phase 1", Status.FAILED, "no luck"),)
    assert grid.usable == ()
