import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.formats.files import records_of, sources_of
from alkbayes.registry.study import nct_id_of


def numbers(content: bytes) -> list[str]:
    return [nct_id_of(study) for study in studies(content)]


def studies(content: bytes) -> list[dict[str, Any]]:
    return [record.study for record in records_of(io.BytesIO(content), "x", len(content))]


def test_every_shape_of_json_gives_the_same_studies(built: dict[str, dict[str, Any]]) -> None:
    records = list(built.values())[:3]
    wanted = [nct_id_of(record) for record in records]
    page = {"totalCount": 3, "nextPageToken": "ZVt0", "studies": records}
    for content in (
        json.dumps(records),
        json.dumps(records, indent=2),
        json.dumps(page),
        "\n".join(map(json.dumps, records)),
        "\ufeff" + "\r\n".join(map(json.dumps, records)) + "\n",
    ):
        assert numbers(content.encode()) == wanted
    assert numbers(json.dumps(records[0], indent=1).encode()) == wanted[:1]
    assert numbers(json.dumps({"study": records[0]}).encode()) == wanted[:1], "a version of a record's history"


NAMED = b'{"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "allowed: JSON of ClinicalTrials.gov"),
        (b"nct_id,title\n", 'found "nct_id,title'),
        (b'{"FullStudiesResponse": {}}', "gave up in 2024"),
        (b'{"studies": [5, 6]}', "x, item 0: is no study"),
        (b'{"a": 1}', "x: is no study: it has no protocolSection"),
        (b'{"protocolSection": {}}\n{"protocolSection": ', 'x, line 1: found the number ""; allowed: NCT'),
        (NAMED + b'\n{"protocolSection": ', r"x, line 2, line 1, column \d+: is cut off"),
        (NAMED.replace(b"NCT00000001", b"../../etc/passwd"), 'found the number "../../ETC/PASSWD"|etc/passwd'),
        (b"[" * 10_000 + b"]" * 10_000, "depth limit exceeded"),
        (b'{"protocolSection": ' + b'{"a": ' * 10_000 + b"1" + b"}" * 10_001, "depth limit exceeded"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><clinical_study>&a;</clinical_study>".encode("utf-16-le"), "is no UTF-8 text"),
    ],
)
def test_what_is_no_record_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        studies(content)


def test_a_zip_and_a_folder_are_one_source(tmp_path: Path, built: dict[str, dict[str, Any]]) -> None:
    place = tmp_path / "records"
    place.mkdir()
    for number, record in list(built.items())[:3]:
        (place / f"{number}.json").write_text(json.dumps(record), encoding="utf-8")
    (place / "README.txt").write_text("not a record", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in place.iterdir():
            archive.write(path, f"ctg-studies/{path.name}")
    found = [
        (name, sorted(nct_id_of(each.study) for each in records))
        for name, records in sources_of([place, tmp_path / "r.zip"])
    ]
    assert [name for name, _ in found] == ["records", "r.zip"]
    assert found[0][1] == found[1][1] == sorted(list(built)[:3])


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 50_000_000)
    with pytest.raises(RegistryError, match="more than 200 times its size"):
        list(next(sources_of([tmp_path / "bomb.zip"]))[1])


def test_names_in_a_zip_reach_no_path(tmp_path: Path, built: dict[str, dict[str, Any]]) -> None:
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        archive.writestr("../../evil.json", json.dumps(next(iter(built.values()))))
    assert len(list(next(sources_of([tmp_path / "slip.zip"]))[1])) == 1
    assert not (tmp_path.parent / "evil.json").exists()


def test_what_is_not_there_or_has_no_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no such file or folder"):
        list(sources_of([tmp_path / "none"]))
    with pytest.raises(RegistryError, match="has no file with records"):
        list(sources_of([tmp_path]))
    (tmp_path / "a.json").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(RegistryError, match="allowed: JSON"):
        list(next(sources_of([tmp_path]))[1])


def test_a_link_out_of_a_folder_is_not_followed(tmp_path: Path, built: dict[str, dict[str, Any]]) -> None:
    place, (first, second) = tmp_path / "records", list(built.values())[:2]
    place.mkdir()
    (tmp_path / "secret.json").write_text(json.dumps(first), encoding="utf-8")
    (place / "here.json").write_text(json.dumps(second), encoding="utf-8")
    (place / "again.json").symlink_to("here.json")
    assert len(list(next(sources_of([place]))[1])) == 2
    (place / "out.json").symlink_to("../secret.json")
    with pytest.raises(RegistryError, match=r"out\.json: is a link out of .*records"):
        list(sources_of([place]))


def test_a_size_that_an_archive_lies_about_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "lie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * 30_000_000)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = content.rfind(mark) + offset
        content[place : place + 4] = (100).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(RegistryError, match=r'"a\.json" cannot be unpacked: Bad CRC-32'):
        list(next(sources_of([path]))[1])


def test_a_record_without_a_number_is_named_by_its_file(tmp_path: Path, built: dict[str, dict[str, Any]]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(next(iter(built.values()))), encoding="utf-8")
    (tmp_path / "b.json").write_text('{"protocolSection": {}}', encoding="utf-8")
    with pytest.raises(RegistryError, match=r"b\.json: found the number"):
        list(next(sources_of([tmp_path]))[1])
