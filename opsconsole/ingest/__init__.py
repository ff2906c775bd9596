"""Telemetry on its way in: decoders of what services expose and send, and the scrape loop.  Knows no storage."""
