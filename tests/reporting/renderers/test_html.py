"""The report as one HTML file: whole by itself, and text in it stays text."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from alkbayes.plots.source import warning
from alkbayes.presentation.key_results import key_results
from alkbayes.reporting.blocks import Report
from alkbayes.reporting.renderers.html import html_of
from alkbayes.runs.run import read_run

VOID = {"meta", "br", "wbr", "input", "img", "line", "rect", "circle", "path"}


class Document(HTMLParser):
    """Elements with their attributes, and whether they are closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.words.append(data.strip())


def test_it_loads_nothing_from_elsewhere(page: str) -> None:
    document = Document(page)
    for tag, attributes in document.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "audio", "video"}
        for name in ("src", "srcset", "background", "poster", "action"):
            assert attributes.get(name, "data:image/svg+xml;").startswith("data:image/svg+xml;")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_knows_the_script_and_no_other(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [
        attributes["content"]
        for tag, attributes in Document(page).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_names_of_places_are_unique_and_links_lead_to_one(page: str) -> None:
    document = Document(page)
    names = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(names) == len(set(names))
    inner = [
        attributes["href"][1:]
        for tag, attributes in document.elements
        if tag == "a" and attributes["href"].startswith("#")
    ]
    assert set(inner) <= set(names)
    assert len(inner) > 100


def test_every_figure_has_words_for_who_cannot_see_it(page: str) -> None:
    images = [attributes for tag, attributes in Document(page).elements if tag == "img"]
    assert len(images) > 8
    for image in images:
        assert len(image["alt"]) > 30
        content = base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,"))
        assert content.startswith(b"<svg ")
        assert b"</svg>" in content


def test_it_stays_below_three_megabytes(page: str) -> None:
    assert len(page.encode()) < 3_000_000


def test_every_cohort_and_source_is_named(page: str, run: SimpleNamespace) -> None:
    words = set(Document(page).words)
    assert set(run.fit.evidence.frame["cohort_id"]) <= words
    assert "109/<wbr>151" in page
    assert 'href="https://clinicaltrials.gov/study/NCT02075840"' in page


def test_hostile_texts_are_text(hostile_run: SimpleNamespace, hostile_names: tuple[str, ...]) -> None:
    text = html_of(hostile_run.report)
    document = Document(text)
    assert set(hostile_names) <= set(document.words)
    assert sum(tag == "script" for tag, _ in document.elements) == 1
    assert not [name for _, attributes in document.elements for name in attributes if name.startswith("on")]
    addresses = {attributes["href"] for tag, attributes in document.elements if tag == "a"}
    assert all(address.startswith(("#", "https://", "http://")) for address in addresses)
    assert "https://example.org/known" in addresses
    assert "A <b>title</b>, with a comma" in document.words


def test_a_run_that_may_not_be_used_says_so_first(report: Report, run: SimpleNamespace) -> None:
    document = read_run(run.folder)
    document["diagnostics"] |= {"converged": False, "failures": ["Pareto k 0.9 & <more>"]}
    text = html_of(replace(report, warning=warning(document), key_results=key_results(document)))
    head, _, _ = text.partition("<main")
    assert html.escape("NOT CONVERGED, not to be used: Pareto k 0.9 & <more>") in head
    results = text[text.index('id="key-results"') : text.index("</dl>")]
    assert "no number may be used" in results
    assert "credible interval" not in results


@pytest.mark.parametrize("part", ["Sensitivity"])
def test_what_was_not_run_says_how_to_run_it(page: str, part: str, run: SimpleNamespace) -> None:
    assert f"alkbayes sensitivity {run.folder}" in page
    assert f"alkbayes outliers {run.folder} --by-trial" in page
