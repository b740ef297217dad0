"""Where the figures of each cohort are from, as links."""

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
from alkbayes.report.blocks import Link, Piece, Pieces

KEYS = "source_id"
"""Column of a table of cohorts that names sources, joined by semicolons; the key of a table of sources."""
REGISTRY = "registry_id"
ADDRESS = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
REGISTERED = re.compile(r"NCT\d{8}")
BARE_DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True, slots=True)
class Source:
    """A row of a table of sources.

    Attributes
    ----------
    key
        What cohorts call it.
    title
        What it is called.
    detail
        Kind, year and what was read of it, as far as known.
    url
        Where it is; empty where nothing leads there.
    """

    key: str
    title: str
    detail: str
    url: str

    @property
    def piece(self) -> Piece:
        """Its title, as a link where there is an address."""
        return Link(self.title, self.url) if self.url else self.title


def bundled_sources() -> dict[str, Source]:
    """Return the sources of the bundled table by their key."""
    return _sources(files("alkbayes").joinpath("data", "sources.csv").read_text(encoding="utf-8"))


def read_sources(path: Path) -> dict[str, Source]:
    """Return the sources of a table of one's own by their key.

    Parameters
    ----------
    path
        A CSV file in UTF-8 with the column `source_id`, and any of `title`, `year`, `kind`, `read`, `doi`, `pmid` and
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
    """Return the sources that are named, each with its number from 1 in the order of their first mention.

    A key without a row is a source of its own, named as it stands, and a link where it is an address.
    """
    found: dict[str, tuple[int, Source]] = {}
    for key in (part for cell in keys for part in keys_of(cell)):
        if key not in found:
            source = sources.get(key) or Source(key, key, "", safe_address(key))
            found[key] = (len(found) + 1, source)
    return found


def keys_of(cell: str) -> list[str]:
    """Return the sources that a cell names."""
    return [part for part in (part.strip() for part in cell.split(";")) if part]


def safe_address(text: str) -> str:
    """Return an address that can be a link: http or https alone, so that no text of a table can run as a script."""
    text = text.strip()
    return text if ADDRESS.fullmatch(text) else ""


def linked(text: str) -> Pieces:
    """Return a text with its addresses as links."""
    pieces: list[Piece] = []
    end = 0
    for match in ADDRESS.finditer(text):
        address = match.group().rstrip(".,;:)")
        pieces += [text[end : match.start()], Link(address, address)]
        end = match.start() + len(address)
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def registered(number: str) -> Pieces:
    """Return a registry's number, as a link to the registry where it is one of ClinicalTrials.gov."""
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
    """Return where a source is: its own address, else by its DOI or its number in PubMed."""
    if url := safe_address(cells.get("url", "")):
        return url
    if BARE_DOI.fullmatch(doi := cells.get("doi", "")):
        return safe_address(f"https://doi.org/{doi}")
    pmid = cells.get("pmid", "")
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid.isascii() and pmid.isdigit() else ""
