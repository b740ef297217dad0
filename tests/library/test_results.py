"""Results of the Python interface against what the commands print for the same model and table."""

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import alkbayes as ab
from alkbayes.cli import app
from alkbayes.errors import ConvergenceError, ConvergenceWarning, EvidenceError, RunError, UsageError
from alkbayes.library.bayesian import Fit
from alkbayes.library.models import model_file
from alkbayes.spec.schema import model_names

if TYPE_CHECKING:
    from alkbayes.library.display import Displayed

# Durable responses of pooled single arms; any small table with two levels and several trials would do.
TABLE = """study,arm,treatment,event,total
a,a1,pretreated,12,40
a,a2,naive,22,31
b,b1,pretreated,8,33
c,c1,naive,30,42
d,d1,pretreated,21,60
e,e1,naive,18,30
"""
MODEL = {
    "schema": 1,
    "name": "by-treatment",
    "question": "Rates by treatment",
    "likelihood": {"family": "binomial", "link": "logit"},
    "intercept": {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.5}, "why": "centred on one half"},
    "effect": [
        {
            "column": "treatment",
            "kind": "fixed",
            "reference": "naive",
            "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0},
            "why": "odds ratios between 1/7 and 7",
        }
    ],
    "heterogeneity": [
        {
            "column": "cohort_id",
            "distribution": "normal",
            "sd_prior": {"dist": "half_normal", "sd": 0.5},
            "why": "cohorts differ",
        }
    ],
}
NAMES = {"cohort": "arm", "trial": "study", "responders": "event", "n": "total"}
COLUMNS = "cohort_id=arm,trial=study,responders=event,n=total"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(TABLE))


@pytest.fixture(scope="module")
def fit(table: pd.DataFrame) -> Fit:
    return ab.fit(table, MODEL, **NAMES, engine="quadrature")


@pytest.fixture(scope="module")
def run(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that the command made of the same table and model."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    (folder / "model.toml").write_bytes(fit.model)
    printed(
        *("fit", str(folder / "model.toml"), "--data", str(folder / "table.csv"), "--columns", COLUMNS),
        *("--engine", "quadrature", "--out", str(folder / "run")),
    )
    return folder / "run"


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


@pytest.mark.parametrize("name", ["pooled", "contrasts", "heterogeneity", "cohorts", "classical"])
def test_tables_of_a_fit_are_those_of_the_command(fit: Fit, run: Path, name: str) -> None:
    assert csv(getattr(fit, name)) == (run / f"{name}.csv").read_text(encoding="utf-8")


def test_document_of_a_fit_is_that_of_the_command(fit: Fit, run: Path) -> None:
    theirs = json.loads((run / "run.json").read_text(encoding="utf-8"))
    ours = json.loads(json.dumps(fit.to_dict()))
    # Where the table came from and when it was fitted differ; everything else may not.
    apart = {"evidence", "provenance", "notes", "note_kinds"}
    assert {name: ours[name] for name in ours.keys() - apart} == {name: theirs[name] for name in ours.keys() - apart}


@pytest.mark.parametrize(
    ("ours", "arguments"),
    [
        (lambda table: ab.pool(table, ["treatment"], **NAMES).table, ["pool", "--by", "treatment"]),
        (lambda table: ab.subgroups(table, "treatment", **NAMES).levels, ["subgroups", "treatment"]),
        (lambda table: ab.regress(table, ["treatment"], **NAMES).coefficients, ["regress", "treatment"]),
        (lambda table: ab.read_evidence(table, **NAMES).composition, ["evidence"]),
    ],
    ids=["pool", "subgroups", "regress", "evidence"],
)
def test_classical_tables_are_those_of_the_commands(
    ours: Callable[[pd.DataFrame], pd.DataFrame], arguments: list[str], table: pd.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / "table.csv"
    file.write_text(TABLE, encoding="utf-8")
    assert csv(ours(table)) == printed(*arguments, "--data", str(file), "--columns", COLUMNS, "--csv")


@pytest.mark.parametrize(
    ("ours", "arguments"),
    [
        (lambda fit: ab.posterior_checks(fit).cohorts, ["predictive", "RUN"]),
        (lambda fit: ab.prior_checks(fit).cells, ["predictive", "RUN", "--prior"]),
        (lambda fit: ab.leave_one_out(fit).cohorts, ["outliers", "RUN"]),
        (
            lambda fit: ab.predict(fit, {"treatment": "naive"}, n=30).distribution,
            ["predict", "RUN", "--at", "treatment=naive", "--n", "30"],
        ),
    ],
    ids=["posterior", "prior", "leave-one-out", "predict"],
)
def test_tables_about_a_fit_are_those_of_the_commands(
    ours: Callable[[Fit], pd.DataFrame], arguments: list[str], fit: Fit, run: Path
) -> None:
    asked = [str(run) if word == "RUN" else word for word in arguments]
    assert csv(ours(fit)) == printed(*asked, "--csv")


@pytest.mark.slow
def test_sensitivity_and_comparison_are_those_of_the_commands(fit: Fit, run: Path, tmp_path: Path) -> None:
    assert csv(ab.sensitivity(fit).alternatives) == printed("sensitivity", str(run), "--csv")
    other = ab.save_run(ab.fit(run / "evidence.csv", "overall", **NAMES, engine="quadrature"), tmp_path / "other")
    assert other.folder is not None
    compared = ab.compare({"by-treatment": ab.open_run(run), "overall": other})
    assert csv(compared.elpd) == printed("compare", str(run), str(other.folder), "--csv")


def test_one_column_may_be_a_text(table: pd.DataFrame) -> None:
    assert csv(ab.pool(table, "treatment", **NAMES).table) == csv(ab.pool(table, ["treatment"], **NAMES).table)
    one, several = (ab.regress(table, asked, **NAMES) for asked in ("treatment", ["treatment"]))
    assert csv(one.coefficients) == csv(several.coefficients)


def test_a_table_read_once_serves_every_function(table: pd.DataFrame, fit: Fit) -> None:
    evidence = ab.read_evidence(table, **NAMES)
    assert csv(ab.fit(evidence, MODEL, engine="quadrature").pooled) == csv(fit.pooled)
    assert csv(ab.pool(evidence).table) == csv(ab.pool(table, **NAMES).table)
    with pytest.raises(UsageError, match="was read already: name its columns where it is read"):
        ab.pool(evidence, responders="event")


def test_selection(table: pd.DataFrame) -> None:
    evidence = ab.read_evidence(table, **NAMES, where='treatment == "naive"', exclude=["c1"], reason="as planned")
    assert evidence.frame["cohort_id"].tolist() == ["a2", "e1"]
    assert any("as planned" in note for note in evidence.notes)


def test_a_saved_run_opens_with_the_same_tables(fit: Fit, tmp_path: Path) -> None:
    saved = ab.save_run(fit, tmp_path / "run")
    opened = ab.open_run(tmp_path / "run")
    assert saved.folder == opened.folder == tmp_path / "run"
    assert csv(opened.pooled) == csv(fit.pooled)
    assert opened.spec == fit.spec
    assert "Key results" in printed("summary", str(tmp_path / "run"))
    with pytest.raises(RunError, match="is there already"):
        ab.save_run(fit, tmp_path / "run")


def test_the_command_kept_with_a_saved_run_repeats_it(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ab.save_run(fit, tmp_path / "run")
    command = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["command"]
    monkeypatch.chdir(tmp_path / "run")
    printed(*shlex.split(command)[1:], "--out", "../again")
    assert (tmp_path / "again" / "pooled.csv").read_bytes() == (tmp_path / "run" / "pooled.csv").read_bytes()


def test_a_declaration_is_the_model_that_its_file_is(tmp_path: Path) -> None:
    for name in model_names():
        spec = ab.read_model(name)
        (tmp_path / f"{name}.toml").write_bytes(model_file(spec))
        assert ab.read_model(tmp_path / f"{name}.toml") == spec


def test_analyses_are_kept_with_a_run(fit: Fit, tmp_path: Path) -> None:
    saved = ab.save_run(fit, tmp_path / "run")
    ab.leave_one_out(saved)
    ab.predict(saved, {"treatment": "naive"}, n=30, null=0.5)
    assert {path.name for path in (tmp_path / "run").glob("*.json")} == {"run.json", "outliers.json", "predict.json"}
    (written,) = ab.report(saved, tmp_path / "report.html")
    text = written.read_text(encoding="utf-8")
    assert "A planned trial" in text
    assert "To add them, run:" in text


def test_a_script_is_that_of_the_command(run: Path) -> None:
    opened = ab.open_run(run)
    assert ab.script(opened, "metafor").rstrip("\n") == printed("script", str(run), "--for", "metafor").rstrip("\n")
    with pytest.raises(UsageError, match='software: found "stan"; allowed: metafor, meta, brms') as caught:
        ab.script(opened, "stan")
    assert caught.value.parameter == "software"


def test_figures(fit: Fit, tmp_path: Path) -> None:
    drawn = ab.plot(fit)
    assert len(drawn.pages) == 1
    assert [path.suffix for path in drawn.save(tmp_path / "forest.svg")] == [".svg"]
    assert "data:image/svg+xml;base64," in drawn._repr_html_()
    with pytest.raises(UsageError, match="is there already"):
        drawn.save(tmp_path / "forest.svg")
    with pytest.raises(UsageError, match="kind: there is no figure 'violin'; allowed: forest"):
        ab.plot(fit, "violin")


def test_representations(table: pd.DataFrame, fit: Fit) -> None:
    shown: list[Displayed] = [
        ab.read_evidence(table, **NAMES),
        fit,
        ab.pool(table, **NAMES),
        ab.subgroups(table, "treatment", **NAMES),
        ab.regress(table, ["treatment"], **NAMES),
        ab.diagnose(fit),
        ab.posterior_checks(fit),
        ab.prior_checks(fit),
        ab.leave_one_out(fit),
        ab.predict(fit, {"treatment": "naive"}, n=30),
    ]
    for each in shown:
        assert len(repr(each).splitlines()) == 3, repr(each)
        page = each._repr_html_()
        assert "failed" not in page.partition("</style>")[2]
        assert page.index('class="verdict"') < page.index("<table")


def test_a_failed_gate_comes_first_and_is_marked(table: pd.DataFrame) -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        bad = ab.fit(table, MODEL, **NAMES, draws=100, tune=100, chains=2)
    assert bad.failed
    page = bad._repr_html_().partition("</style>")[2]
    assert page.index('class="verdict failed" role="alert"') < page.index("<table")
    assert "NOT CONVERGED: DO NOT USE THESE NUMBERS" in repr(bad).splitlines()[1]
    with pytest.raises(ConvergenceError, match="did not converge"):
        ab.sensitivity(bad)


def test_text_of_a_table_is_escaped() -> None:
    table = pd.DataFrame({"cohort_id": ["<script>x</script>", "b"], "responders": [1, 2], "n": [5, 6], "line": "naive"})
    page = ab.leave_one_out(ab.fit(table, "overall", engine="quadrature"))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_one_may_stand_where_several_may(table: pd.DataFrame) -> None:
    kept = {name: table[column].tolist() for name, column in (("responders", NAMES["responders"]), ("n", NAMES["n"]))}
    cohorts = pd.DataFrame({"cohort_id": [f"c{place}" for place in range(len(table))], **kept})
    assert ab.read_evidence(cohorts, exclude="c1").frame["cohort_id"].tolist() == [
        name for name in cohorts["cohort_id"] if name != "c1"
    ]
    assert ab.pool(cohorts, methods="reml-logit").table["method"].tolist() == ["reml-logit"]
    cohorts["year"] = range(2001, 2001 + len(cohorts))
    assert ab.regress(cohorts, "year", at={"year": 2002}).predictions["at_year"].tolist() == ["2002"]
    fit = ab.fit(cohorts, "overall", engine="quadrature", random_seed=np.int64(3))
    found = ab.predict(fit, n=np.int64(5), above=0.4)  # type: ignore[call-overload]
    assert found.distribution["n"].unique().tolist() == [5]
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert '"seed": 3' in json.dumps(fit.to_dict())


def test_the_pymc_model_is_that_of_the_default_fit(table: pd.DataFrame) -> None:
    own = table.drop(columns=[name for name in ("line", "regimen_class") if name in table])
    model = ab.pymc_model(own, **NAMES)
    assert {"alpha"} <= {variable.name for variable in model.free_RVs}
    assert ab.fit(own, engine="quadrature", **NAMES).spec.name == "overall"


def test_wrong_settings(table: pd.DataFrame, fit: Fit) -> None:
    with pytest.raises(UsageError, match=r"engine: found 'hmc'; allowed: nuts, quadrature\."):
        ab.fit(table, MODEL, engine="hmc")
    with pytest.raises(UsageError, match='methods: found "dl"; allowed: '):
        ab.pool(table, methods="dl", **NAMES)
    with pytest.raises(UsageError, match=r"random_seed: found None; allowed: a whole number, 0 to 4,294,967,295\."):
        ab.fit(table, MODEL, random_seed=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="model: found DataFrame; allowed: the name of a bundled model, the path"):
        ab.fit("overall", table)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="fits: found list; allowed: a mapping of names to fits"):
        ab.compare([fit, fit])  # type: ignore[arg-type]
    for take in (ab.diagnose, ab.posterior_checks, ab.leave_one_out, ab.sensitivity, ab.plot, ab.save_run):
        with pytest.raises(UsageError, match="fit: found str; allowed: a fit, of `fit` or `open_run`"):
            take("runs/mine")
    with pytest.raises(UsageError, match=r"n: found 40\.0; allowed: a whole number, 1 to 2,000"):
        ab.predict(fit, n=40.0)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="alternatives: found 'x'; allowed: "):
        ab.sensitivity(fit, alternatives=["x"])
    with pytest.raises(UsageError, match="fits: found 1; allowed: two fits or more"):
        ab.compare({"a": fit})
    with pytest.raises(UsageError, match="null: found 1; allowed: a proportion above 0 and below 1"):
        ab.predict(fit, {}, n=10, null=1.0)
    for wrong in ([1, 2], [], {"n": [1]}, 3):
        with pytest.raises(UsageError, match=r"data: found \w+; allowed: a data frame, the path of a table"):
            ab.pool(wrong)  # type: ignore[arg-type]
    with pytest.raises(EvidenceError, match="the data frame has no columns"):
        ab.read_evidence(pd.DataFrame())
    with pytest.raises(EvidenceError, match="the data frame"):
        ab.pool(table, responders="nobody", n="total")
