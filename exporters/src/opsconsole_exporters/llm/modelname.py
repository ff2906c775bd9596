"""Names of models as label values: without the date of their release, and no more of them than a process should hold."""

from __future__ import annotations

import re
import threading

LIMIT = 50
OTHER = "other"
UNKNOWN = "unknown"

# gpt-4o-2024-08-06, claude-sonnet-4-20250514, ...@20250514, ...-latest, ...-preview, ...-v1:0, ...-001
_DATE = re.compile(r"(?:[-@](?:20\d{2}-?[01]\d-?[0-3]\d|latest|preview|v?\d:\d+|00\d))+$")
_LONGEST = 80

_seen: set[str] = set()
_lock = threading.Lock()


def normal(name: str) -> str:
    """``name`` without what changes with each release of the same model: a date, ``latest``, a fine-tune's owner."""
    if not (bare := name.strip().lower().rpartition("models/")[2]):
        return UNKNOWN
    if bare.startswith("ft:"):  # ft:<base>:<organisation>:<suffix>:<id>
        return f"ft:{normal(bare.split(':')[1])}"[:_LONGEST]
    return (_DATE.sub("", bare) or bare)[:_LONGEST]


def label(name: str) -> str:
    """The label value of a model; ``other`` once this process has met ``LIMIT`` of them."""
    value = normal(name)
    if value in _seen or value == UNKNOWN:
        return value
    with _lock:
        if len(_seen) >= LIMIT:
            return OTHER
        _seen.add(value)
    return value
