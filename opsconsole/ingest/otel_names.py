"""OpenTelemetry's names and units in Prometheus' words.

Source: OpenTelemetry, specification/compatibility/prometheus_and_openmetrics.md; Prometheus, otlptranslator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tebibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes", "m": "meters",
    "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius", "Hz": "hertz", "1": "",
    "%": "percent",
}  # fmt: skip
_PER = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_BETWEEN = re.compile(r"[^a-zA-Z0-9:]+")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_]")


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    UP_DOWN = "updown"  # a gauge, but a ratio is not told from its unit
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@lru_cache(maxsize=16_384)
def metric_name(name: str, unit: str, kind: Kind) -> str:
    """``http.server.duration`` in ``ms`` is ``http_server_duration_milliseconds``; empty when nothing of it is a name."""
    words = [word for word in _BETWEEN.split(name) if word]
    if not words:
        return ""
    main, _, per = unit.partition("/")
    for word, preposition in ((_unit(main, _UNITS), ()), (_unit(per, _PER), ("per",))):
        if word and word not in words:
            words += [*preposition, word]
    if kind is Kind.COUNTER:
        words = _at_the_end("total", words)
    if kind is Kind.GAUGE and unit.strip() == "1":
        words = _at_the_end("ratio", words)
    text = "_".join(words)
    return f"_{text}" if text[0].isdigit() else text


@lru_cache(maxsize=16_384)
def label_name(name: str) -> str:
    """``http.method`` is ``http_method``; one that begins with a digit or underscore gets ``key`` in front."""
    text = _FOREIGN.sub("_", name)
    if text[:1].isdigit():
        return f"key_{text}"
    if text.startswith("_") and not text.startswith("__"):
        return f"key{text}"
    return text


def labels(attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Attributes as labels; the values of names that become one are put together in the order of their old names."""
    named: dict[str, str] = {}
    for name, value in sorted(attributes):
        if name:
            new = label_name(name)
            named[new] = f"{named[new]};{value}" if new in named else value
    return named


def _unit(text: str, words: dict[str, str]) -> str:
    text = text.strip()
    if not text or "{" in text or "}" in text:  # an annotation, such as {requests}
        return ""
    return "_".join(word for word in _BETWEEN.split(words.get(text, text)) if word)


def _at_the_end(word: str, words: list[str]) -> list[str]:
    return [*(one for one in words if one != word), word]
