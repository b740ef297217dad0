"""`alkbayes plot`: where figures go, what is said, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alkbayes.plots.kinds import KINDS
from alkbayes.runs.run import sealed


@pytest.fixture(scope="module")
def folder(alkbayes, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without chains, which takes no time to compile."""
    folder = tmp_path_factory.mktemp("plot") / "run"
    result = alkbayes("fit", "line", "--data", own_table, "--engine", "quadrature", "--draws", "500", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_a_figure_goes_to_the_folder_of_the_run(alkbayes, folder: Path) -> None:
    result = alkbayes("plot", folder, "cells")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder / 'cells.png'}\n"
    assert (folder / "cells.png").read_bytes().startswith(b"\x89PNG")
    assert alkbayes("summary", folder).exit_code == 0
    again = alkbayes("plot", folder, "cells")
    assert again.exit_code == 2
    assert again.stdout == ""
    assert again.stderr.startswith(f"error: {folder / 'cells.png'}: is there already")


def test_a_figure_goes_where_it_is_asked_for(alkbayes, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "figure.svg"
    result = alkbayes("plot", folder, "forest", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "plot": {"kind": "forest", "format": "svg", "pages": 1, "files": [str(out)]},
    }
    assert ">a-treated</text>" in out.read_text(encoding="utf-8")


def test_the_format_may_be_asked_for(alkbayes, folder: Path) -> None:
    result = alkbayes("plot", folder, "shrinkage", "--format", "pdf")
    assert result.exit_code == 0, result.output
    assert (folder / "shrinkage.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{folder}", "pie"), 2, "There is no figure 'pie'. KIND may be: forest, cells, contrasts"),
        (("{folder}", "forest", "--format", "gif"), 2, "--format: found 'gif'"),
        (("{folder}", "forest", "--out", "x.docx"), 2, "x.docx: the name of a figure's file must end in"),
        (("{folder}", "sequence"), 2, "the model has no effect of prior_alk_tki"),
        (
            ("{folder}", "cells", "--xlim", "0", "50"),
            2,
            "--xlim: is for the figures forest, leave-one-out, cumulative, classical",
        ),
        (
            ("{folder}", "classical", "--by-trial"),
            2,
            "--by-trial: is for the figure leave-one-out; classical does not",
        ),
        (
            ("{folder}", "cumulative", "--sort", "n"),
            2,
            "--sort: is for the figures forest, leave-one-out, classical; cum",
        ),
        (
            ("{folder}", "cells", "--moderator", "n"),
            2,
            "--moderator: is for the figure bubble; cells does not have it.",
        ),
        (("{folder}", "classical", "--columns", "n,n,n"), 2, "found 3 further columns; there is room for 2."),
        (("{folder}", "leave-one-out", "--columns", "x"), 3, "The evidence table has no column x to show."),
        (("{folder}", "classical", "--xlim", "50", "20"), 2, "--xlim: found 50 20; allowed: two percentages from 0"),
        (("{folder}", "classical", "--reference", "101"), 2, "--reference: found 101; allowed: a percentage from 0"),
        (("{folder}", "classical", "--method", "dl"), 2, '--method: found "dl"; allowed: '),
        (("{folder}", "classical", "--by", "colour"), 3, "The evidence table has no column colour to group by."),
        (("{folder}", "cumulative", "--by", "colour"), 3, "The evidence table has no column colour to add cohorts by."),
        (("{folder}", "cumulative"), 2, "no order to add them in. Name the column to add them by, as in: --by"),
        (("{folder}", "forest", "--sort", "colour"), 3, "The evidence table has no column colour to sort by."),
        (("{folder}", "forest", "--columns", "n,x"), 3, "The evidence table has no column x to show."),
        (("{folder}", "forest", "--columns", "n,n,n"), 2, "found 3 further columns; there is room for 2."),
        (("nowhere", "forest"), 7, "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    alkbayes, folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = sorted(folder.iterdir())
    result = alkbayes("plot", *(argument.format(folder=folder) for argument in arguments))
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(folder.iterdir()) == before


def test_a_folder_that_cannot_be_made_is_refused(alkbayes, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = alkbayes("plot", folder, "cells", "--out", tmp_path / "file" / "f.png")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_a_run_that_did_not_converge_is_drawn_and_marked(alkbayes, folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    document = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    document["diagnostics"] |= {"converged": False, "failures": ["Pareto k 0.9"]}
    (copy / "run.json").write_text(json.dumps(sealed(document)), encoding="utf-8")
    result = alkbayes("plot", copy, "forest", "--format", "svg")
    assert result.exit_code == 6
    assert "NOT CONVERGED, not to be used: Pareto k 0.9" in result.stderr
    assert "NOT CONVERGED, not to be used: Pareto k 0.9" in (copy / "forest.svg").read_text(encoding="utf-8")


def test_a_forest_needs_neither_draws_nor_samplers(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from alkbayes.cli import app\n"
        f"try: app(['plot', {str(folder)!r}, 'forest', '--out', {str(tmp_path / 'f.svg')!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'pymc', 'arviz', 'arviz_stats', 'xarray', 'numba', 'nutpie', 'matplotlib.pyplot'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_help_names_every_kind_and_draws_nothing(alkbayes) -> None:
    code = (
        "import sys; from alkbayes.cli import app\n"
        "try: app(['plot', '--help'])\n"
        "except SystemExit: pass\n"
        "print('matplotlib' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"
    for name in KINDS:
        assert name in result.stdout
