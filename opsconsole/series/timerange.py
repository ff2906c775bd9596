"""Time ranges as the URL says them: ``from=now-15m&to=now``, or fixed instants."""

from __future__ import annotations

from dataclasses import dataclass

from .duration import parse_duration


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``start`` and ``end`` as written: ``now``, ``now-15m``, or Unix seconds; resolved against a ``now``."""

    start: str = "now-15m"
    end: str = "now"

    def __post_init__(self) -> None:
        for field, text in (("from", self.start), ("to", self.end)):
            try:
                _resolve(text, 0)
            except (ValueError, OverflowError):  # float("inf") has no milliseconds
                raise ValueError(
                    f"{field}={text!r} is no time; write now, now-15m, or Unix seconds like 1764000000"
                ) from None

    @property
    def live(self) -> bool:
        """Whether the range ends at now, so that new points belong to it."""
        return self.end == "now"

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """(start_ms, end_ms).  Raises ``ValueError`` when the start is not before the end."""
        start_ms, end_ms = _resolve(self.start, now_ms), _resolve(self.end, now_ms)
        if start_ms >= end_ms:
            raise ValueError(f"from={self.start!r} must be before to={self.end!r}")
        return start_ms, end_ms


def _resolve(text: str, now_ms: int) -> int:
    if text == "now":
        return now_ms
    if text.startswith("now-"):
        return now_ms - parse_duration(text[4:])
    return round(float(text) * 1000)
