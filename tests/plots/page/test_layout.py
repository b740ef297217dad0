"""Pages in mm: text that fits, keys, and a style that leaves the user's own settings alone."""

import itertools
import math
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontEntry, fontManager

from alkbayes.plots.page.layout import (
    ELLIPSIS,
    MM,
    chunks,
    fitted,
    foot_lines,
    key_line,
    key_rows,
    log_ticks,
    new_page,
    percent_axis,
    place_axes,
    text_mm,
    wrapped,
    write,
    write_foot,
    write_head,
    write_key,
)
from alkbayes.plots.page.style import FONT, Caption, styled
from alkbayes.text.wording import percent, percent_interval, signed


@pytest.mark.parametrize("bold", [True, False])
def test_the_width_of_text_is_what_is_drawn(bold: bool) -> None:
    @styled
    def drawn() -> float:
        figure = new_page(85, 40)
        text = write(figure, 5, 5, "alesia-crizotinib (k = 5)", fontsize=6, weight="bold" if bold else "normal")
        renderer = FigureCanvasAgg(figure).get_renderer()
        return text.get_window_extent(renderer).width / figure.dpi / MM

    # A canvas rounds each letter's advance to pixels of 1/300 inch.
    assert text_mm("alesia-crizotinib (k = 5)", 6, bold=bold) == pytest.approx(drawn(), rel=0.02)


@pytest.mark.parametrize("state", ["another font of that name first", "listed anew"])
def test_the_fonts_of_the_machine_change_no_width(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A font called DejaVu Sans that is no such font, or a list without the pinned one: text is as wide as ever."""

    @styled
    def drawn() -> float:
        figure = new_page(85, 40)
        text = write(figure, 5, 5, "alesia-crizotinib (k = 5)", fontsize=6)
        return float(text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width)

    text_mm.cache_clear()
    usual = drawn(), text_mm("alesia-crizotinib (k = 5)", 6)
    others = [entry for entry in fontManager.ttflist if entry.name != FONT]
    if state != "listed anew":
        mono = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
        others.insert(0, FontEntry(fname=str(mono), name="DejaVu Sans", weight=400, stretch="normal", size="scalable"))
    monkeypatch.setattr(fontManager, "ttflist", others)
    fontManager._findfont_cached.cache_clear()
    text_mm.cache_clear()
    assert (drawn(), text_mm("alesia-crizotinib (k = 5)", 6)) == usual
    fontManager._findfont_cached.cache_clear()


@pytest.mark.parametrize(
    "name", ["short", "a-trial-with-a-long-name-and-an-arm", "x" * 500, "a\nb", "", "WWWWWWWWWWWW"]
)
def test_a_name_is_cut_in_its_middle_to_what_fits(name: str) -> None:
    text = fitted(name, 20.0, 6)
    assert text_mm(text, 6) <= 20.0
    if ELLIPSIS in text and len(name) < 100:
        start, end = text.split(ELLIPSIS)
        assert name.startswith(start)
        assert name.endswith(end)
        assert abs(len(start) - len(end)) <= 1
    else:
        assert len(name) >= 100 or text == name.replace("\n", r"\n")


def test_text_is_wrapped_at_words() -> None:
    lines = wrapped("The bundled table is a reconstruction of the published review's", 30.0, 6)
    assert " ".join(lines) == "The bundled table is a reconstruction of the published review's"
    assert len(lines) > 1
    assert all(text_mm(line, 6) <= 30.0 for line in lines)
    assert wrapped("", 30.0) == []


def test_very_many_notes_leave_room_for_the_figure() -> None:
    assert foot_lines(["one", "two"], 85) == ["one", "two"]
    lines = foot_lines([f"note {number}" for number in range(300)], 85)
    assert len(lines) == 16
    assert lines[0] == "note 0"
    assert lines[-1].startswith("… and more")
    assert wrapped("a\x1b[31m", 80.0) == [r"a\x1b[31m"]


@pytest.mark.parametrize(("count", "most", "expected"), [(0, 5, [0]), (5, 5, [5]), (6, 5, [3, 3]), (11, 5, [4, 4, 3])])
def test_pages_are_evenly_filled(count: int, most: int, expected: list[int]) -> None:
    pages = chunks(list(range(count)), most)
    assert [len(page) for page in pages] == expected
    assert list(itertools.chain(*pages)) == list(range(count))


def test_a_key_goes_on_to_a_further_row() -> None:
    assert key_rows(["a", "b"], 80.0) == [[0, 1]]
    assert key_rows(["a" * 60, "b" * 60], 80.0) == [[0], [1]]


def test_a_page_has_its_parts_where_they_do_not_meet(see) -> None:
    @styled
    def page():
        figure = new_page(85, 60)
        caption = Caption(("A note that is long enough to be wrapped on a page of one column, " * 2,), "NOT CONVERGED")
        write_head(figure, "Title", caption, ("under it",))
        percent_axis(place_axes(figure, 10, 18, 60, 15))
        write_key(figure, 2, 42, 80, [(key_line(), "one"), (key_line(marker="o"), "two")])
        write_foot(figure, foot_lines(caption.notes, 85))
        return figure

    seen = see(page())
    assert {"Title", "under it", "NOT CONVERGED", "one", "two", "0", "100"} <= set(seen.words)
    assert seen.overlaps() == []
    assert seen.outside() == []
    (axes,) = seen.figure.axes
    assert axes.get_position().extents * [85, 60, 85, 60] == pytest.approx([10, 27, 70, 42])


def test_the_style_neither_takes_nor_leaves_settings() -> None:
    @styled
    def size() -> tuple[float, bool]:
        return mpl.rcParams["font.size"], mpl.rcParams["axes.grid"]

    with mpl.rc_context({"font.size": 33, "axes.grid": True}):
        assert size() == (6.0, False)
        assert mpl.rcParams["font.size"] == 33


def test_numbers_for_a_reader() -> None:
    assert percent(0.125) == "12.5"
    assert percent(float("nan")) == "–"
    assert percent_interval(0.1, 0.2) == "10.0–20.0"
    assert percent_interval(float("nan"), 0.2) == "–"
    assert [signed(value) for value in (-1.25, 0.04, -0.04, 3.0)] == ["−1.2", "0.0", "0.0", "+3.0"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.3, 4.0, [0.5, 1, 2]),
        (0.02, 77, [0.03, 0.1, 0.3, 1, 3, 10, 30]),
        (1e-5, 1e5, [1e-4, 1e-2, 1, 100, 1e4]),
    ],
)
def test_ticks_of_a_log_axis_are_round_and_stand_apart(low: float, high: float, ticks: list[float]) -> None:
    found = log_ticks(low, high, 40.0)
    assert found == ticks
    for left, right in itertools.pairwise(found):
        apart = 40.0 * math.log(right / left) / math.log(high / low)
        assert apart > (text_mm(f"{left:g}") + text_mm(f"{right:g}")) / 2
