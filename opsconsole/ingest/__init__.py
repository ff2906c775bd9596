"""Telemetry in: pure decoders, the scrape loop and its limits."""
