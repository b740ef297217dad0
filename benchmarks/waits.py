"""What people wait for, with two versions in turn: `python benchmarks/waits.py --beside OTHER/.venv/bin/python`.

Every command is a whole process. In each round this version and the one of `--beside` take turns, so that whatever else
the machine does falls on both. Ratios are of medians. Compiled code is warm: each version makes its runs first.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import numpy as np
from bench import GIB, Series, compiled_code, machine, measure, verdict

MAIN = "from alkbayes.cli import main; main()"
MODEL = "line-generation"
BIG, BIGGER = "2000.csv", "10000.csv"
SIZES = {BIG: (2000, 700), BIGGER: (10_000, 3000)}
"""Cohorts and trials of the made-up tables."""
SEED = 1
RUNS = {
    "run": (MODEL, "--engine", "quadrature"),
    "second": ("overall", "--engine", "quadrature"),
    "third": ("line-by-generation", "--engine", "quadrature"),
    "big": (MODEL, "--engine", "quadrature", "--data", BIG),
}
"""Runs that commands are about: the arguments of `fit` that make them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A command that is waited for.

    Attributes
    ----------
    command
        Arguments of `alkbayes`.
    most
        Target, in seconds.
    """

    command: tuple[str, ...]
    most: float


WAITS: Mapping[str, Wait] = {
    "help": Wait(("--help",), 0.12),
    "fit, quadrature": Wait(("fit", MODEL, "--engine", "quadrature", "--out", "new"), 2.3),
    "fit, NUTS": Wait(("fit", MODEL, "--out", "new"), 4.0),
    "report": Wait(("report", "run", "--out", "new.html"), 3.5),
    "plot forest": Wait(("plot", "run", "forest", "--out", "new.pdf"), 1.5),
    "sensitivity": Wait(("sensitivity", "run"), 12.0),
    "outliers by trial": Wait(("outliers", "run", "--by-trial"), 10.0),
    "compare three": Wait(("compare", "run", "second", "third"), 20.0),
    "intracranial, joint": Wait(("intracranial", "--joint"), 8.0),
    "2,000 cohorts: fit": Wait(("fit", MODEL, "--engine", "quadrature", "--data", BIG, "--out", "new"), 12.0),
    "2,000 cohorts: report": Wait(("report", "big", "--out", "new.html"), 20.0),
    "2,000 cohorts: forest": Wait(("plot", "big", "forest", "--out", "new.pdf"), 8.0),
    "2,000 cohorts: influence": Wait(("influence", "--method", "glmm-ml", "--data", BIG), 10.0),
    "10,000 cohorts: fit": Wait(
        ("fit", MODEL, "--engine", "quadrature", "--data", BIGGER, "--draws", "250", "--out", "new"), 20.0
    ),
}


def write_table(path: Path, cohorts: int, trials: int) -> None:
    """Write a made-up table: 8 to 120 patients a cohort, rates about 57 % with SD 0.5 on the logit scale."""
    rng = np.random.default_rng(SEED)
    n = rng.integers(8, 121, cohorts)
    responders = rng.binomial(n, 1 / (1 + np.exp(-rng.normal(0.3, 0.5, cohorts))))
    lines, classes = (rng.choice(levels, cohorts) for levels in (("naive", "pretreated"), ("first", "second", "third")))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cohort_id", "trial", "line", "regimen_class", "n", "responders"))
        for place in range(cohorts):
            trial = f"trial {rng.integers(trials):05d}"
            writer.writerow((f"c{place:05d}", trial, lines[place], classes[place], n[place], responders[place]))


def prepared(python: str, folder: Path, needed: Sequence[str]) -> dict[str, str]:
    """Make the tables and runs that commands need, and return the environment in which compiled code is warm."""
    folder.mkdir()
    warm = compiled_code(folder / "warm")
    for name, (cohorts, trials) in SIZES.items():
        write_table(folder / name, cohorts, trials)
    for name in needed:
        measure((python, "-c", MAIN, "fit", *RUNS[name], "--out", name), folder=folder, environment=warm)
    return warm


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", metavar="PYTHON", help="interpreter of another version of alkbayes")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--only", nargs="+", choices=tuple(WAITS), default=tuple(WAITS), help="rows of the table")
    arguments = parser.parse_args()
    pythons = [sys.executable] + ([arguments.beside] if arguments.beside else [])
    waits = {name: WAITS[name] for name in arguments.only}
    needed = [run for run in RUNS if any(run in wait.command for wait in waits.values())]
    print(f"Model {MODEL}, median of {arguments.runs}; {machine()}\n")
    print("| command | seconds | range | target | peak memory | other | other / this |", flush=True)
    print("|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="alkbayes-waits-") as temporary:
        folders = [Path(temporary) / str(place) for place in range(len(pythons))]
        warm = [prepared(python, folder, needed) for python, folder in zip(pythons, folders, strict=True)]
        if "fit, NUTS" in waits:
            for python, folder, environment in zip(pythons, folders, warm, strict=True):
                measure((python, "-c", MAIN, "fit", MODEL), folder=folder, environment=environment)
        for name, wait in waits.items():
            series = [Series() for _ in pythons]
            for _ in range(arguments.runs):
                for python, folder, environment, found in zip(pythons, folders, warm, series, strict=True):
                    found.rounds.append(
                        measure((python, "-c", MAIN, *wait.command), folder=folder, environment=environment)
                    )
                    for made in folder.glob("new*"):
                        rmtree(made) if made.is_dir() else made.unlink()
            print(row(name, wait, series), flush=True)


def row(name: str, wait: Wait, series: Sequence[Series]) -> str:
    """Return a line of the table."""
    ours = series[0]
    target = verdict(ours.seconds <= wait.most, f"≤ {wait.most:g}")
    other = f"{series[1].seconds:.2f} | {series[1].seconds / ours.seconds:.2f}" if len(series) > 1 else " | "
    return f"| {name} | {ours.seconds:.2f} | {ours.spread} | {target} | {ours.memory / GIB:.2f} GiB | {other} |"


if __name__ == "__main__":
    main()
