"""The id of the request that is being served: the caller's, if it fits, else our own; on the answer and in every log line."""

from __future__ import annotations

import random
import re

from opsconsole_exporters import work

HEADER = "X-Request-ID"
TASK_HEADER = "opsconsole_request_id"

# It goes into logs and back to the client, so it is short and has no character that means something to either.
_FITS = re.compile(r"[A-Za-z0-9._~+/=@:-]{1,128}")


def accepted(given: object) -> str:
    """``given`` if it fits, else a new id of 32 hexadecimal digits."""
    # As trace ids are made: nothing depends on nobody guessing it.
    return given if isinstance(given, str) and _FITS.fullmatch(given) else f"{random.getrandbits(128):032x}"


def current() -> str | None:
    """That of the request or task being served here."""
    served = work.current.get()
    return None if served is None else served.request_id
