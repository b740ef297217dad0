"""Tables as LaTeX: every name escaped, as booktabs has them, and compiled where there is a LaTeX."""

import shutil
import subprocess
from pathlib import Path

import pytest

from alkbayes.presentation.tables import ReaderTable
from alkbayes.reporting.renderers.latex import escaped, latex_of

PDFLATEX = shutil.which("pdflatex")
HOSTILE = (
    r"a%b_c&d#e{f}~g^h\i$j",
    "*star",
    "[bracket] --x-- `b` 'q' \"q\" <a>|b|",
    r"\input{secret}",
    "^^41",
    "bell\x07",
    "\\",
    "é – − ± × ≤ ≥ ²…",
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("50 %", r"50 \%"),
        ("a_b & #1 {x} $", r"a\_b \& \#1 \{x\} \$"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("58.9–61.5, −9, τ²", r"58.9--61.5, $-$9, τ$^2$"),
        ("a--b-c", "a-{}-b-c"),
        ("[1] *", "{[}1{]} {*}"),
        ("bell\x07", r"bell\textbackslash{}x07"),
        ("two\nlines", "two lines"),
    ],
)
def test_a_text_is_printed_as_it_is(text: str, found: str) -> None:
    assert escaped(text) == found


def test_a_table_has_caption_rules_and_a_line_for_each_line_of_a_cell() -> None:
    rows = (("By line",), (" naive", "17", "76.4\n74.2–78.4"), ("all_x", "66", "60.2\n58.9–61.5"))
    table = ReaderTable("Pooled rate, %", ("", "k", "crude,\nown mix"), rows, notes=("k: cohorts.",), units={2: "%"})
    assert latex_of(table).splitlines() == [
        r"% needs \usepackage{array,booktabs,longtable}",
        r"\begin{table}",
        r"\centering",
        r"\caption{Pooled rate, \%}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" &  & crude, \\*",
        r" & k & own mix \\",
        r"\midrule",
        r"\addlinespace",
        r"\multicolumn{3}{l}{\textit{By line}} \\",
        r"\quad naive & 17 & 76.4 \\*",
        r" &  & 74.2--78.4 \\",
        r"all\_x & 66 & 60.2 \\*",
        r" &  & 58.9--61.5 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip{\raggedright k: cohorts.\par}",
        r"\end{table}",
    ]


def test_a_unit_that_the_caption_lacks_is_in_the_heading() -> None:
    table = ReaderTable("Pooled", ("method", "95 % CI"), (("crude", "58.9–61.5"),), units={1: "%"})
    assert r"method & 95 \% CI, \% \\" in latex_of(table)


def test_a_table_of_many_rows_breaks_over_pages() -> None:
    text = latex_of(ReaderTable("t", ("", "k"), tuple((f"c{place}", "1") for place in range(60))))
    assert r"\begin{longtable}{lr}" in text
    assert r"\endhead" in text
    assert r"\begin{table}" not in text


@pytest.mark.slow
@pytest.mark.skipif(PDFLATEX is None, reason="there is no pdflatex")
@pytest.mark.parametrize("repeat", [1, 20], ids=["table", "longtable"])
def test_hostile_names_compile(tmp_path: Path, repeat: int) -> None:
    rows = tuple((name, "60.2\n58.9–61.5", f"{name} {'word ' * 12}") for name in HOSTILE) * repeat
    table = ReaderTable("Names & 50 % of {x}_y", ("", "rate\n#", "words"), rows, words=(2,), notes=HOSTILE)
    preamble = r"\documentclass{article}\usepackage{array,booktabs,longtable}\begin{document}"
    (tmp_path / "t.tex").write_text(f"{preamble}\n{latex_of(table)}\n\\end{{document}}\n", encoding="utf-8")
    command = [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 10_000
