"""The check of the built site finds what it is for."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("check_site", ROOT / "scripts" / "check_site.py")
assert SPEC is not None
assert SPEC.loader is not None
CHECK = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CHECK)

GOOD = """<html><head><link rel="stylesheet" href="style.css"><link rel="canonical" href="a.html"></head>
<body id="top"><a href="sub/b.html#there">b</a> <a href="#top">up</a> <a href="https://example.org/x">elsewhere</a>
<img src="data:image/png;base64,AA"></body></html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "style.css").write_text("p { background: url(data:x) }", encoding="utf-8")
    (tmp_path / "a.html").write_text(GOOD, encoding="utf-8")
    (tmp_path / "sub" / "b.html").write_text('<p id="there"><a href="../a.html">a</a></p>', encoding="utf-8")
    return tmp_path


def test_a_sound_site_has_no_fault(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert CHECK.main(str(site)) == 0
    assert "2 pages, 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ('<a href="gone.html">x</a>', "links to gone.html, which is not there"),
        ('<a href="sub/b.html#nowhere">x</a>', "links to sub/b.html#nowhere, which has no such anchor"),
        ('<script src="https://cdn.example.org/x.js"></script>', "fetches https://cdn.example.org/x.js from another"),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', "fetches //fonts.example.org/f.css from another"),
        ('<p style="background: url(https://example.org/x.png)">', "fetches https://example.org/x.png from another"),
        ('<img src="gone.png">', "fetches gone.png, which is not there"),
    ],
)
def test_faults_are_found(site: Path, fault: str, words: str) -> None:
    (site / "a.html").write_text(f"{GOOD}\n\n{fault}", encoding="utf-8")
    (found,) = CHECK.faults(site)
    assert f"a.html:5: {words}" in found


def test_a_style_that_asks_another_host_is_found(site: Path) -> None:
    (site / "style.css").write_text('@import "https://example.org/more.css";', encoding="utf-8")
    (found,) = CHECK.faults(site)
    assert "style.css: fetches https://example.org/more.css from another host" in found


def test_an_empty_folder_is_no_site(tmp_path: Path) -> None:
    assert CHECK.main(str(tmp_path)) == 1
