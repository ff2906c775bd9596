"""A collector of OTLP traces over HTTP that keeps what arrives."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sink:
    """A collector of OTLP traces: what has arrived, span by span, each with its service's name."""

    port: int
    spans: list[tuple[str, Any]] = field(default_factory=list)

    def find(self, name: str, trace_id: str = "") -> Any:
        """The first span of that name, of that trace if one is given (hexadecimal); None if there is none yet."""
        named = (span for _, span in list(self.spans) if span.name == name)
        return next((span for span in named if trace_id in {"", span.trace_id.hex()}), None)


def attributes(span: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


@contextlib.contextmanager
def receiving() -> Iterator[Sink]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = attributes(resource.resource)["service.name"]
                sink.spans.extend((service, span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    sink = Sink(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield sink
    server.shutdown()
    server.server_close()
    thread.join()
