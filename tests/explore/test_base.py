"""A setting as a table, a model and a command: what is kept is what the command gives, to the byte."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.errors import UsageError
from alkbayes.evidence.sources import Selection, TableSource
from alkbayes.explore.analyst import Analyst
from alkbayes.explore.base import (
    Base,
    base_of_run,
    base_of_table,
    changes_of,
    filter_columns,
    fitting_models,
    model_of,
    selection_of,
    spec_before,
    whole_table,
)
from alkbayes.explore.command import command_of, restart_command
from alkbayes.explore.jobs import KeepJob, Kept
from alkbayes.explore.setting import Exclusion, Setting, parsed
from alkbayes.inference.settings import Engine
from alkbayes.library.bayesian import open_run
from alkbayes.reporting.blocks import Paragraph, Report
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import markdown_of
from alkbayes.runs.run import read_fit, read_run

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" 'twice'",
    "a; rm -rf $HOME `id`",
    "\u202ereversed",
    "-x",
    "=1+1",
    "é, ñ\\n",
]


def asked(base: Base, query: str) -> Setting:
    return parsed(query, base.setting, models=fitting_models(base))


def fit_by_command(base: Base, setting: Setting, folder: Path) -> Path:
    """Run the copied command, with the model's file beside it where it needs one; return the run."""
    whole = whole_table(base, spec_before(base, setting))
    model = model_of(base, setting, whole)
    if model.own_file:
        Path(model.word).write_bytes(model.content)
    words = shlex.split(shlex.join(command_of(base, setting, model, selection_of(base, setting, whole))))
    done = CliRunner().invoke(app, [*words[1:], "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.parametrize(
    "query",
    [
        "",
        "out=a1&why.a1=phase+I&drop.region=Europe&why=other+population",
        "model=overall&draws=300&seed=5",
        "prior.heterogeneity.0=-2&prior.effect.0=1&reference.line=pretreated",
        "link=probit&tails=student_t&out=c1&why.c1=x",
    ],
)
def test_what_is_kept_is_what_the_copied_command_gives(
    base: Base, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setting = asked(base, query)
    kept = Analyst(base).answer(KeepJob(setting, 3 if query else None, ("a change",) if query else ()))
    assert isinstance(kept, Kept), kept
    again = fit_by_command(base, setting, tmp_path / "again")
    for name in ("pooled.csv", "contrasts.csv", "cohorts.csv", "heterogeneity.csv", "classical.csv", "model.toml"):
        assert (kept.folder / name).read_bytes() == (again / name).read_bytes(), name
    ours, theirs = (read_run(folder) for folder in (kept.folder, again))
    assert ours["evidence"] == theirs["evidence"]
    assert ours["notes"] == theirs["notes"]
    assert ours["provenance"].get("exploration") == ({"settings_tried": 3, "changes": ["a change"]} if query else None)


def test_hostile_names_survive_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"cohort_id": [*HOSTILE, "b", "c", "d"], "n": 40, "responders": range(10, 20)})
    frame["kind of <b>"] = ["<i>", 'a "b"'] * 5
    frame.to_csv("t.csv", index=False)
    base = base_of_table(TableSource(Path("t.csv")), "overall")
    excluded = tuple(Exclusion(name, f"because of {name}") for name in sorted(HOSTILE[1:]))
    setting = Setting(excluded=excluded[:-2], dropped=(("kind of <b>", ('a "b"',)),), dropped_reason="it's $HOME")
    assert parsed(setting.query(base.setting), base.setting) == setting
    folder = fit_by_command(base, setting, tmp_path / "again")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))["evidence"]
    assert record["exclude"] == [each.cohort for each in setting.excluded]
    assert record["reason"] == setting.reason
    assert record["cohorts"] == Analyst(base).table(setting).cohorts


def test_a_chosen_part_of_a_table_stays_chosen(table: Path) -> None:
    source = TableSource(table, selection=Selection('phase == "3" or region == "Asia"', ("a2",), "by protocol"))
    base = base_of_table(source, "overall")
    whole = whole_table(base, base.spec)
    assert whole.frame["cohort_id"].tolist() == ["a1", "b1", "c1", "d1", "f1", "g1"]
    setting = asked(base, "drop.region=Europe&why=elsewhere&out=f1&why.f1=small")
    selection = selection_of(base, setting, whole)
    assert selection.where == '(phase == "3" or region == "Asia") and region != "Europe"'
    assert selection.exclude == ("a2", "f1")
    assert selection.reason == "by protocol; f1: small; Europe: elsewhere"
    assert Analyst(base).table(setting).frame["cohort_id"].tolist() == ["a1", "d1"]


def test_the_page_can_be_opened_again_with_the_same_cohorts(table: Path) -> None:
    source = TableSource(table, {"region": "region"}, selection=Selection("phase == '3' or n > 20", ("a2",), "it's so"))
    words = shlex.split(restart_command(base_of_table(source, "overall")))
    assert words == [
        *("alkbayes", "explore", "--data", str(table), "--columns", "region=region"),
        *("--where", "phase == '3' or n > 20", "--exclude", "a2", "--reason", "it's so", "--model", "overall"),
    ]


def test_a_run_by_nuts_keeps_its_command_and_its_changes_say_that_they_are_not(base: Base) -> None:
    whole = whole_table(base, base.spec)
    by_nuts = replace(base, engine=Engine.NUTS, tune=300)

    def words(query: str) -> str:
        setting = asked(base, query)
        model, selection = model_of(by_nuts, setting, whole), selection_of(by_nuts, setting, whole)
        return shlex.join(command_of(by_nuts, setting, model, selection))

    assert "--engine nuts" in words("")
    assert words("").endswith("--draws 1000 --tune 300")
    assert "--engine quadrature" in words("out=a1")
    assert "--tune" not in words("out=a1")
    assert changes_of(by_nuts, asked(base, ""), whole) == ()
    assert changes_of(by_nuts, asked(base, "out=a1"), whole) == ("without a1", "by quadrature")
    assert changes_of(by_nuts, asked(base, "out=a1&engine=nuts"), whole) == ("without a1",)
    assert changes_of(base, asked(base, "out=a1&engine=nuts"), whole) == ("without a1", "by NUTS")


def test_a_column_can_be_chosen_by_if_a_condition_can_name_it(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "cohort_id": list("abcdef"),
            "n": 20,
            "responders": range(3, 9),
            "class": list("xxyyzz"),
            "two words": ["p", "p", "q", "q", "", "q"],
            "tick`ed": list("ababab"),
            "marks": ["`", "b", "b", "b", "b", "b"],
            "age": ["50", "51", "52", "53", "54", "55"],
            "same": "s",
        }
    )
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    base = base_of_table(TableSource(path), "overall")
    whole = whole_table(base, base.spec)
    assert filter_columns(whole) == {"class": ("x", "y", "z"), "two words": ("p", "q")}
    setting = asked(base, "drop.class=x&drop.class=z&drop.two+words=p")
    selection = selection_of(base, setting, whole)
    assert selection.where == '`class` not in ["x", "z"] and `two words` != "p"'
    assert Analyst(base).table(setting).frame["cohort_id"].tolist() == ["c", "d"]


@pytest.mark.parametrize(
    ("query", "found"),
    [("out=a11", 'no cohort "a11"'), ("drop.responders=28", "no column"), ("drop.colour=red", "no column")],
)
def test_what_the_table_has_not_is_refused(base: Base, query: str, found: str) -> None:
    with pytest.raises(UsageError, match="the table has no") as refusal:
        selection_of(base, asked(base, query), whole_table(base, base.spec))
    assert found in str(refusal.value)


def test_models_are_offered_for_which_the_table_has_the_columns(base: Base) -> None:
    assert {"overall"} <= set(fitting_models(base))
    assert {"line", "sequence", "generation", "intracranial"}.isdisjoint(fitting_models(base))


def test_a_run_is_a_base(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    started = asked(base, "out=g1&why.g1=mixed&seed=8&draws=300")
    folder = fit_by_command(base, started, tmp_path / "run")
    of_run = base_of_run(folder, read_run(folder))
    assert of_run.setting == Setting(seed=8, draws=300)
    assert whole_table(of_run, of_run.spec).cohorts == 8
    again = fit_by_command(of_run, of_run.setting, tmp_path / "again")
    assert (again / "pooled.csv").read_bytes() == (folder / "pooled.csv").read_bytes()


def test_an_exploratory_run_is_called_that_wherever_it_is_read(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    analyst = Analyst(base)
    marked = analyst.answer(KeepJob(asked(base, "seed=4&draws=300"), 7, ("seed 4", "300 draws per chain")))
    plain = analyst.answer(KeepJob(base.setting, None, ()))
    said = "EXPLORATORY: one of 7 settings tried on this table; against the base: seed 4; 300 draws per chain"
    exploration = read_fit(marked.folder).provenance.exploration
    assert (exploration.settings_tried, exploration.changes) == (7, ("seed 4", "300 draws per chain"))
    assert read_fit(plain.folder).provenance.exploration is None
    assert said in open_run(marked.folder).subject
    for options in ((), ("--plain",)):
        summaries = [
            CliRunner(env={"COLUMNS": "300"}).invoke(app, ["summary", str(folder), *options]).stdout
            for folder in (marked.folder, plain.folder)
        ]
        assert said in summaries[0]
        assert "EXPLORATORY" not in summaries[1]
    report = replace(report_of_nothing(), remark=said)
    assert f'<p class="warning">{said}.</p>' in html_of(report)
    assert f"**{said}.**" in markdown_of(report, "figures").replace("\\", "")
    assert "EXPLORATORY" not in html_of(report_of_nothing())


def report_of_nothing() -> Report:
    return Report("title", "", "", "", (), Paragraph(()), (), "")
