"""Leave-one-trial-out of a table of four trials against direct fits to the other three."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from alkbayes.criticism.loo_trials import (
    leave_one_trial_out,
    tasks_of,
    trials_to_leave_out,
    verdict,
    weighted,
    without_trial,
)
from alkbayes.errors import EvidenceError
from alkbayes.estimates.headline import headline_of
from alkbayes.estimates.monte_carlo import errors_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings

ROWS = """
a1 A naive first 60 45
a2 A pretreated second 40 18
b1 B naive second 80 62
c1 C pretreated first 50 20
c2 C naive first 30 25
c3 C pretreated second 90 33
d1 D pretreated second 70 60
"""
HALF_NORMAL = {"dist": "half_normal", "sd": 0.5}
LINE = {"column": "line", "kind": "fixed", "reference": "naive", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
LEVELS = [{"column": column, "distribution": "normal", "sd_prior": HALF_NORMAL} for column in ("trial", "cohort_id")]
SETTINGS = SamplerSettings(seed=9)
LIMIT = 4.5
"""Monte Carlo errors between two right answers: exceeded by one of some fifty in fewer than one of a thousand runs."""


@pytest.fixture(scope="module")
def spec(spec_of: Any) -> Any:
    return spec_of(effect=[LINE], heterogeneity=LEVELS)


@pytest.fixture(scope="module")
def whole(spec: Any, table_of: Any) -> Any:
    return fit_model(spec, table_of(ROWS), engine=Engine.QUADRATURE, settings=SETTINGS)


@pytest.fixture(scope="module")
def left_out(whole: Any) -> Any:
    return leave_one_trial_out(whole, workers=1)


@pytest.fixture(scope="module")
def direct(spec: Any, table_of: Any) -> dict[str, Any]:
    """Fits to the table without the rows of each trial."""
    rows = ROWS.strip().splitlines()
    return {
        trial: fit_model(
            spec,
            table_of("\n".join(row for row in rows if row.split()[1] != trial)),
            engine=Engine.QUADRATURE,
            settings=replace(SETTINGS, seed=77),
        )
        for trial in "ABCD"
    }


@pytest.mark.slow
def test_the_numbers_are_those_of_direct_fits(whole: Any, left_out: Any, direct: dict[str, Any]) -> None:
    moves = left_out.moves.set_index(["trial", "number"])
    with_all = {number.name: number for number in headline_of(posterior_of(whole))}
    for trial, fit in direct.items():
        numbers = headline_of(posterior_of(fit))
        assert {number.name for number in numbers} == set(with_all)
        for number in numbers:
            row = moves.loc[(trial, number.name)]
            error = np.hypot(errors_of(fit)(number.draws).median, row["mcse"])
            assert abs(row["without_median"] - np.median(number.draws)) < LIMIT * error
            assert row["median"] == pytest.approx(np.median(with_all[number.name].draws))
            assert row["move"] == pytest.approx(row["without_median"] - row["median"])
            assert row["move_sd"] == pytest.approx(row["move"] / with_all[number.name].draws.std())
            assert row["beyond_noise"] == (abs(row["move"]) > 2 * row["mcse"])


def test_weights_give_what_refits_give(spec: Any, table_of: Any) -> None:
    """Of twelve trials, one at odds with the others, which is refitted."""
    rng = np.random.default_rng(8)
    rates = expit(rng.normal(0.6, 0.4, 12))
    rates[7] = 0.02
    rows = [
        f"{trial}{line} {trial} {line} first {n} {rng.binomial(n, rate)}"
        for trial, rate in zip("ABCDEFGHIJKL", rates, strict=True)
        for line, n in (("naive", 60), ("pretreated", 45))
    ]
    fit = fit_model(spec, table_of("\n".join(rows)), engine=Engine.QUADRATURE, settings=SETTINGS)
    tasks = tasks_of(fit, trials_to_leave_out(fit))
    found = weighted(fit, tasks)
    assert [task.trial.name for task, one in zip(tasks, found, strict=True) if one is None] == ["H"]
    for place in (0, 3, 10):
        one, refitted = found[place], without_trial(tasks[place])
        assert one is not None
        assert abs(one.elpd - refitted.elpd) < LIMIT * np.hypot(one.elpd_mcse, refitted.elpd_mcse)
        assert one.summaries.keys() == refitted.summaries.keys()
        for key, summary in refitted.summaries.items():
            for number in ("median", "low", "high"):
                errors = [each[f"mcse_{number}"] for each in (summary, one.summaries[key])]
                assert abs(summary[number] - one.summaries[key][number]) < LIMIT * np.hypot(*errors)
    alone = weighted(fit, tasks, summaries=False)
    assert [one and one.elpd for one in alone] == [one and one.elpd for one in found]


def test_elpd_is_the_mean_likelihood_of_the_trial_under_the_others(left_out: Any, direct: dict[str, Any]) -> None:
    trials = left_out.trials.set_index("trial")
    rng = np.random.default_rng(3)
    for trial, fit in direct.items():
        rows = [row.split() for row in ROWS.strip().splitlines() if row.split()[1] == trial]
        draws = {name: values.ravel() for name, values in fit.draws.items() if values.ndim == 2}
        treated = fit.draws["beta_line"].ravel()
        # The deviations by brute force: 400 pairs for each draw of the global parameters.
        v = rng.standard_normal((4000, 400))
        log = np.zeros_like(v)
        for _, _, line, _, n, y in rows:
            eta = draws["alpha"] + (treated if line == "pretreated" else 0.0)
            w = rng.standard_normal(v.shape)
            theta = eta[:, None] + draws["tau_trial"][:, None] * v + draws["tau_cohort"][:, None] * w
            log += stats.binom.logpmf(int(y), int(n), expit(theta))
        expected = logsumexp(log) - np.log(log.size)
        relative = np.exp(log - log.max()).mean(axis=1)
        error = np.hypot(relative.std() / relative.mean() / np.sqrt(4000), trials.loc[trial, "elpd_mcse"])
        assert abs(trials.loc[trial, "elpd"] - expected) < LIMIT * error
        assert error < 0.2
    assert left_out.elpd.elpd == pytest.approx(left_out.trials["elpd"].sum())
    assert list(left_out.elpd.elpd_i["trial"].to_numpy()) == list("ABCD")


def test_the_trial_that_moves_most_stands_first(left_out: Any) -> None:
    # D is 86 % in pretreated cohorts, the others 36 to 45 %.
    assert left_out.trials.loc[0, "trial"] == "D"
    assert (np.diff(left_out.trials["largest"]) <= 0).all()
    largest = left_out.moves.groupby("trial")["move_sd"].agg(lambda sds: sds.abs().max())
    assert left_out.trials.loc[0, "largest"] == pytest.approx(largest["D"])
    assert list(dict.fromkeys(left_out.moves["trial"])) == list(left_out.trials["trial"])


@pytest.mark.slow
def test_the_number_of_processes_decides_nothing(whole: Any, left_out: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alkbayes.parallel.FEW", 1)
    again = leave_one_trial_out(whole, workers=2)
    assert again.moves.equals(left_out.moves)
    assert again.trials.equals(left_out.trials)


def test_a_level_that_vanishes_with_its_trial_is_told(spec: Any, table_of: Any) -> None:
    rows = ROWS + "e1 E mixed second 40 20\n"
    settings = SamplerSettings(seed=9, chains=2, draws=500)
    fit = fit_model(spec, table_of(rows), engine=Engine.QUADRATURE, settings=settings)
    found = leave_one_trial_out(fit, workers=1)
    trials = found.trials.set_index("trial")
    assert trials.loc["E", "lost"] == "line mixed"
    assert set(trials.drop(index="E")["lost"]) == {""}
    assert np.isfinite(trials["elpd"]).all()
    moves = found.moves.set_index(["trial", "number"]).loc["E"]
    undefined = moves[moves["without_median"].isna()]
    assert set(undefined.index) == {name for name in moves.index if "mixed" in name}
    assert not undefined["beyond_noise"].any()
    assert "line mixed has cohorts in E alone: without it, its numbers are not defined." in verdict(found)


def test_the_verdict_tells_of_large_moves_alone(left_out: Any) -> None:
    first = verdict(left_out)[0]
    large = left_out.moves[left_out.moves["beyond_noise"] & (left_out.moves["move_sd"].abs() >= 1)]
    assert first.startswith("Shifts of a posterior SD or more: ") == (not large.empty)
    shrunk = replace(left_out, moves=left_out.moves.assign(move_sd=left_out.moves["move_sd"] / 10))
    assert verdict(shrunk)[0].startswith("No headline number moves by a posterior SD")
    still = replace(left_out, moves=left_out.moves.assign(beyond_noise=False))
    assert verdict(still)[0].startswith("No headline number moves beyond its Monte Carlo error")


def test_a_table_without_trials_or_with_one_is_refused(whole: Any, table_of: Any) -> None:
    blank = table_of(ROWS)
    blank.frame["trial"] = ""
    with pytest.raises(EvidenceError, match="needs a column trial"):
        leave_one_trial_out(replace(whole, evidence=blank))
    one = table_of(ROWS)
    one.frame["trial"] = "A"
    with pytest.raises(EvidenceError, match="All cohorts are of one trial, A"):
        leave_one_trial_out(replace(whole, evidence=one))
