"""Scripts that say what queries must answer, in the grammar of Prometheus' ``promqltest``; run against our engine."""
