"""Telemetry at rest: the recent window in memory, everything in ClickHouse, embedded or a server."""
