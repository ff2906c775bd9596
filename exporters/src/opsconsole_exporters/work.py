"""The request or task that is being served, for whatever it calls.

One context variable for all of it, since asgiref carries each of them through every thread that a request meets.
"""

from __future__ import annotations

from contextvars import ContextVar


class Work:
    """``request_id``: the one under which it is logged, None if there is none."""

    __slots__ = ("request_id",)

    def __init__(self, request_id: str | None) -> None:
        self.request_id = request_id


current: ContextVar[Work | None] = ContextVar("opsconsole_work", default=None)
"""Threads that ``sync_to_async`` starts see the same object."""
