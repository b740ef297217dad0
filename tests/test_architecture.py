"""ARCHITECTURE.md against the code: which packages there are, that imports go one way, and what is imported where."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "alkbayes"
MODULES = {
    ".".join(("alkbayes", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TOP = "alkbayes"

MOST_AT_THE_TOP = 5
MOST_LEVELS = 3
MOST_LINES = 75
"""Of a function's body, docstring apart."""

ONLY_IN = {
    "httpx2": "alkbayes.registry.service",
    "pymc": "alkbayes.inference.nuts",
    "pytensor": "alkbayes.inference.nuts",
    "nutpie": "alkbayes.inference.nuts",
    "starlette": "alkbayes.explore",
    "uvicorn": "alkbayes.explore",
    "matplotlib": "alkbayes.plots",
    "arviz_plots": "alkbayes.plots",
    "docx": "alkbayes.reporting.word",
    "rich": "alkbayes.cli",
    "typer": "alkbayes.cli",
}
"""Libraries, each with the one package that may import it."""

BAYESIAN = {"arviz", "arviz_base", "arviz_stats", "numba", "nutpie", "pymc", "pytensor", "xarray"}
CLASSICAL_MAY_IMPORT = {"errors", "alk", "vocabulary", "text", "evidence", "likelihood", "classical"}

OPTION = re.compile(r"(?<![\w-])--[a-z]")

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
    """Return the packages of ARCHITECTURE.md in its order; modules of the top level stand among them by their names."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Packages$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`[^|]+`) \| .+ \|$", section, re.MULTILINE)
    return [name.removesuffix("/").removesuffix(".py") for row in rows for name in re.findall(r"`([^`]+)`", row)]


def room(module: str) -> str:
    """Return the package directly under the top that a module lies in; its own name, where it lies in none."""
    return module.split(".")[1] if "." in module else TOP


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all that a file says; several tests read every file."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported_names(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports: at its top, in its functions, and for its types alone."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            for alias in node.names:
                # `from package import module` imports the module; `from module import name` the module too.
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper in MODULES else node.module


def imported_modules(module: str) -> set[str]:
    return {name for name in imported_names(MODULES[module]) if name in MODULES}


def texts(module: str) -> Iterator[str]:
    """Yield the strings of a module that are no docstrings, nor strings that stand by themselves."""
    alone = {id(node.value) for node in nodes(MODULES[module]) if isinstance(node, ast.Expr)}
    for node in nodes(MODULES[module]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def imported_libraries(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported_names(MODULES[module])}


def test_it_lists_exactly_the_packages_there_are() -> None:
    rooms = {room(module) for module in MODULES} - {TOP}
    assert sorted(listed()) == sorted(rooms)


def test_what_this_file_reads_is_not_empty() -> None:
    assert "alkbayes.evidence.rules" in imported_modules("alkbayes.evidence.table")
    assert "alkbayes.inference.fit" in imported_modules("alkbayes.cli.bayesian.fit"), "imports inside functions"
    assert "alkbayes.estimates.results" in imported_modules("alkbayes.runs.run"), "imports for types"
    assert "pymc" in imported_libraries("alkbayes.inference.nuts.pymc_model")


@pytest.mark.parametrize("name", listed())
def test_a_package_imports_only_from_those_above_it(name: str) -> None:
    # Imports for types are not exempt: who names a type knows of what it is.
    order = listed()
    above = set(order[: order.index(name) + 1]) | {TOP}
    upward = {
        f"{module} imports {target}"
        for module in MODULES
        if room(module) == name
        for target in imported_modules(module)
        if room(target) not in above
    }
    assert upward == set()


def test_modules_of_a_package_do_not_import_each_other_in_a_circle() -> None:
    state: dict[str, bool] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in state:
            for target in sorted(imported_modules(module) - {module}):
                visit(target, (*path, module))
            state[module] = True

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_one_package_alone(library: str) -> None:
    users = {module for module in MODULES if library in imported_libraries(module)}
    assert users, f"{library} is not imported at all"
    assert {module for module in users if not f"{module}.".startswith(f"{ONLY_IN[library]}.")} == set()


def test_classical_pooling_and_what_it_stands_on_know_of_no_posterior() -> None:
    pending, seen = [module for module in MODULES if room(module) == "classical"], set()
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending += imported_modules(module)
    assert "alkbayes.evidence.table" in seen
    assert {room(module) for module in seen} <= CLASSICAL_MAY_IMPORT
    for module in seen:
        assert imported_libraries(module) & BAYESIAN == set(), module


def test_the_tree_is_shallow_and_few_modules_stand_at_its_top() -> None:
    at_the_top = [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    assert len(at_the_top) <= MOST_AT_THE_TOP
    for module in MODULES:
        assert module.count(".") <= MOST_LEVELS, module
        folders, name = module.split(".")[1:-1], module.split(".")[-1]
        assert name not in folders, f"{module}: the file's name repeats its package's"


def test_no_function_is_longer_than_a_reader_takes_in() -> None:
    for module, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert lines <= MOST_LINES, f"{module}.{node.name}: {lines} lines"


def test_the_tests_mirror_the_packages() -> None:
    """A test of a module stands where the module does; what holds across modules stands at the top."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.relative_to(ROOT / "tests").parent.as_posix()
        beside = {"calibration", "broken", "docs", "."}
        assert folder in beside or (PACKAGE / folder).is_dir(), path


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


WRITE_COMMANDS = {
    "alkbayes.explore.command",
    "alkbayes.reporting.sections.limits",
    "alkbayes.runs.analyses",
    "alkbayes.runs.command",
}
"""Modules that tell a reader which command to type."""


@pytest.mark.parametrize("name", sorted({room(module) for module in MODULES} - {"cli", TOP}))
def test_no_message_of_the_library_names_an_option_of_the_command_line(name: str) -> None:
    named = {
        f"{module}: {text}"
        for module in MODULES
        if room(module) == name and module not in WRITE_COMMANDS
        for text in texts(module)
        if OPTION.search(text)
    }
    assert named == set()


def test_commands_print_through_the_shared_functions_alone() -> None:
    """So that a sentence is wrapped in a terminal and stands on one line in a file, whichever command says it."""
    printing = {
        module
        for module in MODULES
        if module.startswith("alkbayes.cli.") and not module.startswith("alkbayes.cli.shared.")
        for node in nodes(MODULES[module])
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) == "console.print"
    }
    assert printing == set()
