"""`alkbayes report`: where it goes, what is said, and what is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alkbayes.runs.run import sealed


@pytest.fixture(scope="module")
def folder(alkbayes, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without chains, which takes no time to compile."""
    folder = tmp_path_factory.mktemp("report") / "run"
    result = alkbayes("fit", "line", "--data", own_table, "--engine", "quadrature", "--draws", "500", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run"))


def test_it_goes_to_the_folder_of_the_run(alkbayes, copy: Path) -> None:
    result = alkbayes("report", copy)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{copy / 'report.html'}\n"
    text = (copy / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert ">a-treated</a>" in text
    assert alkbayes("summary", copy).exit_code == 0
    again = alkbayes("report", copy)
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr == (
        f"error: {copy / 'report.html'}: is there already; nothing is overwritten. Remove it, or choose another name "
        "with --out\n"
    )


def test_markdown_goes_where_it_is_asked_for(alkbayes, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "supplement.md"
    result = alkbayes("report", folder, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    figures = tmp_path / "deep" / "supplement-figures"
    assert json.loads(result.stdout) == {"report": {"format": "md", "files": [str(out), str(figures)]}}
    assert "| a-treated | pretreated |" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["docx", "xlsx"])
def test_an_office_file_is_the_same_to_the_byte(alkbayes, folder: Path, tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    for out in (first, second):
        result = alkbayes("report", folder, "--out", out)
        assert (result.exit_code, result.stdout) == (0, f"{out}\n"), result.output
    assert first.read_bytes() == second.read_bytes()


def test_without_the_extra_a_document_for_word_is_refused_before_anything_is_read(
    alkbayes, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(copy.iterdir())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "docx" else name)
    result = alkbayes("report", copy, "--format", "docx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        'error: a report for Word needs python-docx, which is not installed: pip install "alkbayes[office]". The other '
        "formats do without: html, md, xlsx.\n"
    )
    assert sorted(copy.iterdir()) == before
    assert alkbayes("report", copy, "--format", "xlsx").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{folder}", "--format", "pdf"), 2, "--format: found 'pdf'; allowed: html, md, docx, xlsx."),
        (("{folder}", "--out", "x.doc"), 2, "x.doc: the name of a report's file must end in"),
        (("{folder}", "--sources", "nowhere.csv"), 3, "nowhere.csv"),
        (("nowhere",), 7, "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_written_is_refused(
    alkbayes, folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = sorted(folder.iterdir())
    result = alkbayes("report", *(argument.format(folder=folder) for argument in arguments))
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert sorted(folder.iterdir()) == before


def test_a_stale_run_is_refused_and_says_how_to_fit_again(alkbayes, copy: Path) -> None:
    with (copy / "evidence.csv").open("a", encoding="utf-8") as file:
        file.write("z,Z,naive,first,1,2\n")
    result = alkbayes("report", copy)
    assert result.exit_code == 7
    assert "evidence.csv is not what the run wrote" in result.stderr
    assert "Fit again: alkbayes" in result.stderr
    assert not (copy / "report.html").exists()


def test_a_run_that_did_not_converge_is_written_and_marked(alkbayes, copy: Path) -> None:
    document = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    document["diagnostics"] |= {"converged": False, "failures": ["Pareto k 0.9"]}
    (copy / "run.json").write_text(json.dumps(sealed(document)), encoding="utf-8")
    result = alkbayes("report", copy)
    assert result.exit_code == 6
    assert "NOT CONVERGED, not to be used: Pareto k 0.9" in result.stderr
    assert "NOT CONVERGED, not to be used: Pareto k 0.9" in (copy / "report.html").read_text(encoding="utf-8")


def test_a_summary_may_be_plain(alkbayes, folder: Path) -> None:
    result = alkbayes("summary", folder, "--plain")
    assert result.exit_code == 0
    assert result.stdout.startswith("In 8 cohorts of 6 trials, ")
    counts, average, by_line, *_ = result.stdout.split("\n\n")
    assert counts.endswith("patients responded.")
    assert average.startswith("Averaged over trials and cohorts")
    assert by_line.startswith("By treatment line, ")
    both = alkbayes("summary", folder, "--plain", "--json")
    assert (both.exit_code, both.stdout) == (2, "")


@pytest.mark.slow
def test_a_report_needs_no_sampler(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from alkbayes.cli import app\n"
        f"try: app(['report', {str(folder)!r}, '--out', {str(tmp_path / 'r.html')!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'pymc', 'pytensor', 'nutpie', 'matplotlib.pyplot'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
