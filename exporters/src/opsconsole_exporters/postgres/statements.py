"""What of ``pg_stat_statements`` may be shown."""

from __future__ import annotations

# Statements whose series are exposed; the extension keeps 5000.
TOP = 20
LONGEST_TEXT = 200

# pg_stat_statements puts $1 in the place of values in these.  Others keep theirs, as in ALTER ROLE ... PASSWORD '...'.
_WITHOUT_VALUES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE"})


def public_text(query: str) -> str:
    """The beginning of ``query`` on one line; of a statement that may hold values, its first two words only."""
    words = query.split()
    if not words or words[0].upper().lstrip("(") not in _WITHOUT_VALUES:
        return " ".join([*words[:2], "…"]) if words else ""
    text = " ".join(words)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
