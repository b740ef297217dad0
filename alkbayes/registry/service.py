"""ClinicalTrials.gov's interface, version 2, over the network: the one module that uses it.

One request a second, as the registry's robots.txt asks; faults that pass are tried again after a while, those that stay
(400, 404) never. Nothing leaves the one host, and no answer is larger than a cap.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from alkbayes.errors import RegistryError
from alkbayes.registry.cleaning import clean
from alkbayes.registry.json_reader import decoded
from alkbayes.registry.received import Received, items_of
from alkbayes.text.names import quoted, shown

if TYPE_CHECKING:
    import httpx2

BASE = "https://clinicaltrials.gov/api/v2"
PAUSE = 1.0
"""Seconds between the starts of two requests."""
TIME_LIMIT = 30.0
"""Seconds for an answer, whole."""
TRIES = 3
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0
"""Seconds before the second try, doubled for the third; the registry may ask for more."""
AGAIN = frozenset({429, 500, 502, 503, 504})
"""Statuses of faults that pass."""
REDIRECTS = 3
MOST_ANSWER_BYTES = 512 * 2**20
MOST_PAGES = 10_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
NEEDED = "httpx2"


@dataclass(slots=True)
class Service:
    """Requests to the registry, paced.

    Attributes
    ----------
    base
        Address; https, or this machine's own for tests.
    sleep, clock
        Waiting, and the time in seconds; tests replace them.
    requests
        Number of requests made.
    received
        Bytes received.
    """

    base: str = BASE
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    requests: int = 0
    received: int = 0
    _last: float | None = None
    _client: "httpx2.Client | None" = field(default=None, repr=False)

    def version(self) -> tuple[str, str]:
        """Return the version of the interface, and the time stamp of its data."""
        answer = self.get("/version", {}).value
        if not isinstance(answer, dict):
            raise RegistryError(f"{self.base}/version: the answer is no object. Try again later.")
        return shown(str(answer.get("apiVersion", ""))), shown(str(answer.get("dataTimestamp", "")))

    def pages(self, parameters: Mapping[str, str]) -> Iterator["Page"]:
        """Yield the pages of an answer to the end, whatever the tokens do.

        The last page has no token; but a page that happens to be full always has one, and then an empty page follows.

        Raises
        ------
        RegistryError
            If the registry refuses the request, answers no JSON, or gives a token twice.
        """
        token, seen = "", set[str]()
        for _ in range(MOST_PAGES):
            asked = {**parameters, **({"pageToken": token} if token else {"countTotal": "true"})}
            answer = self.get("/studies", asked)
            page = answer.value
            if not isinstance(page, dict) or not isinstance(page.get("studies", []), list):
                raise RegistryError(f"{self.base}/studies: the answer has no list of studies. Try again later.")
            yield Page(page, answer.content)
            following = page.get("nextPageToken")
            if not page.get("studies") or not isinstance(following, str) or not following:
                return
            if following in seen:
                raise RegistryError(
                    f"{self.base}/studies: the registry gave a page token twice. Search again: its data may have "
                    "changed meanwhile."
                )
            seen.add(following)
            token = following
        raise RegistryError(f"{self.base}/studies: more than {MOST_PAGES:,} pages. Narrow the query.")

    def get(self, path: str, parameters: Mapping[str, str]) -> "Answer":
        """Return the JSON answer to a request.

        Raises
        ------
        RegistryError
            If the registry refuses it, or does not answer with JSON within three tries.
        """
        fault = ""
        for attempt in range(TRIES):
            wait = 0.0 if attempt == 0 else FIRST_WAIT * 2 ** (attempt - 1)
            answer = self._attempt(path, parameters, wait)
            if isinstance(answer, Answer):
                return answer
            fault = answer.fault
            if attempt + 1 < TRIES and answer.wait > 0:
                self.sleep(min(answer.wait, LONGEST_WAIT))
        raise RegistryError(
            f"{self.base}{path}: no answer in {TRIES} tries: {fault}. Search again later; what was downloaded is kept."
        )

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def _attempt(self, path: str, parameters: Mapping[str, str], wait: float) -> "Answer | _Passing":
        """Make one try; a fault that stays is raised."""
        import httpx2

        if wait:
            self.sleep(wait)
        try:
            status, headers, content = self._fetch(f"{self.base}{path}", dict(parameters))
        except (httpx2.TimeoutException, TimeoutError):
            return _Passing(f"nothing for {TIME_LIMIT:.0f} seconds")
        except httpx2.TransportError as error:
            return _Passing(f"{type(error).__name__}: {shown(str(error))}")
        if status in AGAIN:
            return _Passing(f"status {status}", _seconds(headers.get("retry-after", "")))
        if status != 200:
            said = clean(content[:2000].decode("utf-8", "replace"))
            what = {400: "does not understand the request", 404: "has no such page or study"}.get(status, "refuses")
            raise RegistryError(f"{self.base}{path}: the registry {what} (status {status}): {quoted(said)}.")
        try:
            return Answer(decoded(content, f"{self.base}{path}", most=MOST_ANSWER_BYTES), content)
        except RegistryError as error:
            # Pages of HTML come with 200, too, when the registry is busy.
            return _Passing(f"the answer is no JSON ({error.message.rpartition(': ')[2] or 'unknown'})")

    def _fetch(self, url: str, parameters: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of an answer, following redirects within the host."""
        import httpx2

        client, target = self._connected(), httpx2.URL(url, params=parameters)
        for _ in range(REDIRECTS + 1):
            self._pace()
            limit = self.clock() + TIME_LIMIT
            self.requests += 1
            with client.stream("GET", target) as response:
                if not response.is_redirect:
                    return response.status_code, response.headers, self._body(response, limit)
                following = target.join(response.headers.get("location", ""))
            if _origin(following) != _origin(httpx2.URL(self.base)):
                raise RegistryError(
                    f"{url}: the registry sends the request on to {quoted(str(following))}, which is another host; "
                    "nothing was asked there."
                )
            target = following
        raise RegistryError(f"{url}: more than {REDIRECTS} redirects.")

    def _body(self, response: "httpx2.Response", limit: float) -> bytes:
        """Return the body of an answer, as it comes, up to the cap and the time limit."""
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            self.received += len(part)
            if size > MOST_ANSWER_BYTES:
                raise RegistryError(f"{self.base}: an answer has more than {MOST_ANSWER_BYTES:,} bytes.")
            if self.clock() > limit:
                raise TimeoutError
            parts.append(part)
        return b"".join(parts)

    def _pace(self) -> None:
        """Wait until a second after the last request began."""
        now = self.clock()
        if self._last is not None and now < self._last + PAUSE:
            self.sleep(self._last + PAUSE - now)
            now = self.clock()
        self._last = now

    def _connected(self) -> "httpx2.Client":
        if self._client is None:
            import httpx2

            address = httpx2.URL(self.base)
            if address.scheme != "https" and address.host not in LOOPBACK:
                raise RegistryError(f"{self.base}: found {address.scheme}; allowed: https.")
            agent = f"alkbayes/{version('alkbayes')} (systematic review; one request a second)"
            self._client = httpx2.Client(
                timeout=TIME_LIMIT,
                follow_redirects=False,
                headers={"User-Agent": agent, "Accept": "application/json"},
            )
        return self._client


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the registry: JSON, decoded, and as it came."""

    value: Any
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A page of studies: decoded, and as it came."""

    value: dict[str, Any]
    content: bytes

    @property
    def studies(self) -> list[Any]:
        """The studies, decoded."""
        found: list[Any] = self.value.get("studies", [])
        return found

    @property
    def total(self) -> int | None:
        """Number of records that the registry counts; the first page alone has it."""
        found = self.value.get("totalCount")
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def records(self) -> Iterator[Received]:
        """Yield the studies, each with the bytes that it came in."""
        return items_of(self.content, self.studies, "studies")


@dataclass(frozen=True, slots=True)
class _Passing:
    """A fault that may pass, and the seconds that the registry asks to wait."""

    fault: str
    wait: float = 0.0


def check_installed() -> None:
    """Check that the library for requests is there: it is an extra, since one step alone needs it.

    Raises
    ------
    RegistryError
        If it is not.
    """
    if importlib.util.find_spec(NEEDED) is None:
        raise RegistryError(
            f"searching needs {NEEDED}, which is not installed: pip install 'alkbayes[registry]'. Records that were "
            "downloaded before are read without it."
        )


def _origin(url: "httpx2.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _seconds(text: str) -> float:
    """Return the seconds of a Retry-After header; 0 for a date, which is rare and may be wrong."""
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() and len(text) < 12 else 0.0
