"""A table of anybody's, whatever its kind: read by every command that takes one, kept in a run and read again."""

import io
import json
from pathlib import Path

import pytest
import xlsxwriter
from typer.testing import CliRunner, Result

from alkbayes.cli import COMMANDS, app
from alkbayes.runs.run import read_fit, read_run

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"
OLD = STRANGERS / "nielweise.xls"
HEADER = ["arm", "study", "cases, all", "n"]
QUICK = ("--engine", "quadrature", "--draws", "300", "--no-check")


def run(*arguments: str | Path, piped: bytes | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(each) for each in arguments], input=piped)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def book(here: Path) -> Path:
    """A workbook of two tables, with names of its own."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as workbook:
        for name, responders in (("2019", 3), ("2020", 4)):
            sheet = workbook.add_worksheet(name)
            rows = [
                ["arm", "study", "cases, all", "n"],
                ["a", "A", responders, 10],
                ["b", "B", 5, 12],
                ["c", "C", 2, 9],
            ]
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    Path("book.xlsx").write_bytes(content.getvalue())
    return Path("book.xlsx")


COLUMNS = 'cohort_id=arm,"responders=cases, all",trial=study'


def test_every_command_that_takes_a_table_takes_its_columns_and_its_sheet() -> None:
    for name in (
        "evidence",
        "models",
        "fit",
        "calibrate",
        "pool",
        "subgroups",
        "regress",
        "influence",
        "small-study",
        "pfs",
    ):
        # Rendered, a narrow terminal breaks the names of options.
        help_ = CliRunner(env={"COLUMNS": "200"}).invoke(app, [name, "--help"]).stdout
        assert {"--data", "--columns", "--sheet"} <= set(help_.split()), name
    assert {"sequence", "intracranial"} <= set(COMMANDS)


def test_evidence_says_what_it_understood(book: Path) -> None:
    result = run("evidence", "--data", book, "--sheet", "2020", "--columns", COLUMNS)
    assert result.exit_code == 0, result.stderr
    text = " ".join(result.stdout.split())
    assert 'Sheet "2020" is read; the workbook also has 2019.' in text
    assert (
        "Columns of the file: arm is read as cohort_id, cases, all is read as responders and study is read as trial."
        in text
    )
    assert "Columns: cases, all of n is counted; arm names the cohorts; study names the trials." in text
    assert "3 cohorts of 3 trials, 31 patients, 11 responders" in text
    document = json.loads(run("evidence", "--data", book, "--sheet", "2020", "--columns", COLUMNS, "--json").stdout)
    assert document["evidence"]["sheet"] == "2020"
    assert document["evidence"]["columns"] == {"cohort_id": "arm", "responders": "cases, all", "trial": "study"}
    assert len(document["notes"]) == 2


def test_what_is_piped_in_is_read_once(here: Path) -> None:
    piped = (STRANGERS / "csv_semicolon.csv").read_bytes()
    result = run("fit", "--data", "-", *QUICK, "--out", "run", piped=piped)
    assert result.exit_code == 0, result.stderr
    assert "Evidence: standard input, 5 cohorts of 4 trials, 819 responders of 1,186 patients" in result.stdout
    document = read_run(Path("run"))
    assert document["evidence"]["source"] == "standard input"
    assert Path("run/evidence.csv").read_bytes() == piped
    assert read_fit(Path("run")).evidence.notes[0] == "Columns are separated by semicolons."


def test_a_workbook_is_kept_whole_and_read_again_by_its_sheet_and_columns(book: Path) -> None:
    made = run("fit", "overall", "--data", book, "--sheet", "2020", "--columns", COLUMNS, *QUICK, "--out", "run")
    assert made.exit_code == 0, made.stderr
    document = read_run(Path("run"))
    record = document["evidence"]
    assert (record["source"], record["file"], record["sheet"]) == ("book.xlsx", "evidence.xlsx", "2020")
    assert record["columns"] == {"cohort_id": "arm", "responders": "cases, all", "trial": "study"}
    assert record["responders"] == 11
    assert Path("run/evidence.xlsx").read_bytes() == book.read_bytes()
    assert not Path("run/evidence.csv").exists()
    fit = read_fit(Path("run"))
    assert fit.evidence.frame["responders"].tolist() == [4, 5, 2]
    assert fit.evidence.notes == tuple(document["notes"][: len(fit.evidence.notes)])
    # The commands that the report gives make the run again.
    report = run("report", "run", "--format", "md", "--out", "report.md")
    assert report.exit_code == 0, report.stderr
    (line,) = [line for line in Path("report.md").read_text().splitlines() if "--data evidence.xlsx" in line]
    assert all(
        word in line for word in ("--sheet 2020", "--columns 'cohort_id=arm,\"responders=cases, all\",trial=study'")
    )


@pytest.mark.parametrize("command", ["pool", "influence", "small-study", "evidence"])
def test_commands_read_an_old_workbook(command: str) -> None:
    result = run(command, "--data", OLD, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)


def test_what_does_not_go_together(here: Path) -> None:
    for arguments, message in (
        (("--columns", "n=ni"), "error: --columns: is about a table of your own. Give it too: --data FILE."),
        (("--sheet", "A"), "error: --sheet: is about a table of your own. Give it too: --data FILE."),
        (("--data", OLD, "--columns", "n"), 'error: --columns: found "n"; allowed: pairs of a name and the column'),
        (("--data", OLD, "--new", "a.xlsx"), "error: --new writes an empty table, and --data reads one."),
        (("--new", "a.csv"), "error: a.csv: the name of a workbook's file must end in .xlsx."),
    ):
        result = run("evidence", *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert result.stderr.startswith(message)
    assert [*here.iterdir()] == []


def test_a_workbook_to_fill_in_is_never_written_over_a_file(here: Path) -> None:
    made = run("evidence", "--new", "mine.xlsx")
    assert (made.exit_code, made.stdout) == (0, "")
    assert made.stderr == "Workbook: mine.xlsx. Fill in its first sheet; the second explains the columns.\n"
    content = Path("mine.xlsx").read_bytes()
    again = run("evidence", "--new", "mine.xlsx")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "mine.xlsx: is there already; nothing is overwritten." in again.stderr
    assert Path("mine.xlsx").read_bytes() == content
    assert run("evidence", "--data", "mine.xlsx").exit_code == 3


def test_a_workbook_for_a_model_has_its_columns(here: Path) -> None:
    from python_calamine import CalamineWorkbook

    assert run("evidence", "--new", "brain.xlsx", "--outcome", "intracranial").exit_code == 0
    header = CalamineWorkbook.from_path("brain.xlsx").get_sheet_by_index(0).to_python()
    assert header == [["cohort_id", "trial", "ic_responders", "ic_n", "regimen_class", "line"]]
    assert run("evidence", "--new", "none.xlsx", "--outcome", "nothing").exit_code == 4
    assert not Path("none.xlsx").exists()


def test_an_outcome_of_its_own_two_columns(here: Path) -> None:
    Path("m.toml").write_text((STRANGERS / "crbsi.toml").read_text())
    lines = (STRANGERS / "crbsi.csv").read_text().splitlines()
    Path("bare.csv").write_text("".join(f"{a},{e},{f}\n" for a, _, _, _, e, f in (line.split(",") for line in lines)))
    result = run("fit", "m.toml", "--data", "bare.csv", *QUICK, "--out", "run", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["evidence"]["responders"], document["evidence"]["patients"]) == (27, 2495)
    shown = run("evidence", "--data", "bare.csv", "--outcome", "m.toml")
    assert "infections of catheters is counted" in shown.stdout


ALL_COLUMNS = """\
cohort_id,line,regimen_class,prior_alk_tki,agent,responders,n,ic_responders,ic_n,cr,sae_events,sae_n,g3_events,g3_n,disc_events,disc_n
a,naive,first,none,crizotinib,31,44,3,9,0,1,30,2,30,0,30
b,naive,second,none,alectinib,35,45,8,10,1,3,30,5,30,1,30
c,pretreated,second,crizotinib,alectinib,12,30,4,9,2,5,30,8,30,2,30
d,pretreated,third,second,lorlatinib,33,70,9,21,3,7,30,11,30,3,30
e,pretreated,third,crizotinib,lorlatinib,18,40,7,12,4,9,30,14,30,4,30
f,mixed,second,mixed,ceritinib,28,37,6,8,5,11,30,17,30,5,30
"""


def test_every_bundled_model_is_laid_over_a_table_without_trials(here: Path) -> None:
    from alkbayes.evidence.table import read_evidence
    from alkbayes.model.design import build_design
    from alkbayes.spec.schema import model_names, model_path, read_spec

    Path("t.csv").write_text(ALL_COLUMNS)
    for name in model_names():
        spec = read_spec(model_path(name))
        evidence = read_evidence(Path("t.csv"), needed=spec.columns, outcome=spec.outcome)
        design = build_design(spec, evidence)
        assert design.group is not None, name
        assert design.group.units == tuple("abcdef"), name
        normal = spec.likelihood.family == "binomial" and name != "robust"
        assert (design.group.label == "total") is normal, name
        assert "The table names no trials: each cohort counts as a trial of its own." in evidence.notes


def test_without_line_or_generation_one_rate_is_fitted_and_said_so(here: Path) -> None:
    for name, why in (
        ("tdxd_nocoltrial.csv", "none of the columns of the bundled models with effects"),
        ("egfr_own.csv", '"1L" for line'),
    ):
        result = run("fit", "--data", STRANGERS / name, *QUICK, "--out", name)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("Model: overall, as the table has "), result.stdout
        assert why in result.stdout.split("\n")[0]


def test_levels_of_ones_own_in_a_bundled_model(here: Path) -> None:
    result = run("fit", "generation", "--data", STRANGERS / "egfr_own.csv", *QUICK, "--out", "run", "--json")
    assert result.exit_code == 0, result.stderr
    levels = {row["level"] for row in json.loads(result.stdout)["pooled"] if row["group"] == "generation"}
    assert levels == {"first-gen EGFR TKI", "second-gen EGFR TKI", "third-gen EGFR TKI"}
    refused = run("fit", "line", "--data", STRANGERS / "egfr_own.csv", *QUICK, "--out", "none")
    assert refused.exit_code == 4
    assert (
        'effect[0].reference (of "line"): found "naive", which no cohort of the table has; allowed: 1L and 2L+. '
        "Rename a level of the table, or the reference in the model."
    ) in refused.stderr
    assert not Path("none").exists()


def test_a_terminal_is_not_read_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alkbayes.cli.shared import options
    from alkbayes.evidence.sources import ALL_COHORTS

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(options.sys, "stdin", Terminal())
    with pytest.raises(options.UsageError, match="reads the table from standard input, and nothing is piped in"):
        options.table_source(Path("-"), None, None, ALL_COHORTS)


STRANGE = "study,Treatment line,Responders (n),n\na,naive,3,10\nb,mixed,5,12\nc,naive,2,9\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "line", *QUICK, "--out", "run"),
        ("pool", "--by", "line"),
        ("subgroups", "line"),
        ("regress", "line"),
    ],
)
def test_a_column_that_may_be_meant_is_offered_as_it_is_typed(here: Path, arguments: tuple[str, ...]) -> None:
    Path("t.csv").write_text(STRANGE)
    result = run(*arguments, "--data", "t.csv", "--columns", "responders=Responders (n)")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.endswith('Name columns as in: --columns "line=Treatment line"\n')
    assert "cohort_id, responders" not in result.stderr
    assert [*here.iterdir()] == [Path(here, "t.csv")]
    columns = ("--columns", "responders=Responders (n)", "--columns", "line=Treatment line")
    both = run(*arguments, "--data", "t.csv", *columns)
    assert both.exit_code == 0, both.stderr


def test_a_name_of_the_users_own_that_is_misspelt_is_offered_without_an_option(here: Path) -> None:
    Path("t.csv").write_text("study,region,responders,n\na,EU,3,10\nb,US,5,12\n")
    result = run("pool", "--by", "regoin", "--data", "t.csv")
    assert result.stderr.endswith('Its columns: cohort_id, region. Did you mean "region"?\n')


def test_without_such_a_column_another_model_is_named(here: Path) -> None:
    Path("t.csv").write_text("study,responders,n\na,3,10\n")
    result = run("fit", "line", "--data", "t.csv")
    assert result.stderr.endswith(
        "allowed: a header with responders, n and line. Choose a model that needs no line (`alkbayes models`).\n"
    )


def test_messages_name_options(book: Path) -> None:
    result = run("evidence", "--data", book)
    assert result.stderr.endswith("Name the one to read, as in: --sheet 2019\n")
    Path("t.csv").write_text("study,n,N\na,3,10\n")
    result = run("evidence", "--data", "t.csv")
    assert result.stderr.endswith("Name columns as in: --columns n=N,responders=COLUMN\n")
    Path("t.csv").write_text('study,"$, all events",n\na,3,10\n')
    result = run("evidence", "--data", "t.csv")
    assert result.stderr.endswith("Name columns as in: --columns '\"responders=$, all events\"'\n")
    assert run("evidence", "--data", "t.csv", "--columns", '"responders=$, all events"').exit_code == 0


@pytest.mark.parametrize("name", ["resistance", "randomised"])
def test_a_bundled_table_is_not_kept_with_a_run_of_another_field(book: Path, name: str) -> None:
    """Its report would show resistance to ALK inhibitors beside whatever was pooled."""
    made = run("fit", "overall", "--data", book, "--sheet", "2020", "--columns", COLUMNS, *QUICK, "--out", "run")
    assert made.exit_code == 0, made.stderr
    result = run(name, "--for", "run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"table of {name} is of ALK inhibitors, and book.xlsx, the table of the run, has" in result.stderr
    assert "no prior_alk_tki and regimen_class. Give a table of the same field (--data FILE)" in result.stderr
    assert not Path(f"run/{name}.json").exists()
