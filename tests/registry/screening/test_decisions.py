import csv
from pathlib import Path

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import Protocol, bundled, read_protocol
from alkbayes.registry.folder import Folder
from alkbayes.registry.screening.decisions import PERSON, RULE, read_screening, screen_folder
from alkbayes.registry.screening.rules import Decision


def edit(path: Path, number: str, **cells: str) -> None:
    """Edit a row as a person does in a spreadsheet."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["nct_id"] == number:
            row.update(cells)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row))
        writer.writeheader()
        writer.writerows(rows)


def test_a_re_run_never_overwrites_a_person(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    path = reg.file("screening.csv")
    edit(path, "NCT02568267", decision="include", note="Group of ALK-positive NSCLC", decided_by="person")
    edit(path, "NCT02477826", decision="include")  # without a word on who decided
    edit(path, "NCT01828099", note="read by JD")
    again = screen_folder(reg, protocol)
    rows = {row.nct_id: row for row in again.rows}
    assert rows["NCT02568267"].decision is Decision.INCLUDE
    assert rows["NCT02568267"].note == "Group of ALK-positive NSCLC"
    assert rows["NCT02477826"].decision is Decision.INCLUDE
    assert {rows[number].decided_by for number in ("NCT02568267", "NCT02477826", "NCT01828099")} == {PERSON}
    assert rows["NCT01154140"].decided_by == RULE
    assert again.overruled == ("NCT02477826", "NCT02568267")
    # Nor does another protocol.
    other = screen_folder(reg, read_protocol(bundled("protocol", "ros1")))
    assert {row.nct_id: row.decision for row in other.rows}["NCT02477826"] is Decision.INCLUDE
    assert {row.nct_id: row.decision for row in other.rows}["NCT01154140"] is Decision.EXCLUDE


def test_every_cell_that_a_person_changes_is_kept(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    path = reg.file("screening.csv")
    edit(path, "NCT01828099", evidence="my own words", pointer="/protocolSection")
    edit(path, "NCT01154140", checked="JD", twice="")  # columns of the person's own
    first = screen_folder(reg, read_protocol(bundled("protocol", "ros1")))
    rows = {row.nct_id: row for row in screen_folder(reg, protocol).rows}
    assert (rows["NCT01828099"].evidence, rows["NCT01828099"].pointer) == ("my own words", "/protocolSection")
    assert rows["NCT01828099"].decided_by == PERSON
    assert dict(rows["NCT01154140"].more)["checked"] == "JD"
    assert rows["NCT01154140"].decided_by == RULE, "it is no decision"
    assert len(first.rows) == len(rows)


def test_a_decision_counts_as_a_persons_before_the_next_screening_and_without_the_rules_reason(
    reg: Folder, protocol: Protocol
) -> None:
    screen_folder(reg, protocol)
    edit(reg.file("screening.csv"), "NCT01828099", decision="exclude")
    edit(reg.file("screening.csv"), "NCT01154140", decision="exclude", reason="Same patients as another")
    found = read_screening(reg)
    assert found is not None
    rows = {row.nct_id: row for row in found.rows}
    assert (rows["NCT01828099"].decided_by, rows["NCT01828099"].reason) == (PERSON, "")
    assert (rows["NCT01154140"].decided_by, rows["NCT01154140"].reason) == (PERSON, "Same patients as another")
    again = {row.nct_id: row for row in screen_folder(reg, protocol).rows}
    assert again["NCT01828099"] == rows["NCT01828099"]


def test_a_run_that_was_interrupted_makes_nobody_decide(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, read_protocol(bundled("protocol", "ros1")))
    made = reg.file("screening.json").read_bytes()
    screen_folder(reg, protocol)
    reg.file("screening.json").write_bytes(made)  # the second file of the run was not written
    assert {row.decided_by for row in screen_folder(reg, protocol).rows} == {RULE}


def test_a_screening_that_wrote_less_down_makes_nobody_decide(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    made = reg.read_json("screening.json")
    assert made is not None
    for row in made["rows"].values():
        del row["evidence"]
    reg.write_json("screening.json", made)
    edit(reg.file("screening.csv"), "NCT01828099", decision="exclude")
    found = read_screening(reg)
    assert found is not None
    assert [row.nct_id for row in found.rows if row.decided_by == PERSON] == ["NCT01828099"]


def test_screening_twice_writes_the_same_bytes(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    before = reg.file("screening.csv").read_bytes()
    screen_folder(reg, protocol)
    assert reg.file("screening.csv").read_bytes() == before


def test_a_persons_decision_on_a_record_that_is_gone_is_kept_aside(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    edit(reg.file("screening.csv"), "NCT02477826", decision="include")
    reg.record("NCT02477826").unlink()
    again = screen_folder(reg, protocol)
    assert again.gone == ("NCT02477826",)
    assert "NCT02477826" not in again.numbers(Decision.INCLUDE)
    assert "NCT02477826" in reg.file("screening.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (",include,", ",maybe,", 'column decision: found "maybe"; allowed: include, exclude, unclear'),
        ("NCT00932893", "PROFILE 1007", 'column nct_id: found "PROFILE 1007"; allowed: NCT and 8 digits'),
        ("NCT00932893", "NCT01154140", "NCT01154140 has two rows"),
    ],
)
def test_a_fault_of_an_edited_file_names_its_line(
    reg: Folder, protocol: Protocol, before: str, after: str, said: str
) -> None:
    screen_folder(reg, protocol)
    path = reg.file("screening.csv")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(RegistryError, match=said):
        screen_folder(reg, protocol)
    assert path.read_text(encoding="utf-8") == text.replace(before, after, 1), "and nothing is overwritten"


def test_a_record_that_came_after_screening_is_missed(reg: Folder, protocol: Protocol) -> None:
    screen_folder(reg, protocol)
    content = reg.record("NCT02477826").read_text(encoding="utf-8").replace("NCT02477826", "NCT00000001")
    reg.record("NCT00000001").write_text(content, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"has no row for NCT00000001\. Screen again"):
        read_screening(reg)


def test_a_folder_without_records_says_what_to_do(tmp_path: Path, protocol: Protocol) -> None:
    with pytest.raises(RegistryError, match=r"there is no such folder\. Search first"):
        screen_folder(Folder(tmp_path / "none"), protocol)
