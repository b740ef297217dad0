"""Pages show what the program prints: the command of every block is run, and its output compared with the page.

Output of the counts alone is the same everywhere. Draws differ between kinds of processor, so of commands that draw,
words are held exactly, and numbers within the Monte Carlo error that their decimals stand for.
"""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
EXACT = {"evidence", "pool", "subgroups", "regress", "influence", "small-study", "audit", "models", "registry"}
"""Commands that draw nothing."""
OF_CHAINS = {"runs/nuts"}
"""Runs of chains: which parameter has the fewest effective draws is chance, and a verdict names it."""
ERRORS = 17
"""Units of the last digit that two draws of a number may lie apart: a digit is printed where its Monte Carlo error is
below 2.9 units of it (docs/how-to/diagnose.md), two numbers differ by less than 4 sqrt(2) of these, both rounded."""
SLOW = {"fit", "diagnose", "predictive", "outliers", "compare", "sensitivity", "predict", "sequence", "intracranial"}
"""Commands that draw; `make blocks` writes their pages anew."""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_blocks", ROOT / "scripts" / "docs_blocks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DOCS = script()
BLOCKS = [block for page in DOCS.PAGES for block in DOCS.blocks(page)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are run; the runs that pages name are made there once."""
    return tmp_path_factory.mktemp("pages")


def test_there_are_blocks_of_most_commands() -> None:
    assert {block.words[0] for block in BLOCKS} >= {
        "audit",
        "compare",
        "diagnose",
        "fit",
        "outliers",
        "predict",
        "subgroups",
    }


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, marks=[pytest.mark.slow] * (block.words[0] in SLOW), id=block.name) for block in BLOCKS],
)
def test_a_page_shows_what_its_command_prints(block: object, folder: Path) -> None:
    agree(block, DOCS.printed(block, folder))  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("stem", DOCS.PARTS)
def test_a_page_shows_parts_of_what_its_command_prints(stem: str, folder: Path) -> None:
    (page,) = (page for page in DOCS.PAGES if page.stem == stem)
    # The tables: which sentences follow from them, and where these are wrapped, hangs on the last digits.
    blocks = [block for block in DOCS.parts(page) if "─" in block.output]
    assert blocks
    output = DOCS.printed(blocks[0], folder)
    for block in blocks:
        agree(block, output, part=True)


def test_an_excerpt_has_the_new_numbers_of_the_lines_that_it_had() -> None:
    output = "title\n\n a   12   3.4\n b    9   5.0\n c    1   0.1\nnote\nend 7\n"
    assert (
        DOCS.excerpt(" a   11   3.3\n b   10   5.1\n…\nend 6\n", output) == " a   12   3.4\n b    9   5.0\n…\nend 7\n"
    )
    assert DOCS.excerpt("title\n\n a 1 2\n", output) == "title\n\n a   12   3.4\n"
    assert DOCS.excerpt(" a   11   3.3\n d    2   2.0\n", output) is None


def agree(block: object, output: str, *, part: bool = False) -> None:
    shown, printed = block.output.splitlines(), output.splitlines()  # type: ignore[attr-defined]
    words = block.words  # type: ignore[attr-defined]
    if words[0] in EXACT:
        assert shown == printed, "run `make blocks`"
        return
    if OF_CHAINS & set(words):
        shown, printed = verdicts(shown), verdicts(printed)
        assert shown == printed, "run `make blocks`"
        return
    left_out = part or "…" in block.output  # type: ignore[attr-defined]
    where = 0
    for line in shown:
        if line.strip() == "…":
            continue
        place = next((at for at in range(where, len(printed)) if masked(printed[at]) == masked(line)), None)
        assert place is not None, f"not printed any more, run `make blocks`: {line}"
        assert left_out or place == where, f"not shown, run `make blocks`: {printed[where]}"
        assert close(line, printed[place]), f"{line}\n{printed[place]}"
        where = place + 1
    assert left_out or where == len(printed), f"not shown, run `make blocks`: {printed[where]}"


def verdicts(lines: list[str]) -> list[list[str]]:
    """Return the diagnostics of `diagnose` with their verdicts."""
    return [found for line in lines if (found := re.findall(r"^ (\S.*?) {2,}(passed|failed|attention)\b", line))]


def masked(line: str) -> list[str]:
    """Return the words of a line with a sign for each number; a share below one in a hundred is a number too."""
    return NUMBER.sub("#", line.replace("< 0.001", "0.001").replace("< 1 %", "1 %")).replace("─", "").split()


def close(shown: str, printed: str) -> bool:
    """Tell whether the numbers of two lines differ by no more than draws do."""
    if re.search(r"Posterior:|Pareto|ESS|duplicates|Finer nodes|p = ", shown):
        return True
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(_within(*pair) for pair in pairs)


def _within(shown: str, printed: str) -> bool:
    decimals = min(len(number.partition(".")[2]) for number in (shown, printed))
    values = [float(number.replace(",", "")) for number in (shown, printed)]
    return abs(values[0] - values[1]) <= ERRORS * 10.0**-decimals


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("mean 60.8 (57.3–64.2)", "mean 61.0 (57.1–64.4)", True),
        ("mean 60.8 (57.3–64.2)", "mean 64.0 (57.1–64.4)", False),
        ("tau 0.60", "tau 0.90", False),
    ],
)
def test_numbers_are_compared_within_their_error(shown: str, printed: str, same: bool) -> None:
    assert masked(shown) == masked(printed)
    assert close(shown, printed) is same
