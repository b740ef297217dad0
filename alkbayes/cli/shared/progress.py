"""That a command is at work, and how far it has come, on stderr where that is a terminal."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alkbayes.cli.shared.output import message_console, no_color, shows_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alkbayes.parallel import Progress


@contextmanager
def working(what: str) -> "Iterator[None]":
    """Show that something is being done that may take more than a second, and nothing where stderr is no terminal.

    Parameters
    ----------
    what
        Is done, such as "pooling".
    """
    console = message_console()
    if not shows_progress(console):
        yield
    elif no_color():
        with _line() as show:
            show(f"{what} …")
            yield
    else:
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
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = message_console()
    if not shows_progress(console):
        yield None
        return
    if no_color():
        with _line() as show:
            show(f"{what} …")
            yield lambda done, total: show(f"{what} {done:,} of {total:,}")
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
def _line() -> "Iterator[Callable[[str], None]]":
    """Lend a function that shows a text in place of the one before, without escape sequences; nothing stays."""
    width = 0

    def show(text: str) -> None:
        nonlocal width
        # Spaces over what is left of a longer text.
        sys.stderr.write(f"\r{text:<{width}}")
        sys.stderr.flush()
        width = len(text)

    try:
        yield show
    finally:
        show("")
        sys.stderr.write("\r")
        sys.stderr.flush()
