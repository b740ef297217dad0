"""A run's folder: whole or not at all, whatever goes wrong and whenever."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import xarray as xr

from alkbayes.errors import RunError, TakenError
from alkbayes.estimates.results import results_of
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.model.joint import lay_together
from alkbayes.runs.run import PARTS, check_place, free_run_folder, read_fit, read_run, sealed, write_run
from alkbayes.spec.schema import model_path, read_spec

NOW = datetime(2026, 11, 22, 10, 15, 0).astimezone()
TABLES = ("pooled", "contrasts", "cohorts", "heterogeneity", "classical")

RATES = xr.Dataset({"p": ("cohort", [0.5, 0.25])}, coords={"cohort": ["a", "b"]})

# What a fit and its results are to write_run: a table's bytes, a tree, five frames and a document.
FIT: Any = SimpleNamespace(
    evidence=SimpleNamespace(content=b"cohort_id,n,responders\r\na,4,3\r\n", file="evidence.csv"),
    tree=xr.DataTree.from_dict({"posterior": RATES}),
    interval_prob=0.95,
)
FRAMES = {name: pd.DataFrame({"name": [name, "é"], "value": [0.1, 0.2]}) for name in TABLES}
REPORTED = {
    "question": "whether é survives",
    "model": "m",
    "engine": "nuts",
    "evidence": {},
    "diagnostics": {},
    "outcome": {},
    "standard": "own",
    "interval_prob": 0.95,
}
REPORTED |= {
    "pooled": [],
    "heterogeneity": [],
    "heterogeneity_unit": None,
    "contrasts": [],
    "classical": [],
    "notes": [],
    "exceedance": [],
    "note_kinds": [],
    "provenance": {},
}
RESULTS: Any = SimpleNamespace(**FRAMES, estimands=RATES, document=REPORTED)


def write(folder: Path) -> dict[str, Any]:
    return write_run(folder, FIT, RESULTS, model_file=b"schema = 1\n", command="alkbayes fit m --seed 1")


def test_a_run_is_written_whole_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    document = write(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["run.json", "posterior.nc", "model.toml", "evidence.csv", *(f"{name}.csv" for name in TABLES)]
    )
    assert read_run(folder) == document
    assert set(document) == {"schema", *PARTS}
    assert document["question"] == "whether é survives"
    assert document["command"] == "alkbayes fit m --seed 1"
    assert datetime.fromisoformat(document["written"]).utcoffset() is not None
    assert document["files"] == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "run.json"
    }
    assert (folder / "evidence.csv").read_bytes() == FIT.evidence.content
    assert (folder / "model.toml").read_bytes() == b"schema = 1\n"
    assert (folder / "posterior.nc").stat().st_size > 0
    for name, frame in FRAMES.items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"{name}.csv"), frame)
    with xr.open_datatree(folder / "posterior.nc") as tree:
        assert tree["posterior"]["p"].sel(cohort="b").item() == 0.25
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_record_is_written_last(tmp_path: Path, monkeypatch) -> None:
    seen = []
    plain = Path.write_text

    def note(self: Path, *arguments: Any, **options: Any) -> int:
        seen.append((self.name, sorted(path.name for path in self.parent.iterdir())))
        return plain(self, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", note)
    write(tmp_path / "run")
    ((name, others),) = seen
    assert name == "run.json"
    assert len(others) == 3 + len(TABLES)


STEPS = [
    (Path, "mkdir", 1),
    (Path, "write_bytes", 1),
    (Path, "write_bytes", 2),
    (Path, "write_bytes", 3),
    *((pd.DataFrame, "to_csv", nth) for nth in range(1, 1 + len(TABLES))),
    (xr.DataTree, "to_netcdf", 1),
    (Path, "read_bytes", 1),
    (Path, "write_text", 1),
    (Path, "rename", 1),
]


def break_at(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, nth: int, error: BaseException) -> list[int]:
    """Have the nth call of a method raise after its work is half done: a file that it was to write holds something."""
    calls: list[int] = []
    plain = getattr(owner, name)

    def broken(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            if name.startswith("write") or name == "to_csv":
                target = self if isinstance(self, Path) else Path(arguments[0])
                with target.open("wb") as file:
                    file.write(b"half")
            raise error
        return plain(self, *arguments, **options)

    monkeypatch.setattr(owner, name, broken)
    return calls


@pytest.mark.parametrize(("owner", "name", "nth"), STEPS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
def test_whatever_fails_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch, owner: type, name: str, nth: int, error: BaseException
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    calls = break_at(monkeypatch, owner, name, nth, error)
    expected = RunError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        write(home / "run")
    assert len(calls) == nth
    assert list(home.iterdir()) == []
    if expected is RunError:
        assert str(caught.value) == f"{home / 'run'}: the run could not be written: No space left on device."
        assert caught.value.__cause__ is error


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import importlib.util
spec = importlib.util.spec_from_file_location("runs_test", sys.argv[3])
test = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test)
def write_until_killed(folder, owner, name, nth):
    plain, calls = getattr(owner, name), []
    def killed(self, *arguments, **options):
        calls.append(1)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, *arguments, **options)
    setattr(owner, name, killed)
    test.write(folder)
    os._exit(0)
# Each step in a process of its own, and the imports in one for all.
for number, step in enumerate(test.STEPS):
    child = os.fork()
    if not child:
        write_until_killed(Path(sys.argv[1]) / str(number) / "run", *step)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_process_killed_at_any_step_leaves_no_folder_that_looks_finished(tmp_path: Path) -> None:
    homes = [tmp_path / str(number) for number in range(len(STEPS))]
    for home in homes:
        home.mkdir()
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, root, __file__], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.splitlines()] == [-signal.SIGKILL] * len(STEPS), done.stderr
    for home, (_, name, _) in zip(homes, STEPS, strict=True):
        folder, left = home / "run", [path.name for path in home.iterdir()]
        assert len(left) == (name != "mkdir")
        assert all(each.startswith(".run.") and each.endswith(".partial") for each in left)
        # What is left is in nobody's way.
        check_place(folder)
        assert read_run(write_and_return(folder))["model"] == "m"


def write_and_return(folder: Path) -> Path:
    write(folder)
    return folder


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_came_to_be_there_in_the_meantime_is_not_overwritten(
    tmp_path: Path, monkeypatch, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    plain = xr.DataTree.to_netcdf

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        make(folder)
        return plain(*arguments, **options)

    monkeypatch.setattr(xr.DataTree, "to_netcdf", meanwhile)
    with pytest.raises(TakenError, match=r"is there already; nothing is overwritten"):
        write(folder)
    assert list(tmp_path.iterdir()) == [folder]
    assert folder.is_file() or list(folder.iterdir()) == []


def test_a_free_folder_is_named_by_model_time_and_where_needed_number(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for make in (Path.mkdir, Path.mkdir, dangle, Path.touch):
        folder = free_run_folder("overall", now=NOW)
        folder.parent.mkdir(exist_ok=True)
        make(folder)
        names.append(str(folder))
    stem = "runs/overall-20261122-101500"
    assert names == [stem, f"{stem}-2", f"{stem}-3", f"{stem}-4"]


def dangle(path: Path) -> None:
    path.symlink_to("nowhere")


def test_a_run_that_came_to_be_there_at_the_last_moment_is_not_overwritten(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "run")
    monkeypatch.setattr("alkbayes.runs.run.check_place", lambda _: None)
    with pytest.raises(TakenError, match="another run was written there in the meantime"):
        write(tmp_path / "run")


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import importlib.util
spec = importlib.util.spec_from_file_location("runs_test", sys.argv[3])
test = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test)
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    test.write(Path(sys.argv[1]))
except test.RunError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_that_takes_half_of_the_posterior_is_told_and_the_process_ends_well(tmp_path: Path) -> None:
    # Files of at most 2,000 bytes stand for the disk: HDF5 fails at the same call, and once more when the process ends.
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "run", Path(__file__).parents[2], __file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'run'}: the run could not be written: File too large.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_free_place_is_checked_and_left_as_it_was(tmp_path: Path) -> None:
    check_place(tmp_path / "run")
    check_place(tmp_path / "not" / "yet" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("folder", "a folder is there already"),
        ("file", "a file is there already"),
        ("dangling", "is there already"),
        ("file/run", "cannot be written to (Not a directory)"),
    ],
)
def test_a_place_that_is_not_free_is_refused(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError) as caught:
        check_place(tmp_path / place)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / place}: ")
    assert "Choose a path" in str(caught.value)


def test_a_disk_that_refuses_is_found_by_trying(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(RunError, match=r"cannot be written to \(Read-only file system\)\. Choose"):
        check_place(tmp_path / "run")


def test_every_byte_of_a_run_is_checked(tmp_path: Path) -> None:
    write(tmp_path / "run")
    for name in json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["files"]:
        copy = tmp_path / f"copy-{name}"
        shutil.copytree(tmp_path / "run", copy)
        with (copy / name).open("ab") as file:
            file.write(b"\n")
        with pytest.raises(RunError, match=rf"{name} is not what the run wrote"):
            read_run(copy)


def test_any_change_of_the_record_is_found(tmp_path: Path) -> None:
    document = write(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    for name in set(document) - {"schema"}:
        changed = document | {name: [] if document[name] else ["x"]}
        path.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(RunError, match=r"run\.json: is not what the run wrote.*or fit again: "):
            read_run(tmp_path / "run")
    # How it is laid out is no change of what it says.
    path.write_text(json.dumps(dict(reversed(document.items()))), encoding="utf-8")
    assert read_run(tmp_path / "run") == document
    assert sealed(document) == document


@pytest.mark.parametrize("part", PARTS)
def test_a_record_that_lacks_a_part_is_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "run" / "run.json"
    document = write(tmp_path / "run")
    path.write_text(json.dumps({name: value for name, value in document.items() if name != part}), encoding="utf-8")
    with pytest.raises(RunError, match=f"has no {part}, so it is not what a run writes"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(("engine", "model"), [(Engine.QUADRATURE, "line"), (Engine.NUTS, "line-generation")])
def test_a_fit_is_read_back_as_it_was(tmp_path: Path, own_table: Path, engine: Engine, model: str) -> None:
    path = model_path(model)
    spec = read_spec(path)
    table = own_table if engine is Engine.NUTS else None
    evidence = read_evidence(table, needed=spec.columns)
    settings = SamplerSettings(seed=3, chains=2, draws=400, tune=300)
    fit = fit_model(spec, evidence, engine=engine, settings=settings)
    written = write_run(tmp_path / "run", fit, results_of(fit), model_file=path.read_bytes(), command="alkbayes fit")
    again = read_fit(tmp_path / "run")
    assert (again.spec, again.evidence.sha256, again.evidence.source) == (
        spec,
        evidence.sha256,
        str(table or "bundled"),
    )
    assert again.provenance.as_record() == fit.provenance.as_record()
    assert again.diagnostics == fit.diagnostics
    assert set(again.tree.children) == {*fit.tree.children, "estimands"}
    # Everything that was reported comes out of it again, to the last digit.
    document = results_of(again).document
    assert document == {name: written[name] for name in document}


def test_a_run_whose_model_this_version_cannot_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder)
    with pytest.raises(RunError, match=r"(?s)cannot read what the run was made of.*Fit again: alkbayes fit m --seed 1"):
        read_fit(folder)


def test_a_run_without_a_parameter_that_this_version_fits_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    spec = read_spec(model_path("overall"))
    table = tmp_path / "two.csv"
    table.write_text("cohort_id,trial,responders,n\na,A,10,40\nb,B,16,41\n", encoding="utf-8")
    evidence = read_evidence(table, needed=spec.columns)
    # As earlier versions did: a term for the trials and one for their only cohorts.
    design = build_design(spec, evidence)
    apart = lay_together(design, design).first
    fit = fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(draws=300), design=apart)
    model_file = model_path("overall").read_bytes()
    write_run(folder, fit, results_of(fit), model_file=model_file, command="alkbayes fit overall")
    with pytest.raises(RunError, match=r"fits tau_total, z_total to such a table.*Fit again: alkbayes fit overall"):
        read_fit(folder)
