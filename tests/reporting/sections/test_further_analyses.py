"""The rest of a review in a report: what was kept with the run is shown with its numbers, the rest is named."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from alkbayes.cli import app
from alkbayes.evidence.outcomes import ORR
from alkbayes.plots.source import RunTables
from alkbayes.presentation.prediction import steady_sentence
from alkbayes.reporting.blocks import Heading, Listing, Paragraph, Picture, Section, Table
from alkbayes.reporting.document import report_of
from alkbayes.reporting.renderers.html import html_of
from alkbayes.reporting.renderers.markdown import markdown_of
from alkbayes.reporting.sections.further_analyses import beyond_section
from alkbayes.runs.analyses import COMMANDS
from alkbayes.runs.run import read_fit, read_run

pytestmark = pytest.mark.slow
"""Every analysis is made for one run."""

NAMES = ("pfs", "intracranial", "sequence", "resistance", "randomised")


def command(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def kept(
    run: SimpleNamespace,
    fewer_draws: Callable[[], AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run with which each command has kept what it found."""
    folder = Path(shutil.copytree(run.folder, tmp_path_factory.mktemp("kept") / "run"))
    with fewer_draws():
        for name in NAMES:
            result = command(name, "--for", folder, "--json")
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout)
    planned = ("--line", "naive", "--generation", "third", "--n", "40", "--null", "0.6", "--above", "0.7")
    result = command("predict", folder, *planned)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def section(kept: Path) -> Section:
    return beyond_section(read_fit(kept), RunTables(kept, read_run(kept)))


def document(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["document"]


def rows(section: Section, title: str) -> dict[str, tuple[str, ...]]:
    (found,) = [block.table for block in section.blocks if isinstance(block, Table) and block.table.title == title]
    return {row[0].strip(): row[1:] for row in found.rows if len(row) > 1}


def sentences(section: Section) -> list[str]:
    return [str(block.pieces[0]) for block in section.blocks if isinstance(block, Paragraph)]


def test_every_part_has_its_heading_and_its_figure(section: Section) -> None:
    assert [block.text for block in section.blocks if isinstance(block, Heading)] == [
        "Median progression-free survival",
        "Intracranial response",
        "Sequences of ALK inhibitors",
        "Resistance mutations",
        "Randomised evidence",
        "Response: odds ratios",
        "Progression-free survival: hazard ratios",
        "A planned trial",
    ]
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == [
        "pfs",
        "intracranial",
        "sequence-matrix",
        "resistance",
        "randomised",
        "predict",
    ]
    assert not [block for block in section.blocks if isinstance(block, Listing)]


def test_medians_are_those_of_the_command(section: Section, kept: Path) -> None:
    found = document(kept, "pfs")
    (typical,) = [row for row in found["pooled"] if (row["level"], row["estimand"]) == ("naive", "typical")]
    (plain,) = [row for row in found["weighted"] if row["level"] == "naive"]
    k, patients, mean, shown, *_ = rows(section, "Median progression-free survival, months")["naive"]
    # The bundled table: 10 naive cohorts with a median, and 4 whose median was not reached.
    assert (k, patients) == ("10+4", "1,495")
    # What the table's patient-weighted mean of naive medians comes to, by hand from its rows.
    assert mean.split("\n")[0] == f"{plain['estimate']:.1f}" == "14.3"
    assert float(shown.split("\n")[0]) == pytest.approx(typical["median"], abs=0.51)
    left_out = rows(section, "Effect of leaving out medians not reached, months")
    with_them, without_them = left_out["naive"][1:3]
    assert float(with_them.split("\n")[0]) > float(without_them.split("\n")[0])


def test_intracranial_rates_stand_beside_systemic_ones(section: Section, kept: Path) -> None:
    systemic, same, brain = rows(section, "Pooled rates, %")["first"]
    # Of crizotinib: ALEX 11/22, ALTA-1L 6/21, CROWN 3/13.
    assert brain == "k 3, 20/56"
    assert same.startswith("k 3, ")
    assert systemic.startswith("k 10, ")
    by_prior = rows(section, "Intracranial contrasts of generations by prior: difference of means in points")
    assert len(by_prior) == len({row["alternative"] for row in document(kept, "intracranial")["contrasts"]})


def test_sequences_mark_what_no_cohort_has_had(section: Section) -> None:
    table = rows(section, "Objective response rate by prior ALK TKI and TKI generation, %")
    assert table["experimental *"][0] == "0"
    assert any(sentence.startswith("10 of 25 cells have no cohorts") for sentence in sentences(section))


def test_resistance_says_first_how_little_there_is(section: Section) -> None:
    first = section.blocks[section.blocks.index(Heading("Resistance mutations")) + 1]
    assert isinstance(first, Paragraph)
    assert str(first.pieces[0]).startswith("Sparse data: 9 counts from 6 sets of samples")
    assert first.strong
    # Clopper-Pearson's limits of 7 of 20, by scipy.stats.binomtest(7, 20).proportion_ci(method="exact").
    lorlatinib = rows(section, "Each row by itself: samples with a mutation, %")["lorlatinib"]
    assert lorlatinib[:4] == ("tissue", "7/20", "35.0", "15.4–59.2")


def test_a_planned_trial_is_the_one_that_was_asked_about(section: Section, kept: Path) -> None:
    found = document(kept, "predict")
    shown = rows(section, "Response rate of the planned cohort, %")
    # As the terminal prints it: a decimal as long as no error of what stands together exceeds 0.29 points.
    errors = [found["rate"][name] for name in ("mcse", "mcse_median", "mcse_low", "mcse_high")]
    assert shown["true rate of the cohort"][0] == f"{100 * found['rate']['mean']:.{int(max(errors) < 0.00288)}f}"
    (planned,) = found["planned"]
    assert shown["observed in 40 patients"][-1] == f"{planned['responders_low']}–{planned['responders_high']}"
    decimals = int(max(row["mcse"] for row in found["exceeding"]) < 0.00288)
    exceeding = rows(section, "Probability of a response rate above a limit, %")
    assert exceeding["above 70 %"] == tuple(f"{100 * row['probability']:.{decimals}f}" for row in found["exceeding"])
    title = "Meta-analytic-predictive (MAP) prior for the trial's own analysis"
    (priors,) = [block for block in section.blocks if isinstance(block, Table) and block.table.title == title]
    assert f"robust MAP: {found['priors'][0]['text']}" in priors.notes
    designs = rows(section, "Single-arm design: success if P(ORR > 60 % | responders) > 0.975; %")
    assert designs["vague"][1] == f"{next(row['critical'] for row in found['designs'] if row['prior'] == 'vague')}"


@pytest.mark.slow
def test_the_whole_report_holds_them(kept: Path) -> None:
    report = report_of(kept)
    page, text = html_of(report), markdown_of(report, "figures")
    for heading in ("Median progression-free survival", "Resistance mutations"):
        assert f"<h3>{heading}</h3>" in page
        assert f"### {heading}" in text
    assert len(page.encode()) < 3_000_000


def test_what_was_not_run_is_named_with_its_command(run: SimpleNamespace) -> None:
    section = beyond_section(run.fit, RunTables(run.folder, read_run(run.folder)))
    (listing,) = [block for block in section.blocks if isinstance(block, Listing)]
    assert listing.text.splitlines() == [
        *(f"alkbayes {name} --for {run.folder}" for name in NAMES),
        f"alkbayes predict {run.folder} --n N",
    ]
    assert set(NAMES) < set(COMMANDS)


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_run_has_its_own_table(run: SimpleNamespace, tmp_path: Path, name: str) -> None:
    (tmp_path / "own.csv").write_text("x\n")
    result = command(name, "--for", run.folder, "--data", tmp_path / "own.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--for takes the table of its run, and --data names another." in result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_no_run_is_refused_before_anything_is_computed(tmp_path: Path, name: str) -> None:
    result = command(name, "--for", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "there is no such folder" in result.stderr


def test_a_sequence_of_a_run_is_another_thing_than_one_for_a_run(run: SimpleNamespace) -> None:
    result = command("sequence", run.folder, "--for", run.folder)
    assert result.exit_code == 2
    assert "Give it without RUN" in result.stderr


def test_a_sentence_of_a_planned_trial_comes_to_its_end() -> None:
    said = steady_sentence(None, ORR)
    assert said == "Doubling the cohort narrows the interval by 5 % or more up to 4,096 patients."
