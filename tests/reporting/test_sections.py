"""What the sections say, of runs in which it differs."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alkbayes.plots.page.style import NO_CAPTION
from alkbayes.plots.source import RunTables
from alkbayes.reporting.blocks import (
    Block,
    Bullets,
    Flow,
    Fold,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    attempted,
)
from alkbayes.reporting.sections.evidence import evidence_section
from alkbayes.reporting.sections.sensitivity import sensitivity_section
from alkbayes.runs.analyses import keep_analysis
from alkbayes.runs.run import read_run


def blocks(section: Section) -> Iterator[Block]:
    for block in section.blocks:
        yield block
        if isinstance(block, Fold):
            yield from block.blocks


def of(report: Report, anchor: str) -> Section:
    (found,) = [section for section in report.sections if section.anchor == anchor]
    return found


def said(section: Section) -> str:
    """Return all running text of a section."""
    pieces: list[Any] = []
    for block in blocks(section):
        if isinstance(block, Paragraph):
            pieces += block.pieces
        elif isinstance(block, Bullets):
            pieces += [piece for item in block.items for piece in item]
    return " ".join(piece if isinstance(piece, str) else piece.text for piece in pieces)


def table(section: Section, title: str) -> dict[str, tuple[str, ...]]:
    (found,) = [block for block in blocks(section) if isinstance(block, Table) and block.table.title == title]
    return {row[0].strip(): row[1:] for row in found.table.rows}


def test_every_step_of_the_cohorts_has_its_number(run: SimpleNamespace) -> None:
    part = run.fit.evidence.part(np.arange(10))
    section = evidence_section(part, {}, NO_CAPTION, left_out=("53 cohorts are left out.",))
    (flow,) = [block for block in section.blocks if isinstance(block, Flow)]
    first, second, *_ = flow.steps
    assert first == ("With the outcome: 66 cohorts of 44 trials, 5,707 patients", ())
    assert second[0].startswith("In the analysis: 10 cohorts of ")
    assert second[1] == ("53 cohorts are left out.",)


def test_the_evidence_says_what_is_in_it_and_what_is_not(report: Report, run: SimpleNamespace) -> None:
    section = of(report, "evidence")
    text = said(section)
    assert "J-ALEX, INSPIRE" in text
    assert "a description of the reports, not a judgement of the risk of bias" in text
    reported = table(section, "Reporting quality: 66 cohorts, 5,707 patients")
    assert reported["Second-hand, interim or assumed"] == ("16", "24", "845", "15")
    frame = run.fit.evidence.frame
    irc = frame[frame["assessor"] == "irc"]
    assert reported["Independent review"][::2] == (str(len(irc)), f"{irc['n'].sum():,}")
    (flow,) = [block for block in section.blocks if isinstance(block, Flow)]
    assert flow.steps[0] == ("In the analysis: 66 cohorts of 44 trials, 5,707 patients", ())
    assert table(section, "Cohorts by group")["naive"] == ("17", "1,612", "1,231", "76.4")
    groups, _ = [block.table for block in blocks(section) if isinstance(block, Table)]
    history = groups.rows.index(("prior ALK TKI",))
    assert groups.rows[history + 2] == (" crizotinib", "17", "1,626", "814", "50.1")


def test_nobody_s_judgements_of_the_risk_of_bias_are_made_up(report: Report) -> None:
    section = of(report, "risk-of-bias")
    assert said(section).startswith("Nobody's judgements of the risk of bias are in the table")
    assert not any(isinstance(block, Table | Picture) for block in blocks(section))


def test_the_certainty_sheet_has_places_for_judgements(report: Report) -> None:
    sheet = table(of(report, "certainty"), "Certainty of the evidence: objective response rate, 95 % intervals")
    assert sheet["cohorts"] == ("66",)
    assert sheet["judgements"] == ("nobody's judgements are in the table",)
    assert [cells for name, cells in sheet.items() if name.startswith("Judgement: ")] == 5 * [("________",)]


def test_a_table_of_ones_own_is_no_reconstruction(hostile_run: SimpleNamespace) -> None:
    section = of(hostile_run.report, "evidence")
    assert "reconstructs" not in said(section)
    assert "J-ALEX" not in said(section)
    assert "reconstructs" not in said(of(hostile_run.report, "limits"))


def test_the_table_of_pooled_rates_says_what_its_cells_are_and_a_mark_is_explained(
    report: Report, run: SimpleNamespace
) -> None:
    section = of(report, "results")
    tables = {block.table.title: block for block in blocks(section) if isinstance(block, Table)}
    pooled = tables["Pooled objective response rate, %"]
    assert any("cohorts with both levels" in note for note in pooled.notes)
    predicted = run.results.contrasts.groupby("column")["predicted"].max()
    assert predicted["generation"] > 0
    for column, title in (("line", "Contrasts of line"), ("generation", "Contrasts of TKI generation")):
        said = " ".join(tables[title].notes)
        marked = [row[0] for row in tables[title].table.rows if row[0].endswith((" *", " **"))]
        assert bool(marked) == ("are predicted by the model" in said) == bool(predicted[column])


def test_the_computation_shows_each_diagnostic_and_every_parameter(report: Report) -> None:
    section = of(report, "computation")
    assert "Pareto k" in table(section, "Diagnostics")
    assert len(table(section, "Parameters, on the scale of the model")) > 100
    (title,) = [
        block.table.title
        for block in blocks(section)
        if isinstance(block, Table) and block.table.title.startswith("Headline numbers, ")
    ]
    assert "overall, mean" in table(section, title)


def test_the_classical_checks_have_every_method(report: Report) -> None:
    rows = table(of(report, "classical"), "Pooled by classical methods")
    assert rows.pop("overall: 66 cohorts, 3,436/5,707") == ()
    assert len(rows) == 34
    # Of 3,436 of 5,707, by Wilson.
    assert rows["crude-wilson"][:2] == ("60.2", "58.9–61.5")
    assert "Q = " in said(of(report, "classical"))


def test_limits_say_that_nothing_was_randomised(report: Report) -> None:
    assert "not randomised" in said(of(report, "limits"))
    assert "reconstructs" in said(of(report, "limits"))


def test_it_can_be_made_again_from_what_it_says(report: Report, run: SimpleNamespace) -> None:
    section = of(report, "reproduce")
    made, again, model = [block.text for block in blocks(section) if isinstance(block, Listing)]
    assert made == "alkbayes fit --seed 11"
    assert again.splitlines()[1] == (
        "alkbayes fit model.toml --data evidence.csv --engine quadrature --standard own --seed 11 --chains 4 "
        "--draws 250 --out ../run-again"
    )
    assert model == (run.folder / "model.toml").read_text(encoding="utf-8")


@pytest.fixture
def kept(run: SimpleNamespace) -> Iterator[RunTables]:
    """The run with analyses kept beside it, as their commands keep them, cut short."""
    made = {
        "outliers": {
            "outliers": {
                "model": "line-generation",
                "elpd": -231.86,
                "se": 7.77,
                "p": 30.2,
                "good_k": 0.7,
                "interval_prob": 0.95,
                "verdict": ["1 of 66 cohorts does not fit."],
                "cohorts": [
                    {
                        "cohort_id": "alex-crizotinib",
                        "responders": 1,
                        "n": 20,
                        "observed": 0.05,
                        "p": 0.0004,
                        "outlying": True,
                    }
                    | {"median": 0.5, "low": 0.2, "high": 0.8, "elpd": -9.1, "pareto_k": 0.3, "refitted": True},
                    {
                        "cohort_id": "alex-alectinib",
                        "responders": 10,
                        "n": 20,
                        "observed": 0.5,
                        "p": 0.9,
                        "outlying": False,
                    }
                    | {"median": 0.5, "low": 0.2, "high": 0.8, "elpd": -2.04, "pareto_k": 0.31, "refitted": False},
                ],
            }
        },
        "outliers-by-trial": {
            "by_trial": {
                "model": "line-generation",
                "leave_one_trial_out": {"elpd": -232.7, "se": 19.6},
                "verdict": ["No trial moves a number."],
                "trials": [{"trial": "T1", "cohorts": 2, "patients": 31, "largest": -1.25}],
                "moves": [
                    {"trial": "T1", "number": "overall, mean", "measure": "mean"}
                    | {"median": 0.6, "low": 0.55, "high": 0.64, "mcse_low": 0.004}
                    | {"without_median": 0.57, "without_low": 0.5, "without_high": 0.6, "mcse_without_low": 0.001}
                    | {"move": -0.03, "mcse": 0.0012, "move_sd": -1.25, "beyond_noise": True},
                    {"trial": "T1", "number": "tau_total", "measure": "sd", "median": 0.6, "low": 0.5, "high": 0.7}
                    | {"without_median": 0.61, "without_low": 0.5, "without_high": 0.7}
                    | {"move": 0.01, "mcse": 0.008, "move_sd": 0.2, "beyond_noise": False},
                ],
            }
        },
        "compare": {
            "comparison": {
                "verdict": ["alike"],
                "cautions": ["few trials"],
                "weights_by": "trial",
                "interval_prob": 0.95,
                "elpd": [
                    {"left_out": "cohort", "run": "a", "elpd": -231.86, "se": 7.77, "p": 30.2, "difference": 0.0}
                    | {"difference_se": 0.0, "weight": 1.0},
                    {"left_out": "trial", "run": "a", "elpd": -232.7, "se": 19.6, "p": 31.04, "difference": -1.6}
                    | {"difference_se": 1.4, "weight": 0.25},
                ],
                "stacked": [
                    {"number": "overall, mean", "measure": "mean", "run": "a", "median": 0.6, "low": 0.55, "high": 0.64}
                ],
            }
        },
    }
    paths = [keep_analysis(run.folder, name, document) for name, document in made.items()]
    yield RunTables(run.folder, read_run(run.folder))
    for path in paths:
        path.unlink()


def test_what_was_run_is_shown_and_what_was_not_is_named(kept: RunTables) -> None:
    section = sensitivity_section(kept)
    least = table(section, "The 2 least expected of 2 cohorts; rates in %")
    assert least["ALEX, crizotinib"] == ("1/20", "5.0", "50.0", "20.0–80.0", "< 0.001 *", "−9.1", "exact")
    assert [cell.strip() for cell in least["ALEX, alectinib"]] == [
        "10/20",
        "50.0",
        "50.0",
        "20.0–80.0",
        "0.900",
        "−2.0",
        "0.31",
    ]
    assert table(section, "Trials whose removal moves a headline number most")["T1"] == (
        *("2", "31", "overall, mean", "60", "57.0", "−3.0", "0.12", "−1.25"),
    )
    predicts = table(section, "How well each model predicts what is left out")
    assert predicts["a"] == ("−232.7", "19.6", "31.0", "−1.6", "1.4", "0.25")
    assert table(section, "Headline numbers; rates in %")["a"] == ("60.0", "55.0–64.0")
    (listing,) = [block for block in section.blocks if isinstance(block, Listing)]
    assert listing.text == f"alkbayes sensitivity {kept.folder}"
    assert not [block for block in section.blocks if isinstance(block, Picture)]


def test_an_analysis_of_another_run_is_named_in_its_place(kept: RunTables) -> None:
    path = kept.folder / "outliers.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"run_sha256": "', '"run_sha256": "0'), encoding="utf-8")
    section = sensitivity_section(kept)
    (said,) = [block.pieces[0] for block in section.blocks if isinstance(block, Paragraph) and block.strong]
    assert said == (
        f"Not shown: {path}: was made from another run than the run.json beside it. Make it again: alkbayes outliers "
        f"{kept.folder}"
    )
    # The others stand, before it and after it.
    titles = [block.text for block in section.blocks if isinstance(block, Heading)]
    assert titles == ["Without each trial", "Other models of the same table"]


def test_a_bug_in_a_part_keeps_its_traceback() -> None:
    def broken() -> list[Block]:
        raise StopIteration

    with pytest.raises(StopIteration):
        attempted(broken)


def test_a_model_without_heterogeneity_has_no_figure_of_it(own_table: Path, tmp_path: Path) -> None:
    from alkbayes.estimates.results import results_of
    from alkbayes.evidence.table import read_evidence
    from alkbayes.inference.fit import fit_model
    from alkbayes.inference.settings import SamplerSettings
    from alkbayes.reporting.document import report_of
    from alkbayes.runs.run import write_run
    from alkbayes.spec.schema import read_spec

    model = tmp_path / "nohet.toml"
    model.write_text(
        'schema = 1\nname = "nohet"\nquestion = "q"\n[likelihood]\nfamily = "binomial"\nlink = "logit"\n'
        '[intercept]\nprior = { dist = "normal", mean = 0.0, sd = 1.5 }\nwhy = "x"\n',
        encoding="utf-8",
    )
    settings = SamplerSettings(seed=11, chains=4, draws=500, tune=300)
    fit = fit_model(read_spec(model), read_evidence(own_table), settings=settings)
    write_run(tmp_path / "run", fit, results_of(fit), model_file=model.read_bytes(), command="alkbayes fit")
    report = report_of(tmp_path / "run")
    assert "cells" in [picture.name for picture in report.pictures]
    assert "heterogeneity" not in [picture.name for picture in report.pictures]


def test_limits_and_composition_follow_the_table_and_the_model(tmp_path: Path) -> None:
    """Of six cohorts of one trial, in columns that the bundled table has not, and a model without heterogeneity."""
    from alkbayes.estimates.results import results_of
    from alkbayes.evidence.outcomes import ORR
    from alkbayes.evidence.table import read_evidence
    from alkbayes.inference.fit import fit_model
    from alkbayes.inference.settings import Engine, SamplerSettings
    from alkbayes.model.identification import NO_VARIANCE, ONE_TRIAL
    from alkbayes.reporting.sections.evidence import evidence_section
    from alkbayes.reporting.sections.limits import limits_section
    from alkbayes.runs.run import write_run
    from alkbayes.spec.schema import read_spec

    model = Path(__file__).parents[1] / "fixtures" / "strangers" / "vemu_basket.toml"
    spec = read_spec(model)
    evidence = read_evidence(model.with_suffix(".csv"), needed=spec.columns)
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(chains=2, draws=500))
    write_run(tmp_path / "run", fit, results_of(fit), model_file=model.read_bytes(), command="alkbayes fit")
    tables = RunTables(tmp_path / "run", read_run(tmp_path / "run"))
    text = said(limits_section(tables))
    assert ORR.not_randomised(1) in text
    assert "differ between cohorts: a pooled rate" in text
    assert "is estimated from few units" not in text
    assert (NO_VARIANCE in text, ONE_TRIAL in text) == (True, True)
    section = evidence_section(evidence, {}, tables.caption)
    assert not [block for block in section.blocks if isinstance(block, Table)]
    assert [block.title for block in section.blocks if isinstance(block, Picture)] == ["Composition of the evidence"]
    document = tables.document | {"contrasts": [], "heterogeneity": [{"parameter": "tau_cohort"}]}
    text = said(limits_section(RunTables(tables.folder, document)))
    assert "a contrast compares" not in text.partition("Single arms")[0]
    assert "Heterogeneity between cohorts is estimated from few units" in text
    assert "is shrunk towards the others" not in text
