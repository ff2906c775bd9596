"""Where telemetry lives: ClickHouse (embedded or a server) for all of it, the head for the last two hours."""
