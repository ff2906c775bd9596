"""What to look at: boards over signals, the same for the live page and for Grafana."""
