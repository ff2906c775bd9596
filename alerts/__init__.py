"""What is wrong: alerts over signals, and the writers that derive Prometheus rules, promtool tests and runbooks."""
