"""An HTTP request and its response as one call: the bytes pass by, are looked at, and go on unaltered."""

from __future__ import annotations

from collections.abc import Mapping

from opsconsole_exporters.llm import dialect
from opsconsole_exporters.llm.call import Call, observed_further_out
from opsconsole_exporters.llm.content import Body, Unpacker
from opsconsole_exporters.llm.outcome import Outcome, of_status
from opsconsole_exporters.llm.sse import EventReader
from opsconsole_exporters.shield import shielded


class Exchange:
    """Begins with the request.  Whoever carries the bytes calls ``answered``, ``passed`` and one of the endings."""

    def __init__(self, request: dialect.Request, host: str) -> None:
        self._dialect = request.dialect
        self._status = 0
        self._unpack: Unpacker | None = None
        self._events: EventReader | None = None
        self._body = Body()
        self._complete = False
        self._outcome: Outcome | None = None
        self.call = Call(
            request.dialect.operation,
            provider=request.provider,
            model=request.model,
            stream=request.stream,
            input_bytes=request.text_bytes,
            server=host,
        )

    @shielded("LLM metrics")
    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The response has begun.  ``headers`` by names in lower case."""
        self._status = status
        self._unpack = Unpacker(headers.get("content-encoding", ""))
        if status < 400 and "text/event-stream" in headers.get("content-type", ""):
            self._events = EventReader()

    @shielded("LLM metrics")
    def passed(self, piece: bytes) -> None:
        """These bytes of the response go by."""
        for part in self._unpack.feed(piece) if self._unpack else ():
            if self._events is None:
                self._body.feed(part)
            else:
                for data in self._events.feed(part):
                    self._event(data)

    def ended(self) -> None:
        """The response has ended as HTTP wants it, whether or not the model had."""
        self._conclude()
        if not self._complete and self._events is not None and self._readable:
            self.call.ended_early("provider")
            self._outcome = self._outcome or Outcome.INVALID_RESPONSE
        self.call.finish(self._outcome or of_status(self._status))

    def closed(self, error: BaseException | None = None) -> None:
        """The reader has stopped: cancelled, closed, collected, or because it had all it wanted."""
        if self.call.finished:
            return
        if error is None and self._complete:
            self.call.finish(self._outcome or of_status(self._status))
            return
        if error is None and self._status >= 400:  # nobody reads the body of an error
            self._conclude()
            self.call.finish(self._outcome or of_status(self._status))
            return
        self.call.fail(error or GeneratorExit())

    @property
    def _readable(self) -> bool:
        return self._unpack is not None and self._unpack.readable

    @shielded("LLM metrics")
    def _conclude(self) -> None:
        if self._events is not None:
            for data in self._events.close():
                self._event(data)
            return
        document = self._body.read()
        if self._status >= 400:
            self._outcome = of_status(self._status, dialect.error_message(document))
        elif document is not None:
            self._tell(dialect.answer(self._dialect, document), chunk=False)
        elif self._readable:
            self._outcome = Outcome.INVALID_RESPONSE

    def _event(self, data: bytes) -> None:
        if (piece := dialect.event(self._dialect, data)) is not None:
            self._tell(piece, chunk=True)

    def _tell(self, piece: dialect.Piece, *, chunk: bool) -> None:
        self.call.answered_by(piece.model, piece.response_id, piece.finish_reason)
        if piece.usage is not None:
            self.call.used(piece.usage)
        if chunk:
            self.call.chunk(piece.text_bytes)
        self._complete = self._complete or piece.finished
        self._outcome = piece.outcome or self._outcome


@shielded("LLM metrics")
def begin(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes) -> Exchange | None:
    """An exchange, if the request is a call of a language model that nobody observes yet."""
    if method != "POST" or observed_further_out():
        return None
    request = dialect.request(method, host, path, headers, body)
    return None if request is None else Exchange(request, host)
