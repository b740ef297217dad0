"""Every kind is drawn from the folder of a run, at the width that it says, with what the tables had in memory."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.alk.review import RECONSTRUCTION
from alkbayes.errors import FigureError, RunError, UsageError
from alkbayes.evidence.outcomes import ORR
from alkbayes.plots.kinds import KINDS
from alkbayes.plots.page.layout import MM
from alkbayes.plots.source import RunTables, warning
from alkbayes.runs.run import read_run
from alkbayes.text.notes import NoteKind

JUDGED = ("risk-of-bias", "risk-of-bias-summary")
"""Kinds that need judgements, which the bundled table has not."""


@pytest.fixture(scope="module")
def tables(run) -> RunTables:
    return RunTables(run.folder, read_run(run.folder))


@pytest.fixture(scope="module")
def sequence_tables(sequence_run) -> RunTables:
    return RunTables(sequence_run.folder, read_run(sequence_run.folder))


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("bubble", *JUDGED)])
@pytest.mark.usefixtures("alternatives")
def test_a_kind_is_drawn(name: str, tables: RunTables, sequence_tables: RunTables, see) -> None:
    pages = KINDS[name].draw(sequence_tables if name == "sequence" else tables)
    for page in pages:
        assert page.get_size_inches()[0] / MM == pytest.approx({1: 85, 2: 180}[KINDS[name].columns])
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        text = " ".join(seen.words)
        assert "66 cohorts of 44 trials, 3,436 responders of 5,707 patients." in text
        assert RECONSTRUCTION in text
    assert pages


def test_cohorts_are_called_by_their_labels(tables: RunTables, see) -> None:
    frame = tables.evidence.frame
    for kind in ("forest", "leave-one-out", "classical", "predictive"):
        words = {word for page in KINDS[kind].draw(tables) for word in see(page).words}
        assert set(frame["label"]) <= words, kind
        assert not set(frame["cohort_id"]) & words, kind
    (page,) = KINDS["baujat"].draw(tables)
    assert "ALESIA, alectinib" in see(page).words


def test_the_tables_are_those_of_the_fit(tables: RunTables, run) -> None:
    for name in ("pooled", "contrasts", "heterogeneity"):
        pd.testing.assert_frame_equal(getattr(tables, name), getattr(run.results, name), check_dtype=False)
    pd.testing.assert_frame_equal(tables.cohorts, run.results.cohorts, check_dtype=False)
    assert tables.evidence.bundled
    assert tables.evidence.cohorts == 66


def test_names_that_look_like_numbers_or_nothing_stay_names(tables: RunTables, tmp_path: Path) -> None:
    table = tables.cohorts
    table.loc[:2, "cohort_id"] = ["NA", "007", "1e5"]
    table.to_csv(tmp_path / "cohorts.csv", index=False)
    assert RunTables(tmp_path, tables.document).cohorts["cohort_id"].tolist()[:3] == ["NA", "007", "1e5"]


@pytest.mark.parametrize("name", JUDGED)
def test_a_figure_of_judgements_needs_people_s(name: str, tables: RunTables) -> None:
    with pytest.raises(
        FigureError, match=r"no judgements of the risk of bias: no column rob_overall.*Nothing is infer"
    ):
        KINDS[name].draw(tables)


def test_a_bubble_plot_needs_a_number(tables: RunTables) -> None:
    with pytest.raises(FigureError, match="its model has no numeric effect"):
        KINDS["bubble"].draw(tables)


def test_a_sequence_needs_its_model(tables: RunTables) -> None:
    with pytest.raises(UsageError, match="Use a run of the model `sequence`"):
        KINDS["sequence"].draw(tables)


def test_a_model_without_contrasts_is_refused(run, tables: RunTables) -> None:
    without = RunTables(run.folder, tables.document | {"contrasts": []})
    with pytest.raises(UsageError, match="model 'line-generation' has no contrasts"):
        KINDS["contrasts"].draw(without)


def test_a_tornado_needs_the_sensitivity_of_this_very_run(run, alternatives, tables: RunTables, tmp_path: Path) -> None:
    assert len(KINDS["sensitivity"].draw(tables)) > 0
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    copy = RunTables(folder, tables.document)
    (folder / "run.json").write_text(json.dumps(tables.document | {"written": "later"}), encoding="utf-8")
    with pytest.raises(RunError, match=r"made from another run .*Make it again: alkbayes sensitivity"):
        KINDS["sensitivity"].draw(copy)
    (folder / "sensitivity.json").unlink()
    with pytest.raises(RunError, match=r"was not computed yet\. First: alkbayes sensitivity .*run$"):
        KINDS["sensitivity"].draw(copy)


def test_few_cohorts_have_no_calibration(run, tables: RunTables) -> None:
    few = RunTables(run.folder, tables.document | {"evidence": tables.document["evidence"] | {"cohorts": 7}})
    with pytest.raises(UsageError, match=r"7 cohorts cannot show the calibration; it takes 8\. Draw `pred"):
        KINDS["calibration"].draw(few)


def test_what_did_not_converge_is_marked(tables: RunTables, run, see) -> None:
    verdict = tables.document["diagnostics"] | {"converged": False, "failures": ["Pareto k 0.9"]}
    broken = RunTables(run.folder, tables.document | {"diagnostics": verdict})
    words = see(KINDS["cells"].draw(broken)[0]).words
    assert "NOT CONVERGED, not to be used: Pareto k 0.9" in words
    assert warning(tables.document) == ""
    assert "CROSS-CHECK" in warning(tables.document | {"cross_check": {"faults": ["far apart"]}})


def test_notes_stand_about_every_figure_that_of_the_bundled_table_first(tables: RunTables, run) -> None:
    kinds = [str(kind) for kind in (NoteKind.OTHER, NoteKind.NOT_RANDOMISED, NoteKind.RECONSTRUCTION)]
    # However they are worded: their kind is what counts.
    notes = {"notes": ["look alike", "not drawn by lot", "made anew."], "note_kinds": kinds}
    noted = RunTables(run.folder, tables.document | notes)
    assert noted.caption.notes[1:] == ("made anew.", "look alike.")
    assert RECONSTRUCTION in tables.caption.notes
    assert ORR.not_randomised(tables.trials) not in tables.caption.notes


def test_figures_may_lie_in_the_folder(run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    (folder / "forest.png").write_bytes(b"")
    assert read_run(folder)["files"] == json.loads((folder / "run.json").read_text(encoding="utf-8"))["files"]
