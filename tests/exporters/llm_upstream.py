"""A provider of language models that speaks HTTP as they do, and fails as they do; what it does is in the model's name."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
WORDS = ("The ", "answer ", "is ", "42.")


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.model = body["model"]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._route(body)

    def _route(self, body: dict[str, Any]) -> None:
        if "status-" in self.model:
            status, _, code = self.model.partition("status-")[2].partition("-")
            self._json({"error": {"message": "no", "type": "error", "code": code}}, int(status))
        elif self.path.endswith("/embeddings"):
            vector = [0.12345678901234567] * 12_000 if "large" in self.model else [0.5]
            usage = {"prompt_tokens": 8, "total_tokens": 8}
            self._json(
                {
                    "object": "list",
                    "data": [{"object": "embedding", "index": i, "embedding": vector} for i in range(5)],
                    "model": self.model,
                    "usage": usage,
                }
            )
        elif self.path.endswith("/messages"):
            self._events(self._anthropic(), done=False)
        elif self.path.endswith("/responses"):
            self._events(self._responses(), done=False)
        elif body.get("stream"):
            self._events(self._chat(), done=True)
        else:
            message = {"role": "assistant", "content": "".join(WORDS)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._json(
                {
                    "id": "c-1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": f"{self.model}-2026-01-31",
                    "choices": [choice],
                    "usage": USAGE,
                }
            )

    def _chat(self) -> Iterator[dict[str, Any]]:
        head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": f"{self.model}-2026-01-31"}

        def chunk(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

        yield chunk({"role": "assistant", "content": ""})
        for word in WORDS:
            yield chunk({"content": word})
        while "endless" in self.model:
            yield chunk({"content": "more "})
        if "stalling" in self.model:
            self.connection.recv(1)  # says nothing more until the other side has gone
        yield chunk({}, "content_filter" if "filtered" in self.model else "stop")
        if "unreported" not in self.model:
            yield {**head, "choices": [], "usage": {**USAGE, "completion_tokens": 20}}  # a running total, told twice
            yield {**head, "choices": [], "usage": USAGE}

    def _responses(self) -> Iterator[dict[str, Any]]:
        yield {"type": "response.created", "response": {"id": "r-1", "model": self.model, "status": "in_progress"}}
        for word in WORDS:
            yield {"type": "response.output_text.delta", "delta": word}
        usage = {"input_tokens": 12, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}}
        response = {"id": "r-1", "model": self.model, "status": "completed", "usage": usage}
        yield {"type": "response.completed", "response": response}

    def _anthropic(self) -> Iterator[dict[str, Any]]:
        usage = {
            "input_tokens": 10,
            "cache_read_input_tokens": 70,
            "cache_creation_input_tokens": 20,
            "output_tokens": 1,
        }
        yield {"type": "message_start", "message": {"id": "m-1", "model": self.model, "usage": usage}}
        for word in WORDS:
            yield {"type": "content_block_delta", "delta": {"type": "text_delta", "text": word}}
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
        yield {"type": "message_stop"}

    def _events(self, events: Iterator[dict[str, Any]], *, done: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if number == 3 and "broken" in self.model:
                self.close_connection = True
                return
            if number == 3 and "cut" in self.model:
                done = False
                break
            self._chunk(f"data: {json.dumps(event)}\n\n".encode())
        if done:
            self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _json(self, document: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            data = gzip.compress(data)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The base address of a running provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
