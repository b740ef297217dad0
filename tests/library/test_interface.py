"""The names that `import alkbayes` promises, and how they are called."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import alkbayes

NAMES = [
    "compare",
    "diagnose",
    "export",
    "fit",
    "leave_one_out",
    "open_run",
    "plot",
    "pool",
    "posterior_checks",
    "predict",
    "prior_checks",
    "pymc_model",
    "read_evidence",
    "read_model",
    "regress",
    "report",
    "save_run",
    "script",
    "sensitivity",
    "subgroups",
]
DATA = ("fit", "pool", "pymc_model", "read_evidence", "regress", "subgroups")
COLUMNS = ("cohort", "trial", "responders", "n")


def test_public_names() -> None:
    assert alkbayes.__all__ == NAMES
    assert set(dir(alkbayes)) == {*NAMES, "__version__"}
    for name in NAMES:
        assert callable(getattr(alkbayes, name))


def test_a_module_of_the_same_name_does_not_replace_a_function() -> None:
    packages = {path.parent.name for path in Path(alkbayes.__file__).parent.glob("*/__init__.py")}
    modules = {path.stem for path in Path(alkbayes.__file__).parent.glob("*.py")}
    assert not (packages | modules) & set(NAMES)


def test_no_such_name() -> None:
    with pytest.raises(AttributeError, match="module 'alkbayes' has no attribute 'fitt'"):
        _ = alkbayes.fitt


def test_types_of_the_lazy_names_are_those_of_the_functions() -> None:
    """Type checkers read the imports below TYPE_CHECKING, the interpreter reads the table."""
    tree = ast.parse(Path(alkbayes.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module.rpartition(".")[2]
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert imported == alkbayes._MODULES


def test_importing_imports_nothing_heavy() -> None:
    code = "import sys, alkbayes; print(sorted({'numpy', 'pandas', 'scipy', 'pymc', 'arviz'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    parameters = inspect.signature(getattr(alkbayes, name)).parameters.values()
    kinds = [parameter.kind for parameter in parameters]
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert inspect.Parameter.VAR_POSITIONAL not in kinds
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 2
    takes_columns = [each.name for each in parameters if each.name in COLUMNS]
    assert takes_columns == (list(COLUMNS) if name in DATA else ["n"] if name == "predict" else [])


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(alkbayes, name)) or ""
    assert text
    if name not in {"open_run", "save_run"}:
        assert ">>> import alkbayes as ab" in text or "alkbayes as ab" in text


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"])
def test_a_line_end_within_a_cell_ends_no_row(ends: str) -> None:
    frame = pd.DataFrame({"cohort_id": ["a", "b"], "note": [f"one{ends}two", ""], "responders": [3, 4], "n": [9, 8]})
    evidence = alkbayes.read_evidence(frame)
    assert evidence.frame["note"].tolist() == ["one\ntwo", ""]
    assert evidence.frame["cohort_id"].tolist() == ["a", "b"]
