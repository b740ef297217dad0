"""`--level`: what it takes, and that what is printed says it."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from alkbayes.cli.shared.options import interval_prob
from alkbayes.errors import UsageError

type Command = Callable[..., Result]


@pytest.mark.parametrize(("level", "prob"), [(0.9, 0.9), (90, 0.9), (99.9, 0.999), (50, 0.5), (None, 0.95)])
def test_a_level_is_a_proportion_or_percent(level: float | None, prob: float) -> None:
    assert interval_prob(level) == prob


@pytest.mark.parametrize("level", [0.4, 1, 49, 99.95, -90, float("nan"), float("inf")])
def test_other_levels_are_refused(level: float) -> None:
    with pytest.raises(UsageError, match=r"level: found .*; allowed: a proportion from 0\.5 to 0\.999"):
        interval_prob(level)


@pytest.mark.parametrize("command", [("pool", "--all"), ("subgroups", "line"), ("regress", "line"), ("influence",)])
def test_no_output_says_95_at_another_level(alkbayes: Command, command: tuple[str, ...]) -> None:
    said = alkbayes(*command, "--level", "0.9")
    assert said.exit_code == 0
    assert "90 % CI" in said.stdout
    assert "95 %" not in said.stdout


def test_json_says_the_level(alkbayes: Command) -> None:
    assert json.loads(alkbayes("pool", "--level", "90", "--json").stdout)["interval_prob"] == 0.9
