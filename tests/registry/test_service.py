"""Against a server of this machine that gives real answers, and every fault that the registry has been seen to have."""

from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry import service as module
from alkbayes.registry.service import PAUSE, Service

HTML = (200, {"content-type": "text/html"}, b"<html>Service busy</html>")
PLAIN = {"content-type": "text/plain"}


def test_it_says_who_it_is_and_waits_a_second_between_requests(registry: Any, service: Service, clock: Any) -> None:
    assert service.version() == ("2.0.5", "2026-11-27T09:00:05")
    for _ in range(3):
        service.version()
    assert clock.slept == [PAUSE] * 3
    assert service.requests == 4


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_faults_that_pass_are_tried_again_after_a_while(
    registry: Any, service: Service, clock: Any, status: int
) -> None:
    registry.faults = [(status, PLAIN, b"busy"), (status, PLAIN, b"busy")]
    assert service.version()[0] == "2.0.5"
    assert clock.slept == [2.0, 4.0]


def test_html_in_place_of_an_answer_and_a_broken_line_are_tried_again(registry: Any, service: Service) -> None:
    registry.faults = [HTML, (0, {}, b"")]
    assert service.version()[0] == "2.0.5"
    assert len(registry.asked) == 3


def test_an_answer_that_is_cut_off_is_tried_again(registry: Any, service: Service) -> None:
    registry.faults = [(200, {"content-length": "1000"}, b'{"apiVersion"'), (200, {}, b'{"apiVersion": "2.')]
    assert service.version()[0] == "2.0.5"


def test_the_registry_may_ask_for_more_time(registry: Any, service: Service, clock: Any) -> None:
    registry.faults = [(429, {"retry-after": "30"}, b""), (429, {"retry-after": "999999"}, b"")]
    service.version()
    assert clock.slept == [30.0, 2.0, 60.0, 4.0]


def test_three_tries_are_all(registry: Any, service: Service) -> None:
    registry.faults = [(503, PLAIN, b"busy")] * 9
    with pytest.raises(RegistryError, match=r"no answer in 3 tries: status 503\. Search again later"):
        service.version()
    assert len(registry.asked) == 3


@pytest.mark.parametrize(
    ("status", "said"), [(400, "does not understand the request"), (404, "has no such page"), (403, "refuses")]
)
def test_a_request_that_is_refused_is_not_tried_again(registry: Any, service: Service, status: int, said: str) -> None:
    body = b"Error parsing query in advanced filter: Unknown area name: `X`\x1b[31m"
    registry.faults = [(status, PLAIN, body)]
    with pytest.raises(RegistryError, match=said) as caught:
        list(service.pages({"query.cond": "x"}))
    assert "Unknown area name" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(registry.asked) == 1


def test_redirects_stay_on_the_host(registry: Any, service: Service) -> None:
    registry.faults = [(301, {"location": "/api/v2/version"}, b"")]
    assert service.version()[0] == "2.0.5"
    for other in ("https://example.org/api/v2/version", "http://127.0.0.1:1/version", "file:///etc/passwd"):
        registry.faults = [(302, {"location": other}, b"")]
        with pytest.raises(RegistryError, match="which is another host; nothing was asked there"):
            service.version()


def test_redirects_in_a_circle_end(registry: Any, service: Service) -> None:
    registry.faults = [(302, {"location": "/api/v2/version"}, b"")] * 9
    with pytest.raises(RegistryError, match="more than 3 redirects"):
        service.version()


def test_only_https_leaves_this_machine() -> None:
    with pytest.raises(RegistryError, match="found http; allowed: https"):
        Service(base="http://clinicaltrials.gov/api/v2").version()


def test_an_answer_beyond_the_cap_is_not_kept(registry: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ANSWER_BYTES", 10)
    with pytest.raises(RegistryError, match="more than 10 bytes"):
        service.version()


def test_an_answer_that_takes_too_long_is_given_up(registry: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10_000, 40))
    service = Service(base=registry.base, sleep=clock.sleep, clock=lambda: float(next(ticks)))
    with pytest.raises(RegistryError, match="nothing for 30 seconds"):
        service.version()
    service.close()


def test_pages_are_followed_to_the_end(registry: Any, service: Service) -> None:
    pages = list(service.pages({"pageSize": "7"}))
    assert [len(page.studies) for page in pages] == [7, 7, 7, 7, 2]
    assert pages[0].total == 30
    assert pages[1].total is None, "only the first page has it"


def test_a_token_after_the_last_page_leads_to_an_empty_one(registry: Any, service: Service) -> None:
    """A page that happens to be full always has a token, even if nothing follows."""
    registry.always_a_token = True
    pages = list(service.pages({"pageSize": "10"}))
    assert [len(page.studies) for page in pages] == [10, 10, 10, 0]


def test_a_token_that_comes_twice_ends_the_paging(registry: Any, service: Service) -> None:
    page = b'{"studies": [{}], "nextPageToken": "same"}'
    registry.faults = [(200, {}, page)] * 5
    with pytest.raises(RegistryError, match="a page token twice"):
        list(service.pages({}))
    assert len(registry.asked) == 2


@pytest.mark.parametrize("body", [b"[]", b'{"studies": {}}', b'{"studies": "none"}'])
def test_an_answer_of_another_shape_is_refused(registry: Any, service: Service, body: bytes) -> None:
    registry.faults = [(200, {}, body)]
    with pytest.raises(RegistryError, match="has no list of studies"):
        list(service.pages({}))


def test_without_the_extra_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", "no_such_library")
    with pytest.raises(RegistryError, match=r"pip install 'alkbayes\[registry\]'"):
        module.check_installed()
