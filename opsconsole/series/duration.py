"""Durations as Prometheus writes them: ``5m``, ``1h30m``, ``500ms``."""

from __future__ import annotations

import re

_UNITS_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PATTERN = re.compile(r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?")
_PART = re.compile(r"(\d+)(ms|[ywdhms])")


def parse_duration(text: str) -> int:
    """Milliseconds of ``text``.  Raises ``ValueError`` that names the text and the form."""
    if not text or not _PATTERN.fullmatch(text):
        raise ValueError(f"not a duration: {text!r}; write it like 15s, 5m or 1h30m")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def format_duration(milliseconds: int) -> str:
    """The shortest exact text, largest units first: 90000 is ``1m30s``; 0 is ``0s``."""
    if milliseconds < 0:
        return "-" + format_duration(-milliseconds)
    parts, rest = [], milliseconds
    for unit, size in _UNITS_MS.items():
        if unit in ("y", "w"):  # Prometheus prints these only when nothing is left; days are plain enough
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
