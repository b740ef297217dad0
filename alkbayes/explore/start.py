"""How a session begins: from a table, or from a finished run."""

from pathlib import Path

from alkbayes.evidence.sources import TableSource
from alkbayes.explore.base import Base, base_of_run, base_of_table, whole_table
from alkbayes.explore.explorer import Explorer
from alkbayes.explore.hub import Hub
from alkbayes.explore.jobs import Fitted
from alkbayes.explore.log import LOG_FILE, ExplorationLog
from alkbayes.explore.worker import ProcessWorker
from alkbayes.runs.run import read_run
from alkbayes.text.json import records


def explorer_of_table(source: TableSource | None, model: str | None) -> Explorer:
    """Return a session that begins with a table.

    Raises
    ------
    EvidenceError, SpecError, UsageError
        As :func:`alkbayes.explore.base.base_of_table`.
    RunError
        If the settings tried cannot be written.
    """
    base = base_of_table(source, model)
    return _explorer(base, None)


def explorer_of_run(folder: Path) -> Explorer:
    """Return a session that begins with a finished run, whose numbers are those of the base.

    Raises
    ------
    RunError
        If this is not a finished run, its files have changed, or the settings tried cannot be written.
    """
    # Here and not at the top: it brings what figures need.
    from alkbayes.plots.source import RunTables

    document = read_run(folder)
    base = base_of_run(folder, document)
    cohorts = tuple(records(RunTables(folder, document).cohorts))
    return _explorer(base, Fitted(base.setting.analysis, False, document, cohorts, {}, 0.0))


def _explorer(base: Base, begun: Fitted | None) -> Explorer:
    log = ExplorationLog(LOG_FILE, whole_table(base, base.spec).sha256)
    return Explorer(base, log, Hub(lambda: ProcessWorker(base)), begun)
