"""How long telemetry is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .clickhouse import ClickHouse

_TTL_DAYS = re.compile(r"TTL .*?toIntervalDay\((\d+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Retention:
    """In days.  Rollups are what is left of samples when these are too old."""

    samples_days: int = 30
    rollups_days: int = 400
    traces_days: int = 7

    def __post_init__(self) -> None:
        for field in ("samples_days", "rollups_days", "traces_days"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; keep telemetry for at least 1 day")
        if self.rollups_days < self.samples_days:
            raise ValueError(
                f"rollups_days is {self.rollups_days} and samples_days {self.samples_days}; keep rollups at least as long"
            )


def apply(retention: Retention, clickhouse: ClickHouse) -> None:
    """Give each table its time to live.  Only a changed one is altered, for altering rewrites the parts of the table."""
    for table, column, days in (
        ("samples", "ts", retention.samples_days),
        ("rollups", "bucket", retention.rollups_days),
        ("rolled", "day", retention.rollups_days + 1),
        ("series", "seen", retention.rollups_days + 1),  # outlives its samples and their rollups
        ("otel_traces", "Timestamp", retention.traces_days),
    ):
        (engine,) = clickhouse.rows(
            "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
            {"table": table},
        )[0]
        found = _TTL_DAYS.search(engine)
        if found is None or int(found[1]) != days:
            clickhouse.command(f"ALTER TABLE {table} MODIFY TTL toDateTime({column}) + toIntervalDay({days})")
