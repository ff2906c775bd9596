"""How a call of a language model ended: a closed set, so that its share is a rate and not a text search."""

from __future__ import annotations

import asyncio
from enum import StrEnum


class Outcome(StrEnum):
    """``cancelled`` is nobody's error, and belongs in no denominator.

    The application's own are ``auth``, ``bad_request``, ``context_length`` and ``content_filter``; the rest are the
    provider's, and count against an objective.
    """

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    CONTENT_FILTER = "content_filter"
    CONTEXT_LENGTH = "context_length"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    SERVER_ERROR = "server_error"
    CONNECTION = "connection"
    INVALID_RESPONSE = "invalid_response"
    CANCELLED = "cancelled"


_BY_STATUS = {
    401: Outcome.AUTH,
    403: Outcome.AUTH,
    408: Outcome.TIMEOUT,
    429: Outcome.RATE_LIMITED,
    504: Outcome.TIMEOUT,
}

# Words of error codes and messages; only these words are looked for, and nothing of a message is kept.
_BY_WORD = (
    ("context_length", Outcome.CONTEXT_LENGTH),
    ("prompt is too long", Outcome.CONTEXT_LENGTH),
    ("maximum context", Outcome.CONTEXT_LENGTH),
    ("content_filter", Outcome.CONTENT_FILTER),
    ("content_policy", Outcome.CONTENT_FILTER),
    ("rate_limit", Outcome.RATE_LIMITED),
    ("overloaded", Outcome.SERVER_ERROR),
)

# By the name of a class, so that no client has to be imported: those of httpx and of the clients built upon it.
_BY_CLASS = {
    "APITimeoutError": Outcome.TIMEOUT,
    "TimeoutException": Outcome.TIMEOUT,
    "TransportError": Outcome.CONNECTION,
    "APIConnectionError": Outcome.CONNECTION,
    "APIResponseValidationError": Outcome.INVALID_RESPONSE,
    "JSONDecodeError": Outcome.INVALID_RESPONSE,
}


def of_status(status: int, message: str = "") -> Outcome:
    """The outcome of an HTTP status; ``message`` is the provider's error, which tells kinds of 400 apart."""
    if status < 400:
        return Outcome.OK
    if (known := _BY_STATUS.get(status)) is not None:
        return known
    if status >= 500:
        return Outcome.SERVER_ERROR
    return of_message(message, Outcome.BAD_REQUEST)


def of_message(message: str, otherwise: Outcome) -> Outcome:
    """The outcome that an error's code or text names, or ``otherwise``."""
    lowered = message.lower()
    return next((outcome for word, outcome in _BY_WORD if word in lowered), otherwise)


def of_exception(error: BaseException) -> Outcome:
    """The outcome of an exception that left a call, whichever client raised it."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt | SystemExit):
        return Outcome.CANCELLED
    if isinstance(status := getattr(error, "status_code", None), int):
        return of_status(status, str(error))
    for kind in type(error).__mro__:
        if (known := _BY_CLASS.get(kind.__name__)) is not None:
            return known
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(error, OSError):
        return Outcome.CONNECTION
    return Outcome.SERVER_ERROR
