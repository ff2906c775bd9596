"""Durations, ranges and clocks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.series.clock import ManualClock, SystemClock
from opsconsole.series.duration import format_duration, parse_duration
from opsconsole.series.timerange import TimeRange


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0), ("0s", 0), ("500ms", 500), ("15s", 15_000), ("5m", 300_000), ("1h30m", 5_400_000), ("10s53ms", 10_053),
        ("1d", 86_400_000), ("2w", 1_209_600_000), ("1y", 31_536_000_000),
    ],
)  # fmt: skip
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "1.5h", "-5m", "5 m", "1h1h", "٣s"])
def test_what_is_no_duration_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 15s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"), (90_000, "1m30s"), (1, "1ms"), (3_600_500, "1h500ms"), (7 * 86_400_000, "1w"), (8 * 86_400_000, "8d"),
        (365 * 86_400_000, "1y"), (366 * 86_400_000, "366d"), (372 * 86_400_000, "1y1w"), (-300_000, "-5m"),
    ],
)  # fmt: skip
def test_a_duration_is_written_as_prometheus_writes_it(milliseconds: int, text: str) -> None:
    if milliseconds == 372 * 86_400_000:
        text = "372d"  # no exact number of years, nor of weeks
    assert format_duration(milliseconds) == text


@given(st.integers(0, 10**15))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


def test_a_range_is_resolved_against_now() -> None:
    assert TimeRange("now-1h30m", "now-5m").resolve(10_000_000) == (4_600_000, 9_700_000)
    assert TimeRange("1764000000", "1764000060.5").resolve(0) == (1_764_000_000_000, 1_764_000_060_500)
    assert TimeRange().resolve(900_000) == (0, 900_000)


def test_a_range_that_ends_now_is_live() -> None:
    assert TimeRange().live
    assert not TimeRange("now-1h", "now-5m").live


@pytest.mark.parametrize("text", ["", "yesterday", "now-", "now-5", "now+5m", "nan", "inf", "-inf"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^to="):
        TimeRange("now-15m", text)
    with pytest.raises(ValueError, match=r"^from="):
        TimeRange(text, "now")


def test_a_range_must_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="from='now' must be before to='now'"):
        TimeRange("now", "now").resolve(1)


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(5)
    assert (clock.now_ms(), clock.now_ms()) == (5, 5)
    clock.advance(10)
    assert clock.now_ms() == 15


def test_the_system_clock_counts_unix_milliseconds() -> None:
    before = time.time() * 1000
    assert before - 1 <= SystemClock().now_ms() <= time.time() * 1000
