"""WordprocessingML of paragraphs, runs, fields, links and formulas (ECMA-376, part 1)."""

from xml.etree import ElementTree as ET

from alkbayes.text.xml import xml_text

OF_TWIPS = 1440 / 25.4
"""Twentieths of a point in a millimetre, the unit of lengths in tables and pages."""


def twips(mm: float) -> int:
    """Return a length in mm in twentieths of a point."""
    return round(mm * OF_TWIPS)


def run(text: str, style: str = "") -> str:
    """Return text in one character style; line breaks stay."""
    named = f'<w:rPr><w:rStyle w:val="{style}"/></w:rPr>' if style else ""
    lines = '</w:t><w:br/><w:t xml:space="preserve">'.join(xml_text(text).split("\n"))
    return f'<w:r>{named}<w:t xml:space="preserve">{lines}</w:t></w:r>'


def paragraph(content: str, style: str = "", properties: str = "") -> str:
    """Return a paragraph of runs; `properties` in the order of the schema, after the style."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{properties}</w:pPr>{content}</w:p>"


def field(instruction: str, shown: str) -> str:
    """Return a field, which Word updates, with what it shows until then."""
    return f'<w:fldSimple w:instr=" {instruction} ">{run(shown)}</w:fldSimple>'


def link(relation: str, text: str, style: str) -> str:
    """Return linked text; `relation` is the id of the part's relation to the address."""
    return f'<w:hyperlink r:id="{relation}" w:history="1">{run(text, style)}</w:hyperlink>'


def formula(mathml: str) -> str:
    """Return a line of a model's definition, of the MathML elements that the report uses, as Office Math."""
    return f"<m:oMathPara><m:oMath>{_math_inside(ET.fromstring(mathml))}</m:oMath></m:oMathPara>"  # noqa: S314 - our own


def _math(element: ET.Element) -> str:
    parts = list(element)
    match element.tag:
        case "mrow":
            return _math_inside(element)
        case "msub":
            return f"<m:sSub><m:e>{_math(parts[0])}</m:e><m:sub>{_math(parts[1])}</m:sub></m:sSub>"
        case "msup":
            return f"<m:sSup><m:e>{_math(parts[0])}</m:e><m:sup>{_math(parts[1])}</m:sup></m:sSup>"
        case "mfrac":
            return f"<m:f><m:num>{_math(parts[0])}</m:num><m:den>{_math(parts[1])}</m:den></m:f>"
        case "mi" | "mn" | "mo" | "mtext":
            words = element.tag == "mtext" or (element.tag == "mi" and len(element.text or "") > 1)
            upright = "<m:rPr><m:nor/></m:rPr>" if words else ""
            return f'<m:r>{upright}<m:t xml:space="preserve">{xml_text(element.text or "")}</m:t></m:r>'
    raise TypeError(f"an element of MathML that Word's formulas have no form for: {element.tag}")


def _math_inside(element: ET.Element) -> str:
    return "".join(map(_math, element))
