"""The command that repeats a run."""

from typing import TYPE_CHECKING

from alkbayes.evidence.sources import columns_text
from alkbayes.inference.settings import Engine
from alkbayes.runs.run import MODEL_FILE
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.runs.document import FitDocument


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
    return words + (["--tune", str(settings["tune"])] if provenance["engine_asked"] == Engine.NUTS else [])
