"""Progress on stderr, if that is a terminal."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alkbayes.cli.shared.output import message_console, no_color, shows_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alkbayes.parallel import Progress


@contextmanager
def working(what: str) -> "Iterator[None]":
    """Show `what` is being done, such as "pooling", if it may take more than a second and stderr is a terminal."""
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
    """Show a progress bar labelled `what`, such as "refitting", if stderr is a terminal."""
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
    """Provide a function that replaces the text shown, without escape sequences; nothing stays at the end."""
    width = 0

    def show(text: str) -> None:
        nonlocal width
        # Spaces over the rest of a longer text.
        sys.stderr.write(f"\r{text:<{width}}")
        sys.stderr.flush()
        width = len(text)

    try:
        yield show
    finally:
        show("")
        sys.stderr.write("\r")
        sys.stderr.flush()
