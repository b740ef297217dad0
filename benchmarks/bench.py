"""Whole processes, from start to exit, side by side: `make bench`, or `make bench ARGS="--runs 5"`.

Every round runs each process once, so that whatever else the machine does falls on all of them. Seconds are medians
over the rounds; memory is the largest of all rounds, of the process and its children together. "Cold" has an empty
folder for compiled code; "warm" is what a second run on a machine finds.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

POLL_SECONDS = 0.1
GIB = 2**30
HERE = Path(__file__).parent
ALKBAYES = (sys.executable, "-c", "from alkbayes.cli import main; main()")

HELP, WARM, COLD = "`alkbayes --help`", "`alkbayes fit`, warm", "`alkbayes fit`, cold"
PYMC, TEXTBOOK = "PyMC's own sampler on the same `pm.Model`, warm", "PyMC's own sampler, model as in textbooks, warm"
QUADRATURE, QUADRATURE_COLD = "`alkbayes fit --engine quadrature`, warm", "`alkbayes fit --engine quadrature`, cold"
DEFAULT, DEFAULT_QUADRATURE = "`alkbayes fit` of no named model, warm", "the same with `--engine quadrature`, warm"
REPORT, FOREST = "`alkbayes report`", "`alkbayes plot RUN forest`"
MOST_SECONDS = {HELP: 0.5, WARM: 12.0, COLD: 45.0, QUADRATURE: 4.0, QUADRATURE_COLD: 4.0, REPORT: 15.0, FOREST: 5.0}
MOST_MEMORY = 1.5 * GIB
RATIOS = ((PYMC, WARM, 4.0), (TEXTBOOK, WARM, 4.0), (WARM, QUADRATURE, 3.0), (COLD, QUADRATURE_COLD, 10.0))
"""How many times as long the first must take as the second."""
MOST_RATIOS = ((DEFAULT, WARM, 1.3),)
"""How many times as long the first may take as the second: the default model, and the one that is measured."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process.

    Attributes
    ----------
    seconds
        From its start to its exit.
    memory
        Peak bytes of it and its children; what they share is counted once where the system tells.
    """

    seconds: float
    memory: int


@dataclass(slots=True)
class Series:
    """The rounds of one process."""

    rounds: list[Measured] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median over the rounds."""
        return median(measured.seconds for measured in self.rounds)

    @property
    def memory(self) -> int:
        """Largest of the rounds, bytes."""
        return max(measured.memory for measured in self.rounds)

    @property
    def spread(self) -> str:
        """Shortest and longest round, seconds."""
        seconds = [measured.seconds for measured in self.rounds]
        return f"{min(seconds):.2f}–{max(seconds):.2f}"


def measure(command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a process to its end.

    Raises
    ------
    SystemExit
        If it fails, with what it said.
    """
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = psutil.Popen(
            list(command),
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=folder,
            env=os.environ | dict(environment or {}),
        )
        peaks, over = [0], threading.Event()

        def watch() -> None:
            while not over.wait(POLL_SECONDS):
                peaks.append(tree_memory(process))

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - started
        over.set()
        watcher.join()
        if process.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said.read().decode()}")
    return Measured(seconds, max(peaks))


def tree_memory(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold now."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        # Dear, and needed only where there is someone to share with.
        measure_one = shared_memory if children else resident_memory
        for member in (process, *children):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += measure_one(member)
    return total


def resident_memory(process: psutil.Process) -> int:
    """Return the bytes that one process holds."""
    return int(process.memory_info().rss)


def shared_memory(process: psutil.Process) -> int:
    """Return the bytes that one process holds, those that n processes share divided by n where the system tells."""
    held = process.memory_full_info()
    return int(getattr(held, "pss", 0) or held.rss)


def run_rounds(rounds: int, model: str, steps: Sequence[str]) -> dict[str, Series]:
    """Measure every process once in each round, after one warm-up."""
    ours = (HELP, QUADRATURE, DEFAULT_QUADRATURE, WARM, DEFAULT, QUADRATURE_COLD, COLD, REPORT, FOREST)
    found = {name: Series() for name in (*ours, PYMC, TEXTBOOK)}
    fit, default = (*ALKBAYES, "fit", model, *steps), (*ALKBAYES, "fit", *steps)
    quadrature = (*fit, "--engine", "quadrature")
    pymc = (sys.executable, str(HERE / "pymc_sampler.py"), model, *steps)
    with tempfile.TemporaryDirectory(prefix="alkbayes-bench-") as name:
        folder = Path(name)
        # Not this machine's own folder for compiled code: what is warm here was made warm here.
        warm = compiled_code(folder / "warm")
        for command in ((*fit, "--out", "run"), quadrature, default, pymc, (*pymc, "--textbook")):
            measure(command, folder=folder, environment=warm)
        for place in range(rounds):
            for what, command, environment in (
                (HELP, (*ALKBAYES, "--help"), {}),
                (QUADRATURE, quadrature, warm),
                (DEFAULT_QUADRATURE, (*default, "--engine", "quadrature"), warm),
                (WARM, fit, warm),
                (DEFAULT, default, warm),
                (QUADRATURE_COLD, quadrature, compiled_code(folder / f"cold-quadrature-{place}")),
                (COLD, fit, compiled_code(folder / f"cold-{place}")),
                (REPORT, (*ALKBAYES, "report", "run", "--out", f"{place}.html"), warm),
                (FOREST, (*ALKBAYES, "plot", "run", "forest", "--out", f"{place}.png"), warm),
                (PYMC, pymc, warm),
                (TEXTBOOK, (*pymc, "--textbook"), warm),
            ):
                found[what].rounds.append(measure(command, folder=folder, environment=environment))
                print(f"round {place + 1}: {what}: {found[what].rounds[-1].seconds:.2f} s", file=sys.stderr)
    return found


def compiled_code(folder: Path) -> dict[str, str]:
    """Return the environment of a process that keeps its compiled code in `folder`."""
    flags = [flag for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if flag and "compiledir" not in flag]
    return {
        "PYTENSOR_FLAGS": ",".join([*flags, f"base_compiledir={folder}"]),
        "NUMBA_CACHE_DIR": str(folder / "numba-cache"),
        "XDG_CACHE_HOME": str(folder),
    }


def as_markdown(found: Mapping[str, Series]) -> str:
    """Return the table."""
    lines = ["| whole process | seconds | range | target | peak memory | target |", "|---|--:|--:|--:|--:|--:|"]
    for name, series in found.items():
        seconds = (
            verdict(series.seconds <= MOST_SECONDS[name], f"≤ {MOST_SECONDS[name]:g}") if name in MOST_SECONDS else ""
        )
        ours = name not in (HELP, PYMC, TEXTBOOK)
        memory = verdict(series.memory <= MOST_MEMORY, f"≤ {MOST_MEMORY / GIB:g} GiB") if ours else ""
        held = f"{series.memory / GIB:.2f} GiB"
        lines.append(f"| {name} | {series.seconds:.2f} | {series.spread} | {seconds} | {held} | {memory} |")
    for slow, fast, least in RATIOS:
        ratio = found[slow].seconds / found[fast].seconds
        met = verdict(ratio >= least, f"≥ {least:g} ×")
        lines.append(f"| {slow} / {fast} | {ratio:.1f} × | | {met} | | |")
    for slow, fast, most in MOST_RATIOS:
        ratio = found[slow].seconds / found[fast].seconds
        lines.append(f"| {slow} / {fast} | {ratio:.2f} × | | {verdict(ratio <= most, f'≤ {most:g} ×')} | | |")
    return "\n".join(lines)


def verdict(met: bool, target: str) -> str:
    """Return a target and whether it was met."""
    return f"{target}: {'met' if met else '**missed**'}"


def machine() -> str:
    """Return a line about where and with what this was measured."""
    packages = ", ".join(f"{package} {version(package)}" for package in ("pymc", "nutpie", "numba"))
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--model", default="line-generation", help="a bundled model (default: line-generation)")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--beside", metavar="PYTHON", help="interpreter of another version, for what people wait for")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.runs
    if rounds < 1:
        parser.error("--runs: at least 1")
    found = run_rounds(rounds, arguments.model, ("--draws", "1000", "--tune", "1000"))
    print(f"Model {arguments.model}, 4 × (1000 + 1000) draws, median of {rounds}; {machine()}\n")
    print(as_markdown(found))
    print("\nIn one process, after imports:\n", flush=True)
    subprocess.run([sys.executable, str(HERE / "in_process.py"), arguments.model], check=True)
    print("\nFrom the registry to a table:\n", flush=True)
    subprocess.run([sys.executable, str(HERE / "registry.py")], check=True)
    print("\nOn the page:\n", flush=True)
    subprocess.run([sys.executable, str(HERE / "page.py"), "--model", arguments.model], check=True)
    print("\nWhat people wait for:\n", flush=True)
    beside = ("--beside", arguments.beside) if arguments.beside else ()
    subprocess.run([sys.executable, str(HERE / "waits.py"), "--runs", str(rounds), *beside], check=True)
    print("\nBeside bambi:\n", flush=True)
    subprocess.run([sys.executable, str(HERE / "bambi_peer.py"), "--runs", str(rounds)], check=True)


if __name__ == "__main__":
    main()
