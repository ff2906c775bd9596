from __future__ import annotations

import math

import pytest

from signals.unit import Unit, format_value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.42, Unit.SECONDS, "1.42 s"),
        (0.5, Unit.SECONDS, "0.5 s"),
        (71.26, Unit.SECONDS, "71.3 s"),
        (119.9, Unit.SECONDS, "120 s"),
        (125, Unit.SECONDS, "2 m 5 s"),
        (5400, Unit.SECONDS, "1 h 30 m 0 s"),
        (200_000, Unit.SECONDS, "2 d 7 h 33 m 20 s"),
        (0.023, Unit.SECONDS, "23 ms"),
        (0.00056, Unit.SECONDS, "560 us"),
        (0, Unit.SECONDS, "0 s"),
        (0.0063, Unit.RATIO, "0.63 %"),
        (0.87, Unit.RATIO, "87 %"),
        (0, Unit.RATIO, "0 %"),
        (8.24, Unit.REQUESTS_PER_SECOND, "8.24 req/s"),
        (412.3, Unit.REQUESTS_PER_SECOND, "412 req/s"),
        (99.99, Unit.TASKS_PER_SECOND, "100 task/s"),
        (1204, Unit.COUNT, "1204"),
        (math.inf, Unit.SECONDS, "+Inf"),
        (-math.inf, Unit.COUNT, "-Inf"),
        (math.nan, Unit.RATIO, "no value"),
    ],
)
def test_a_value_reads_as_people_say_it(value: float, unit: Unit, text: str) -> None:
    assert format_value(value, unit) == text
