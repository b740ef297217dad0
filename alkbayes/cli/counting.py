"""What is waited for, and how far many pieces of work have come, on stderr where that is a terminal."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alkbayes.processes import Progress


@contextmanager
def working(what: str) -> "Iterator[None]":
    """Show that something is being done that takes more than a second, and nothing where stderr is no terminal."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def counted(what: str) -> "Iterator[Progress | None]":
    """Show a bar while pieces of work are done, and nothing where stderr is no terminal.

    Parameters
    ----------
    what
        Stands before the bar, such as "refitting".
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield progress


@contextmanager
def waiting(what: str) -> "Iterator[Callable[[str], None]]":
    """Say what is waited for while it takes a few seconds, and yield what prints warnings, on stderr.

    Parameters
    ----------
    what
        What is done, such as "fitting the model"; shown where stderr is a terminal.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)

    def warn(message: str) -> None:
        console.print(f"warning: {message}", soft_wrap=True)

    if not console.is_terminal:
        yield warn
        return
    with console.status(what):
        yield warn
