"""`alkbayes pfs`: what it prints for readers and scripts, and what it refuses."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.analyses.pfs import DEFAULT_DRAWS as LIBRARY_DRAWS
from alkbayes.cli import app
from alkbayes.cli.analyses.pfs import DEFAULT_DRAWS
from alkbayes.spec.schema import model_path

Command = Callable[..., Result]
FEW = ("--draws", "1000", "--seed", "3")
HEADER = "cohort_id,trial,line,regimen_class,n,responders,pfs_median,pfs_ci_low,pfs_ci_high,pfs_status,pfs_beyond\n"
ROWS = """\
a,A,naive,first,60,30,10.5,8,14,,
b,B,pretreated,first,60,30,6,4.5,9,,
c,C,pretreated,second,60,30,9,7,,,
d,C,naive,second,60,30,,20,,not_reached,
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + ROWS)
    return path


def test_the_document(alkbayes: Command) -> None:
    result = alkbayes("pfs", "--json", *FEW)
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert document["evidence"]["cohorts"] == 66
    assert document["settings"] == {"seed": 3, "draws": 1000, "resamples": 10000}
    weighted = {row["level"]: row for row in document["weighted"] if row["group"] == "line"}
    assert [round(weighted[level]["estimate"], 1) for level in ("naive", "pretreated")] == [14.3, 10.5]
    assert [weighted[level]["review"] for level in ("naive", "pretreated", "mixed")] == [13.8, 9.8, None]
    assert document["diagnostics"]["converged"]
    assert alkbayes("pfs", "--json", *FEW).stdout == result.stdout


def test_the_table_as_csv(alkbayes: Command, own: Path) -> None:
    result = alkbayes("pfs", "--data", own, "--csv", *FEW)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["estimand"] for row in rows} == {"these_cohorts", "typical", "mean", "next_cohort"}
    naive = next(row for row in rows if row["level"] == "naive" and row["estimand"] == "typical")
    assert (naive["k"], naive["not_reached"], naive["weighted_k"], naive["converged"]) == ("2", "1", "1", "True")
    assert naive["weighted_estimate"] == "10.5"


@pytest.mark.parametrize("columns", [80, 100])
def test_the_tables_for_a_reader_fit(columns: int) -> None:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    result = runner.invoke(app, ["pfs", *FEW])
    assert result.exit_code == 0
    # A sentence stands on one line where no terminal wraps it, and has no two spaces in it.
    rows = [line.rstrip() for line in result.stdout.splitlines() if "  " in line.strip() or "─" in line]
    assert len(rows) > 60
    assert max(map(len, rows)) <= columns
    assert "…" not in result.stdout
    text = " ".join(result.stdout.split())
    for said in (
        "The bundled table reconstructs that of the published review",
        "Posterior: converged. 1,000 draws by importance sampling, seed 3; Pareto k",
        "39 of 66 cohorts have a median PFS: 26 with both limits of its interval, 6 with one, 7 with none.",
        "In 5 more the median was not reached; 5 of these are used as bounds",
        "crown-lorlatinib > 64.3",
        "the review printed a weighted median of 13.8 months; in this table it is 14.3",
        "A mean of medians is not the median of the pooled patients",
        "A ratio of medians is the inverse of a hazard ratio only where survival is exponential",
        "Cohorts are not randomised between levels",
    ):
        assert said in text
    assert text.count("reconstructs that of") == 1


def test_text_of_users_is_text(alkbayes: Command, own: Path) -> None:
    own.write_text(HEADER + ROWS.replace("d,C,", "[bold]d[/bold],C,"))
    result = alkbayes("pfs", "--data", own, *FEW)
    assert result.exit_code == 0
    assert "used as bounds, in months ([bold]d[/bold] > 20)" in " ".join(result.stdout.split())


def test_a_forest_is_drawn_and_nothing_overwritten(alkbayes: Command, own: Path, tmp_path: Path) -> None:
    target = tmp_path / "forest.svg"
    result = alkbayes("pfs", "--data", own, "--plot", target, "--json", *FEW)
    assert (result.exit_code, result.stderr) == (0, f"Figure: {target}\n")
    assert "not reached, &gt; 20.0" in target.read_text(encoding="utf-8")
    again = alkbayes("pfs", "--data", own, "--plot", target, *FEW)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "nothing is overwritten" in again.stderr
    assert alkbayes("pfs", "--plot", tmp_path / "forest.txt").exit_code == 2


def test_too_few_draws_are_marked_and_end_with_6(alkbayes: Command, own: Path, tmp_path: Path) -> None:
    target = tmp_path / "forest.svg"
    result = alkbayes("pfs", "--data", own, "--draws", "100", "--plot", target)
    assert result.exit_code == 6
    assert "Posterior: NOT CONVERGED: DO NOT USE THESE NUMBERS" in result.stdout
    assert result.stderr.count("error: ") == 1
    assert "NOT CONVERGED, DO NOT USE" in target.read_text(encoding="utf-8")
    document = json.loads(alkbayes("pfs", "--data", own, "--draws", "100", "--json").stdout)
    assert document["diagnostics"]["converged"] is False
    assert document["pooled"]


def test_one_s_own_model(alkbayes: Command, own: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.toml"
    text = model_path("pfs").read_text(encoding="utf-8")
    first, line, _, *heterogeneity = text.split("[[")
    path.write_text("[[".join([first.replace('"pfs"', '"lines"'), line, *heterogeneity]), encoding="utf-8")
    document = json.loads(alkbayes("pfs", path, "--data", own, "--json", *FEW).stdout)
    assert document["model"] == "lines"
    assert {row["group"] for row in document["pooled"]} == {"all", "line"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("pfs", "line"), 4, "this is a model of response rates"),
        (("fit", "pfs"), 4, "this is a model of medians"),
        (("pfs", "nothing"), 4, 'there is no model "nothing"'),
        (("pfs", "--data", "no.csv"), 3, "there is no such file"),
        (("pfs", "--draws", "5"), 2, "--draws: found 5; allowed: 100 to 100,000."),
        (("pfs", "--json", "--csv"), 2, "exclude each other"),
    ],
)
def test_what_is_refused(alkbayes: Command, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = alkbayes(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    assert says in result.stderr


def test_a_bad_cell_and_a_table_without_medians(alkbayes: Command, own: Path) -> None:
    own.write_text(HEADER + ROWS.replace("10.5,8,14", "NR,8,14"))
    result = alkbayes("pfs", "--data", own)
    assert (result.exit_code, result.stdout) == (3, "")
    assert 'line 2, cohort "a", column pfs_median: found "NR"' in result.stderr
    own.write_text("cohort_id,trial,line,regimen_class,n,responders\na,A,naive,first,60,30\n")
    result = alkbayes("pfs", "--data", own)
    assert result.exit_code == 3
    assert "column pfs_median: found no such column" in result.stderr


def test_the_model_file_is_shown_with_what_its_priors_say(alkbayes: Command) -> None:
    result = alkbayes("models", "pfs")
    assert result.exit_code == 0
    assert result.stdout == model_path("pfs").read_text(encoding="utf-8")
    assert "Fit it with: alkbayes pfs." in result.stderr
    assert "typical median, months, line naive: 12." in result.stderr
    document = json.loads(alkbayes("models", "pfs", "--json").stdout)
    assert document["model"]["likelihood"] == {"family": "log_median"}
    assert document["prior_implications"][0]["quantity"] == "typical median, months"


def test_the_command_and_the_library_draw_as_many() -> None:
    assert DEFAULT_DRAWS == LIBRARY_DRAWS


def test_the_output_in_the_documentation_is_what_the_command_prints(alkbayes: Command) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "pfs.md").read_text(encoding="utf-8")
    printed = " ".join(alkbayes("pfs").stdout.split())
    blocks = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        words = block.removeprefix("$ alkbayes pfs\n").split()
        assert " ".join(words) in printed
