"""A small web server with one page, ``/metrics``, for programs that have none of their own."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.registry import Collector


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "opsconsole-exporter"
    # A scraper keeps its connection; without a limit one that vanished would keep a thread.
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        from opsconsole_exporters import exposition

        if self.path.partition("?")[0] != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"see /metrics\n")
        elif not exposition.authorized(self.server.token, self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, b"a bearer token is needed\n")
        else:
            page = exposition.render(self.headers.get("Accept", ""), self.server.collectors)
            self._answer(HTTPStatus.OK, page.body, page.content_type)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: a line for every scrape helps nobody."""


class Server(ThreadingHTTPServer):
    """Listens as soon as it is made; ``collectors`` and ``token`` may come before the first scrape."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.collectors: Iterable[Collector] = ()
        self.token = ""
        super().__init__((host, port), Handler)
