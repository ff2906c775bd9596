"""Where a part of a query stands, as Prometheus prints it."""

from __future__ import annotations


def place(query: str, position: int) -> str:
    """``line:column``, counted from 1; a column is a byte.  ``position`` counts characters from 0."""
    if not 0 <= position <= len(query):
        return "unknown position"
    before = query[:position]
    line = before[before.rfind("\n") + 1 :]
    row = before.count("\n") + 1
    return f"{row}:{len(line.encode()) + 1}"
