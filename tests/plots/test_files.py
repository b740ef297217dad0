"""Figures as files: valid, whole, with text that is text, and over nothing that is there."""

import re
import struct
import zlib
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from alkbayes.errors import UsageError
from alkbayes.plots.figures.forest import forest
from alkbayes.plots.files import figure_format, paths_of, save_figures
from alkbayes.plots.page.style import DPI


@pytest.fixture
def pages(tables_of, hostile) -> list[Figure]:
    return forest(*tables_of(9, names=hostile))


def test_a_png_is_as_wide_as_the_column(pages, tmp_path: Path) -> None:
    (file,) = save_figures(pages, tmp_path / "f.png")
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    inches = pages[0].get_size_inches()
    # Whole pixels: what is left of the last one is cut.
    assert (width, height) == (int(inches[0] * DPI), int(inches[1] * DPI))
    assert width == int(180 / 25.4 * 300)


def test_an_svg_has_the_names_as_text(pages, tmp_path: Path, hostile) -> None:
    import xml.etree.ElementTree as ET

    (file,) = save_figures(pages, tmp_path / "f.svg")
    root = ET.parse(file).getroot()  # noqa: S314
    assert root.attrib["width"] == f"{180 / 25.4 * 72:g}pt"[:4] + root.attrib["width"][4:]
    texts = {"".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(hostile[:4]) <= texts
    assert "All cohorts" in texts
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    assert "image" not in tags


def test_a_pdf_embeds_type_42_fonts(pages, tmp_path: Path) -> None:
    (file,) = save_figures(pages, tmp_path / "f.pdf")
    content = file.read_bytes()
    assert content.startswith(b"%PDF-")
    streams = [inflated(piece) for piece in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)]
    everything = content + b"".join(streams)
    assert b"/FontFile2" in everything
    assert b"/Type3" not in everything
    assert b"DejaVuSans" in everything


def inflated(piece: bytes) -> bytes:
    try:
        return zlib.decompress(piece)
    except zlib.error:
        return b""


def test_several_pages_are_one_pdf_or_numbered_files(tables_of, tmp_path: Path) -> None:
    pages = forest(*tables_of(100))
    assert len(pages) == 2
    (file,) = save_figures(pages, tmp_path / "f.pdf")
    assert len(re.findall(rb"/Type /Page\b", file.read_bytes())) == 2
    files = save_figures(pages, tmp_path / "f.svg")
    assert [path.name for path in files] == ["f-1.svg", "f-2.svg"]
    assert all(path.stat().st_size > 1000 for path in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f-1.svg", "f-2.svg", "f.pdf"]


@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_the_same_figure_has_the_same_bytes(tables_of, tmp_path: Path, ending: str) -> None:
    files = [save_figures(forest(*tables_of(3)), tmp_path / f"{name}.{ending}")[0] for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_is_overwritten(tables_of, tmp_path: Path) -> None:
    path = tmp_path / "f.png"
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"f\.png: is there already; nothing is overwritten"):
        save_figures(forest(*tables_of(2)), path)
    assert path.read_text() == "mine"
    (tmp_path / "g-2.svg").write_text("mine")
    with pytest.raises(UsageError, match=r"g-2\.svg"):
        save_figures(forest(*tables_of(100)), tmp_path / "g.svg")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["f.png", "g-2.svg"]


def test_a_figure_that_cannot_be_drawn_leaves_nothing(tables_of, tmp_path: Path) -> None:
    pages = forest(*tables_of(2))

    def break_down(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    pages[0].savefig = break_down  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=r"cannot be written: No space left on device"):
        save_figures(pages, tmp_path / "f.png")
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_user_change_nothing(tables_of, tmp_path: Path) -> None:
    plain = save_figures(forest(*tables_of(2)), tmp_path / "a.svg")[0].read_bytes()
    with mpl.rc_context(
        {"svg.fonttype": "path", "font.family": "serif", "savefig.bbox": "tight", "text.usetex": False}
    ):
        assert save_figures(forest(*tables_of(2)), tmp_path / "b.svg")[0].read_bytes() == plain


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [(None, None, "png"), (None, "pdf", "pdf"), (Path("a.SVG"), None, "svg"), (Path("a.pdf"), "pdf", "pdf")],
)
def test_the_format_is_asked_for_or_in_the_name(path: Path | None, asked: str | None, expected: str) -> None:
    assert figure_format(path, asked) == expected


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        (None, "gif", "format: found 'gif'; allowed: png, svg, pdf"),
        (Path("a.gif"), None, r"must end in \.png, \.svg, \.pdf"),
        (Path("a"), "png", r"must end in"),
        (Path("a.png"), "pdf", r"a\.png ends in \.png, and the format asked for is pdf"),
    ],
)
def test_other_formats_are_refused(path: Path | None, asked: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        figure_format(path, asked)


def test_pages_are_numbered_but_in_a_pdf() -> None:
    assert paths_of(Path("a/f.png"), 1) == [Path("a/f.png")]
    assert paths_of(Path("a/f.pdf"), 3) == [Path("a/f.pdf")]
    assert paths_of(Path("a/f.svg"), 2) == [Path("a/f-1.svg"), Path("a/f-2.svg")]
