"""What is measured, said once.  Panels, rules, alerts, tests and thresholds are derived from these signals."""
