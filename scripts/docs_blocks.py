"""Run the commands that pages show with their output, and bring the output up to date: `make blocks`.

A block in a fence `console` or `text` that begins with `$ alkbayes` is a command and what it prints. A line `…` stands
for lines left out. tests/docs/test_blocks.py holds every block to what its command prints; that of a run that takes
more than `fit` to make, `runs/funnel`, is held where the run is made, in tests/broken.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import split

from typer.testing import CliRunner

from alkbayes.cli import app

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```(console|text|csv|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"^`([\w.-]+\.(?:csv|toml))`", re.MULTILINE)
RUNS = {
    "runs/line-generation": ("line-generation", "--engine", "quadrature"),
    "runs/line": ("line", "--engine", "quadrature"),
    "runs/overall": ("overall", "--engine", "quadrature"),
    "runs/sequence": ("sequence", "--engine", "quadrature"),
    "runs/nuts": ("line-generation",),
}
"""Arguments of `fit` for the runs that pages name."""
FUNNEL = "runs/funnel"
RECORDS = {"start-a-review": ROOT / "tests" / "fixtures" / "registry" / "ros1.jsonl"}
"""Files of the tests that the commands of a page read."""
ELSEWHERE = {"pfs", "resistance"}
"""Commands whose blocks are held by tests of their own, in tests/cli/analyses."""
NARROW, WIDE = 80, 100
"""Columns of a terminal."""


PARTS = {"sensitivity": ("sensitivity", "runs/line-generation")}
"""Commands of pages that show parts of one output in several blocks `text`, without the command above them."""


FIGURES = {"predict": ROOT / "docs" / "figures" / "predict.svg"}
"""Figures of pages, which the command of the page's first block draws with `--plot`, for its first size alone."""


@dataclass(frozen=True)
class Block:
    """A command with the output shown, and where the output stands in its page."""

    page: Path
    start: int
    end: int
    words: tuple[str, ...]
    output: str

    @property
    def columns(self) -> int:
        """Width of the terminal that it was printed to; a table may be two columns wider than a narrow one."""
        return WIDE if max(map(len, self.output.splitlines()), default=0) > NARROW + 2 else NARROW

    @property
    def name(self) -> str:
        """Page and command."""
        return f"{self.page.stem}: {' '.join(self.words)}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that show a call of the program."""
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        body = fence[2]
        if not body.startswith("$ alkbayes "):
            continue
        (command,) = re.findall(r"\A\$ (?:.*\\\n)*.*\n", body)
        words = split(command.removeprefix("$ alkbayes ").replace("\\\n", " "))
        if FUNNEL in words or words[0] in ELSEWHERE or words[0].startswith("-"):
            continue
        yield Block(page, fence.start(2) + len(command), fence.end(2), tuple(words), body[len(command) :])


def parts(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that show parts of the output of one command."""
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        if fence[1] == "text" and not fence[2].startswith("$"):
            yield Block(page, fence.start(2), fence.end(2), PARTS[page.stem], fence[2])


def place_of(page: Path, folder: Path) -> Path:
    """Return a page's own folder in another, in which its commands run: with its files, and the runs of all pages."""
    place = folder / page.stem
    if not place.exists():
        (folder / "runs").mkdir(exist_ok=True)
        place.mkdir()
        (place / "runs").symlink_to(folder / "runs")
        _write_files(page, place)
    return place


def _write_files(page: Path, place: Path) -> None:
    """Write the tables and models that a page gives, each named by the paragraph before it: a name in backticks."""
    if page.stem in RECORDS:
        shutil.copy(RECORDS[page.stem], place)
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        named = SAVED.findall(text[: fence.start()])
        if fence[1] in {"csv", "toml"} and named and named[-1].endswith(fence[1]):
            (place / named[-1]).write_text(fence[2], encoding="utf-8")


def make_run(name: str, folder: Path) -> None:
    """Make one of the runs that pages name, if it is not there yet."""
    if not (folder / name).exists():
        done = CliRunner().invoke(app, ["fit", *RUNS[name], "--out", str(folder / name)])
        if done.exit_code:
            raise RuntimeError(f"{name}: {done.output}")


def printed(block: Block, folder: Path) -> str:
    """Return what the command of a block prints in a folder, after making the runs that it names."""
    for word in block.words:
        if word in RUNS:
            make_run(word, folder)
    place = place_of(block.page, folder)
    if "--out" in block.words:
        # Several pages write to a folder of one name.
        shutil.rmtree(place / block.words[block.words.index("--out") + 1], ignore_errors=True)
    terminal = {"COLUMNS": str(block.columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
    with chdir(place):
        done = CliRunner(env=terminal).invoke(app, block.words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    if not done.stdout:
        raise RuntimeError(f"{block.name}: {done.stderr}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def excerpt(shown: str, output: str) -> str | None:
    """Return what an output has in the place of the lines shown of it, with the same lines left out.

    Each stretch of lines begins and ends with lines that have the same words, whatever their numbers, and is about as
    long as it was; None where the output has no such lines, so that the page is to be looked at.
    """
    lines, found, where = output.splitlines(), list[str](), 0
    for stretch in re.split(r"^( *…)\n", shown, flags=re.MULTILINE):
        if stretch.strip() == "…":
            found.append(stretch)
            continue
        ends = [words(line) for line in stretch.splitlines() if line.strip()]
        if not ends:
            continue
        first = next((at for at in range(where, len(lines)) if words(lines[at]) == ends[0]), None)
        if first is None:
            return None
        there = [at for at in range(first, len(lines)) if words(lines[at]) == ends[-1]]
        if not there:
            return None
        usual = first + len(stretch.splitlines()) - 1
        _, last = min((abs(at - usual), at) for at in there)
        found += lines[first : last + 1]
        where = last + 1
    return "".join(f"{line}\n" for line in found)


def words(line: str) -> list[str]:
    """Return the words of a line with a sign for each number."""
    return re.sub(r"\d+(?:[.,]\d+)*", "#", line).split()


def main(wanted: list[str]) -> None:
    """Rewrite the output of every block, or of those in pages with these names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for page in PAGES:
            if wanted and page.stem not in wanted:
                continue
            # From the last to the first, so that positions stay right; the commands in the order of the page.
            whole = [(block, printed(block, folder)) for block in blocks(page)]
            shown = [(block, excerpt(block.output, out) if "…" in block.output else out) for block, out in whole]
            if several := list(parts(page)) if page.stem in PARTS else []:
                output = printed(several[0], folder)
                shown += [(block, excerpt(block.output, output)) for block in several]
                shown.sort(key=lambda pair: pair[0].start)
            text = page.read_text(encoding="utf-8")
            for block, now in reversed(shown):
                if now is None:
                    print(f"{block.name}: bring up to date by hand")
                    continue
                print(f"{block.name}: {'as shown' if now == block.output else 'changed'}")
                text = text[: block.start] + now + text[block.end :]
            page.write_text(text, encoding="utf-8")
            if figure := FIGURES.get(page.stem):
                figure.unlink(missing_ok=True)
                first, _ = shown[0]
                size = first.words.index("--n")
                words = [
                    word
                    for at, word in enumerate(first.words)
                    if at < size + 2 or "--n" not in first.words[at - 1 : at + 1]
                ]
                printed(replace(first, words=(*words, "--plot", str(figure))), folder)


if __name__ == "__main__":
    main(sys.argv[1:])
