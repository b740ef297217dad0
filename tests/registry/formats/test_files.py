import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.formats.files import sources_of, studies_of
from alkbayes.registry.study import nct_id_of


def numbers(content: bytes) -> list[str]:
    return [nct_id_of(study) for study in studies_of(content, "x")]


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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "allowed: JSON of ClinicalTrials.gov"),
        (b"nct_id,title\n", 'found "nct_id,title'),
        (b'{"FullStudiesResponse": {}}', "gave up in 2024"),
        (b'{"studies": [{"protocolSection": {}}, 5]}', "item 1: is no study"),
        (b'{"a": 1}', "it has no protocolSection"),
        (b'{"protocolSection": {}}\n{"protocolSection": ', "line 2"),
    ],
)
def test_what_is_no_record_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        list(studies_of(content, "x"))


def test_a_zip_and_a_folder_are_one_source(tmp_path: Path, built: dict[str, dict[str, Any]]) -> None:
    place = tmp_path / "records"
    place.mkdir()
    for number, record in list(built.items())[:3]:
        (place / f"{number}.json").write_text(json.dumps(record), encoding="utf-8")
    (place / "README.txt").write_text("not a record", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in place.iterdir():
            archive.write(path, f"ctg-studies/{path.name}")
    found = [(name, sorted(map(nct_id_of, studies))) for name, studies in sources_of([place, tmp_path / "r.zip"])]
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
