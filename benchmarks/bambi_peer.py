"""`alkbayes fit` beside bambi on the bundled table, by effective draws a second: `python benchmarks/bambi_peer.py`.

bambi has the same levels and priors, but independent effects of the generations, as it knows no sum to zero. Its
process ends with ArviZ's summary and leave-one-out, which a run has too. Processes take turns; ratios are of medians.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import ALKBAYES, HERE, compiled_code, machine, measure

MODEL = "line-generation"
SAMPLERS = {"pymc": "bambi, PyMC's sampler", "nutpie": "bambi, nutpie"}
FORMULA = "p(responders, n) ~ 1 + line + (1|regimen_class) + (1|trial) + (1|cohort_id)"
TARGETS = {"pymc": 30.0, "nutpie": 10.0}
"""How many times as many effective draws a second `alkbayes fit` is to have."""


def sample(sampler: str, out: Path) -> None:
    """Fit by bambi with its own number of draws, summarise, and write the smallest effective size."""
    import arviz as az
    import bambi as bmb

    from alkbayes.evidence.table import read_evidence

    frame = read_evidence().frame[["line", "regimen_class", "trial", "cohort_id", "responders", "n"]]
    spread = bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=0.5))
    model = bmb.Model(
        FORMULA,
        frame,
        family="binomial",
        priors={
            "Intercept": bmb.Prior("Normal", mu=0, sigma=1.5),
            "line": bmb.Prior("Normal", mu=0, sigma=1),
            **dict.fromkeys(("1|regimen_class", "1|trial", "1|cohort_id"), spread),
        },
    )
    posterior = model.fit(
        draws=1000,
        tune=1000,
        chains=4,
        cores=2,
        random_seed=1,
        inference_method=sampler,
        idata_kwargs={"log_likelihood": True},
        progressbar=False,
    )
    summary = az.summary(posterior)
    az.loo(posterior)
    out.write_text(json.dumps(float(summary["ess_bulk"].astype(float).min())), encoding="utf-8")


def ours(run: Path) -> float:
    """Return the smallest bulk effective size of a run."""
    found: float = json.loads((run / "run.json").read_text(encoding="utf-8"))["diagnostics"]["ess_bulk_min"]
    return found


def main() -> None:
    """Measure and print, or with `--sample` be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--sample", choices=tuple(SAMPLERS), help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sample:
        sample(arguments.sample, arguments.to)
        return
    seconds: dict[str, list[float]] = {name: [] for name in ("alkbayes", *SAMPLERS)}
    sizes: dict[str, list[float]] = {name: [] for name in seconds}
    with tempfile.TemporaryDirectory(prefix="alkbayes-bambi-") as temporary:
        folder = Path(temporary)
        warm = compiled_code(folder / "warm")
        for place in range(arguments.runs + 1):
            for name, found in seconds.items():
                run, size = f"run-{place}", folder / f"{name}-{place}.json"
                peer = (sys.executable, str(HERE / "bambi_peer.py"), "--sample", name, "--to", str(size))
                command = (*ALKBAYES, "fit", MODEL, "--out", run) if name == "alkbayes" else peer
                taken = measure(command, folder=folder, environment=warm).seconds
                if place:  # the first round warms up
                    found.append(taken)
                    sizes[name].append(ours(folder / run) if name == "alkbayes" else json.loads(size.read_text()))
    print(f"Model {MODEL}, median of {arguments.runs}; {machine()}\n")
    print("| process | seconds | smallest ESS | ESS a second | `fit` has | target |")
    print("|---|--:|--:|--:|--:|--:|")
    rates = {name: median(s / t for s, t in zip(sizes[name], seconds[name], strict=True)) for name in seconds}
    for name, rate in rates.items():
        times = rates["alkbayes"] / rate
        target = (
            f"≥ {TARGETS[name]:g} ×: {'met' if times >= TARGETS[name] else '**missed**'}" if name in TARGETS else ""
        )
        cells = (median(seconds[name]), median(sizes[name]), rate, times)
        print("| {} | {:.1f} | {:,.0f} | {:.0f} | {:.1f} × | {} |".format(SAMPLERS.get(name, "`fit`"), *cells, target))


if __name__ == "__main__":
    main()
