"""``opsconsole-exporter``: serves ``/metrics`` beside Celery workers, which have no web server of their own.

It answers when every worker has stopped, which is when the age of the oldest message matters.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsconsole_exporters import __version__

if TYPE_CHECKING:
    from celery import Celery
    from prometheus_client.registry import Collector

PROGRAM = "opsconsole-exporter"


class SidecarError(Exception):
    """One line that says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C.  Exits 0 then, 1 if it cannot start, 2 for a wrong command line."""
    arguments = _parser().parse_args(argv)
    try:
        serve(arguments.host, arguments.port, arguments.multiproc_dir, arguments.celery)
    except SidecarError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    return 0


def serve(host: str, port: int, multiproc_dir: Path | None, celery: str | None) -> None:
    """Listen first, so that a port in use is told before anything is imported."""
    if multiproc_dir is None and celery is None:
        raise SidecarError("nothing to serve: set PROMETHEUS_MULTIPROC_DIR, or give --celery module:app, or both")
    if multiproc_dir is not None:
        # prometheus-client reads it when it is first imported, which the imports below do.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(multiproc_dir)
    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise SidecarError(f"cannot listen on {host}:{port}: {error.strerror}; see --host and --port") from error
    with server:
        server.prepare(celery)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        sys.stdout.write(f"{PROGRAM} serves http://{host}:{server.server_port}/metrics\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except (KeyboardInterrupt, SystemExit):
            return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    collectors: tuple[Collector, ...] = ()
    token = ""

    def prepare(self, celery: str | None) -> None:
        """Import what the pages need; the first scrape should not pay for it."""
        from opsconsole_exporters import multiprocess
        from opsconsole_exporters.options import Options
        from opsconsole_exporters.service import service_name

        try:
            multiprocess.prepare()
        except OSError as error:
            raise SidecarError(f"cannot create {multiprocess.directory()}: {error.strerror}") from error
        if celery is not None:
            app = load_app(celery)
            from opsconsole_exporters.queues import QueueCollector, QueueSampler

            self.collectors = (QueueCollector(QueueSampler(app)),)
        options = Options.read()
        self.token = options.metrics_token
        if options.logs:
            from opsconsole_exporters.logs import configure_logging

            configure_logging(service_name(fallback=PROGRAM))


class Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = PROGRAM
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


def load_app(name: str) -> Celery:
    """Import a Celery app as ``celery -A`` would, from the working directory too."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        from celery.app.utils import find_app
    except ImportError as error:
        raise SidecarError("--celery needs celery; pip install 'opsconsole-exporters[celery]'") from error
    try:
        return find_app(name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise SidecarError(f"cannot import --celery {name}: {reason}") from error


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 (any free one) to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve /metrics for Celery workers: their tasks, and the length, age and workers of each queue.",
        epilog="OPSCONSOLE_METRICS_TOKEN, if set, is the bearer token that a scraper must send.",
    )
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    parser.add_argument("--port", type=_port, default=9101, help="port to listen on (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--celery", metavar="MODULE:APP", help="Celery app whose queues to watch, for example shop.celery:app"
    )
    parser.add_argument(
        "--multiproc-dir",
        metavar="DIR",
        type=Path,
        default=Path(shared) if shared else None,
        help="directory that the workers share for their metrics (default: PROMETHEUS_MULTIPROC_DIR)",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
