"""The command that repeats a run."""

from dataclasses import asdict

import pytest

from alkbayes.inference.nuts.sampler import stricter
from alkbayes.inference.settings import SamplerSettings
from alkbayes.runs.command import tune_asked


@pytest.mark.parametrize("tune", [100, 1000, 1001])
def test_a_second_attempt_is_repeated_from_the_settings_of_the_first(tune: int) -> None:
    asked = SamplerSettings(tune=tune)
    assert tune_asked({"settings": asdict(asked), "tries": 1}) == tune
    assert tune_asked({"settings": asdict(stricter(asked)), "tries": 2}) == tune
