"""How a definition's durations are written: in PromQL, and in words."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (
    (timedelta(days=1), "d", "day"),
    (timedelta(hours=1), "h", "hour"),
    (timedelta(minutes=1), "m", "minute"),
    (timedelta(seconds=1), "s", "second"),
)


def in_promql(duration: timedelta) -> str:
    """``5m``, ``1m30s``; zero is ``0s``.  Raises ``ValueError`` for parts of a second, which no definition has."""
    return "".join(f"{count}{short}" for count, short, _ in _parts(duration)) or "0s"


def in_words(duration: timedelta) -> str:
    """``5 minutes``, ``1 minute 30 seconds``; zero is ``0 seconds``."""
    words = (f"{count} {name}" if count == 1 else f"{count} {name}s" for count, _, name in _parts(duration))
    return " ".join(words) or "0 seconds"


def _parts(duration: timedelta) -> list[tuple[int, str, str]]:
    if duration < timedelta(0) or duration.microseconds:
        raise ValueError(f"{duration} is no duration of a rule: use whole seconds, not below zero")
    parts = []
    for size, short, name in _UNITS:
        count, duration = divmod(duration, size)
        if count:
            parts.append((count, short, name))
    return parts
