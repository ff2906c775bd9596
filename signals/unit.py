"""What a value counts, and how a person reads it."""

from __future__ import annotations

import math
import re
from enum import StrEnum

SECONDS_READ_BEST_IN = (0.1, 120.0)
"""Between these a duration is plain seconds ("1.42 s"); outside it is broken up ("23 ms", "1 h 30 m 0 s")."""

WHOLE_FROM = 100.0
"""From here on a rate has no decimals: "412", not "412.3"."""


class Unit(StrEnum):
    """What a value counts; formats on every surface derive from it."""

    SECONDS = "s"
    RATIO = "ratio"  # 0..1, shown as per cent
    REQUESTS_PER_SECOND = "req/s"
    TASKS_PER_SECOND = "task/s"
    EXCEPTIONS_PER_SECOND = "exc/s"
    COUNT = "count"


def format_value(value: float, unit: Unit) -> str:
    """``value`` as a sentence says it: "1.42 s", "0.63 %", "8.2 req/s", "1204".

    The alerts' Go templates print the same characters, so the digits follow what those can do: three significant
    ones, four where Prometheus' ``humanize*`` functions are at work.  NaN is "no value".
    """
    if math.isnan(value):
        return "no value"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    match unit:
        case Unit.SECONDS:
            low, high = SECONDS_READ_BEST_IN
            return f"{value:.3g} s" if low <= value < high else _spaced(_humanize_duration(value))
        case Unit.RATIO:
            return f"{value * 100:.4g} %"
        case Unit.COUNT:
            return f"{value:.0f}"
        case _:
            return f"{value:.3g} {unit}" if value < WHOLE_FROM else f"{value:.0f} {unit}"


def _spaced(duration: str) -> str:
    return re.sub("([0-9])([a-z])", r"\1 \2", duration)


def _humanize_duration(seconds: float) -> str:
    """Prometheus' ``humanizeDuration``: 5400 is "1h 30m 0s", 0.023 is "23ms".

    Source: Prometheus, template/template.go.
    """
    if seconds == 0:
        return "0s"
    if abs(seconds) < 1:
        prefix, scaled = next(
            (prefix, seconds * 1000**power)
            for power, prefix in enumerate(("m", "u", "n", "p"), start=1)
            if abs(seconds) * 1000**power >= 1 or prefix == "p"
        )
        return f"{scaled:.4g}{prefix}s"
    sign, whole = ("-" if seconds < 0 else ""), int(abs(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    if day:
        return f"{sign}{day}d {hour}h {minute}m {second}s"
    if hour:
        return f"{sign}{hour}h {minute}m {second}s"
    if minute:
        return f"{sign}{minute}m {second}s"
    return f"{sign}{abs(seconds):.4g}s"
