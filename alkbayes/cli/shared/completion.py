"""Shell completion of arguments."""

import glob
from collections.abc import Iterator

RUN_FILE = "run.json"
"""Same as :data:`alkbayes.runs.run.RUN_FILE`, whose module is too slow to import between keystrokes."""


def runs(incomplete: str) -> list[str]:
    """Return run folders that begin with `incomplete`, and those one level below such a folder."""
    start = glob.escape(incomplete)
    patterns = (f"{start}*/{RUN_FILE}", f"{start}*/*/{RUN_FILE}")
    # Path.glob would strip a leading "./" that the user typed and completions must repeat.
    files = (file for pattern in patterns for file in glob.glob(pattern))  # noqa: PTH207
    folders = (file.removesuffix(f"/{RUN_FILE}") for file in files)
    # A shell reads one completion per line.
    return sorted(folder for folder in folders if folder.isprintable())


def models(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the bundled models that begin with `incomplete`, with their questions."""
    from alkbayes.spec.schema import model_names, model_path, read_spec

    for name in model_names():
        if name.startswith(incomplete):
            yield name, read_spec(model_path(name)).question


def kinds(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of figures that begin with `incomplete`, with their descriptions."""
    from alkbayes.plots.kinds import KINDS

    for name, kind in KINDS.items():
        if name.startswith(incomplete):
            yield name, kind.shows


def methods(incomplete: str) -> list[str]:
    """Return the names of pooling methods that begin with `incomplete`."""
    from alkbayes.classical.pooling.methods import PoolingMethod

    return [str(method) for method in PoolingMethod if method.startswith(incomplete)]
