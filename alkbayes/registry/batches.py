"""Records by the hundred, on several processors where there are many."""

from collections.abc import Callable, Sequence

from alkbayes.parallel import in_processes

BATCH = 100
"""Records of a task; a process takes a second to start, in which it reads more than these."""

type Numbers = tuple[str, ...]
type Progress = Callable[[int, int], None]


def in_batches[Result](
    work: Callable[[Numbers], Result], numbers: Sequence[str], progress: Progress | None = None
) -> list[Result]:
    """Return what `work` returns for each batch of records, in order; parameters as of :func:`in_processes`.

    `progress` is called with records rather than tasks.
    """
    batches = [tuple(numbers[start : start + BATCH]) for start in range(0, len(numbers), BATCH)]

    def show(done: int, _: int) -> None:
        if progress is not None:
            progress(min(done * BATCH, len(numbers)), len(numbers))

    return in_processes(work, batches, progress=show)
