"""The command that repeats a run, alone and in a script."""

import shlex
from typing import TYPE_CHECKING

from alkbayes.evidence.sources import columns_text
from alkbayes.inference.settings import Engine
from alkbayes.runs.run import MODEL_FILE
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.runs.document import FitDocument, ProvenanceRecord, RunDocument


def refit_command(document: "FitDocument") -> list[str]:
    """Return the words of the command that repeats a fit from the files in its run's folder, but for its output."""
    evidence, provenance = document["evidence"], document["provenance"]
    settings = provenance["settings"]
    words = ["alkbayes", "fit", MODEL_FILE, "--data", evidence["file"]]
    words += [] if evidence["sheet"] is None else ["--sheet", evidence["sheet"]]
    words += ["--columns", columns_text(evidence["columns"])] if evidence["columns"] else []
    words += ["--where", evidence["where"]] if evidence["where"] else []
    words += [word for name in evidence["exclude"] for word in ("--exclude", name)]
    words += ["--reason", evidence["reason"]] if evidence["reason"] else []
    words += ["--engine", provenance["engine_asked"], "--standard", document["standard"]]
    words += [] if document["interval_prob"] == INTERVAL_PROB else ["--level", f"{document['interval_prob']:g}"]
    words += [word for name in ("seed", "chains", "draws") for word in (f"--{name}", str(settings[name]))]
    return words + (["--tune", str(tune_asked(provenance))] if provenance["engine_asked"] == Engine.NUTS else [])


def tune_asked(provenance: "ProvenanceRecord") -> int:
    """Return the tuning steps that were asked for: half of those of a second attempt, which are recorded."""
    tune = provenance["settings"]["tune"]
    return tune // 2 if provenance["tries"] > 1 else tune


def reproducing_script(document: "RunDocument") -> str:
    """Return a shell script that repeats the fit and compares its pooled rates."""
    version = document["provenance"]["versions"].get("alkbayes", "")
    return f"""\
#!/bin/sh
# Repeats the fit with alkbayes {version}, in the new folder "again" or the one named, and compares its pooled rates.
set -eu
cd "$(dirname "$0")"
again=${{1:-again}}
# Exit code 6 is a fit that did not converge; it is kept and compared.
{shlex.join(refit_command(document))} --out "$again" || test $? -eq 6
if cmp -s pooled.csv "$again/pooled.csv"; then
    echo "pooled.csv: the same, byte for byte"
else
    echo "pooled.csv differs. Other versions than in versions.txt, or another kind of processor, may change numbers" >&2
    echo "within their Monte Carlo errors (columns mcse). To see what differs: diff pooled.csv $again/pooled.csv" >&2
    exit 1
fi
"""
