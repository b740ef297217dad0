"""Text in XML, which has no form for some characters."""

import re
from xml.sax.saxutils import escape

REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot have, escaped or not (https://www.w3.org/TR/xml/#charsets)."""


def legible(text: str) -> str:
    """Return a text with the characters that XML cannot have as codes, such as ``U+0007``."""
    return REFUSED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def xml_text(text: str) -> str:
    """Return a text as the content of an element, or of an attribute in double quotes."""
    return escape(legible(text), {'"': "&quot;"})
