"""Parameters as Prometheus' API takes them: from the form of a POST, or from the query string; the first value counts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from threading import Event
from urllib.parse import unquote_to_bytes

from opsconsole.series.duration import parse_duration

FIRST_MS = -62_135_596_800_000
"""The year 1.  Clients that mean "from the beginning" send times far before it."""

LAST_MS = 253_402_300_799_999
"""The end of the year 9999; "to the end" is far after it."""

MOST_VALUES = 1000
"""As many as Django reads of a form."""

Form = Iterable[tuple[str, list[str]]]

_LARGEST_MS = 2**63
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("", "0", "f", "F", "false", "FALSE", "False"))
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DIGITS = 19  # fewer fit 63 bits


class ParameterError(ValueError):
    """Names the parameter and what is wrong with it, in Prometheus' words where it has some."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f'invalid parameter "{name}": {problem}')


class Parameters:
    """What was asked.  ``cancelled``: set, from another thread, when nobody waits for the answer any more.

    ``at_once``: an answer that must be waited for is of no use.
    """

    def __init__(
        self, query_string: str, form: Form = (), cancelled: Event | None = None, *, at_once: bool = False
    ) -> None:
        found = form_of(query_string)
        for name, values in form:
            found[name] = [*values, *found.get(name, ())]
        self._found = found
        self.cancelled = cancelled
        self.at_once = at_once

    def text(self, name: str) -> str:
        """Empty when absent."""
        return self._found[name][0] if name in self._found else ""

    def texts(self, name: str) -> list[str]:
        return self._found.get(name, [])

    def required(self, name: str) -> str:
        if text := self.text(name):
            return text
        raise ParameterError(name, "it is missing")

    def instant_ms(self, name: str, default_ms: int | None = None) -> int:
        """Unix milliseconds of Unix seconds with decimals, or of an RFC 3339 time; of the years 1 to 9999.

        A time outside of them is the nearest within: nothing is known of either.
        """
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            return min(max(_instant_ms(text), FIRST_MS), LAST_MS)
        except (ValueError, OverflowError):
            problem = f'cannot parse "{text}" to a valid timestamp'
            if default_ms is not None:
                problem = f"Invalid time value for '{name}': {problem}"
            raise ParameterError(name, problem) from None

    def duration_ms(self, name: str, default_ms: int | None = None) -> int:
        """Milliseconds of seconds with decimals, or of a text like ``5m``."""
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            return _duration_ms(text)
        except (ValueError, OverflowError):
            raise ParameterError(name, f'cannot parse "{text}" to a valid duration') from None

    def limit(self, name: str = "limit") -> int:
        """At most so many results; 0 means all."""
        text = self.text(name) or "0"
        if not (_WHOLE.fullmatch(text) and len(text) < _DIGITS):
            raise ParameterError(name, f'cannot parse "{text}" to a number of results')
        if int(text) < 0:
            raise ParameterError(name, "limit must be non-negative")
        return int(text)

    def flag(self, name: str) -> bool:
        """As Go reads one; absent is false."""
        text = self.text(name)
        if text not in _TRUE and text not in _FALSE:
            raise ParameterError(name, f'cannot parse "{text}" to true or false')
        return text in _TRUE

    def count(self, name: str) -> int | None:
        """At most so many; None means all, as absent and negative do."""
        text = self.text(name)
        if not text:
            return None
        if not (_WHOLE.fullmatch(text) and len(text) < _DIGITS):
            raise ValueError(f"{name} must be a number")
        return None if int(text) < 0 else int(text)


def form_of(text: str) -> dict[str, list[str]]:
    """The values of each name, as ``urllib.parse.parse_qs`` with blank values finds them, in half its time."""
    pairs = text.split("&")
    if len(pairs) > MOST_VALUES:
        raise ValueError(f"the request has {len(pairs):,} parameters and may have {MOST_VALUES:,}")
    found: dict[str, list[str]] = {}
    for pair in pairs:
        if pair:
            name, _, value = pair.partition("=")
            found.setdefault(_unquoted(name), []).append(_unquoted(value))
    return found


def _unquoted(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode(errors="replace") if "%" in text else text


def _instant_ms(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("an RFC 3339 time says its zone") from None
        value = moment.timestamp()
    return _milliseconds(value)


def _duration_ms(text: str) -> int:
    try:
        return _milliseconds(float(text))
    except ValueError:
        length_ms = parse_duration(text)
    if length_ms >= _LARGEST_MS:
        raise ValueError(text)
    return length_ms


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds * 1000) >= _LARGEST_MS:
        raise ValueError(seconds)
    return round(seconds * 1000)
