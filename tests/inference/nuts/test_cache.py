"""Native code on disk: found again only by what was made from the very same things, and never needed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numba
import numpy as np
import pytest

from alkbayes.inference.nuts import cache as kept
from alkbayes.inference.nuts.cache import KEPT, Shelf, key_of
from alkbayes.inference.nuts.compiled import MADE_BY
from alkbayes.inference.nuts.joint import JOINT_MADE_BY
from alkbayes.model.design import Design
from alkbayes.spec.priors import HalfNormal, Normal

SOURCES = {"answer": ("def answer(x):\n    return number(x) + OFFSET\n", numba.types.float64(numba.types.float64))}


@numba.njit
def twice(x: float) -> float:
    return 2 * x


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache" / "native"


@pytest.fixture(scope="module")
def design(case_of: Callable[[str], Any]) -> Design:
    return case_of("interaction").design


def test_each_thing_that_decides_the_density_decides_the_key(design: Design) -> None:
    group = design.group
    assert group is not None
    others = [
        replace(design, responders=design.responders + np.eye(1, design.n.size)[0]),
        replace(design, n=design.n + 1),
        replace(design, n=design.n.astype(np.float32)),
        replace(design, intercept_prior=Normal(dist="normal", mean=0.0, sd=1.5000001)),
        replace(design, group=replace(group, index=group.index[::-1].copy())),
        replace(design, group=replace(group, sd_prior=HalfNormal(dist="half_normal", sd=0.7))),
        replace(design, group=None),
        replace(design, effects=design.effects[:-1]),
        replace(design, effects=design.effects[::-1]),
        replace(design, cohorts=design.cohorts[::-1]),
    ]
    keys = {key_of(content) for content in (design, *others)} | {key_of(design, b"other source")}
    assert len(keys) == len(others) + 2
    assert key_of(replace(design, n=design.n.copy())) == key_of(design)


def test_versions_decide_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of("same")
    monkeypatch.setattr(kept, "_environment", lambda: "another machine")
    assert key_of("same") != before


def test_the_key_is_of_types_and_bounds_too() -> None:
    contents: list[object] = [1, 1.0, True, "1", b"1", None, ("1",), ["1"], ("1", ""), ("", "1"), {"1": ""}]
    assert len({key_of(content) for content in contents}) == len(contents)
    assert key_of(MappingProxyType({"a": 1})) == key_of(MappingProxyType({"a": 1}))
    with pytest.raises(TypeError, match="cannot name code made from a <class 'set'>"):
        key_of({"an", "order", "of", "its", "own"})


@pytest.mark.slow
def test_the_key_is_the_same_in_another_process() -> None:
    program = "from alkbayes.inference.nuts.cache import key_of; print(key_of({'a': (1, 'x'), 'b': 2.5}))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {key_of({"a": (1, "x"), "b": 2.5})}


def test_what_was_compiled_is_loaded_without_its_ingredients() -> None:
    shelf = Shelf("one")
    assert shelf.load(SOURCES) is None
    (made,) = shelf.compile(SOURCES, {"number": twice, "OFFSET": 3.0})
    loaded = shelf.load(SOURCES)
    assert made.ctypes(2.0) == 7.0
    assert loaded is not None
    assert loaded[0].ctypes(2.0) == 7.0
    assert loaded[0].cache_hits == 1
    assert Shelf("another").load(SOURCES) is None


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other"])
def test_damaged_code_is_compiled_anew(cache: Path, damage: str) -> None:
    shelf = Shelf("one")
    shelf.compile(SOURCES, {"number": twice, "OFFSET": 3.0})
    files = [file for file in cache.rglob("*.nb?") if file.is_file()]
    assert files
    for file in files:
        match damage:
            case "gone":
                file.unlink()
            case "empty":
                file.write_bytes(b"")
            case "cut":
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            case "other":
                file.write_bytes(b"not what was here")
    assert shelf.load(SOURCES) is None
    (made,) = shelf.compile(SOURCES, {"number": twice, "OFFSET": 3.0})
    assert made.ctypes(2.0) == 7.0
    assert shelf.load(SOURCES) is not None


def test_a_disk_that_takes_nothing_costs_only_time(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    shelf = Shelf("one")
    (made,) = shelf.compile(SOURCES, {"number": twice, "OFFSET": 3.0})
    assert made.ctypes(2.0) == 7.0
    assert shelf.load(SOURCES) is None


def test_a_folder_deleted_by_another_process_costs_only_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = numba.cfunc

    def without_its_folder(*arguments: Any, **options: Any) -> Any:
        shutil.rmtree(cache, ignore_errors=True)
        return compiled(*arguments, **options)

    monkeypatch.setattr(numba, "cfunc", without_its_folder)
    (answer,) = Shelf("a").compile(SOURCES, {"number": twice, "OFFSET": 0.5})
    assert answer.ctypes(2.0) == 4.5
    assert not cache.exists()
    assert Shelf("a").load(SOURCES) is None


def test_the_oldest_make_room(cache: Path) -> None:
    for place in range(KEPT + 2):
        folder = cache / f"old-{place}"
        folder.mkdir(parents=True)
        os.utime(folder, (place, place))
    Shelf("one").compile(SOURCES, {"number": twice, "OFFSET": 3.0})
    left = {folder.name for folder in cache.iterdir()}
    assert len(left) == KEPT
    assert "one" in left
    assert {"old-0", "old-1", "old-2"}.isdisjoint(left)


PROGRAM = """
import ctypes, sys
from dataclasses import replace
import numpy as np
from alkbayes.model.design import build_design
from alkbayes.inference.nuts.compiled import compile_design
from alkbayes.evidence.table import read_evidence
from alkbayes.spec.schema import model_path, read_spec
spec = read_spec(model_path(sys.argv[1]))
design = build_design(spec, read_evidence(needed=spec.columns))
for design in (design, replace(design, n=design.n + 1))[:int(sys.argv[2])]:
    compiled = compile_design(design)
    position = np.linspace(-1, 1, compiled.n_dim)
    gradient, value = np.zeros_like(position), np.zeros(1)
    pointer = ctypes.POINTER(ctypes.c_double)
    code = compiled.compiled_logp_func.ctypes(
        compiled.n_dim, position.ctypes.data_as(pointer), gradient.ctypes.data_as(pointer),
        value.ctypes.data_as(pointer), compiled.user_data.ctypes.data_as(pointer),
    )
    print(code, value[0].hex(), gradient.tobytes().hex(), "pymc" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["beta-binomial", "robust"])
def test_a_second_process_has_the_same_density_without_pymc_and_that_of_other_counts(
    tmp_path: Path, model: str
) -> None:
    said = [
        line.split()
        for tables in ("1", "2")
        for line in subprocess.run(
            [sys.executable, "-c", PROGRAM, model, tables],
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    ]
    assert [words[0] for words in said] == ["0", "0", "0"]
    values = [float.fromhex(words[1]) for words in said]
    gradients = [np.frombuffer(bytes.fromhex(words[2])) for words in said]
    # The same code but for the order in which a compiler, or a library's vector width, adds up: some hundred terms,
    # each rounded to 1.1e-16 of the largest. Other counts move the density by far more than that.
    assert values[1] == pytest.approx(values[0], rel=1e-12)
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=0, atol=1e-12 * np.abs(gradients[0]).max())
    assert abs(values[2] - values[0]) > 1e-3 * abs(values[0])
    assert [words[3] for words in said] == ["True", "False", "False"]


def test_the_modules_that_make_the_density_are_all_named() -> None:
    # Of alkbayes, what the models and the graph import decides the density; all but what only reads and words the spec
    # must be in the key.
    program = (
        "import sys; import alkbayes.inference.nuts.joint_model, alkbayes.inference.nuts.graph, alkbayes.model.design;"
        "print(*sorted(name for name, module in sys.modules.items()"
        " if name.startswith('alkbayes.') and not hasattr(module, '__path__')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    # Of these only `model.design` takes anything, and what it makes of it is in the design.
    data = {"errors", "alk.levels", "alk.words", "vocabulary", "model.identification", "inference.nuts.cache"}
    data |= {"spec.faults", "spec.files", "spec.outcome", "spec.schema"}
    data |= {"text.digits", "text.json", "text.names", "text.wording"}
    named = {name.removeprefix("alkbayes.") for name in (*MADE_BY, *JOINT_MADE_BY)}
    unknown = {name.removeprefix("alkbayes.") for name in said} - named
    data |= {name for name in unknown if name.startswith("evidence.")}
    # `draws` is what `joint` reads positions with, no part of its density.
    assert unknown <= data | {"model.draws"}
