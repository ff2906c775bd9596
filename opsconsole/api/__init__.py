"""The machine's door: Prometheus' HTTP API and the receivers."""
