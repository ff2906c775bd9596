"""The id of the request that is being served: the caller's, if it fits, else our own; on the answer and in every log line."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

HEADER = "X-Request-ID"
TASK_HEADER = "opsconsole_request_id"

# It goes into logs and back to the client, so it is short and has no character that means something to either.
_FITS = re.compile(r"[A-Za-z0-9._~+/=@:-]{1,128}")

current: ContextVar[str | None] = ContextVar("opsconsole_request_id", default=None)


def accepted(given: object) -> str:
    """``given`` if it fits, else a new id of 32 hexadecimal digits."""
    return given if isinstance(given, str) and _FITS.fullmatch(given) else secrets.token_hex(16)
