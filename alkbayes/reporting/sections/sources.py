"""Sources of each cohort's numbers, as links."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from alkbayes.errors import EvidenceError
from alkbayes.evidence.csv import decode
from alkbayes.evidence.files import read_bytes
from alkbayes.reporting.blocks import Link, Piece, Pieces

KEYS = "source_id"
"""Column of source keys: separated by semicolons in a table of cohorts, one per row in a table of sources."""
REGISTRY = "registry_id"
ADDRESS = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
REGISTERED = re.compile(r"NCT\d{8}")
BARE_DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True, slots=True)
class Source:
    """Row of a table of sources.

    Attributes
    ----------
    key
        Key used by cohorts.
    title
        Title.
    detail
        Kind, year and parts read, as far as known.
    url
        Address, or empty.
    """

    key: str
    title: str
    detail: str
    url: str

    @property
    def piece(self) -> Piece:
        """Title, linked if there is an address."""
        return Link(self.title, self.url) if self.url else self.title


def bundled_sources() -> dict[str, Source]:
    """Return the bundled table's sources by key."""
    return _sources(files("alkbayes").joinpath("data", "sources.csv").read_text(encoding="utf-8"))


def read_sources(path: Path) -> dict[str, Source]:
    """Return the sources of a user's own table by key.

    The CSV file in UTF-8 has the column `source_id`, and any of `title`, `year`, `kind`, `read`, `doi`, `pmid` and
    `url`.

    Raises
    ------
    EvidenceError
        If it cannot be read, or has no column `source_id`.
    """
    text, _ = decode(read_bytes(path), str(path))
    header = next(csv.reader(io.StringIO(text)), [])
    if KEYS not in (name.strip() for name in header):
        raise EvidenceError(
            f"{path}: a table of sources needs the column {KEYS}; found {', '.join(header) or 'an empty file'}. "
            "Name the column that holds what cohorts call a source so."
        )
    return _sources(text)


def cited(keys: Sequence[str], sources: Mapping[str, Source]) -> dict[str, tuple[int, Source]]:
    """Return the cited sources, numbered from 1 in order of first mention.

    A key without a row is a source of its own, named as it stands, and linked if it is an address.
    """
    found: dict[str, tuple[int, Source]] = {}
    for key in (part for cell in keys for part in keys_of(cell)):
        if key not in found:
            source = sources.get(key) or Source(key, key, "", safe_address(key))
            found[key] = (len(found) + 1, source)
    return found


def keys_of(cell: str) -> list[str]:
    """Return the source keys in a cell."""
    return [part for part in (part.strip() for part in cell.split(";")) if part]


def safe_address(text: str) -> str:
    """Return a linkable address: http or https only, so that no table text can run as a script."""
    text = text.strip()
    return text if ADDRESS.fullmatch(text) else ""


def linked(text: str) -> Pieces:
    """Return a text with its addresses linked."""
    pieces: list[Piece] = []
    end = 0
    for match in ADDRESS.finditer(text):
        address = match.group().rstrip(".,;:)")
        pieces += [text[end : match.start()], Link(address, address)]
        end = match.start() + len(address)
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def registered(number: str) -> Pieces:
    """Return a registry number, linked if it is from ClinicalTrials.gov."""
    if REGISTERED.fullmatch(number):
        return (Link(number, f"https://clinicaltrials.gov/study/{number}"),)
    return (number,)


def _sources(text: str) -> dict[str, Source]:
    found = {}
    for row in csv.DictReader(io.StringIO(text), skipinitialspace=True):
        cells = {str(name).strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str)}
        if key := cells.get(KEYS, ""):
            detail = ", ".join(filter(None, (cells.get("kind"), cells.get("year"), _read(cells.get("read", "")))))
            found[key] = Source(key, cells.get("title") or key, detail, _address(cells))
    return found


def _read(how: str) -> str:
    return {"full": "read in full", "abstract": "abstract read", "excerpt": "excerpt read"}.get(how, how)


def _address(cells: Mapping[str, str]) -> str:
    """Return a source's address: its own, else by DOI or PubMed number."""
    if url := safe_address(cells.get("url", "")):
        return url
    if BARE_DOI.fullmatch(doi := cells.get("doi", "")):
        return safe_address(f"https://doi.org/{doi}")
    pmid = cells.get("pmid", "")
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid.isascii() and pmid.isdigit() else ""
