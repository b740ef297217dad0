"""`--at`: columns with their values, and values that hold a comma."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.cli.shared.options import values_at
from alkbayes.errors import UsageError

type Command = Callable[..., Result]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["age=50, 60,70"], {"age": ("50", "60", "70")}),
        (["age=60,line=naive,mixed"], {"age": ("60",), "line": ("naive", "mixed")}),
        (["age=60", "age=60", "line=x"], {"age": ("60",), "line": ("x",)}),
        (['setting="ward, surgical",clinic'], {"setting": ("ward, surgical", "clinic")}),
        (['"setting, type" = "a ""b"", c", d'], {"setting, type": ('a "b", c', "d")}),
        (['size=5" tube,8" tube'], {"size": ('5" tube', '8" tube')}),
        (["rule=a=b"], {"rule": ("a=b",)}),
        (None, {}),
    ],
)
def test_values_by_column(given: list[str] | None, found: dict[str, tuple[str, ...]]) -> None:
    assert values_at(given) == found


@pytest.mark.parametrize("text", ["age", "=5", "age=", "age=5,", ",age=5", "age=5,,6", 'age=""'])
def test_what_lacks_a_column_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="allowed: COLUMN=VALUE") as caught:
        values_at([text])
    assert caught.value.parameter == "at"


def test_a_column_with_a_comma_is_reached_as_the_refusal_says() -> None:
    with pytest.raises(UsageError, match="in double quotes: '\"Age, mean\"=50,60'"):
        values_at(["Age, mean=50,60"])
    assert values_at(['"Age, mean"=50,60']) == {"Age, mean": ("50", "60")}


def test_a_level_with_a_comma_is_reached(alkbayes: Command, tmp_path: Path) -> None:
    rows = [f'c{place},"{setting}",{place + 2},40' for place, setting in enumerate(["ward, surgical", "clinic"] * 4)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["cohort_id,setting,events,n", *rows]), encoding="utf-8")
    result = alkbayes("regress", "setting", "--data", table, "--at", 'setting="ward, surgical",clinic', "--csv")
    assert result.exit_code == 0, result.output
    assert [line.partition(",0.")[0] for line in result.stdout.splitlines()[1:]] == ['"ward, surgical"', "clinic"]
