from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.batches import BATCH, in_batches
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.tables import extract_folder
from alkbayes.registry.folder import Folder
from alkbayes.registry.received import converted
from alkbayes.registry.screening.decisions import screen_folder
from alkbayes.registry.search import search_files


def sizes(numbers: tuple[str, ...]) -> int:
    return len(numbers)


def test_every_record_is_in_one_batch_and_progress_counts_records() -> None:
    told: list[tuple[int, int]] = []
    numbers = [f"NCT{place:08}" for place in range(1, 2 * BATCH + 8)]
    assert in_batches(sizes, numbers, lambda done, of: told.append((done, of))) == [BATCH, BATCH, 7]
    assert told == [(BATCH, 207), (2 * BATCH, 207), (207, 207)]
    assert in_batches(sizes, ()) == []


def test_many_records_in_several_processes_give_what_few_give_in_one(
    tmp_path: Path, protocol: Protocol, posted: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for name, batch in (("one", 1000), ("several", 1)):
        monkeypatch.setattr("alkbayes.registry.batches.BATCH", batch)
        folder = Folder(tmp_path / name)
        search_files(folder, [("built", map(converted, posted.values()))])
        screen_folder(folder, protocol)
        extract_folder(folder, protocol)
        assert len(folder.numbers()) > 8, "enough batches for several processes"
        files[name] = {file.name: file.read_bytes() for file in folder.path.glob("*.csv")}
    assert files["one"] == files["several"]
    assert len(files["one"]) == 6


def fail(numbers: tuple[str, ...], *, at: str) -> int:
    if at in numbers:
        raise RegistryError(f"{at}: is cut off.")
    return len(numbers)


def test_a_fault_in_another_process_is_told_as_in_this_one() -> None:
    numbers = [f"NCT{place:08}" for place in range(1, 8 * BATCH + 1)]
    with pytest.raises(RegistryError, match=r"^NCT00000800: is cut off\.$"):
        in_batches(partial(fail, at=numbers[-1]), numbers)
