"""The report for Word, as python-docx and plain XML read it: styles, cells, captions, figures, and hostile texts."""

import io
import struct
import zipfile
from datetime import datetime
from types import SimpleNamespace

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from alkbayes.evidence.table import cohort_labels
from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.blocks import Fold, Forest, Paragraph, Report, Section, Table
from alkbayes.reporting.word.document import docx_of
from alkbayes.reporting.word.tables import LANDSCAPE_MM, PORTRAIT_MM, layout
from alkbayes.text.wording import percent

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
EMU_OF_INCH = 914_400
TITLED = "Every cohort, observed and given all cohorts, %"


@pytest.fixture(scope="module")
def content(report: Report) -> bytes:
    return docx_of(report)


@pytest.fixture(scope="module")
def document(content: bytes) -> Document:
    return docx.Document(io.BytesIO(content))


def reader_tables(blocks) -> list[ReaderTable]:
    found = []
    for block in blocks:
        match block:
            case Table():
                found.append(block.table)
            case Forest():
                found.append(block.table)
            case Fold():
                found += reader_tables(block.blocks)
    return found


def cells_of(table) -> list[tuple[str, ...]]:
    """Texts of the cells; through python-docx's own cells it would take minutes."""
    rows = table._tbl.iter(qn("w:tr"))
    return [tuple("\n".join(map(text_of, cell.iter(qn("w:r")))) for cell in row.iter(qn("w:tc"))) for row in rows]


def text_of(run) -> str:
    return "".join("\n" if node.tag == qn("w:br") else node.text or "" for node in run if node.tag != qn("w:rPr"))


def captions(document: Document, kind: str) -> list[str]:
    texts = ["".join(node.text or "" for node in p._p.iter(qn("w:t"))) for p in document.paragraphs if is_caption(p)]
    return [text for text in texts if text.startswith(kind)]


def is_caption(paragraph) -> bool:
    return paragraph.style.name == "Caption"


def test_sections_are_headings_that_a_template_can_restyle(document: Document, report: Report) -> None:
    headings = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert headings == ["Key results", *(section.title for section in report.sections)]
    assert document.paragraphs[0].style.name == "Title"
    assert document.paragraphs[0].text == report.title
    own = {style.name for style in document.styles if not style.builtin}
    used = {p.style.name for p in document.paragraphs}
    assert used & own <= {"Table Note", "macro"}, "but for notes, styles are Word's own"


def test_every_cell_is_that_of_the_reader_s_table(document: Document, report: Report) -> None:
    expected = [table for section in report.sections for table in reader_tables(section.blocks)]
    shown = [table for table in document.tables if table._tbl.tblPr.find(qn("w:tblLook")).get(qn("w:firstRow")) == "1"]
    assert len(shown) == len(expected) > 15
    for table, reader in zip(shown, expected, strict=True):
        rows = [reader.headings, *reader.rows]
        assert cells_of(table) == [tuple(cell.strip() for cell in row) for row in rows]
        assert table.style.name == "Light Shading"
        assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None, "repeated on every page"


def test_cells_are_the_numbers_of_the_run(document: Document, run: SimpleNamespace) -> None:
    table = next(table for table in document.tables if "next cohort" in cells_of(table)[0])
    found = {row[0]: row for row in cells_of(table)}
    for estimand, place in (("typical", 5), ("mean", 6)):
        (row,) = [
            each for each in run.results.document["pooled"] if (each["group"], each["estimand"]) == ("all", estimand)
        ]
        middle, interval = found["overall"][place].split("\n")
        assert float(middle) == pytest.approx(100 * row["median"], abs=0.51)
        low, high = map(float, interval.split("–"))
        assert (low, high) == pytest.approx((100 * row["low"], 100 * row["high"]), abs=0.51)


def test_cohorts_are_those_of_the_run(document: Document, run: SimpleNamespace) -> None:
    (table,) = [
        table for table in document.tables if cells_of(table)[0][0] == "cohort" and "weight, %" in cells_of(table)[0]
    ]
    shown = {row[0]: row for row in cells_of(table)}
    called = cohort_labels(run.fit.evidence.frame)
    for row in run.results.cohorts.to_dict("records"):
        cells = shown[called[row["cohort_id"]]]
        assert f"{row['responders']:,}/{row['n']:,}" in cells
        assert any(cell.startswith(f"{percent(row['observed'])} (") for cell in cells)


@pytest.mark.parametrize("kind", ["Table", "Figure"])
def test_captions_are_numbered_by_fields(document: Document, kind: str) -> None:
    found = captions(document, kind)
    assert [text.split(". ")[0] for text in found] == [f"{kind} {number}" for number in range(1, len(found) + 1)]
    assert len(found) > 8
    fields = [
        node.get(qn("w:instr")) for p in document.paragraphs if is_caption(p) for node in p._p.iter(qn("w:fldSimple"))
    ]
    assert sum(f"SEQ {kind} " in each for each in fields) == len(found)


def test_figures_have_300_dots_per_inch_where_they_are_printed_and_a_text_for_the_blind(document: Document) -> None:
    shapes = list(document.inline_shapes)
    assert len(shapes) == len(captions(document, "Figure"))
    for shape in shapes:
        relation = shape._inline.graphic.graphicData.pic.blipFill.blip.embed
        blob = document.part.related_parts[relation].blob
        assert blob.startswith(b"\x89PNG")
        pixels = struct.unpack(">I", blob[16:20])[0]
        assert pixels / (shape.width / EMU_OF_INCH) >= 299
        assert shape.width / EMU_OF_INCH * 25.4 <= PORTRAIT_MM + 0.1
        assert len(shape._inline.docPr.get("descr")) > 30
    assert any("Every cohort with its observed" in shape._inline.docPr.get("descr") for shape in shapes), "the forest"


def test_no_table_runs_off_its_page(document: Document, report: Report) -> None:
    tables = [table for section in report.sections for table in reader_tables(section.blocks)]
    for table in tables:
        placed = layout(table)
        assert sum(placed.widths) <= (LANDSCAPE_MM if placed.landscape else PORTRAIT_MM) + 0.01
    assert [table.title for table in tables if layout(table).landscape] == [TITLED]
    assert [section.orientation for section in document.sections] == [0, 1, 0]
    assert {round(section.page_width.mm) for section in document.sections} == {210, 297}


def test_words_give_way_before_numbers_do() -> None:
    table = ReaderTable("t", ("", "number", "words"), ((f"{'name ' * 20}", "1,234,567.8", "word " * 80),), words=(2,))
    name, number, words = layout(table).widths
    assert name + number + words == pytest.approx(PORTRAIT_MM)
    assert number > 11 * 1.7
    assert words > name > 20


def test_formulas_are_formulas(document: Document, report: Report) -> None:
    lines = [list(p._p.iter(f"{MATH}t")) for p in document.paragraphs if p._p.find(f"{MATH}oMathPara") is not None]
    texts = ["".join(node.text for node in line) for line in lines]
    assert "logit(pi)=θi" in texts
    assert len(texts) >= 4


def test_sources_are_links(document: Document) -> None:
    targets = [relation.target_ref for relation in document.part.rels.values() if relation.is_external]
    assert len(targets) > 50
    assert all(target.startswith(("https://", "http://")) for target in targets)


def test_the_same_run_gives_the_same_bytes_with_the_time_of_the_run(content: bytes, report: Report) -> None:
    assert docx_of(report) == content
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    about = docx.Document(io.BytesIO(content)).core_properties
    assert about.created == about.modified == datetime.fromisoformat(report.written)
    assert (about.title, about.author, about.language) == (report.title, "alkbayes", "en-GB")


def test_hostile_texts_are_text(hostile_run: SimpleNamespace, hostile_names: tuple[str, ...]) -> None:
    document = docx.Document(io.BytesIO(docx_of(hostile_run.report)))
    cells = {cell for table in document.tables for row in cells_of(table) for cell in row}
    assert set(hostile_names) <= cells
    external = [relation.target_ref for relation in document.part.rels.values() if relation.is_external]
    assert not [target for target in external if not target.startswith("http")]


def test_characters_that_xml_refuses_are_shown_as_codes(report: Report) -> None:
    odd = ReaderTable("a\x00b", ("", "k\x1b"), (("bell\x07\ufffe\ud800", "1"),), notes=("n\x0b",))
    blocks = (Paragraph(("x\x01", "& <y>")), Table(odd, odd.notes))
    small = Report("t\x02", "s\x03", "", "", (), Paragraph(("o",)), (Section("a", "A\x04", blocks),), report.written)
    with zipfile.ZipFile(io.BytesIO(docx_of(small))) as file:
        text = "".join(parse_xml(file.read("word/document.xml")).itertext())
        parse_xml(file.read("docProps/core.xml"))
    for said in (r"a\x00b", r"k\x1b", r"bell\x07\ufffe\ud800", r"n\x0b", r"x\x01& <y>", r"t\x02", r"A\x04"):
        assert said in text
