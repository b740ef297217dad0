"""Which code a recorded study is of: all that draws, and nothing that only says."""

import ast
from pathlib import Path

import pytest

import alkbayes
from alkbayes.kernel import KERNEL, code_of, kernel_hash
from alkbayes.settings import Engine

PACKAGE = Path(alkbayes.__file__).parent
SAYS = {
    # Checks of tables and models, whose outcome is in the design.
    *("errors", "evidence", "evidence_faults", "evidence_rules", "records", "spec", "spec_faults", "table_reading"),
    "identification",
    # Thresholds, settings, words, and how draws are summed up.
    *("diagnostics", "settings", "vocabulary", "engines"),
}


def imported(module: str) -> set[str]:
    """Return the modules of this package that a module imports, wherever in it."""
    found = set()
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    tree = ast.parse((path if path.is_file() else path.with_suffix("") / "__init__.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alkbayes"):
            found.add((node.module or "").removeprefix("alkbayes").removeprefix("."))
    return found - {""}


@pytest.mark.parametrize("engine", Engine)
def test_all_that_the_engine_imports_is_in_its_kernel_or_only_says(engine: Engine) -> None:
    pending, seen = [f"engines.{engine}", "simulation"], set()
    while pending:
        module = pending.pop()
        if module not in seen | SAYS:
            seen.add(module)
            pending += imported(module)
    assert seen - set(KERNEL[engine]) == set()
    # Nothing stands there that is not used; `replications` uses the engine.
    assert set(KERNEL[engine]) - seen == {"replications"}


def test_the_hash_is_of_code_and_not_of_its_words() -> None:
    source = '"""Words."""\nX = 1  # why\n"""Of X."""\n\n\ndef f(x):\n    """Say."""\n    return "text" + x\n'
    same = 'X = 1\ndef f(x):\n    return "text" + \\\n        x  # same\n'
    assert list(code_of(source)) == list(code_of(same))
    for word, other in (("1", "2"), ('"text"', '"other"'), ("f(x):", "f(y):")):
        assert list(code_of(source)) != list(code_of(same.replace(word, other)))
    assert list(code_of("if x:\n    y()\nz()\n")) != list(code_of("if x:\n    y()\n    z()\n"))


def test_each_engine_has_its_own() -> None:
    found = [kernel_hash(engine) for engine in Engine]
    assert len(set(found)) == len(found)
    assert all(len(digest) == 64 for digest in found)
