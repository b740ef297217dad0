"""ARCHITECTURE.md against the code: which modules there are, and that imports go one way."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "alkbayes"
MOST_LINES = 400
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

CLASSICAL_MAY_IMPORT = ("errors.py", "vocabulary.py", "wording.py", "evidence", "marginal", "nested", "integrand")
BAYESIAN = {"arviz", "arviz_base", "arviz_stats", "numba", "nutpie", "pymc", "pytensor", "xarray"}

TESTED_ELSEWHERE = {
    "__init__.py": "holds the version alone",
    "engines/__init__.py": "holds nothing",
    "classical/pooled_proportion.py": "tests/classical/test_pooling.py: what every method gives",
    "classical/__init__.py": "holds the public names, which tests/classical imports",
    "cli/__init__.py": "tests/cli/test_app.py",
    "engines/proposals.py": "tests/engines/test_quadrature.py",
    "plots/__init__.py": "holds nothing",
    "plots/marks.py": "tests/plots/test_forest.py and test_contrasts.py find them at the tables' numbers",
    "plots/style.py": "tests/plots/test_page.py",
    "plots/source.py": "tests/plots/test_kinds.py",
    "integrand.py": "tests/test_marginal.py integrates with it",
    "nested.py": "tests/test_marginal.py and test_deviations.py",
    "classical/least_squares.py": "tests/classical/test_tau2.py and test_regression.py, against whole k x k matrices",
    "classical/pooling_methods.py": "tests/classical/test_pooling.py",
    "classical/glmm_likelihood.py": "tests/classical/test_glmm.py and test_profile.py",
    "classical/multilevel_likelihood.py": "tests/classical/test_multilevel.py",
    "cli/analysis.py": "tests/cli/test_app.py and the tests of the commands that use it",
    "cli/pool_sheet.py": "tests/cli/test_pool.py",
    "cli/counting.py": "tests/cli/test_terminal.py",
    "cli/predict_sheet.py": "tests/cli/test_predict.py",
    "cli/options.py": "holds options; the tests of every command give them",
    "cli/output.py": "tests/cli/test_app.py and the tests of every command",
    "cli/fit_report.py": "tests/cli/test_fit.py and test_app.py read what it prints",
    "diagnosis_tables.py": "tests/cli/test_diagnose.py and tests/report/test_sections.py read what it makes",
    "predictive_tables.py": "tests/cli/test_predictive.py and tests/report/test_sections.py read what it makes",
    "report/__init__.py": "holds nothing",
    "report/blocks.py": "holds records; every test of the report reads them",
    "report/pictures.py": "tests/report/test_markdown.py and test_browser.py look at them",
    "report/evidence.py": "tests/report/test_sections.py",
    "report/computation.py": "tests/report/test_sections.py",
    "report/results.py": "tests/report/test_markdown.py and test_forest.py",
    "report/checks.py": "tests/report/test_sections.py",
    "report/sensitivity.py": "tests/report/test_sections.py",
    "report/planned.py": "tests/report/test_beyond.py",
    "report/closing.py": "tests/report/test_sections.py",
    "report/document.py": "tests/report/test_markdown.py: its sections in their order",
    "engines/compiled.py": "tests/test_posterior_oracles.py and tests/test_bundled_models.py sample with it",
    "engines/approximation.py": "tests/engines/test_target.py",
    "fit.py": "tests/cli/test_fit.py and tests/test_bundled_models.py",
    "engines/joint.py": "tests/test_joint_fit.py samples with it",
    "outcome_table.py": "tests/test_outcomes.py and test_spec.py",
    "joint_model.py": "tests/test_joint.py holds its density against SciPy's",
    "errors.py": "tests/cli/test_app.py",
    "records.py": "tests/test_results.py",
    "vocabulary.py": "tests/test_evidence.py and test_design.py hold order and labels",
    "evidence_faults.py": "tests/test_evidence.py",
    "evidence_rules.py": "tests/test_evidence.py",
    "table_reading.py": "tests/test_evidence.py",
    "model_files.py": "tests/test_spec.py",
    "profiles.py": "tests/test_estimates.py",
    "cli/pfs_sheet.py": "tests/cli/test_pfs.py",
    "spec_faults.py": "tests/test_spec.py",
    "verdicts.py": "tests/test_diagnosis.py",
    "diagnosis_plots.py": "tests/cli/test_diagnose.py writes them",
}
"""Modules without a test file of their name, and where they are tested."""

NOT_IN_A_REPOSITORY = re.compile(
    "|".join(
        # In pieces, so that this file does not find itself.
        [
            "/ro" + "ot/",
            "/ho" + "me/[a-z]",
            "/Us" + "ers/",
            "/wo" + "rk/",
            "/tm" + "p/[a-z]",
            "py" + r"pi\.org",
            "python" + "hosted",
            "artif" + "actory",
            "index" + "-url [^-]",
            "BEGIN [A-Z ]*PRIV" + "ATE KEY",
        ]
    )
)


def listed() -> list[str]:
    """Return the modules of ARCHITECTURE.md in its order."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Modules$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `([^`]+\.py)` \| .+ \|$", section, re.MULTILINE)


def module_of(name: str) -> str | None:
    """Return the file of a dotted name of this package, or None if there is no such module."""
    path = "/".join(name.split(".")[1:])
    for candidate in (f"{path}.py", f"{path}/__init__.py" if path else "__init__.py"):
        if candidate in MODULES:
            return candidate
    return None


def imported_names(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports: at its top, in its functions, and for its types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            for alias in node.names:
                # `from package import module` imports the module; `from module import name` the module too.
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper.startswith("alkbayes") and module_of(deeper) else node.module


def imported_modules(module: str) -> set[str]:
    found = {module_of(name) for name in imported_names(MODULES[module]) if name.split(".")[0] == "alkbayes"}
    return {name for name in found if name is not None}


def test_it_lists_exactly_the_modules_there_are() -> None:
    names = listed()
    assert sorted(set(names)) == sorted(names)
    assert set(names) == set(MODULES)


def test_what_this_file_reads_is_not_empty() -> None:
    assert imported_modules("evidence.py") >= {"evidence_rules.py", "vocabulary.py"}
    assert imported_modules("cli/__init__.py") >= {"cli/fit.py", "errors.py"}
    assert imported_modules("cli/fit.py") >= {"fit.py", "runs.py"}, "imports inside functions"
    assert imported_modules("runs.py") >= {"fit.py", "results.py"}, "imports for types"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    # Imports for types are not exempt: who names a type knows of what it is.
    order = listed()
    assert module in order
    above = set(order[: order.index(module)])
    assert imported_modules(module) - above == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("classical/")])
def test_classical_pooling_knows_of_no_posterior(module: str) -> None:
    ours = {name for name in imported_modules(module) if not name.startswith("classical/")}
    assert {name for name in ours if not name.startswith(CLASSICAL_MAY_IMPORT)} == set()
    theirs = {name.split(".")[0] for name in imported_names(MODULES[module])}
    assert theirs & BAYESIAN == set()


def test_what_classical_pooling_stands_on_knows_of_no_posterior_either() -> None:
    pending, seen = ["classical/__init__.py"], set()
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending += imported_modules(module)
    assert "evidence.py" in seen
    for module in seen:
        assert {name.split(".")[0] for name in imported_names(MODULES[module])} & BAYESIAN == set(), module


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_a_reader_takes_in(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_test_file_or_says_where_it_is_tested(module: str) -> None:
    path = ROOT / "tests" / Path(module).with_name(f"test_{Path(module).name}")
    assert path.is_file() != (module in TESTED_ELSEWHERE)


def test_every_exemption_is_of_a_module_there_is() -> None:
    assert set(TESTED_ELSEWHERE) <= set(MODULES)
    for reason in TESTED_ELSEWHERE.values():
        for name in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / name).is_file(), name


def project_files() -> Iterator[Path]:
    """Yield the files of the project: all but what .gitignore names."""
    ignored = {line.strip("/\n") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()} | {".git"}
    pending = [ROOT]
    while pending:
        for path in pending.pop().iterdir():
            if path.name in ignored:
                continue
            if path.is_dir():
                pending.append(path)
            else:
                yield path


def test_no_file_names_a_machine_or_a_registry() -> None:
    found, read = [], 0
    for path in project_files():
        if path.name == "sources.csv":  # addresses of articles, which are what it is for
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        read += 1
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line[:100]}"
            for n, line in enumerate(lines, 1)
            if NOT_IN_A_REPOSITORY.search(line)
        ]
    assert found == []
    assert read > 50


def test_the_modules_of_a_folder_stand_together() -> None:
    folders = [Path(name).parent.as_posix() for name in listed()]
    changes = [second for first, second in pairwise(folders) if first != second]
    for folder in ("engines", "classical", "plots", "cli"):
        assert changes.count(folder) == 1
