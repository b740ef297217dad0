"""`alkbayes pool`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from alkbayes.alk.review import RECONSTRUCTION
from alkbayes.classical.pooling.disagreements import DISAGREEMENT_COLUMNS
from alkbayes.classical.pooling.methods import DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.pooling.tables import POOL_COLUMNS
from alkbayes.cli import Group
from alkbayes.cli.classical.pool import command
from alkbayes.cli.shared.output import print_markdown

app = typer.Typer(cls=Group)
app.callback()(lambda: None)
app.command("pool")(command)

OWN = "cohort_id,n,responders\nmine-a,40,30\nmine-b,25,25\n"


def run(*arguments: str | Path, columns: int = 100):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["pool", *map(str, arguments)])


def is_text(line: str) -> bool:
    """Return whether a line is running text, which only a terminal has wrapped."""
    return line.rstrip().endswith(".")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_json_is_one_document_of_the_promised_records() -> None:
    result = run("--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert list(document) == ["interval_prob", "pooled", "note"]
    none = "66 cohorts come from 44 trials; none of these methods allows for that, as glmm-ml-trials does."
    assert document["note"] == none
    assert len(document["pooled"]) == 9 * len(DEFAULT_METHODS)
    assert all(list(record) == list(POOL_COLUMNS) for record in document["pooled"])
    first = document["pooled"][0]
    assert (first["group"], first["level"], first["method"]) == ("all", "all", "crude-wald")
    assert first["estimate"] == pytest.approx(3436 / 5707, rel=1e-12)
    assert first["tau2"] is first["prediction_low"] is first["q_df"] is None


def test_all_is_every_method_and_where_they_disagree() -> None:
    document = json.loads(run("--json", "--all", "--by", "line").stdout)
    assert list(document) == ["interval_prob", "pooled", "disagreements", "note"]
    assert [record["method"] for record in document["pooled"][: len(PoolingMethod)]] == list(PoolingMethod)
    assert len(document["pooled"]) == 4 * len(PoolingMethod)
    assert all(record["estimate"] is not None for record in document["pooled"])
    first = document["disagreements"][0]
    assert list(first) == list(DISAGREEMENT_COLUMNS)
    assert (first["level"], first["property"]) == ("all", "heterogeneity left out")
    assert (first["method"], first["other"]) == ("crude-wilson", "glmm-ml")


@pytest.mark.parametrize("columns", [80, 100])
def test_the_whole_sheet_for_a_reader(columns: int) -> None:
    result = run("--all", "--by", "line", columns=columns)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(len(line) for line in lines if not is_text(line)) <= columns
    words = [" ".join(line.split()) for line in lines]
    assert any(line.startswith("beta-binomial-ml 59.5 55.1–63.8 25.7–88.7 – –") for line in words)
    text = " ".join(words)
    assert "Methods that differ in one property and disagree" in text
    assert text.count("heterogeneity left out: one takes one rate for all cohorts") == 1
    assert "The Freeman-Tukey double arcsine is discouraged" in text


def test_methods_that_agree_are_said_to(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    # One rate, sampling error and nothing else: drawn once from Binomial(1000, 0.5).
    responders = [521, 501, 504, 495, 499, 510, 476, 511, 500, 497, 510, 516, 511, 519, 483, 514, 494, 530, 516, 517]
    path.write_text(
        "cohort_id,n,responders\n" + "".join(f"c{i},1000,{x}\n" for i, x in enumerate(responders)), encoding="utf-8"
    )
    text = " ".join(run("--all", "--data", path).stdout.split())
    assert "No two methods that differ in one property disagree (estimates 1 point or more apart" in text


def test_markdown_has_a_row_for_each_method_and_escapes_pipes(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,line,n,responders\na,naive,40,30\nb,pretreated,25,11\n", encoding="utf-8")
    result = run("--markdown", "--data", path, "--method", "glmm-ml", "--by", "line")
    assert result.exit_code == 0
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| group | level | cohorts | responders | patients | method | rate, % |")
    assert set(rows[1]) == set("| -")
    assert [row.split(" | ")[1] for row in rows[2:]] == ["all", "naive", "pretreated"]
    assert len({row.count("|") for row in rows}) == 1


def test_a_markdown_cell_ends_neither_its_row_nor_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_markdown(("a", "b"), [("two\nlines\r\nand more", "x\\|y"), ("C:\\dir", "p|q")])
    assert capsys.readouterr().out.splitlines() == [
        "| a | b |",
        "| --- | --- |",
        r"| two lines and more | x\\\|y |",
        r"| C:\\dir | p\|q |",
    ]


def test_names_of_methods_that_disagree_are_not_broken() -> None:
    lines = run("--all", columns=80).stdout.splitlines()
    below = lines[next(place for place, line in enumerate(lines) if "property" in line) :]
    assert max(len(line.rstrip()) for line in below if not is_text(line)) <= 80
    names = {word for line in below for word in line.split()} & set(PoolingMethod)
    pairs = json.loads(run("--all", "--json").stdout)["disagreements"]
    assert names >= {pair[side] for pair in pairs for side in ("method", "other")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--all", "--method", "glmm-ml"), "--all and --method exclude each other"),
        (("--json", "--markdown"), "--json and --markdown exclude each other"),
        (("--csv", "--markdown"), "--csv and --markdown exclude each other"),
    ],
)
def test_options_that_exclude_each_other(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in " ".join(result.stderr.split())


def test_csv_is_the_same_table() -> None:
    result = run("--csv", "--by", "line", "--method", "glmm-ml")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == list(POOL_COLUMNS)
    assert [row["level"] for row in rows] == ["all", "naive", "pretreated", "mixed"]
    pooled = json.loads(run("--json", "--by", "line", "--method", "glmm-ml").stdout)["pooled"]
    assert [float(row["estimate"]) for row in rows] == [record["estimate"] for record in pooled]
    assert rows[0]["q"] == ""


def test_two_columns_with_a_colon_pool_by_both() -> None:
    pooled = json.loads(run("--json", "--by", "line:regimen_class", "--method", "reml-logit-hk").stdout)["pooled"]
    assert {record["group"] for record in pooled} == {"all", "line:generation"}
    assert "naive:second" in {record["level"] for record in pooled}


def test_the_table_for_a_reader_fits_100_columns_and_says_each_note_once() -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(len(line) for line in lines if not is_text(line)) <= 100
    assert lines[:2] == [
        "Evidence: bundled",
        RECONSTRUCTION,
    ]
    words = [" ".join(line.split()) for line in lines]
    naive = words.index("by line, naive: 17 cohorts, 1,231/1,612")
    assert "crude-wald 60.2 58.9–61.5 – – – [1]" in words[:naive]
    assert "crude-wilson 60.2 58.9–61.5 – – – [1]" in words[:naive]
    assert "crude-clopper-pearson 76.4 74.2–78.4 – – – [1]" in words[naive:]
    assert any(line.startswith("by generation, first: ") for line in words)
    text = " ".join(lines)
    assert text.count("leaves out the differences between cohorts.") == 1
    assert text.count("tau2 was estimated at 0") == 1


def test_one_method_keeps_its_counts() -> None:
    lines = [line.strip() for line in run("--method", "glmm-ml").stdout.splitlines()]
    assert "overall: 66 cohorts, 3,436/5,707" in lines


def test_a_table_of_ones_own(own: Path) -> None:
    result = run("--data", own)
    assert result.exit_code == 0
    assert "reconstructs" not in result.stdout
    assert "2 cohorts" in result.stdout
    assert "by line" not in result.stdout
    pooled = json.loads(run("--data", own, "--json", "--method", "reml-logit").stdout)["pooled"]
    assert [record["level"] for record in pooled] == ["all"]
    assert "of cohort mine-b," in pooled[0]["note"]


def test_a_value_that_looks_like_markup_is_shown_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,site\nmine-a,40,30,[bold]x\nmine-b,25,20,[/]\n", encoding="utf-8")
    result = run("--data", path, "--by", "site", "--method", "crude-wilson")
    assert result.exit_code == 0
    assert "[bold]x" in result.stdout
    assert "[/]" in result.stdout
    assert "by site, [bold]x: 1 cohort, 30/40\n" in "\n".join(line.strip() for line in result.stdout.splitlines())


def test_an_unknown_method_lists_those_there_are() -> None:
    result = run("--method", "freeman-tukey", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith('error: --method: found "freeman-tukey"; allowed: ')
    for method in PoolingMethod:
        assert method in result.stderr


def test_an_unknown_column_lists_those_there_are(own: Path) -> None:
    result = run("--data", own, "--by", "line")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == ("error: The evidence table has no column line to group by. Its columns: cohort_id.\n")


def test_two_formats_at_once_are_refused() -> None:
    assert run("--json", "--csv").exit_code == 2


def test_the_help_names_every_method() -> None:
    text = "".join(run("--help", columns=200).stdout.split())
    for method in PoolingMethod:
        assert f"{method}," in text or f"{method}." in text


def test_nothing_that_the_command_needs_is_imported_before_it_runs() -> None:
    heavy = ("alkbayes.classical", "scipy", "pandas", "pymc")
    code = f"import sys, alkbayes.cli.classical.pool; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_notes_that_differ_in_a_result_alone_are_one_that_names_the_groups(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("cohort_id,drug,responders,n\na,x,12,40\nb,y,7,30\nc,z,9,33\n", encoding="utf-8")
    for more in ((), ("--markdown",)):
        result = run("--data", path, "--by", "drug", "--method", "reml-logit-hk", *more)
        text = " ".join(result.stdout.split())
        assert text.count("The Hartung-Knapp interval needs at least two cohorts.") == 1
        said = r"glmm-ml: 30\.0 \(\d.*?\) in drug x, 23\.3 \(\d.*?\) in drug y, 27\.3 \(\d.*?\) in drug z\."
        assert re.search(said, text)
    rows = csv.DictReader(io.StringIO(run("--data", path, "--by", "drug", "--csv").stdout))
    assert len({row["note"] for row in rows if row["method"] == "dl-logit-hk-adhoc" and row["group"] == "drug"}) == 3
