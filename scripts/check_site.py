"""Check a built site: every internal link and anchor leads somewhere, and no page fetches anything from another host.

Sphinx checks the links that it resolves itself; this reads the pages as a browser does, generated parts included.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
"""Attributes that a browser follows without being asked, by element."""
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "copyright", "top"}
"""Kinds of `link` that it does not follow."""
IN_STYLE = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


class Page(HTMLParser):
    """Anchors, links and fetched addresses of a page, each with its line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[int, str]] = []
        self.fetched: list[tuple[int, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names, links to or fetches."""
        given = {name: value for name, value in attrs if value is not None}
        line = self.getpos()[0]
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append((line, given["href"]))
        kinds = set(given.get("rel", "").split())
        if tag == "link" and kinds & NOT_FETCHED:
            self.links.append((line, given["href"]))
        else:
            self.fetched += [(line, given[name]) for name in FETCHED.get(tag, ()) if name in given]
        self.fetched += [(line, address) for address in in_style(given.get("style", ""))]


def in_style(text: str) -> list[str]:
    """Return the addresses that a style fetches."""
    return [first or second for first, second in IN_STYLE.findall(text)]


def faults(site: Path) -> list[str]:
    """Return what is wrong with the site in this folder, each with its file and line."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in _pages(site)}
    found = []
    for path, page in pages.items():
        for line, address in page.fetched:
            found += [f"{path}:{line}: {fault}" for fault in _fetched(path, address)]
        for line, address in page.links:
            found += [f"{path}:{line}: {fault}" for fault in _linked(path, address, pages)]
    for path in sorted(site.rglob("*.css")):
        for address in in_style(path.read_text(encoding="utf-8")):
            found += [f"{path}: {fault}" for fault in _fetched(path, address)]
    return found


def _pages(site: Path) -> list[Path]:
    """Return the pages of a site, without the templates that a theme leaves among its scripts and styles."""
    return [path for path in sorted(site.rglob("*.html")) if path.relative_to(site).parts[0] != "_static"]


def _fetched(path: Path, address: str) -> list[str]:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.netloc:
        return [f"fetches {address} from another host"]
    return [] if _target(path, parts.path).is_file() else [f"fetches {address}, which is not there"]


def _linked(path: Path, address: str, pages: dict[Path, Page]) -> list[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return []
    target = _target(path, parts.path)
    if not target.is_file():
        return [f"links to {address}, which is not there"]
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return [f"links to {address}, which has no such anchor"]
    return []


def _target(path: Path, relative: str) -> Path:
    target = (path.parent / unquote(relative)).resolve() if relative else path
    return target / "index.html" if target.is_dir() else target


def main(folder: str) -> int:
    """Print the faults of a site and return how many there are, or 1 if there is no page."""
    site = Path(folder).resolve()
    found = faults(site)
    print(*found, sep="\n", end="\n" if found else "")
    pages = len(_pages(site))
    print(f"{folder}: {pages} pages, {len(found)} faults")
    return len(found) if pages else 1


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1]), 1))
