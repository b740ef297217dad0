"""What the shell offers for an argument when Tab is pressed."""

import glob
from collections.abc import Iterator

RUN_FILE = "run.json"
"""As :data:`alkbayes.runs.run.RUN_FILE`, whose module takes too long to import between two keystrokes."""


def runs(incomplete: str) -> list[str]:
    """Return the folders of runs that begin like `incomplete`, and those one folder below such a one."""
    start = glob.escape(incomplete)
    patterns = (f"{start}*/{RUN_FILE}", f"{start}*/*/{RUN_FILE}")
    # Path.glob would take the "./" away that an offer has to begin with where the user typed it.
    files = (file for pattern in patterns for file in glob.glob(pattern))  # noqa: PTH207
    folders = (file.removesuffix(f"/{RUN_FILE}") for file in files)
    # A shell reads one offer a line.
    return sorted(folder for folder in folders if folder.isprintable())


def models(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the bundled models that begin like `incomplete`, each with its question."""
    from alkbayes.spec.schema import model_names, model_path, read_spec

    for name in model_names():
        if name.startswith(incomplete):
            yield name, read_spec(model_path(name)).question


def kinds(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of figures that begin like `incomplete`, each with what it shows."""
    from alkbayes.plots.kinds import KINDS

    for name, kind in KINDS.items():
        if name.startswith(incomplete):
            yield name, kind.shows


def methods(incomplete: str) -> list[str]:
    """Return the names of the pooling methods that begin like `incomplete`."""
    from alkbayes.classical import PoolingMethod

    return [str(method) for method in PoolingMethod if method.startswith(incomplete)]
