"""Every bundled model on the bundled table: compiled density, convergence on the first try, one answer of both engines.

What a user runs first must not fail. One fit a model by either engine, at the default settings and the default seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from alkbayes.estimates.cross_check import CrossCheck, cross_check, fit_both
from alkbayes.estimates.rates import pooled_table, posterior_of
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.nuts import sampler as nuts
from alkbayes.inference.nuts.sampler import NutsEngine, Sampled
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.draws import from_unconstrained
from alkbayes.model.profiles import groups_of
from alkbayes.spec.schema import model_names


@dataclass(frozen=True)
class Fitted:
    case: Any
    fit: Fit
    positions: np.ndarray
    density: Callable[[np.ndarray], tuple[int, float, np.ndarray]]


def native_density(engine: NutsEngine) -> Callable[[np.ndarray], tuple[int, float, np.ndarray]]:
    """Return the function that the sampler calls: error code, log density and gradient at a position."""
    function, counts = engine._compiled.compiled_logp_func.ctypes, engine._compiled.user_data
    pointer = function.argtypes[1]

    def at(position: np.ndarray) -> tuple[int, float, np.ndarray]:
        here, gradient, value = np.array(position, dtype=np.float64), np.empty(len(position)), np.empty(1)
        arguments = (array.ctypes.data_as(pointer) for array in (here, gradient, value))
        code = function(len(here), *arguments, counts.ctypes.data_as(pointer))
        return code, float(value[0]), gradient

    return at


def fitted(case: Any) -> Fitted:
    engines: list[NutsEngine] = []
    brought: list[Sampled] = []

    class Remembered(NutsEngine):
        def __init__(self, design: Any) -> None:
            super().__init__(design)
            engines.append(self)

        def sample(self, *args: Any, **kwargs: Any) -> Sampled:
            brought.append(super().sample(*args, **kwargs))
            return brought[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nuts, "NutsEngine", Remembered)
        fit = fit_model(case.spec, case.evidence)
    return Fitted(case, fit, brought[-1].positions, native_density(engines[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
def test_bundled_model(name: str, case_of: Callable[[str], Any], oracle_log_density: Any) -> None:
    # One test, so that a model is compiled and sampled once however many workers there are.
    found = fitted(case_of(name))
    it_converges_on_the_first_try(found)
    compiled_density_is_the_plain_models(found, oracle_log_density)
    compiled_gradient_is_that_of_finite_differences(found)
    compiled_density_is_finite_far_out(found)
    sampled_log_density_is_that_of_the_draws(found, oracle_log_density)
    pooled_rates_lie_where_the_counts_are(found)
    both_engines_have_one_answer(found)


def it_converges_on_the_first_try(fitted: Fitted) -> None:
    found = fitted.fit.diagnostics
    assert found.failures == ()
    assert fitted.fit.provenance.tries == 1
    assert fitted.fit.provenance.settings == SamplerSettings()
    assert found.rhat_max < 1.01
    assert min(found.ess_bulk_min, found.ess_tail_min) > 400
    assert found.divergences == 0


def compiled_density_is_the_plain_models(fitted: Fitted, oracle_log_density: Any) -> None:
    for point in fitted.case.points(2, scale=1.3, seed=9)[0]:
        code, value, _ = fitted.density(point)
        assert code == 0
        assert value == pytest.approx(oracle_log_density(fitted.case, point), abs=2e-5)


def compiled_gradient_is_that_of_finite_differences(fitted: Fitted) -> None:
    point, step = fitted.case.points(1, seed=10)[0, 0], 1e-5
    gradient = fitted.density(point)[2]
    for entry in range(len(point)):
        nudge = step * (np.arange(len(point)) == entry)
        slope = (fitted.density(point + nudge)[1] - fitted.density(point - nudge)[1]) / (2 * step)
        assert gradient[entry] == pytest.approx(slope, rel=1e-5, abs=1e-3), entry


def compiled_density_is_finite_far_out(fitted: Fitted) -> None:
    for scale in (0.0, 3.0, 5.0):
        for point in fitted.case.points(20, scale=scale, seed=11)[0]:
            code, value, gradient = fitted.density(point)
            assert code == 0
            assert np.isfinite(value)
            assert np.isfinite(gradient).all()


def sampled_log_density_is_that_of_the_draws(fitted: Fitted, oracle_log_density: Any) -> None:
    # Ties what is reported to what was sampled: the position, its log density and the draw of the posterior.
    position, tree = fitted.positions[1, 500], fitted.fit.tree
    sampled = float(tree["sample_stats"]["lp"].to_numpy()[1, 500])
    assert sampled == pytest.approx(fitted.density(position)[1], abs=1e-9)
    assert sampled == pytest.approx(oracle_log_density(fitted.case, position), abs=2e-5)
    draw = from_unconstrained(fitted.case.design, position[None, None])
    for name, values in tree["posterior"].data_vars.items():
        np.testing.assert_allclose(values.to_numpy()[1, 500], draw[str(name)][0, 0], rtol=1e-9, atol=1e-12)


def pooled_rates_lie_where_the_counts_are(fitted: Fitted) -> None:
    evidence = fitted.fit.evidence
    table = pooled_table(posterior_of(fitted.fit)).query("group == 'all'").set_index("estimand")
    assert table.loc["these_cohorts", "median"] == pytest.approx(evidence.orr, abs=0.01)
    # Patients of these cohorts: hardly wider than the binomial; a new cohort: much wider.
    width = table["high"] - table["low"]
    binomial = 2 * 1.96 * np.sqrt(evidence.orr * (1 - evidence.orr) / evidence.patients)
    assert 0.7 * binomial < width["these_cohorts"] < 1.2 * binomial
    assert width["these_cohorts"] < width["mean"] < width["next_cohort"]
    assert next(groups_of(fitted.fit.design)).group == "all"


def both_engines_have_one_answer(fitted: Fitted) -> None:
    spec, evidence = fitted.case.spec, fitted.case.evidence
    integrated = fit_model(spec, evidence, engine=Engine.QUADRATURE)
    found: CrossCheck | None = cross_check(fitted.fit, integrated)
    assert found is not None
    if found.faults:
        # One model in a hundred is beyond by chance, and there are a dozen: other and more draws decide. Engines that
        # differ are further apart then, and those that agree fail twice once in ten thousand.
        more = SamplerSettings(seed=17, draws=3000)
        _, found = fit_both(spec, evidence, keep=Engine.QUADRATURE, settings=more)
        assert found is not None
    assert found.faults == (), found.beyond
    # Differences of engines that agree have about one unit; much less would be errors that are too large.
    assert 0.3 < np.sqrt((found.table["z"] ** 2).mean()) < 2.0
