import json
from pathlib import Path

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry import folder as module
from alkbayes.registry.folder import Folder, replaced


def test_a_record_of_another_study_is_refused(reg: Folder) -> None:
    reg.record("NCT00000001").write_bytes(reg.record("NCT01828099").read_bytes())
    with pytest.raises(RegistryError, match='is the record of "NCT01828099"'):
        reg.read("NCT00000001")
    reg.record("NCT00000001").write_text("[]", encoding="utf-8")
    with pytest.raises(RegistryError, match="is no record of a study"):
        reg.read("NCT00000001")


def test_a_record_beyond_the_cap_is_not_read(reg: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(RegistryError, match="allowed: 10 at most"):
        module.content_of(reg.record("NCT01828099"), 10)


def test_a_large_record_is_read(reg: Folder) -> None:
    """6 MB, as the largest of the review have."""
    document = json.loads(reg.record("NCT01828099").read_bytes())
    document["annotationSection"]["padding"] = "x" * 6_000_000
    reg.record("NCT01828099").write_text(json.dumps(document), encoding="utf-8")
    assert reg.read("NCT01828099")[0]["hasResults"] is True


def test_a_number_that_is_none_reaches_no_path(tmp_path: Path) -> None:
    for number in ("../x", "NCT1/../../x", "", "NCT"):
        with pytest.raises(ValueError, match="no NCT number"):
            Folder(tmp_path).record(number)


def test_other_files_among_the_records_are_passed_over(reg: Folder) -> None:
    for name in ("NCTx.json", "notes.json", "NCT01828099.json.bak", ".NCT01828099.json.partial"):
        (reg.records / name).write_text("{", encoding="utf-8")
    assert len(reg.numbers()) == 30


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(RegistryError, match="cannot be written"), replaced(tmp_path / "file" / "a.csv"):
        pass
