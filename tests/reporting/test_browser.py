"""The report in a real browser: it opens without an error, sorts, filters, shows details, and is read on a phone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from alkbayes.reporting.renderers.html import html_of

pytestmark = pytest.mark.slow
"""A browser is started, and reads whole reports."""

REQUIRED = "ALKBAYES_REQUIRE_BROWSER"
"""Set where a missing browser is a failure and not a reason to skip."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        message = "no Chromium on this machine: install it (Debian: apt-get install chromium)"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{message}; {REQUIRED} is set")
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield chromium
        chromium.close()


class Opened:
    """A page, and what happened on it."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())

    @property
    def names(self) -> list[str]:
        """The cohorts that are shown, in their order."""
        return [
            name
            for name, shown in self.page.eval_on_selector_all(
                "#cohorts tr.cohort", "rows => rows.map(row => [row.querySelector('.name').textContent, !row.hidden])"
            )
            if shown
        ]

    def sort(self, heading: str) -> None:
        self.page.locator("#cohorts thead button").filter(has_text=re.compile(f"^{heading}")).click()

    def column(self, place: int) -> list[str]:
        return self.page.eval_on_selector_all(
            "#cohorts tr.cohort:not([hidden])", f"rows => rows.map(row => row.cells[{place}].dataset.order)"
        )


@pytest.fixture(scope="module")
def path(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, path: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESKTOP)
    yield Opened(context.new_page(), path)
    context.close()


@pytest.fixture
def on_a_phone(browser: Browser, path: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    yield Opened(context.new_page(), path)
    context.close()


@pytest.fixture
def without_scripts(browser: Browser, path: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    yield Opened(context.new_page(), path)
    context.close()


def test_it_opens_without_an_error_and_asks_for_nothing(opened: Opened, path: Path) -> None:
    assert opened.page.title().startswith("Objective response rate of ALK inhibitors, pooled")
    assert len(opened.names) == 66
    assert opened.faults == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [path.as_uri()]


def test_the_table_sorts_both_ways_and_back(opened: Opened) -> None:
    original = opened.names
    opened.sort("observed")
    rates = [float(text) for text in opened.column(4)]
    assert rates == sorted(rates)
    assert rates[0] < 0.2
    heading = opened.page.locator("#cohorts th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "ascending"
    opened.sort("observed")
    assert [float(text) for text in opened.column(4)] == sorted(rates, reverse=True)
    assert heading.count() == 1
    assert opened.page.locator("#cohorts tr.summary:not([hidden])").count() == 0
    opened.sort("cohort")
    # Punctuation as readers' languages order it: blank, hyphen, comma.
    assert opened.column(0) == sorted(opened.column(0), key=lambda name: name.translate({32: 1, 45: 2, 44: 3}))
    opened.page.get_by_role("button", name="Order of the groups again").click()
    assert opened.names == original
    assert opened.page.locator("#cohorts tr.summary:not([hidden])").count() > 10


def test_counts_sort_as_numbers(opened: Opened) -> None:
    opened.sort("responders")
    patients = [int(text) for text in opened.column(3)]
    assert patients == sorted(patients)
    assert patients[-1] > 200


def test_the_table_filters_by_words_and_by_level(opened: Opened) -> None:
    opened.page.get_by_label("Find").fill("LORLATINIB")
    found = opened.names
    # Every cohort of lorlatinib, and those whose note names it.
    assert {"CROWN, lorlatinib", "NCT01970865, lorlatinib, phase 1"} <= set(found)
    assert len(found) < 30
    assert opened.page.locator("#count").text_content() == f"{len(found)} of 66 cohorts"
    opened.page.get_by_label("line", exact=True).select_option("naive")
    assert set(opened.names) < set(found)
    assert opened.page.locator("#cohorts tr.summary:not([hidden])").count() == 0
    opened.page.get_by_label("Find").fill("")
    assert len(opened.names) == 17
    opened.page.get_by_label("TKI generation", exact=True).select_option("third")
    assert sorted(opened.names) == ["CROWN, lorlatinib", "NCT01970865, lorlatinib, EXP1"]


def test_a_row_shows_its_details_under_the_pointer(opened: Opened) -> None:
    row = opened.page.locator("tr.cohort", has=opened.page.get_by_role("link", name="ALEX, crizotinib", exact=True))
    card = row.locator(".card")
    assert not card.is_visible()
    row.hover()
    assert card.is_visible()
    assert "NCT02075840" in card.inner_text()
    assert "FDA" in card.inner_text()
    assert card.locator("a[href^='https://']").count() > 1
    opened.page.mouse.move(5, 5)
    assert not card.is_visible()


def test_a_name_opens_its_details_and_escape_closes_them(opened: Opened) -> None:
    link = opened.page.get_by_role("link", name="CROWN, lorlatinib", exact=True)
    link.focus()
    opened.page.keyboard.press("Enter")
    card = opened.page.locator("tr.cohort:target .card")
    assert card.is_visible()
    opened.page.keyboard.press("Escape")
    opened.page.locator("h1").click()
    assert opened.page.locator("tr.cohort .card:visible").count() == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_percent_and_logit_switch_also_without_scripts(
    opened: Opened, without_scripts: Opened, *, scripts: bool
) -> None:
    page = (opened if scripts else without_scripts).page
    assert page.locator("#cohorts svg.strip.percent:visible").count() > 66
    assert page.locator("#cohorts svg.strip.logit:visible").count() == 0
    page.get_by_label("logit", exact=True).check()
    assert page.locator("#cohorts svg.strip.percent:visible").count() == 0
    assert page.locator("#cohorts svg.strip.logit:visible").count() > 66


def test_without_scripts_all_is_there_and_nothing_pretends_to_work(without_scripts: Opened) -> None:
    page = without_scripts.page
    assert page.locator("tr.cohort:visible").count() == 66
    assert page.locator(".controls.script:visible").count() == 0
    assert page.locator("#cohorts thead button").count() == 0
    page.get_by_role("link", name="CROWN, lorlatinib", exact=True).click()
    assert page.locator("tr.cohort:target .card").is_visible()


def test_figures_are_there_at_both_widths(opened: Opened, on_a_phone: Opened) -> None:
    for view in (opened, on_a_phone):
        sizes = view.page.eval_on_selector_all(
            ".picture img", "images => images.map(image => [image.complete, image.naturalWidth, image.clientWidth])"
        )
        assert len(sizes) > 8
        for complete, natural, shown in sizes:
            assert complete
            assert natural > 200
            assert shown >= 300, "letters of six points are no smaller than they can be read"


def test_no_width_makes_the_page_itself_scroll_sideways(opened: Opened, on_a_phone: Opened) -> None:
    for view in (opened, on_a_phone):
        wide, room = view.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room
    assert on_a_phone.page.locator("#cohorts tr.cohort td.plot:visible").count() == 66


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_nothing_stands_in_the_way_of_assistive_technology(opened: Opened, on_a_phone: Opened, width: str) -> None:
    view = opened if width == "desktop" else on_a_phone
    found = Axe().run(view.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_link_to_a_source_opens_the_list_that_it_stands_in(opened: Opened) -> None:
    source = opened.page.locator("#source-5")
    assert not source.is_visible()
    opened.page.evaluate("location.hash = '#source-5'")
    source.wait_for(state="visible", timeout=5000)


def test_it_prints_with_everything_on_paper(opened: Opened) -> None:
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".controls:visible").count() == 0
    assert opened.page.locator("#source-5").is_visible(), "what is folded away is printed"
    assert opened.page.locator("tr.cohort:visible").count() == 66
    assert opened.page.pdf(format="A4").startswith(b"%PDF")


def test_hostile_texts_do_nothing(browser: Browser, hostile_run: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(html_of(hostile_run.report), encoding="utf-8")
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context.new_page(), path)
    assert opened.faults == []
    assert "<script>alert(1)</script>" in opened.names
    opened.sort("cohort")
    opened.page.get_by_label("Find").fill("<script>alert(1)")
    assert opened.names == ["<script>alert(1)</script>"]
    assert opened.page.evaluate("document.scripts.length") == 1
    assert opened.faults == []
    context.close()
