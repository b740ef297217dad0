"""A registry of this machine: it answers as ClinicalTrials.gov's interface does, with the faults a test asks for."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

type Answer = tuple[int, dict[str, str], bytes]
type Fault = Callable[[str, dict[str, str]], Answer | None]


class Registry:
    """Records, and what was asked of them."""

    def __init__(self, records: dict[str, dict[str, Any]]) -> None:
        self.records = dict(records)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Answer | None] = []
        """Answers in place of the next ones; None answers as usual."""
        self.always_a_token = False
        self.stamp = "2026-11-27T09:00:05"
        self.base = ""

    def answer(self, path: str, parameters: dict[str, str]) -> Answer:
        self.asked.append((path, parameters))
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return fault
        if path == "/api/v2/version":
            return as_json({"apiVersion": "2.0.5", "dataTimestamp": self.stamp})
        if path == "/api/v2/studies":
            return self._studies(parameters)
        return 404, {"content-type": "text/plain"}, b"not found"

    def _studies(self, parameters: dict[str, str]) -> Answer:
        found = [number for number in sorted(self.records) if self._matches(number, parameters)]
        size, start = int(parameters.get("pageSize", "10")), int(parameters.get("pageToken", "t0")[1:])
        page: dict[str, Any] = {"studies": [self._study(number, parameters) for number in found[start : start + size]]}
        if parameters.get("countTotal") == "true" and start == 0:
            page["totalCount"] = len(found)
        full = start + size <= len(found) if self.always_a_token else start + size < len(found)
        if full:
            page["nextPageToken"] = f"t{start + size}"
        return as_json(page)

    def _matches(self, number: str, parameters: dict[str, str]) -> bool:
        if "filter.ids" in parameters:
            return number in parameters["filter.ids"].split(",")
        text = json.dumps(self.records[number]).casefold()
        wanted = [value for key, value in parameters.items() if key.startswith("query.")]
        return all(any(word.strip(' "').casefold() in text for word in value.split(" OR ")) for value in wanted)

    def _study(self, number: str, parameters: dict[str, str]) -> dict[str, Any]:
        if "fields" not in parameters:
            return self.records[number]
        protocol = self.records[number]["protocolSection"]
        date = protocol.get("statusModule", {}).get("lastUpdatePostDateStruct", {"date": "2026-01-15"})
        return {
            "protocolSection": {
                "identificationModule": {"nctId": number},
                "statusModule": {"lastUpdatePostDateStruct": {"date": date["date"]}},
            }
        }


def as_json(value: Any) -> Answer:
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


@contextmanager
def serving(records: dict[str, dict[str, Any]]) -> Iterator[Registry]:
    """Serve records on a port of this machine."""
    registry = Registry(records)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = {key: values[0] for key, values in parse_qs(parts.query).items()}
            status, headers, content = registry.answer(parts.path, parameters)
            if status == 0:  # the connection breaks
                self.close_connection = True
                return
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            if "content-length" not in headers:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    registry.base = f"http://127.0.0.1:{server.server_address[1]}/api/v2"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
