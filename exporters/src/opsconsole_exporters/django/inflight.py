"""A request from the first middleware to the last: what its metrics, its queries and its log lines know of it."""

from __future__ import annotations

from contextvars import Token
from time import perf_counter
from typing import TYPE_CHECKING

from django.http import HttpRequest

from opsconsole_exporters import work
from opsconsole_exporters.batch import Batch
from opsconsole_exporters.django.queries import RequestQueries

if TYPE_CHECKING:
    from opsconsole_exporters.django.traces import RequestSpan

_OF_REQUEST = "_opsconsole_in_flight"


class InFlight(work.Work):
    """``started``, ``entered``: when it met the outer and the inner middleware, as ``perf_counter()`` has it.

    ``viewed``: no middleware has answered in the view's place.  ``exemplar``: ids of its trace, if that is kept.
    """

    __slots__ = ("_token", "batch", "entered", "exemplar", "queries", "span", "started", "viewed")

    def __init__(self, request: HttpRequest, request_id: str | None) -> None:
        super().__init__(request_id)
        self.queries = RequestQueries()
        self.batch = Batch()
        self.viewed = False
        self.exemplar: dict[str, str] | None = None
        self.span: RequestSpan | None = None
        setattr(request, _OF_REQUEST, self)
        self._token: Token[work.Work | None] = work.current.set(self)
        self.started = self.entered = perf_counter()

    def land(self) -> None:
        """Whatever runs in this context from now on does not belong to the request."""
        work.current.reset(self._token)


def of_request(request: HttpRequest) -> InFlight | None:
    return getattr(request, _OF_REQUEST, None)


def queries_here() -> RequestQueries | None:
    """Of the request being served in this context."""
    served = work.current.get()
    return served.queries if isinstance(served, InFlight) else None
