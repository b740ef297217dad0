"""`alkbayes script`: to stdout or a file, as JSON, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from alkbayes.reporting.scripts.script import script_for
from alkbayes.reporting.scripts.targets import Target

type Command = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(alkbayes: Command, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without chains."""
    folder = tmp_path_factory.mktemp("script") / "run"
    result = alkbayes("fit", "line", "--data", own_table, "--engine", "quadrature", "--draws", "500", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize("target", ["metafor", "bambi"])
def test_it_is_printed_or_written(alkbayes: Command, folder: Path, tmp_path: Path, target: str) -> None:
    text = script_for(folder, Target(target))
    printed = alkbayes("script", folder, "--for", target)
    assert (printed.exit_code, printed.stdout) == (0, text)
    file = tmp_path / "deep" / ("a.R" if target == "metafor" else "a.py")
    written = alkbayes("script", folder, "--for", target, "--out", file)
    assert (written.exit_code, written.stdout) == (0, f"{file}\n")
    assert file.read_text(encoding="utf-8") == text
    document = json.loads(alkbayes("script", folder, "--for", target, "--json").stdout)
    assert document == {"script": {"for": target, "file": None, "text": text}}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--for", "jags"), 2, '--for: found "jags"; allowed: metafor, meta, brms, rbest, pymc, bambi.'),
        (("--for", "brms", "--out", "a.py"), 2, "a.py: the name of an R script's file must end in .r."),
        (("--for", "pymc", "--out", "taken.py"), 2, "taken.py: is there already; nothing is overwritten."),
        (("--for", "rbest", "--out", "a.R"), 2, "error: RBesT cannot express this model (line): it has two levels of"),
    ],
)
def test_what_is_asked_amiss_is_refused(
    alkbayes: Command,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.py").write_text("mine")
    result = alkbayes("script", folder, *options)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken.py"]
    assert (tmp_path / "taken.py").read_text() == "mine"


def test_numbers_not_to_be_used_are_marked(alkbayes: Command, failed_run) -> None:
    """Classical results have no chains that could fail."""
    posterior = alkbayes("script", failed_run.folder, "--for", "brms")
    assert posterior.exit_code == 6
    assert "the script is marked as NOT CONVERGED" in posterior.stderr
    assert "# The run itself: NOT CONVERGED, not to be used" in posterior.stdout
    classical = alkbayes("script", failed_run.folder, "--for", "metafor")
    assert classical.exit_code == 0
    assert "NOT CONVERGED" not in classical.stdout
