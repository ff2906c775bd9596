from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from opsconsole.records.instant import at, at_or_none, to_ms, to_ms_or_none


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_come_back_exactly(instant_ms):
    assert to_ms(at(instant_ms)) == instant_ms


def test_instants_are_utc():
    assert at(1_764_000_000_007) == datetime(2025, 11, 24, 16, 0, 0, 7_000, tzinfo=UTC)


def test_none_stays_none():
    assert at_or_none(None) is to_ms_or_none(None) is None
