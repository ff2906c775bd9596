"""Durations as Prometheus writes them: ``5m``, ``1h30m``, ``500ms``."""

from __future__ import annotations

import re

_UNITS_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_ONLY_WHEN_EXACT = frozenset(("y", "w"))  # as Prometheus: 90d reads better than 12w6d
_PATTERN = re.compile(r"0|(?:[0-9]+y)?(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m(?!s))?(?:[0-9]+s)?(?:[0-9]+ms)?")
_PART = re.compile(r"([0-9]+)(ms|[ywdhms])")


def parse_duration(text: str) -> int:
    """Milliseconds of ``text``.  Raises ``ValueError`` that names the text and the form."""
    if not text or not _PATTERN.fullmatch(text):
        raise ValueError(f"not a duration: {text!r}; write it like 15s, 5m or 1h30m")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def format_duration(milliseconds: int) -> str:
    """The text Prometheus itself prints, which ``parse_duration`` reads back: 90000 is ``1m30s``, 0 is ``0s``.

    Years and weeks stand only for an exact multiple of them.  A negative length (an offset) gets a leading minus.
    """
    if milliseconds < 0:
        return "-" + format_duration(-milliseconds)
    parts, rest = [], milliseconds
    for unit, size in _UNITS_MS.items():
        if unit in _ONLY_WHEN_EXACT and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
