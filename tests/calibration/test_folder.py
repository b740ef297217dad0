"""A study's folder: what it keeps, what it goes on with, and what it refuses."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alkbayes.calibration import folder as study_folder
from alkbayes.calibration.folder import RECORDS_FILE, STUDY_FILE, SUMMARY_FILE, StudyFolder
from alkbayes.calibration.replications import Study
from alkbayes.errors import RunError
from alkbayes.inference.settings import Engine
from alkbayes.spec.schema import model_path, read_spec

STUDY = Study(read_spec(model_path("overall")), "three-trials", Engine.QUADRATURE, seed=1, draws=400)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def opened(folder: Path, study: Study = STUDY) -> StudyFolder:
    return StudyFolder(folder, study, now=NOW)


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    folder = opened(tmp_path / "deep" / "study")
    folder.add([{"replication": 4, "ess": 2.5}])
    folder.add([{"replication": 0, "ess": float("nan")}])
    again = StudyFolder(tmp_path / "deep" / "study", STUDY, now=datetime.now(UTC))
    assert again.records == {4: {"replication": 4, "ess": 2.5}, 0: {"replication": 0, "ess": None}} == folder.records
    assert again.described["started"] == "2026-01-02T03:04:05+00:00"
    assert again.described["versions"]["pymc"]


@pytest.mark.parametrize("tail", ['{"replication": 1', '{"replication": 1}', "\x00\x00"])
def test_a_line_that_was_cut_short_is_dropped_and_the_next_stands_alone(tmp_path: Path, tail: str) -> None:
    opened(tmp_path / "s").add([{"replication": 0}])
    with (tmp_path / "s" / RECORDS_FILE).open("a") as file:
        file.write(tail)
    again = opened(tmp_path / "s")
    assert list(again.records) == [0]
    again.add([{"replication": 2}])
    assert list(opened(tmp_path / "s").records) == [0, 2]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(STUDY, seed=2), "seed is 1 there and 2 here"),
        (replace(STUDY, draws=600), "draws is 400 there and 600 here"),
        (replace(STUDY, scenario="bundled"), "scenario is 'three-trials' there and 'bundled' here"),
        (replace(STUDY, engine=Engine.NUTS), "engine is 'quadrature' there and 'nuts' here"),
        (replace(STUDY, spec=read_spec(model_path("line"))), "model is 'overall' there and 'line' here"),
    ],
)
def test_another_study_is_refused(tmp_path: Path, other: Study, said: str) -> None:
    opened(tmp_path / "s")
    with pytest.raises(RunError, match=said) as caught:
        opened(tmp_path / "s", other)
    assert caught.value.exit_code == 7


def test_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "s")
    made = study_folder.fingerprint(STUDY)
    monkeypatch.setattr(study_folder, "fingerprint", lambda _: {**made, "alpha": [0.0] * len(made["alpha"])})
    with pytest.raises(RunError, match=r"this code draws otherwise than that of its replications \(alpha"):
        opened(tmp_path / "s")


def test_what_is_no_study_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for place, said in (("file", "is a file, no study"), ("full", "is a folder with other files, no study")):
        with pytest.raises(RunError, match=said):
            opened(tmp_path / place)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    (tmp_path / "empty").mkdir()
    assert opened(tmp_path / "empty").records == {}


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_a_damaged_study_file_is_told(tmp_path: Path, text: str) -> None:
    opened(tmp_path / "s")
    (tmp_path / "s" / STUDY_FILE).write_text(text)
    with pytest.raises(RunError, match="Choose a path that is free"):
        opened(tmp_path / "s")


def test_a_damaged_line_is_told_with_its_number(tmp_path: Path) -> None:
    opened(tmp_path / "s").add([{"replication": 0}])
    with (tmp_path / "s" / RECORDS_FILE).open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(RunError, match="line 2: is no replication"):
        opened(tmp_path / "s")


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="cannot be read or written"):
        opened(tmp_path / "file" / "below")


def test_a_summary_has_lists_of_numbers_in_one_line(tmp_path: Path) -> None:
    folder = opened(tmp_path / "s")
    folder.write_summary({"ranks": {"values": {"alpha": [1, 20, 3]}}, "names": ["a", "b"], "p": [0.5, float("inf")]})
    text = (tmp_path / "s" / SUMMARY_FILE).read_text()
    assert '"alpha": [1,20,3]' in text
    assert json.loads(text) == {"ranks": {"values": {"alpha": [1, 20, 3]}}, "names": ["a", "b"], "p": [0.5, None]}
