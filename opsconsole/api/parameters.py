"""Parameters as Prometheus' API takes them: from the query string, or from the form of a POST, which wins."""

from __future__ import annotations

import math
from datetime import datetime

from django.http import HttpRequest

from opsconsole.series.duration import parse_duration

_FURTHEST_S = 253_402_300_800  # the year 10000


class ParameterError(ValueError):
    """Names the parameter and what is wrong with it, in Prometheus' words where it has some."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f'invalid parameter "{name}": {problem}')


class Parameters:
    def __init__(self, request: HttpRequest) -> None:
        self._sources = (request.POST, request.GET)

    def text(self, name: str) -> str:
        """Empty when absent."""
        return next((value for source in self._sources if (value := source.get(name))), "")

    def texts(self, name: str) -> list[str]:
        return [value for source in self._sources for value in source.getlist(name)]

    def required(self, name: str) -> str:
        if text := self.text(name):
            return text
        raise ParameterError(name, "it is missing")

    def instant_ms(self, name: str, default_ms: int | None = None) -> int:
        """Unix milliseconds of Unix seconds with decimals, or of an RFC 3339 time."""
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            return _instant_ms(text)
        except (ValueError, OverflowError):
            raise ParameterError(name, f'cannot parse "{text}" to a valid timestamp') from None

    def duration_ms(self, name: str, default_ms: int | None = None) -> int:
        """Milliseconds of seconds with decimals, or of a text like ``5m``."""
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            return _duration_ms(text)
        except (ValueError, OverflowError):
            raise ParameterError(name, f'cannot parse "{text}" to a valid duration') from None

    def limit(self) -> int:
        """At most so many results; 0 means all."""
        text = self.text("limit") or "0"
        if not (text.isascii() and text.isdigit()):
            raise ParameterError("limit", f'cannot parse "{text}" to a number of results')
        return int(text)


def _instant_ms(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("an RFC 3339 time says its zone") from None
        value = moment.timestamp()
    if not math.isfinite(value) or abs(value) > _FURTHEST_S:
        raise ValueError(text)
    return round(value * 1000)


def _duration_ms(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        return parse_duration(text)
    if not math.isfinite(value) or abs(value) > _FURTHEST_S:
        raise ValueError(text)
    return round(value * 1000)
