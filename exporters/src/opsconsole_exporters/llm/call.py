"""One call of a language model: from what happens to it come its metrics and its span, exactly once."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import replace
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from opsconsole_exporters.llm import record
from opsconsole_exporters.llm.outcome import Outcome, of_exception
from opsconsole_exporters.llm.usage import Usage, estimated
from opsconsole_exporters.shield import shield, shielded

T = TypeVar("T")

# Whether a call is being observed further out: the HTTP request inside it must not be counted again.
_inside: ContextVar[bool] = ContextVar("opsconsole_llm_inside", default=False)


def observed_further_out() -> bool:
    return _inside.get()


class Call:
    """Tell it what happens; ``finish`` ends it, and everything after that is ignored.

    It is bound to no task, thread or context, so a stream that outlives the view that began it is measured all the same.
    ``input_bytes`` is asked only when tokens must be estimated.
    """

    def __init__(
        self,
        operation: str,
        *,
        provider: str,
        model: str,
        stream: bool = False,
        input_bytes: Callable[[], int] = lambda: 0,
        server: str = "",
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._input_bytes = input_bytes
        self._stream = stream
        self._usage: Usage | None = None
        self._text_bytes = 0
        self._chunks = 0
        self._first_chunk: float | None = None
        self._last_chunk = 0.0
        self._early = ""
        self._finished = False
        self._token: Token[bool] | None = None
        self._attributes: dict[str, Any] = {}
        self.who = record.Who(operation, provider, model)
        self.span: Span = trace.INVALID_SPAN
        with shield("LLM spans"):
            self.span = _start_span(self.who, stream=stream, server=server)

    @property
    def finished(self) -> bool:
        return self._finished

    @shielded("LLM metrics")
    def answered_by(self, model: str = "", response_id: str = "", finish_reason: str = "") -> None:
        """The model that answers, by the provider's word, and what else of the answer belongs on the span."""
        if model:
            self.who = self.who.answered_by(model)
        for key, value in (
            ("gen_ai.response.model", model),
            ("gen_ai.response.id", response_id),
            ("gen_ai.response.finish_reasons", (finish_reason,) if finish_reason else ()),
        ):
            if value:
                self._attributes[key] = value

    @shielded("LLM metrics")
    def chunk(self, text_bytes: int) -> None:
        """A chunk with so many bytes of content has come; one without content (a role, a heartbeat) is none."""
        if not text_bytes or self._finished:
            return
        now = self._clock()
        self._text_bytes += text_bytes
        self._chunks += 1
        if self._first_chunk is None:
            self._first_chunk = now
        else:
            record.next_chunk(self.who, now - self._last_chunk)
        self._last_chunk = now

    @shielded("LLM metrics")
    def used(self, usage: Usage) -> None:
        """The provider's report of tokens; a later one replaces an earlier one, for they are running totals."""
        self._usage = usage if self._usage is None else self._usage.merged(usage)

    def ended_early(self, by: str) -> None:
        """The stream stops before the model is done: ``by`` the client or the provider."""
        self._early = by

    def finish(self, outcome: Outcome = Outcome.OK) -> None:
        """End the call; the first one counts.  Safe from a finaliser, from any thread."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
        self._record(outcome)

    def fail(self, error: BaseException) -> None:
        """End the call by an exception; a client that went away is no error."""
        outcome = of_exception(error)
        if self._stream and self._first_chunk is not None:
            self.ended_early("client" if outcome is Outcome.CANCELLED else "provider")
        self.finish(outcome)

    @shielded("LLM metrics")
    def _record(self, outcome: Outcome) -> None:
        now = self._clock()
        usage = self._final_usage()
        record.finished(self.who, outcome, now - self._started, usage, self._early)
        if self._first_chunk is not None:
            record.streamed(self.who, self._first_chunk - self._started, self._last_chunk - self._first_chunk, usage)
            self._attributes["gen_ai.response.time_to_first_chunk"] = self._first_chunk - self._started
        self.span.set_attributes({**self._attributes, **record.usage_attributes(usage)})
        if outcome is not Outcome.OK:
            self.span.set_attribute("error.type", outcome.value)
            if outcome is not Outcome.CANCELLED:
                self.span.set_status(Status(StatusCode.ERROR, outcome.value))
        self.span.end()

    def _final_usage(self) -> Usage | None:
        """What was reported; of a stream that lost its last event, where usage stands, an estimate: it is paid for too."""
        usage = self._usage
        if not self._chunks or (usage is not None and not self._early):
            return usage
        guess = estimated(self._input_bytes(), self._text_bytes, self._chunks)
        if usage is None:
            return guess
        return usage if usage.output >= guess.output else replace(usage, output=guess.output, source=guess.source)

    def stream(self, parts: Iterable[T], text: Callable[[T], str]) -> Generator[T]:
        """Pass ``parts`` on as they come and measure them; ``text`` is what a part says.  Closing it closes ``parts``."""
        try:
            for part in parts:
                self._part(part, text)
                yield part
        except BaseException as error:
            self.fail(error)
            raise
        else:
            self.finish()
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()

    async def astream(self, parts: AsyncIterable[T], text: Callable[[T], str]) -> AsyncGenerator[T]:
        """The same for ``async for``; it survives a client that goes away: cancelled, closed or collected."""
        try:
            async for part in parts:
                self._part(part, text)
                yield part
        except BaseException as error:
            self.fail(error)
            raise
        else:
            self.finish()
        finally:
            if (close := getattr(parts, "aclose", None) or getattr(parts, "close", None)) is not None:
                await close()

    @shielded("LLM metrics")
    def _part(self, part: Any, text: Callable[[Any], str]) -> None:
        self.chunk(len((text(part) or "").encode(errors="replace")))

    def __enter__(self) -> Self:
        self._token = _inside.set(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._token is not None:
            # A generator may be closed in another context than it began in; then there is nothing to put back.
            with suppress(ValueError):
                _inside.reset(self._token)
        if error is None:
            self.finish()
        else:
            self.fail(error)


def _start_span(who: record.Who, *, stream: bool, server: str) -> Span:
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": who.operation,
        "gen_ai.provider.name": who.provider,
        "gen_ai.request.model": who.requested,
        "gen_ai.request.stream": stream,
    }
    if server:
        attributes["server.address"] = server
    tracer = trace.get_tracer("opsconsole_exporters.llm")
    return tracer.start_span(f"{who.operation} {who.requested}".strip(), kind=SpanKind.CLIENT, attributes=attributes)
