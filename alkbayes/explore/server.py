"""The routes of the page, and who may ask for them: this machine's browser with the token of the first address."""

import asyncio
import contextlib
import io
import os
import secrets
import socket
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alkbayes.errors import AlkbayesError, UsageError
from alkbayes.explore.explorer import Explorer
from alkbayes.explore.page import asset, page_html, parts_html, refusal_html
from alkbayes.explore.setting import Setting, parsed

HOST = "127.0.0.1"
LARGEST_PORT = 65535
MOST_BODY = 256 * 1024
"""Bytes of a request's body."""
IDLE_SECONDS = 3600.0
POLL_SECONDS = 5.0
ALIVE = "/alive"
"""What an open page asks now and then; no use of it."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
ASSETS = {"report.css": "text/css", "explore.css": "text/css", "explore.js": "text/javascript"}
NO_TOKEN = (
    "This page belongs to another session",
    "Open the address that the terminal shows: it carries the key of this session, once.",
)


class TooLargeError(Exception):
    """A body of more than `MOST_BODY` bytes."""


class Guard:
    """Refuse whoever is not the page itself, and put the headers on every response.

    Parameters
    ----------
    app
        What is guarded.
    port
        Of the server: Host and Origin must name it on this machine, so that no other site can stand in for it.
    token
        Of the first address, and then of the cookie.
    used
        Called at each use.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str, used: Callable[[], None]) -> None:
        self._app, self._token, self._used = app, token, used
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self.cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is None and scope["path"] != ALIVE:
            self._used()

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        try:
            await self._app(scope, _limited(receive), with_headers)
        except TooLargeError:
            await _too_large()(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        if headers.getlist("host") != [host := headers.get("host", "")] or host not in self._hosts:
            return PlainTextResponse("This server answers to its own address alone.", 421)
        if request.method not in {"GET", "HEAD"} and headers.get("origin") != f"http://{host}":
            return PlainTextResponse("A change can be asked for by the page alone.", 403)
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and request.method != "GET":
            return PlainTextResponse("A change can be asked for by the page alone.", 403)
        if _length(headers) > MOST_BODY:
            return _too_large()
        given = request.query_params.getlist("token")
        if request.url.path == "/" and request.method == "GET" and given:
            return self._admitted(given[0])
        if not _same(request.cookies.get(self.cookie, ""), self._token):
            return HTMLResponse(refusal_html(*NO_TOKEN), 403)
        return None

    def _admitted(self, given: str) -> Response:
        """Return the way to the page without the token in its address, for who has it."""
        if not _same(given, self._token):
            return HTMLResponse(refusal_html(*NO_TOKEN), 403)
        response = RedirectResponse("/", 303)
        response.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
        return response


def cookie_name(port: int) -> str:
    """Return the name of the cookie: cookies know no ports, and two pages may be open."""
    return f"alkbayes-explore-{port}"


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else MOST_BODY + 1


def _too_large() -> Response:
    return PlainTextResponse(f"A request may have {MOST_BODY // 1024} kB.", 413)


def _limited(receive: Receive) -> Receive:
    """Return what reads a body, but not more than allowed: its length need not be said beforehand."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BODY:
            raise TooLargeError
        return message

    return limited


class Session:
    """The server's view of the time: when it was used last, and whether it should end."""

    def __init__(self, *, idle: float = IDLE_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._idle, self._now = idle, now
        self._last = now()
        self.end: Callable[[], None] = lambda: None

    def used(self) -> None:
        """Note that the page was used."""
        self._last = self._now()

    @property
    def over(self) -> bool:
        """Whether nobody has used it for too long."""
        return self._now() - self._last > self._idle

    async def watch(self) -> None:
        """End the server when it is over."""
        while not self.over:
            await asyncio.sleep(min(POLL_SECONDS, self._idle))
        self.end()


def app_of(explorer: Explorer, *, port: int, token: str, session: Session) -> Starlette:
    """Return the application: its routes, behind the guard."""
    routes = Routes(explorer)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        explorer.hub.open()
        tasks = [asyncio.create_task(explorer.fit_base()), asyncio.create_task(session.watch())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await explorer.hub.close()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    return Starlette(
        routes=[
            Route("/", routes.page),
            Route("/{name}.css", routes.style),
            Route("/explore.js", routes.script),
            Route(ALIVE, routes.alive),
            Route("/model.toml", routes.model_file),
            Route("/kept/{number:int}/report.html", routes.report),
            Route("/kept/{number:int}/archive.zip", routes.archive),
            Route("/setting", routes.setting, methods=["POST"]),
            Route("/preview", routes.preview, methods=["POST"]),
            Route("/fit", routes.fit, methods=["POST"]),
            Route("/keep", routes.keep, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, port=port, token=token, used=session.used)],
        lifespan=lifespan,
    )


class Routes:
    """What is answered to whom has been let in."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer

    def _parsed(self, query: str) -> Setting:
        return parsed(query, self._explorer.base.setting, models=self._explorer.models)

    async def page(self, request: Request) -> Response:
        """Return the page of the setting that its address says."""
        try:
            setting = self._parsed(request.url.query)
        except UsageError as error:
            return HTMLResponse(refusal_html("This address says no setting", str(error)), 400)
        return HTMLResponse(page_html(self._explorer.page(setting)))

    async def style(self, request: Request) -> Response:
        """Return a style sheet."""
        return _asset(f"{request.path_params['name']}.css")

    async def script(self, _request: Request) -> Response:
        """Return the script."""
        return _asset("explore.js")

    async def alive(self, _request: Request) -> Response:
        """Say that the server is there."""
        return Response(status_code=204)

    async def model_file(self, request: Request) -> Response:
        """Return the model file of a setting."""
        try:
            name, content = self._explorer.model_file(self._parsed(request.url.query))
        except AlkbayesError as error:
            return PlainTextResponse(str(error), 400)
        return _download(content, name, "application/toml")

    async def report(self, request: Request) -> Response:
        """Return the report of a kept run."""
        content = await self._explorer.report(request.path_params["number"])
        if content is None:
            return PlainTextResponse("There is no such run, or its report could not be made.", 404)
        return _download(content, "report.html", "text/html")

    async def archive(self, request: Request) -> Response:
        """Return the folder of a kept run as a zip archive."""
        kept, number = self._explorer.kept, request.path_params["number"]
        if not 1 <= number <= len(kept):
            return PlainTextResponse("There is no such run.", 404)
        folder = kept[number - 1][0]
        try:
            content = await asyncio.to_thread(archive_of, folder)
        except OSError as error:
            return PlainTextResponse(f"{folder}: cannot be read: {error.strerror or error}.", 404)
        return _download(content, f"{folder.name}.zip", "application/zip")

    async def setting(self, request: Request) -> Response:
        """Return what depends on the setting alone, without a fit."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        explorer = self._explorer
        return HTMLResponse(
            parts_html(changes=explorer.changes(asked.setting), leaving=explorer.leaving(asked.setting))
        )

    async def preview(self, request: Request) -> Response:
        """Return the pooled rates without one more cohort, if they can be had at once."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        results = await self._explorer.preview(asked.tab, asked.before, asked.setting)
        if results is None:
            return Response(status_code=204)
        return HTMLResponse(parts_html(results=results, headline_only=True))

    async def fit(self, request: Request) -> Response:
        """Return the results of a setting when they are there; nothing if a later one of the tab has replaced it."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        explorer, quick = self._explorer, request.query_params.get("draws") != "settled"
        results = await explorer.results(asked.tab, asked.setting, quick=quick)
        if results is None:
            return Response(status_code=204)
        return HTMLResponse(
            parts_html(
                results=results,
                controls=explorer.controls(asked.setting),
                changes=explorer.changes(asked.setting),
                leaving=explorer.leaving(asked.setting),
            )
        )

    async def keep(self, request: Request) -> Response:
        """Write the run of a setting."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        fault = await self._explorer.keep(asked.setting)
        return HTMLResponse(parts_html(leaving=self._explorer.leaving(asked.setting, fault)), 422 if fault else 200)

    async def _asked(self, request: Request) -> "Asked | Response":
        """Return what the page asks for, or why that cannot be understood."""
        try:
            fields = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=3))
            return Asked(fields["tab"], self._parsed(fields["setting"]), self._parsed(fields.get("before", "")))
        except (UsageError, KeyError, ValueError) as error:
            said = str(error) if isinstance(error, UsageError) else "the page's request cannot be read."
            results = self._explorer.refused(self._explorer.base.setting, said)
            return HTMLResponse(parts_html(results=results), 422)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page asks for: its tab, the setting, and the one before it."""

    tab: str
    setting: Setting
    before: Setting


def _asset(name: str) -> Response:
    if name not in ASSETS:
        return PlainTextResponse("There is no such file.", 404)
    return Response(asset(name), media_type=ASSETS[name])


def _download(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def archive_of(folder: Path) -> bytes:
    """Return a run's folder as a zip archive, its files below the folder's name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                archive.write(path, f"{folder.name}/{path.name}")
    return content.getvalue()


def serve(explorer: Explorer, *, listening: socket.socket, token: str, opened: Callable[[], None]) -> None:
    """Serve the page until Ctrl-C, or until nobody has used it for an hour.

    Parameters
    ----------
    listening
        Socket bound to a port of this machine.
    token
        Of the first address.
    opened
        Called when it can be opened.
    """
    session = Session()
    app = app_of(explorer, port=listening.getsockname()[1], token=token, session=session)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=1
    )
    server = _Server(config, opened)

    def end() -> None:
        server.should_exit = True

    session.end = end
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Return a socket bound to a port of this machine, reachable from nowhere else.

    Raises
    ------
    UsageError
        If the port is taken or not allowed.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise UsageError(f"found {port}; allowed: 0 to {LARGEST_PORT}, 0 for any that is free.", parameter="port")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        # Else the port of a page that has just ended stays closed for a minute; on Windows it would mean to share it.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UsageError(
            f"found {port}, which cannot be used: {error.strerror or error}. Allowed: a free one, or 0 for any.",
            parameter="port",
        ) from error
    return listening


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, opened: Callable[[], None]) -> None:
        super().__init__(config)
        self._opened = opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        self._opened()
