"""The page in a real browser: click a cohort out, and everything that may go wrong on the way."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from alkbayes.runs.run import read_run

pytestmark = pytest.mark.slow
"""A server, its workers and a browser are started."""

REQUIRED = "ALKBAYES_REQUIRE_BROWSER"
"""Set where a missing browser is a failure and not a reason to skip."""
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 120_000
"""Milliseconds that a busy machine is given."""
MAIN = "from alkbayes.cli import main; main()"
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "'; alert(3); '", "\u202egnp.exe")


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


@dataclass
class Server:
    """A server in a process of its own, in a folder of its own."""

    process: subprocess.Popen[str]
    address: str
    folder: Path

    def workers(self) -> list[psutil.Process]:
        """Return the processes that compute, the oldest first."""
        found = [child for child in psutil.Process(self.process.pid).children() if "spawn_main" in str(child.cmdline())]
        return sorted(found, key=lambda child: child.create_time())


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def server_of(rows: str, model: str) -> Server:
        folder = tmp_path_factory.mktemp("explore")
        (folder / "table.csv").write_text(rows, encoding="utf-8")
        words = ["explore", "--no-browser", "--data", "table.csv", "--model", model]
        process = subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE, text=True, cwd=folder)
        started.append(Server(process, process.stdout.readline().strip(), folder))
        return started[-1]

    yield server_of
    for server in started:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)
        server.process.stdout.close()


@pytest.fixture(scope="module")
def server(start: Callable[..., Server], rows: str) -> Server:
    return start(rows, "line")


@dataclass
class Opened:
    """The page in a browser, and what happened on it."""

    page: Page
    server: Server
    faults: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = urlsplit(self.server.address).netloc
        page = self.page
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self.faults.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))

        def only_here(route) -> None:
            if urlsplit(route.request.url).netloc == own or route.request.url.startswith("data:"):
                route.continue_()
            else:
                self.elsewhere.append(route.request.url)
                route.abort()

        page.route("**/*", only_here)

    def open(self, query: str = "") -> "Opened":
        self.page.goto(self.server.address)
        if query:
            self.page.goto(f"{self.server.address.partition('/?')[0]}/?{query}")
        return self

    def until(self, *states: str) -> str:
        """Wait for a state of the page and return it."""
        self.page.wait_for_selector(", ".join(f"#summary[data-state={state}]" for state in states), timeout=PATIENCE)
        return self.page.locator("#summary").get_attribute("data-state")

    def settled(self, without: int = 0) -> "Opened":
        """Wait for the settled numbers of a number of cohorts left out."""
        self.page.wait_for_selector(
            f"#summary[data-state=settled][data-status^='{9 - without} cohort']", timeout=PATIENCE
        )
        return self

    @property
    def mean(self) -> str:
        return self.page.locator(".headline tr.all td.rate").nth(1).inner_text()

    def box(self, cohort: str):
        return self.page.get_by_role("checkbox", name=cohort, exact=True)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=DESKTOP)
    yield made
    made.close()


@pytest.fixture
def opened(context: BrowserContext, server: Server) -> Opened:
    return Opened(context.new_page(), server)


def test_it_opens_without_an_error_and_asks_only_this_machine(opened: Opened) -> None:
    opened.open().settled()
    assert "token" not in opened.page.url
    assert opened.page.evaluate("document.cookie") == "", "no script can read the key"
    assert opened.faults == []
    assert opened.elsewhere == []
    assert opened.page.locator("#cohorts tr.cohort").count() == 9


def test_a_click_leaves_a_cohort_out_and_back_undoes_it(opened: Opened) -> None:
    opened.open().settled()
    before = opened.mean
    opened.box("b1").focus()
    opened.page.keyboard.press("Space")
    opened.settled(1)
    assert opened.mean.split()[0] != before.split()[0]
    assert before.split()[0] in opened.mean, "the base stands beside it"
    assert opened.page.evaluate("document.activeElement.value") == "b1", "the focus stays"
    assert "out=b1" in opened.page.url
    assert "points from the base" in opened.page.locator("#status").inner_text()
    assert "without b1" in opened.page.locator("#changes").inner_text()
    opened.page.go_back()
    opened.settled()
    assert opened.mean == before
    assert opened.box("b1").is_checked()


@pytest.mark.parametrize("pause", [0, 300, 600])
def test_a_change_taken_back_at_once_leaves_the_page_as_it_was(opened: Opened, pause: int) -> None:
    opened.open().settled()
    before = opened.page.locator("#status").inner_text()
    opened.page.evaluate(
        """pause => {
          const click = () => document.querySelector('#cohort-2').click();
          click();
          setTimeout(click, pause);
        }""",
        pause,
    )
    opened.page.wait_for_timeout(pause + 400)
    opened.page.wait_for_selector("body:not([data-busy])")
    opened.settled()
    assert opened.page.locator("#status").inner_text() == before
    assert opened.page.locator("#cohort-2").is_checked()
    assert opened.page.get_by_role("button", name="Update").is_hidden()


def test_first_draws_that_are_come_back_to_still_settle(opened: Opened) -> None:
    opened.open("seed=42").until("settled")
    opened.page.locator("#cohort-2").click()
    opened.until("quick")
    opened.page.evaluate("document.querySelector('#cohort-3').click(); document.querySelector('#cohort-3').click()")
    opened.settled(1)


def test_a_link_within_the_page_does_not_load_it_again(opened: Opened) -> None:
    opened.open().settled()
    opened.page.evaluate("window.same = true")
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_timeout(500)
    assert opened.page.url.endswith("#summary")
    assert opened.page.evaluate("window.same")


def test_an_empty_seed_is_no_setting(opened: Opened) -> None:
    opened.open().settled()
    opened.page.locator("summary", has_text="Computation").click()
    opened.page.get_by_label("Random seed").fill("")
    opened.page.keyboard.press("Tab")
    opened.page.wait_for_timeout(600)
    assert "seed" not in opened.page.url
    opened.settled()


def test_numbers_that_are_not_of_the_setting_are_said_to_be_none(opened: Opened) -> None:
    opened.open().settled()
    opened.page.route("**/fit*", lambda route: route.fulfill(status=500, content_type="text/plain", body="x"))
    opened.page.route("**/preview", lambda route: route.fulfill(status=204))
    opened.box("g1").uncheck()
    opened.page.wait_for_selector("#summary[data-outdated]")
    assert opened.page.locator("#status").inner_text() == "The server could not answer; the terminal says why."
    opened.page.unroute("**/fit*")
    opened.page.get_by_role("button", name="Update").click()
    opened.settled(1)
    assert opened.page.locator("#summary[data-outdated]").count() == 0


def test_one_cohort_is_previewed_before_the_refit(opened: Opened) -> None:
    # A setting that no other test has fitted: the worker has its draws.
    opened.open("seed=41").until("settled")
    # The refit is held back, so that the preview is what is seen.
    opened.page.route("**/fit*", lambda _route: None)
    opened.box("e1").uncheck()
    opened.until("preview")
    assert "Preview without e1" in opened.page.locator("#status").inner_text()
    assert opened.page.locator(".headline caption").first.inner_text().endswith("preview")
    opened.page.unroute("**/fit*")


def test_a_whole_trial_goes_and_comes_back(opened: Opened) -> None:
    opened.open().settled()
    button = opened.page.get_by_role("button", name=re.compile("^Whole trial A")).first
    button.click()
    opened.settled(2)
    assert not opened.box("a1").is_checked()
    assert not opened.box("a2").is_checked()
    opened.page.get_by_role("button", name=re.compile("^Whole trial A")).first.click()
    opened.settled()
    assert opened.box("a1").is_checked()


def test_a_level_is_left_out_and_so_are_cohorts_without_one(opened: Opened) -> None:
    opened.open().settled()
    opened.page.locator("summary", has_text="Choose by").click()
    opened.page.get_by_role("checkbox", name="Asia 4").uncheck()
    opened.settled(5)
    row = opened.page.locator("tr.cohort.out", has_text="d2")
    assert "left out: region not stated" in row.inner_text()


def test_a_prior_is_moved_by_the_keyboard(opened: Opened) -> None:
    opened.open().settled()
    slider = opened.page.get_by_role("slider", name="SD between cohorts")
    slider.focus()
    opened.page.route("**/fit*", lambda _route: None)
    opened.page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "half-normal(0.35)", "said before anything is fitted"
    opened.page.unroute("**/fit*")
    opened.page.keyboard.press("ArrowLeft")
    expect(opened.page.locator("#changes .words")).to_contain_text("half-normal(0.25) for half-normal(0.5)")
    opened.page.wait_for_selector("#summary[data-state=settled][data-status*='from the base']")
    assert opened.page.evaluate("document.activeElement.type") == "range"
    described = opened.page.locator(f"#{slider.get_attribute('aria-describedby')}").inner_text()
    assert re.match(r"median difference \d+ points", described)


def test_another_model_has_its_own_controls(opened: Opened) -> None:
    opened.open("prior.effect.0=2").until("settled")
    opened.page.get_by_label("Outcome and model").select_option("overall")
    opened.page.wait_for_selector("#controls[data-model=overall]")
    opened.until("settled")
    assert "prior." not in opened.page.url
    assert opened.page.get_by_label("Reference level of line").count() == 0


def test_what_is_kept_is_a_run_with_its_reason(opened: Opened) -> None:
    opened.open().settled()
    opened.box("a1").uncheck()
    opened.settled(1)
    opened.page.get_by_role("button", name="Keep as run").click()
    expect(opened.page.locator("#leaving [role=alert]")).to_contain_text("there is none yet for a1")
    opened.page.locator("#why-1").fill("phase I")
    expect(opened.page.locator("#command")).to_contain_text("--reason 'phase I'")
    assert opened.page.evaluate("document.activeElement.name") == "why.a1", "typing is not interrupted"
    opened.page.get_by_role("button", name="Keep as run").click()
    kept = opened.page.locator("#leaving .kept code").first
    kept.wait_for()
    document = read_run(opened.server.folder / kept.inner_text())
    assert document["evidence"]["exclude"] == ["a1"]
    assert document["evidence"]["reason"] == "phase I"
    assert document["provenance"]["exploration"]["changes"] == ["without a1 (phase I)"]
    shown = opened.mean
    pooled = next(row for row in document["pooled"] if (row["group"], row["estimand"]) == ("all", "mean"))
    assert shown.startswith(f"{100 * pooled['median']:.1f}")
    with opened.page.expect_download() as download:
        opened.page.get_by_role("link", name="Archive (zip)").first.click()
    assert download.value.suggested_filename == f"{Path(kept.inner_text()).name}.zip"


def test_twenty_fast_changes_end_with_the_last(opened: Opened) -> None:
    opened.open().settled()
    for place in range(20):
        cohort = ("a1", "a2", "b1", "c1")[place % 4]
        opened.box(cohort).click()
        opened.page.wait_for_timeout(60 * (place % 7))
    # Five clicks each: all four are out.
    opened.settled(4)
    assert [opened.box(name).is_checked() for name in ("a1", "a2", "b1", "c1")] == [False] * 4
    assert len(opened.server.workers()) <= 2
    assert opened.faults == []


def test_two_tabs_do_not_cancel_each_other(opened: Opened, context: BrowserContext) -> None:
    other = Opened(context.new_page(), opened.server)
    opened.open().settled()
    other.open().settled()
    opened.box("a1").uncheck()
    other.box("b1").uncheck()
    other.box("c1").uncheck()
    opened.settled(1)
    other.settled(2)
    assert "without a1" in opened.page.locator("#changes").inner_text()
    assert "without b1, c1" in other.page.locator("#changes").inner_text()


def test_a_worker_that_is_killed_is_said_and_replaced(opened: Opened) -> None:
    opened.open().settled()
    until(lambda: len(opened.server.workers()) == 2)
    opened.page.locator("summary", has_text="Computation").click()
    opened.page.get_by_label("Draws per chain, settled").fill("10000")
    opened.page.get_by_label("Engine").select_option("nuts")
    opened.page.wait_for_selector("body[data-busy]")
    opened.page.wait_for_timeout(1500)
    for worker in opened.server.workers():
        worker.kill()
    opened.until("lost")
    assert "Another one has been started" in opened.page.locator("#summary .message").inner_text()
    assert opened.page.get_by_role("button", name="Update").is_visible()
    opened.page.get_by_role("link", name="Back to the base").click()
    opened.settled()
    opened.box("a1").uncheck()
    opened.settled(1)


def test_states_without_numbers_say_what_to_do(opened: Opened) -> None:
    opened.open("drop.line=naive&drop.line=pretreated").until("few")
    assert "Tick more cohorts" in opened.page.locator("#summary").inner_text()
    opened.page.locator(".filter", has_text="line").get_by_role("checkbox", name="mixed 1").uncheck()
    opened.until("none")
    opened.page.locator(".filter", has_text="line").get_by_role("checkbox", name="naive 4").check()
    opened.until("settled")
    opened.open("reference.line=naive&out=zz").until("refused")
    opened.page.get_by_role("link", name="Back to the base").count()


SCENES = {
    "base": ("", "settled"),
    "left out": ("out=a1&drop.region=Asia", "settled"),
    "empty": ("drop.line=naive&drop.line=pretreated&drop.line=mixed", "none"),
    "error": ("out=zz", "refused"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scene", [*SCENES, "busy"])
def test_nothing_stands_in_the_way_of_assistive_technology(
    browser: Browser, server: Server, scene: str, size: dict[str, int], scheme: str
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    opened = Opened(context.new_page(), server)
    query, state = SCENES.get(scene, ("", "settled"))
    opened.open(query).until(state)
    if scene == "busy":
        opened.page.route("**/fit*", lambda _route: None)
        opened.page.route("**/preview", lambda route: route.abort())
        opened.box("b1").uncheck()
        opened.page.wait_for_selector("body[data-busy]")
    for details in opened.page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    wide, room = opened.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    context.close()


def test_a_phone_shows_the_next_cohort_too(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport=PHONE)
    opened = Opened(context.new_page(), server).open("out=a1")
    opened.until("settled")
    wide, room = opened.page.evaluate(
        "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])(document.querySelector('#summary .scroll'))"
    )
    assert wide <= room
    context.close()


def test_it_can_be_read_at_twice_the_size(browser: Browser, server: Server) -> None:
    # A window of 1280 pixels at 200 %.
    context = browser.new_context(viewport={"width": 640, "height": 450}, device_scale_factor=2)
    opened = Opened(context.new_page(), server).open()
    opened.settled()
    wide, room = opened.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    assert opened.page.locator(".headline tr.all td.rate").nth(2).is_visible()
    context.close()


def test_the_keyboard_alone_reaches_everything(opened: Opened) -> None:
    opened.open().settled()
    reached = set()
    for _ in range(80):
        opened.page.keyboard.press("Tab")
        reached.add(opened.page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = {"skip", "model", "link", "tails", "prior-1", "keep", "copy", "cohort-0", "cohort-8"}
    assert wanted <= reached


def test_it_prints_the_numbers_and_not_the_controls(opened: Opened) -> None:
    opened.open().settled()
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".headline").first.is_visible()
    assert opened.page.locator("#cohorts tr.cohort").first.is_visible()
    assert not opened.page.get_by_label("Outcome and model").is_visible()
    assert opened.page.pdf(format="A4").startswith(b"%PDF")


def test_hostile_names_do_nothing(context: BrowserContext, start: Callable[..., Server]) -> None:
    names = [name.replace('"', '""') for name in (*HOSTILE, "b", "c", "d", "e")]
    rows = "".join(f'"{name}","<b>T{place // 2}</b>",30,{10 + place}\n' for place, name in enumerate(names))
    opened = Opened(context.new_page(), start(f"cohort_id,trial,n,responders\n{rows}", "overall")).open()
    opened.until("settled")
    for place in range(3):
        opened.page.locator(f"#cohort-{place}").uncheck()
    opened.page.wait_for_selector("#summary[data-state=settled][data-status^='5 cohort']")
    opened.page.locator("#why-1").fill("<img src=x onerror=alert(4)>")
    opened.page.get_by_role("button", name="Give all of them the first reason").click()
    opened.page.wait_for_selector("#leaving:not(:has(#keep-needs))")
    assert opened.page.evaluate("document.scripts.length") == 1
    assert opened.page.locator("img").count() == 0
    assert opened.faults == []
    assert "<script>alert(1)</script>" in opened.page.locator("#changes").inner_text()


def test_a_server_that_is_gone_is_said_so(context: BrowserContext, start: Callable[..., Server], rows: str) -> None:
    server = start(rows, "overall")
    opened = Opened(context.new_page(), server).open()
    opened.until("settled")
    server.process.send_signal(signal.SIGINT)
    server.process.wait(60)
    opened.box("b1").uncheck()
    gone = opened.page.locator("#gone")
    gone.wait_for(state="visible")
    assert "alkbayes explore --data table.csv --model overall" in gone.inner_text()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)
