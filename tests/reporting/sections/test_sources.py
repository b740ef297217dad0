"""Sources as links: none that a browser would run, every one of the bundled table resolved."""

from pathlib import Path

import pytest

from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import read_evidence
from alkbayes.reporting.blocks import Link
from alkbayes.reporting.sections.sources import (
    Source,
    bundled_sources,
    cited,
    keys_of,
    linked,
    read_sources,
    registered,
    safe_address,
)


def test_every_source_of_the_bundled_table_is_known_by_its_title() -> None:
    sources = bundled_sources()
    named = read_evidence().frame["source_id"].tolist()
    used = cited(named, sources)
    assert len(used) == len({key for cell in named for key in cell.split(";")})
    assert all(source.title != key for key, (_, source) in used.items())
    linked_to = [source for _, source in used.values() if source.url]
    # Two rows of sources.csv name a file in a public repository and no address.
    assert len(used) - len(linked_to) == sum(not sources[key].url for key in used)
    assert len(linked_to) > 100


def test_numbers_follow_the_first_mention() -> None:
    used = cited(["b;a", "a", "", "c ; b"], {"a": Source("a", "A", "", "")})
    assert {key: number for key, (number, _) in used.items()} == {"b": 1, "a": 2, "c": 3}
    assert used["a"][1].title == "A"
    assert used["c"][1] == Source("c", "c", "", "")
    assert keys_of(" x ;; y") == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.org/a", "https://example.org/a"),
        (" HTTP://example.org ", "HTTP://example.org"),
        ("javascript:alert(1)", ""),
        ("JaVaScRiPt:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https://example.org/ onclick=alert(1)", ""),
        ('https://example.org/"><script>', ""),
        ("https:", ""),
        ("", ""),
    ],
)
def test_only_addresses_of_the_web_become_links(text: str, address: str) -> None:
    assert safe_address(text) == address


def test_addresses_within_a_text_become_links_without_the_stop_behind_them() -> None:
    assert linked("see https://example.org/a, and (http://b.example).") == (
        "see ",
        Link("https://example.org/a", "https://example.org/a"),
        ", and (",
        Link("http://b.example", "http://b.example"),
        ").",
    )
    assert linked("javascript:alert(1)") == ("javascript:alert(1)",)
    assert linked("") == ()


def test_a_number_of_the_registry_leads_there_and_no_other_does() -> None:
    assert registered("NCT01828099") == (Link("NCT01828099", "https://clinicaltrials.gov/study/NCT01828099"),)
    assert registered("JapicCTI-101264") == ("JapicCTI-101264",)
    assert registered("NCT0182809 9") == ("NCT0182809 9",)


def test_sources_of_ones_own_need_no_address_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "sources.csv"
    path.write_text(
        "source_id,title,year,doi,pmid,url\n"
        "a,A,2020,10.1056/NEJMoa1704795,1,https://example.org\n"
        "b,,2020,10.1056/NEJMoa1704795,,javascript:alert(1)\n"
        "c,C,,,28586279,\n"
        "d,D,,not-a-doi,x,\n",
        encoding="utf-8",
    )
    found = read_sources(path)
    assert {key: source.url for key, source in found.items()} == {
        "a": "https://example.org",
        "b": "https://doi.org/10.1056/NEJMoa1704795",
        "c": "https://pubmed.ncbi.nlm.nih.gov/28586279/",
        "d": "",
    }
    assert found["b"].title == "b"
    assert found["a"].detail == "2020"


def test_a_table_of_sources_without_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sources.csv"
    path.write_text("id,title\na,A\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"sources.csv: a table of sources needs the column source_id; found id, t"):
        read_sources(path)
    path.write_bytes(b"")
    with pytest.raises(EvidenceError):
        read_sources(path)
