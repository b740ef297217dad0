import pytest

from alkbayes.registry.cleaning import LONGEST, clean, clean_lines


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        # Trap 26: the escapes that the registry's texts have.
        (r"Age \>= 18 and \< 75", "Age >= 18 and < 75"),
        ("a &amp; b &lt; c", "a & b < c"),
        ("mL&#x2F;min&#x2F;1.73m^2", "mL/min/1.73m^2"),
        ("&amp;lt;b&amp;gt;", ""),
        ("non\u00a0breaking", "non breaking"),
        ("zero\u200bwidth\u00adsoft", "zerowidthsoft"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("bell\x07 and \x1b[31mred\x1b[0m", "bell and [31mred [0m"),
        ("line\nend\r\ttab", "line end tab"),
        ("mg/m²", "mg/m²"),
        ("<script>alert(1)</script><b>x</b>", "alert(1) x"),
        ("PD-L1 expression < 5% and > 1%", "PD-L1 expression < 5% and > 1%"),
        ("naïve", "naïve"),
    ],
)
def test_a_text_is_plain_on_one_line(text: str, plain: str) -> None:
    assert clean(text) == plain
    assert clean(plain) == plain, "a clean text stays as it is"


def test_a_text_without_end_is_cut() -> None:
    assert len(clean("a" * (2 * LONGEST))) == LONGEST


def test_lines_are_kept_apart() -> None:
    assert clean_lines("Inclusion:\n\n * a\u2028 * b\r\n\u200b\n") == ("Inclusion:", "* a", "* b")
