"""Report as a Word document: built-in styles, tables and formulas of Word, figures for print with alternative texts."""

import io
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import singledispatch
from typing import TYPE_CHECKING

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor

from alkbayes.reporting.blocks import (
    Block,
    Bullets,
    Equation,
    Facts,
    Flow,
    Fold,
    Forest,
    Heading,
    Link,
    Listing,
    Paragraph,
    Picture,
    Pieces,
    Report,
    Table,
    Verbatim,
)
from alkbayes.reporting.pictures import png_of
from alkbayes.reporting.word import markup
from alkbayes.reporting.word.markup import paragraph, run, twips
from alkbayes.reporting.word.tables import facts_markup, layout, table_markup
from alkbayes.reporting.zips import zip_again
from alkbayes.text.xml import legible

if TYPE_CHECKING:
    from docx.document import Document

    from alkbayes.plots.files import Page
    from alkbayes.presentation.tables import ReaderTable

PAGE_MM, MARGIN_MM = (210.0, 297.0), 15.0
LANGUAGE = "en-GB"
NAMESPACES = (
    f'{nsdecls("w", "r", "wp", "a", "pic")} xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
TABLE_STYLE = "Light Shading"
TABLE_TEXT, TABLE_NOTE = "Table Text", "Table Note"
LINK, CODE = "Hyperlink", "HTML Code"


@dataclass(slots=True)
class Book:
    """A document being written: numbers of tables and figures, links and images."""

    document: "Document"
    below: str = ""
    depth: int = 2
    numbers: dict[str, int] = field(default_factory=lambda: {"Table": 0, "Figure": 0})

    def style(self, name: str) -> str:
        """Return the id of a style."""
        return str(self.document.styles[name].style_id)

    def caption(self, kind: str, title: str) -> str:
        """Return the next caption of a "Table" or "Figure"; Word counts them again when something is moved."""
        self.numbers[kind] += 1
        number = markup.field(f"SEQ {kind} \\* ARABIC", str(self.numbers[kind]))
        keep = "<w:keepNext/>" if kind == "Table" else ""
        return paragraph(f"{run(f'{kind} ')}{number}{run(f'. {title}')}", self.style("Caption"), keep)

    def linked(self, link: Link) -> str:
        """Return linked text; anchors are those of a page on a screen."""
        if link.url.startswith("#"):
            return run(link.text)
        relation = self.document.part.relate_to(legible(link.url), RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        return markup.link(relation, link.text, self.style(LINK))

    def image(self, page: "Page", description: str) -> str:
        """Return a figure's page at the width that it is drawn for, with its alternative text."""
        inline = self.document.part.new_pic_inline(io.BytesIO(png_of(page)), width=Mm(25.4 * page.get_figwidth()))
        inline.docPr.set("descr", legible(description))
        return f"<w:r><w:drawing>{inline.xml}</w:drawing></w:r>"

    def turned(self, *, landscape: bool) -> str:
        """Return a paragraph that ends a section of pages, upright or on their side."""
        section = deepcopy(self.document.element.body.sectPr)
        if landscape:
            size = section.find(qn("w:pgSz"))
            size.set(qn("w:w"), str(twips(PAGE_MM[1])))
            size.set(qn("w:h"), str(twips(PAGE_MM[0])))
            size.set(qn("w:orient"), "landscape")
        return paragraph("", self.style(TABLE_NOTE), str(section.xml))


def docx_of(report: Report) -> bytes:
    """Return a report as a Word document; the same report gives the same bytes.

    Headings, captions, lists and tables have Word's built-in styles, for a journal's template to restyle.
    """
    book = Book(_empty(report))
    document, body = book.document, book.document.element.body
    parts = [paragraph(run(report.title), book.style("Title")), paragraph(run(report.subtitle), book.style("Subtitle"))]
    parts += [
        paragraph(run(line, book.style("Strong")))
        for line in (report.warning, f"{report.remark}." if report.remark else "")
        if line
    ]
    parts.append(paragraph(run("Key results"), book.style("Heading 1")))
    parts += [
        paragraph(run(f"{topic}: ", book.style("Strong")) + run(told), book.style("List Bullet"))
        for topic, told in report.key_results
    ]
    parts += _parts(report.opening, book)
    for section in report.sections:
        book.below = section.title
        parts.append(paragraph(run(section.title), book.style("Heading 1")))
        for block in section.blocks:
            parts += _parts(block, book)
    for element in parse_xml(f"<w:body {NAMESPACES}>{''.join(parts)}</w:body>"):
        body.insert(len(body) - 1, element)
    content = io.BytesIO()
    document.save(content)
    return zip_again(content.getvalue())


def _empty(report: Report) -> "Document":
    """Return a document without content: its page, language, styles and properties."""
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = map(Mm, PAGE_MM)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(MARGIN_MM)
    section.footer_distance = Mm(MARGIN_MM / 2)
    section.footer.part.element.replace(
        section.footer.part.element[0],
        parse_xml(f'<w:p {NAMESPACES}><w:pPr><w:jc w:val="center"/></w:pPr>{markup.field("PAGE", "1")}</w:p>'),
    )
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), LANGUAGE)
    for name in (TABLE_TEXT, TABLE_NOTE):
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style, style.font.size = document.styles["Normal"], Pt(8)
        style.paragraph_format.space_before = Pt(0)
        style.paragraph_format.space_after = Pt(0 if name == TABLE_TEXT else 8)
    link = document.styles.add_style(LINK, WD_STYLE_TYPE.CHARACTER, builtin=True)
    link.font.color.rgb, link.font.underline = RGBColor(0x05, 0x63, 0xC1), True
    document.styles.add_style(CODE, WD_STYLE_TYPE.CHARACTER, builtin=True).font.name = "Courier New"
    about, written = document.core_properties, datetime.fromisoformat(report.written).astimezone(UTC)
    about.title, about.subject, about.author = legible(report.title), legible(report.subtitle), "alkbayes"
    about.comments, about.language = "", LANGUAGE
    about.created = about.modified = written.replace(tzinfo=None)
    return document


@singledispatch
def _parts(block: Block, _book: Book) -> Iterator[str]:
    """Yield the paragraphs and tables of a block."""
    raise TypeError(f"a block that Word does not know: {type(block).__name__}")


@_parts.register
def _paragraph(block: Paragraph, book: Book) -> Iterator[str]:
    yield paragraph(_runs(block.pieces, book, book.style("Strong") if block.strong else ""))


@_parts.register
def _heading(block: Heading, book: Book) -> Iterator[str]:
    book.below = block.text
    yield paragraph(run(block.text), book.style(f"Heading {book.depth}"))


@_parts.register
def _bullets(block: Bullets, book: Book) -> Iterator[str]:
    style = book.style("List Number" if block.numbered else "List Bullet")
    yield from (paragraph(_runs(item, book), style) for item in block.items)


@_parts.register
def _facts(block: Facts, book: Book) -> Iterator[str]:
    rows = [(name, _runs(value, book)) for name, value in block.rows]
    yield facts_markup(rows, style=book.style(TABLE_STYLE), text=book.style(TABLE_TEXT), strong=book.style("Strong"))
    yield paragraph("", book.style(TABLE_NOTE))


@_parts.register
def _flow(block: Flow, book: Book) -> Iterator[str]:
    for step, out in block.steps:
        yield paragraph(run(step), book.style("List Bullet"))
        yield from (paragraph(run(reason), book.style("List Bullet 2")) for reason in out)


@_parts.register
def _table(block: Table, book: Book) -> Iterator[str]:
    yield from _tabulated(block.table, block.notes, book)


@_parts.register
def _picture(block: Picture, book: Book) -> Iterator[str]:
    for number, page in enumerate(block.pages, start=1):
        which = f", page {number} of {len(block.pages)}" if len(block.pages) > 1 else ""
        image = book.image(page, f"{block.title}{which}. {block.description}")
        yield paragraph(image, properties="<w:keepNext/>")
        yield book.caption("Figure", f"{block.title}{which}.")


@_parts.register
def _equation(block: Equation, _book: Book) -> Iterator[str]:
    yield from (paragraph(markup.formula(line)) for line in block.mathml)


@_parts.register
def _listing(block: Listing, book: Book) -> Iterator[str]:
    yield paragraph(run(block.text.rstrip()), book.style("macro"))


@_parts.register
def _fold(block: Fold, book: Book) -> Iterator[str]:
    yield from _heading(Heading(block.title), book)
    book.depth += 1
    for inner in block.blocks:
        yield from _parts(inner, book)
    book.depth -= 1


@_parts.register
def _forest(block: Forest, book: Book) -> Iterator[str]:
    if block.printed is not None:
        yield from _parts(block.printed(), book)
    yield from _tabulated(block.table, block.table.notes, book)


def _tabulated(table: "ReaderTable", notes: tuple[str, ...], book: Book) -> Iterator[str]:
    """Yield a table with its caption and notes, on a page of its own on its side if it is too wide."""
    placed = layout(table)
    if placed.landscape:
        yield book.turned(landscape=False)
    yield book.caption("Table", f"{table.title or book.below}.")
    style, text, strong = (book.style(name) for name in (TABLE_STYLE, TABLE_TEXT, "Strong"))
    yield table_markup(table, placed.widths, style=style, text=text, strong=strong)
    yield paragraph(run(" ".join(notes)), book.style(TABLE_NOTE))
    if placed.landscape:
        yield book.turned(landscape=True)


def _runs(pieces: Pieces, book: Book, style: str = "") -> str:
    return "".join(_run(piece, book, style) for piece in pieces)


def _run(piece: str | Link | Verbatim, book: Book, style: str) -> str:
    match piece:
        case Link():
            return book.linked(piece)
        case Verbatim():
            return run(piece.text, book.style(CODE))
    return run(piece, style)
