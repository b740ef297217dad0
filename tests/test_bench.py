"""That the benchmark measures and prints; no timing of ours is asserted here."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[1] / "benchmarks" / "bench.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    spec.loader.exec_module(module)
    return module


def test_a_process_and_its_children_are_measured(bench: ModuleType, tmp_path: Path) -> None:
    hold = "import time; held = b'x' * (60 << 20); time.sleep(0.6)"
    both = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; child.wait()"
    found = bench.measure([sys.executable, "-c", both], folder=tmp_path)
    assert 0.6 < found.seconds < 30
    assert 120 << 20 < found.memory < 400 << 20


def test_a_process_that_fails_is_no_measurement(bench: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"exit code 3\nno good"):
        bench.measure(
            [sys.executable, "-c", "import sys; print('no good', file=sys.stderr); sys.exit(3)"], folder=tmp_path
        )


def test_the_table_says_what_was_met(bench: ModuleType) -> None:
    seconds = {
        bench.HELP: (0.3, 0.6, 0.2),
        bench.QUADRATURE: (4.0,),
        bench.WARM: (10.0, 9.0, 14.0),
        bench.QUADRATURE_COLD: (4.5,),
        bench.COLD: (50.0,),
        bench.REPORT: (9.0,),
        bench.FOREST: (5.5,),
        bench.DEFAULT: (12.0,),
        bench.PYMC: (35.0,),
        bench.TEXTBOOK: (45.0,),
    }
    found = {
        name: bench.Series(
            [bench.Measured(value, 2 * bench.GIB if name == bench.COLD else bench.GIB) for value in values]
        )
        for name, values in seconds.items()
    }
    quadrature = "`alkbayes fit --engine quadrature`"
    assert bench.as_markdown(found).splitlines()[2:] == [
        "| `alkbayes --help` | 0.30 | 0.20–0.60 | ≤ 0.5: met | 1.00 GiB |  |",
        f"| {quadrature}, warm | 4.00 | 4.00–4.00 | ≤ 4: met | 1.00 GiB | ≤ 1.5 GiB: met |",
        "| `alkbayes fit`, warm | 10.00 | 9.00–14.00 | ≤ 12: met | 1.00 GiB | ≤ 1.5 GiB: met |",
        f"| {quadrature}, cold | 4.50 | 4.50–4.50 | ≤ 4: **missed** | 1.00 GiB | ≤ 1.5 GiB: met |",
        "| `alkbayes fit`, cold | 50.00 | 50.00–50.00 | ≤ 45: **missed** | 2.00 GiB | ≤ 1.5 GiB: **missed** |",
        "| `alkbayes report` | 9.00 | 9.00–9.00 | ≤ 15: met | 1.00 GiB | ≤ 1.5 GiB: met |",
        "| `alkbayes plot RUN forest` | 5.50 | 5.50–5.50 | ≤ 5: **missed** | 1.00 GiB | ≤ 1.5 GiB: met |",
        "| `alkbayes fit` of no named model, warm | 12.00 | 12.00–12.00 |  | 1.00 GiB | ≤ 1.5 GiB: met |",
        "| PyMC's own sampler on the same `pm.Model`, warm | 35.00 | 35.00–35.00 |  | 1.00 GiB |  |",
        "| PyMC's own sampler, model as in textbooks, warm | 45.00 | 45.00–45.00 |  | 1.00 GiB |  |",
        "| PyMC's own sampler on the same `pm.Model`, warm / `alkbayes fit`, warm | 3.5 × | | ≥ 4 ×: **missed** | | |",
        "| PyMC's own sampler, model as in textbooks, warm / `alkbayes fit`, warm | 4.5 × | | ≥ 4 ×: met | | |",
        f"| `alkbayes fit`, warm / {quadrature}, warm | 2.5 × | | ≥ 3 ×: **missed** | | |",
        f"| `alkbayes fit`, cold / {quadrature}, cold | 11.1 × | | ≥ 10 ×: met | | |",
        "| `alkbayes fit` of no named model, warm / `alkbayes fit`, warm | 1.20 × | | ≤ 1.3 ×: met | | |",
    ]


@pytest.mark.slow
def test_what_is_measured_in_one_process_can_be_measured() -> None:
    script = BENCH.with_name("in_process.py")
    done = subprocess.run(
        [sys.executable, script, "overall", "--quick"], capture_output=True, text=True, check=True, env=os.environ
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "| computing alone | seconds | target |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| 4,000 draws by quadrature, all groups of the fit",
        "| ML GLMM of the bundled cohorts",
    ]


def test_cold_means_no_compiled_code(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTENSOR_FLAGS", "floatX=float64,base_compiledir=elsewhere")
    flags = bench.compiled_code(tmp_path)["PYTENSOR_FLAGS"]
    assert flags == f"floatX=float64,base_compiledir={tmp_path}"


def test_it_has_help() -> None:
    done = subprocess.run([sys.executable, BENCH, "--help"], capture_output=True, text=True, check=True, env=os.environ)
    assert "--runs" in done.stdout
    assert "--quick" in done.stdout
