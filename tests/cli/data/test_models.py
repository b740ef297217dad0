"""`alkbayes models`, and what both it and `alkbayes fit` say of a bad model file, with which exit code."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.evidence.table import read_evidence
from alkbayes.model.prior_implications import prior_implications
from alkbayes.spec.schema import model_names, model_path, parse_spec, read_spec
from alkbayes.text.json import records

FIXTURES = Path(__file__).parents[2] / "fixtures" / "models"
BAD = sorted((FIXTURES / "bad").glob("*.toml"))
REGION = FIXTURES / "good" / "region.toml"
OWN = "cohort_id,trial,line,{column},n,responders\na,T1,naive,north,30,20\nb,T2,pretreated,south,20,8\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [*arguments])


# lists and files


def test_the_list_for_a_reader() -> None:
    result = run("models")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[1].split() == ["model", "question", "columns", "it", "needs"]
    names = [line[1:].partition("  ")[0] for line in lines[3:-4] if line.startswith(" ") and line[1:2].strip()]
    assert names == ["sequence *", *model_names()[1:], "pfs"]
    assert lines[-3].startswith("pfs is of median PFS, not of response rates")
    assert "resistance, reads the table of resistance mutations: alkbayes resistance." in lines[-2]
    assert "alkbayes models NAME" in lines[-1]


def test_a_model_of_another_table_is_shown_and_not_fitted_to_cohorts() -> None:
    result = run("models", "resistance")
    assert result.exit_code == 0
    assert parse_spec(tomllib.loads(result.stdout), source="stdout").columns == ("after_generation",)
    assert result.stderr == (
        "note: this model reads the table of resistance mutations; fit it with: alkbayes resistance\n"
    )
    assert json.loads(run("models", "resistance", "--json").stdout)["prior_implications"] is None
    refused = run("fit", "resistance")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert 'the model "resistance" is none of cohorts' in refused.stderr
    assert "alkbayes resistance" in refused.stderr
    with_table = run("models", "resistance", "--data", "own.csv")
    assert (with_table.exit_code, with_table.stdout) == (2, "")
    assert "--data is a table of cohorts" in with_table.stderr


def test_the_list_as_json() -> None:
    result = run("models", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == ["models", "other_tables"]
    assert document["other_tables"] == {"resistance": "the table of resistance mutations"}
    assert [model["name"] for model in document["models"]] == [*model_names(), "pfs"]
    assert document["models"][0] == {
        "name": "sequence",
        "question": "Pooled ORR by treatment line, prior ALK TKI and TKI generation, cohorts within trials",
        "columns": ["line", "prior_alk_tki", "regimen_class"],
        "default": True,
    }


@pytest.mark.parametrize("name", model_names())
def test_a_model_on_stdout_is_its_file_and_its_priors_are_on_stderr(name: str) -> None:
    result = run("models", name)
    assert result.exit_code == 0
    assert result.stdout == model_path(name).read_text(encoding="utf-8")
    assert "What these priors imply before any data:" in result.stderr


def test_what_the_priors_say_for_a_reader() -> None:
    lines = [line.rstrip() for line in run("models", "line-generation").stderr.splitlines()]
    words = [" ".join(line.split()) for line in lines]
    heading = words.index("% of middle 95 % extreme")
    assert words[heading + 2] == "typical ORR line naive, average generation 50 5–95 0.2"
    assert "typical ORR, apart line pretreated vs naive ±10 −36 to +36 0.7" in words
    assert "another cohort of another trial ±7 −38 to +38 2.0" in words
    assert max(map(len, lines)) <= 102


def test_a_model_as_json() -> None:
    result = run("models", "line", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == ["model", "prior_implications"]
    spec = read_spec(model_path("line"))
    assert parse_spec(document["model"], source="printed") == spec
    assert document["prior_implications"] == records(prior_implications(spec, read_evidence(needed=spec.columns)))
    assert document["prior_implications"][0]["apart"] is None


def test_a_model_printed_into_a_file_is_a_model(here: Path) -> None:
    Path("mine.toml").write_text(run("models", "sequence").stdout, encoding="utf-8")
    again = run("models", "mine.toml", "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["model"]["name"] == "sequence"


# a model of one's own


def test_a_column_that_the_bundled_table_does_not_have(here: Path) -> None:
    text = REGION.read_text(encoding="utf-8").replace('"region"', '"ward"')
    Path("mine.toml").write_text(text, encoding="utf-8")
    result = run("models", "mine.toml")
    assert (result.exit_code, result.stdout) == (0, text)
    assert result.stderr == (
        "note: what the priors imply is left out: the bundled table has not all of line, ward for each cohort. "
        "Give your table: --data FILE.\n"
    )
    assert json.loads(run("models", "mine.toml", "--json").stdout)["prior_implications"] is None
    Path("mine.csv").write_text(OWN.format(column="ward"), encoding="utf-8")
    result = run("models", "mine.toml", "--data", "mine.csv")
    assert result.exit_code == 0
    assert "ward south vs north" in result.stderr


def test_a_column_that_the_user_s_table_does_not_have_is_bad_evidence(here: Path) -> None:
    Path("mine.csv").write_text(OWN.format(column="country"), encoding="utf-8")
    for command in ("models", "fit"):
        result = run(command, str(REGION), "--data", "mine.csv")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == (
            "error: mine.csv has 1 fault; nothing was computed.\n"
            "  mine.csv, line 1, column region: found no such column, only cohort_id, trial, line, country, n and "
            "responders; allowed: a header with responders, n, line and region. Choose a model that needs no region "
            "(`alkbayes models`).\n"
        )
    assert [path.name for path in here.iterdir()] == ["mine.csv"]


def test_data_without_a_name_is_a_usage_error(here: Path) -> None:
    result = run("models", "--data", "mine.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: --data goes with the NAME of a model: its priors are shown for the levels of that table.\n"
    )


# what is refused


@pytest.mark.parametrize("command", ["models", "fit"])
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_ends_with_exit_code_4_its_message_and_nothing_else(path: Path, command: str, here: Path) -> None:
    Path(path.name).write_bytes(path.read_bytes())
    result = run(command, path.name, *(["--json"] if command == "fit" else []))
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr == f"error: {path.with_suffix('.txt').read_text(encoding='utf-8')}"
    assert [left.name for left in here.iterdir()] == [path.name]


@pytest.mark.parametrize("command", ["models", "fit"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "line-genration",
            'there is no model "line-genration". Did you mean "line-generation"? Models: seq',
        ),
        ("everything", 'there is no model "everything". Models: sequence, '),
        ("missing.toml", "missing.toml: there is no such file. Give a model file (TOML) or one of: sequence, "),
        ("./", ".: is a folder; give the path of a model file (TOML).\n"),
    ],
)
def test_a_model_that_is_not_there(command: str, model: str, message: str, here: Path) -> None:
    result = run(command, model)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
    assert [*here.iterdir()] == []


def test_as_a_process_without_the_sampler(here: Path) -> None:
    """No traceback, and neither PyMC nor anything else that takes seconds to import is waited for."""
    code = (
        "import sys; from alkbayes.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "assert not {'pymc', 'arviz', 'nutpie', 'matplotlib', 'numba', 'xarray'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, "models", "robust"], capture_output=True, text=True, check=True)
    assert tomllib.loads(done.stdout)["name"] == "robust"
