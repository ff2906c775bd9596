"""Instants on their way between the console's milliseconds and the database's datetimes, both UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def at(instant_ms: int) -> datetime:
    """Exact, where a float of seconds would round."""
    return _EPOCH + instant_ms * _MILLISECOND


def at_or_none(instant_ms: int | None) -> datetime | None:
    return None if instant_ms is None else at(instant_ms)


def to_ms(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


def to_ms_or_none(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)
