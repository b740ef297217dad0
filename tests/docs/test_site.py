"""The site in a real browser, as `make docs` left it: accessible, readable on a phone, and asking no other host."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).parents[2] / "build" / "docs"
REQUIRED = "ALKBAYES_REQUIRE_BROWSER"
"""Set where a missing browser, or site, is a failure and not a reason to skip."""
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
PAGES = (
    "index",
    "tutorials/your-table",
    "how-to/compare",
    "coming-from/metafor",
    "reference/commands",
    "reference/python",
    "explanation/estimands",
    "glossary",
    "gallery/pritz1997",
)
"""One page of each kind."""

pytestmark = pytest.mark.slow
"""A browser is started."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    missing = "no Chromium on this machine" * (found is None) or "no site: run `make docs`" * (not SITE.is_dir())
    if missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{missing}; {REQUIRED} is set")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_fits_and_asks_no_other_host(browser: Browser, name: str, size: str, scheme: str) -> None:
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    requests: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_load_state("load")
    found = Axe().run(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert [address for address in requests if not address.startswith(("file:", "data:"))] == []
    assert faults == []
    assert found.violations_count == 0, found.generate_report()
    assert wide <= 0, "the page scrolls sideways"
