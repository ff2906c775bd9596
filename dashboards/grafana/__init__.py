"""Writes Grafana boards: the same panels, queries, units and thresholds, for Grafana 10.3 and newer.

grafanalib builds the objects.  Its release 0.7.1 is older than the panels in use today, so what it lacks is laid over
by ``extraJson``, and what Grafana no longer reads is left out of the files.
"""

from .board import to_json

__all__ = ["to_json"]
