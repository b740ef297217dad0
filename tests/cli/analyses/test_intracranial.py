"""`alkbayes intracranial`, and every other command on a run of a model that counts another outcome."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import Result

Call = Callable[..., Result]


# the command


@pytest.fixture(scope="module", autouse=True)
def _analysed_once(
    once: Callable[..., None], fewer_draws: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    from alkbayes.analyses import intracranial

    once(intracranial, "intracranial_analysis", lambda _, evidence, **__: evidence.sha256)
    with fewer_draws():
        yield


@pytest.fixture(scope="module")
def printed(alkbayes: Call, brain_table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    figure = tmp_path_factory.mktemp("figures") / "brain.svg"
    return alkbayes("intracranial", "--data", brain_table, "--joint", "--plot", figure), figure


@pytest.fixture(scope="module")
def document(alkbayes: Call, brain_table: Path) -> dict[str, Any]:
    result = alkbayes("intracranial", "--data", brain_table, "--json")
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.stdout)["intracranial"]
    return found


@pytest.mark.slow
def test_a_reader_sees_rates_contrasts_the_answer_and_the_joint_model(printed: tuple[Result, Path]) -> None:
    result, figure = printed
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for words in (
        "Outcome: ic_responders of ic_n: patients with measurable baseline CNS disease.",
        "2 of 8 cohorts do not report them and are left out; they have 63 of the 365 patients of the table.",
        "k 8, 206/365 k 6, 185/302 k 6, 38/74",
        "Do later generations do better in the brain?",
        "Both responses in one model",
        "The data cannot carry it: with 6 cohorts that have both counts, its sign is not settled",
        "Cohorts are not randomised between levels",
    ):
        assert words in text
    assert f"Figure: {figure}" in result.stderr
    assert "Intracranial" in figure.read_text(encoding="utf-8")


def test_the_tables_fit_a_terminal_of_80_columns(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from alkbayes.cli.shared.output import reader_console
    from alkbayes.cli.shared.reader import print_parts
    from alkbayes.presentation.intracranial import intracranial_parts
    from alkbayes.presentation.tables import ReaderTable

    monkeypatch.setenv("COLUMNS", "80")
    console = reader_console()
    with console.capture() as capture:
        # A sentence stands on one line where no terminal wraps it.
        tables = [part for part in intracranial_parts(document) if isinstance(part, ReaderTable)]
        print_parts(console, [replace(table, notes=()) for table in tables])
    lines = capture.get().splitlines()
    assert len(tables) == 2
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line]


def test_the_document_has_every_table_as_proportions(document: dict[str, Any]) -> None:
    assert list(document) == [
        *(
            "interval_prob",
            "rates",
            "contrasts",
            "power_scaling",
            "left_out",
            "conclusions",
            "notes",
            "caveat",
            "joint",
        ),
        "failures",
    ]
    assert document["joint"] is None
    sides = list(dict.fromkeys(row["side"] for row in document["rates"]))
    assert sides == ["systemic", "systemic, same cohorts", "intracranial"]
    assert all(0 < row["low"] < row["median"] < row["high"] < 1 for row in document["rates"])
    assert len({row["alternative"] for row in document["contrasts"]}) == 9
    assert document["caveat"].startswith("Cohorts are not randomised between levels")
    assert document["conclusions"][0].startswith("Do later generations do better in the brain?")


def test_csv_is_the_rates(alkbayes: Call, brain_table: Path, document: dict[str, Any]) -> None:
    result = alkbayes("intracranial", "--data", brain_table, "--csv")
    table = pd.read_csv(io.StringIO(result.stdout))
    assert table["median"].tolist() == pytest.approx([row["median"] for row in document["rates"]], rel=1e-12)


def test_two_formats_at_once_are_a_usage_error(alkbayes: Call) -> None:
    result = alkbayes("intracranial", "--json", "--csv")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_figure_that_is_there_is_not_overwritten_and_nothing_is_fitted(alkbayes: Call, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    result = alkbayes("intracranial", "--plot", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "nothing is overwritten" in result.stderr
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    assert alkbayes("intracranial", "--plot", tmp_path / "a.tiff").exit_code == 2


def test_a_table_without_the_counts_is_refused(alkbayes: Call, own_table: Path) -> None:
    result = alkbayes("intracranial", "--data", own_table)
    assert result.exit_code == 3
    assert "column ic_responders: found no such column" in result.stderr
    assert result.stdout == ""


# every other command on a run of such a model


@pytest.fixture(scope="module")
def run(alkbayes: Call, brain_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    fit = ("fit", "intracranial", "--engine", "quadrature", "--draws", "250", "--data", brain_table, "--out", folder)
    result = alkbayes(*fit)
    assert result.exit_code == 0
    assert (
        "Outcome: intracranial ORR; patients below are patients with measurable baseline CNS disease" in result.stdout
    )
    assert "6 cohorts of 5 trials, 38 responders of 74 patients" in result.stdout
    assert "Pooled intracranial ORR, %" in result.stdout
    return folder


def test_the_run_keeps_the_whole_table_and_counts_the_outcome(run: Path, brain_table: Path) -> None:
    assert (run / "evidence.csv").read_bytes() == brain_table.read_bytes()
    document = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert document["outcome"]["label"] == "intracranial ORR"
    assert document["evidence"]["patients"] == 74
    crude = [row for row in document["classical"] if row["group"] == "all" and row["method"] == "crude-wilson"]
    assert crude[0]["estimate"] == 38 / 74
    from alkbayes.runs.run import read_fit

    fit = read_fit(run)
    assert fit.design.n.sum() == fit.evidence.patients == 74
    assert fit.tree["observed_data"]["responders"].sum() == 38


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("summary",), "Pooled intracranial ORR, %"),
        (("diagnose",), "Verdict: "),
        (("predictive",), "Outcome: ic_responders of ic_n"),
        (("predictive", "--prior"), "Outcome: ic_responders of ic_n"),
        (("outliers",), "Outcome: ic_responders of ic_n"),
        (("outliers", "--by-trial"), "generation third"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_on_a_run(alkbayes: Call, run: Path, arguments: tuple[str, ...], words: str) -> None:
    command, *options = arguments
    result = alkbayes(command, run, *options)
    assert result.exit_code == 0, result.stderr
    assert words in result.stdout


@pytest.mark.parametrize("kind", ["forest", "cells", "contrasts", "shrinkage", "comparison", "funnel", "baujat"])
def test_figures_of_a_run(alkbayes: Call, run: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.svg"
    result = alkbayes("plot", run, kind, "--out", path)
    assert result.exit_code == 0, result.stderr
    # Footnotes are broken into lines where the page ends.
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8")))
    assert "38 responders of 74 patients" in text
    assert "patients with measurable" in text
    if kind in {"forest", "cells", "comparison"}:
        assert "ntracranial ORR" in text
        assert "bjective response rate" not in text


def test_runs_of_two_outcomes_are_not_compared(alkbayes: Call, run: Path, brain_table: Path, tmp_path: Path) -> None:
    other = tmp_path / "systemic"
    fit = ("fit", "--engine", "quadrature", "--draws", "250", "--data", brain_table, "--out", other)
    assert alkbayes(*fit).exit_code == 0
    result = alkbayes("compare", run, other)
    assert result.exit_code == 7
    assert "Only runs of the same cohorts and counts can be compared" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("subgroups", "regimen_class"), ("regress", "regimen_class"), ("influence",), ("small-study",)],
    ids=lambda arguments: arguments[0],
)
def test_classical_commands_count_the_outcome_of_a_model(
    alkbayes: Call, brain_table: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    # As if a table had these counts for responders and n.
    frame = pd.read_csv(brain_table, keep_default_na=False).query("ic_n not in ('', '0')")
    plain = tmp_path / "plain.csv"
    frame.assign(responders=frame["ic_responders"], n=frame["ic_n"]).to_csv(plain, index=False)
    of_model = alkbayes(*arguments, "--data", brain_table, "--outcome", "intracranial", "--json")
    assert of_model.exit_code == 0, of_model.stderr
    assert of_model.stdout == alkbayes(*arguments, "--data", plain, "--json").stdout
    shown = alkbayes(*arguments, "--data", brain_table, "--outcome", "intracranial").stdout
    assert "Outcome: ic_responders of ic_n" in shown


def test_pooling_of_the_same_outcome(alkbayes: Call, brain_table: Path) -> None:
    arguments = ("pool", "--data", brain_table, "--outcome", "intracranial", "--method", "crude-wilson")
    rows = json.loads(alkbayes(*arguments, "--json").stdout)["pooled"]
    assert (rows[0]["k"], rows[0]["patients"], rows[0]["responders"]) == (6, 74, 38)
    assert "Outcome: ic_responders of ic_n" in alkbayes(*arguments).stdout
    assert alkbayes("pool", "--outcome", "intracraniel").exit_code == 4
