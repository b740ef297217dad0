"""The fingerprint of a calibration study: the same for the same draws, another for others."""

from dataclasses import replace

import numpy as np
import pytest

from alkbayes.calibration import fingerprint as module
from alkbayes.calibration import replications
from alkbayes.calibration.fingerprint import FITS, TOLERANCE, differing, fingerprint
from alkbayes.calibration.replications import Drawn, Study, by_quadrature
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import Design
from alkbayes.spec.schema import model_path, read_spec

STUDY = Study(read_spec(model_path("overall")), "three-trials", Engine.QUADRATURE, seed=1, draws=400)


def test_it_holds_truth_mean_and_limits_of_every_quantity() -> None:
    found = fingerprint(STUDY)
    assert {"alpha", "tau_trial", "all next_cohort"} <= set(found)
    for name, numbers in found.items():
        assert len(numbers) == 4 * FITS[Engine.QUADRATURE]
        for truth, mean, low, high in np.reshape(numbers, (-1, 4)):
            assert low < mean < high, name
            assert np.isfinite(truth)


def test_it_is_the_same_when_made_again_and_whatever_the_size_of_the_study() -> None:
    found = fingerprint(STUDY)
    module.MADE.clear()
    assert differing(found, fingerprint(replace(STUDY, seed=2, draws=1000))) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(STUDY, scenario="eight-patients"),
        pytest.param(replace(STUDY, spec=read_spec(model_path("robust"))), marks=pytest.mark.slow),
    ],
    ids=["scenario", "model"],
)
def test_another_scenario_or_model_has_another(other: Study) -> None:
    assert "alpha" in differing(fingerprint(STUDY), fingerprint(other))


def test_another_stream_of_draws_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that a change of an engine does: the same posterior by other draws."""
    found = fingerprint(STUDY)

    def reseeded(design: Design, settings: SamplerSettings) -> Drawn:
        return by_quadrature(design, replace(settings, seed=settings.seed ^ 1))

    monkeypatch.setattr(replications, "SAMPLERS", {Engine.QUADRATURE: reseeded})
    module.MADE.clear()
    try:
        assert set(differing(found, fingerprint(STUDY))) == set(found)
    finally:
        module.MADE.clear()


def test_rounding_of_another_processor_is_no_difference() -> None:
    found = {"alpha": [1.0, -20.0], "tau": [1e-9, 0.5]}
    assert differing({"alpha": [1 + TOLERANCE / 2, -20 * (1 + TOLERANCE / 2)], "tau": [0.0, 0.5]}, found) == []
    assert differing({"alpha": [1 + 3 * TOLERANCE, -20.0], "tau": [0.0, 0.5]}, found) == ["alpha"]
    assert differing({"alpha": [1.0, -20 * (1 + 3 * TOLERANCE)], "tau": [0.0, 0.5]}, found) == ["alpha"]


@pytest.mark.parametrize("recorded", [None, "0b4e", {}, {"alpha": None}, {"alpha": [1.0]}, {"alpha": ["1", "2"]}])
def test_what_is_no_fingerprint_differs(recorded: object) -> None:
    assert differing(recorded, {"alpha": [1.0, 2.0]}) == ["alpha"]


def test_a_quantity_that_is_gone_or_new_differs() -> None:
    assert differing({"alpha": [1.0], "gone": [1.0]}, {"alpha": [1.0], "new": [1.0]}) == ["new", "gone"]


def test_chains_that_went_another_way_in_some_fits_are_of_the_same_code() -> None:
    fits = FITS[Engine.NUTS]
    found = {"alpha": [1.0, 2.0, 3.0, 4.0] * fits, "tau": [0.5, 0.6, 0.7, 0.8] * fits}
    others = {name: [value + 0.01 for value in numbers] for name, numbers in found.items()}
    one = {name: [*others[name][:-4], *numbers[-4:]] for name, numbers in found.items()}
    assert differing(one, found, Engine.NUTS) == []
    assert differing(one, found, Engine.QUADRATURE) == ["alpha", "tau"]
    assert differing(others, found, Engine.NUTS) == ["alpha", "tau"]
    # Not one quantity of one fit and another of another.
    mixed = {"alpha": one["alpha"], "tau": [*found["tau"][:4], *others["tau"][4:]]}
    assert differing(mixed, found, Engine.NUTS) == ["alpha", "tau"]
    assert differing(one | {"gone": [1.0]}, found, Engine.NUTS)
