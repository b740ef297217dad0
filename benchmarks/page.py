"""What a reader of `alkbayes explore` waits for, in Chromium; run by `bench.py`, after the rest.

The first paint is timed from the start of the command. A refit is timed from the click that leaves a cohort out to its
first numbers on the screen, the quarter of a second for which the page waits included; a preview by weights, where it
comes before them, too. CPU is that of the server and its workers.
"""

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median

import psutil
from playwright.sync_api import Page, sync_playwright

COMMAND = (sys.executable, "-c", "from alkbayes.cli import main; main()", "explore", "--no-browser")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MOST_PAINT, MOST_REFIT = 1.5, 0.7
PATIENCE = 60_000
"""Milliseconds."""
SEEN = "document.querySelector('#summary').dataset.state"


@contextlib.contextmanager
def served(folder: str, model: str | None) -> Iterator[tuple[psutil.Process, str, float]]:
    """Start the command; yield its process, its address, and when it was started."""
    begun = time.perf_counter()
    words = [*COMMAND, *(["--model", model] if model else [])]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
    try:
        yield psutil.Process(process.pid), process.stdout.readline().strip(), begun  # type: ignore[union-attr]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU that a process and its children have used."""
    total = 0.0
    for member in (process, *process.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(member.cpu_times()[:2])
    return total


def memory(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold."""
    return sum(member.memory_info().rss for member in (process, *process.children()))


def refit(page: Page, place: int) -> tuple[float, float | None]:
    """Leave a cohort out and wait for its numbers; return the seconds to them, and to the preview if there was one."""
    page.evaluate(
        """place => {
          window.seen = {};
          const begun = performance.now();
          window.watching?.disconnect();
          window.watching = new MutationObserver(() => {
            const state = document.querySelector('#summary').dataset.state;
            if (state in window.seen) return;
            requestAnimationFrame(() => { window.seen[state] ??= performance.now() - begun; });
          });
          window.watching.observe(document.body, {childList: true, subtree: true});
          document.querySelector(`#cohort-${place}`).click();
        }""",
        place,
    )
    # On a machine so busy that a first answer takes two seconds, the page waits for its button.
    page.wait_for_function(
        "() => 'quick' in window.seen || !document.querySelector('#update').hidden", timeout=PATIENCE
    )
    if page.locator("#update").is_visible():
        page.locator("#update").click()
    page.wait_for_function("() => 'quick' in window.seen", timeout=PATIENCE)
    seen = page.evaluate("window.seen")
    page.wait_for_function(f"() => {SEEN} === 'settled'", timeout=PATIENCE)
    return seen["quick"] / 1000, seen["preview"] / 1000 if "preview" in seen else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a bundled model (default: that of the table)")
    parser.add_argument("--refits", type=int, default=9, metavar="N", help="cohorts left out, one after another")
    arguments = parser.parse_args()
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        print("No Chromium: the page of `alkbayes explore` is not measured.")
        return
    with tempfile.TemporaryDirectory(prefix="alkbayes-page-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        paints = []
        for _ in range(3):
            with served(folder, arguments.model) as (_process, address, begun):
                page = browser.new_page()
                page.goto(address, wait_until="commit")
                page.locator("#cohorts tr.cohort").first.wait_for()
                paints.append(time.perf_counter() - begun)
                page.close()
        with served(folder, arguments.model) as (process, address, _begun):
            page = browser.new_page()
            page.goto(address)
            page.wait_for_function(f"() => {SEEN} === 'settled'", timeout=PATIENCE)
            refits, previews, used = [], [], []
            for place in range(arguments.refits):
                before = cpu_seconds(process)
                took, preview = refit(page, place)
                refits.append(took)
                previews += [] if preview is None else [preview]
                used.append(cpu_seconds(process) - before)
            held = memory(process)
        browser.close()
    print("| `alkbayes explore`, in Chromium | seconds | range | target |\n|---|--:|--:|--:|")
    for what, times, most in (
        ("first paint, from the start of the command", paints, MOST_PAINT),
        ("a cohort left out, first numbers on the screen", refits, MOST_REFIT),
        ("the same, preview by weights", previews, None),
        ("CPU of first numbers and settled ones together", used, None),
    ):
        if times:
            target = "" if most is None else f"≤ {most:g}: {'met' if median(times) <= most else '**missed**'}"
            print(f"| {what} | {median(times):.2f} | {min(times):.2f}–{max(times):.2f} | {target} |")
    print(f"\nMemory of the server and two workers: {held / 2**30:.2f} GiB.")


if __name__ == "__main__":
    main()
