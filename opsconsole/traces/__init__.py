"""Traces as values: spans, waterfalls and what one may ask about them.  Pure; storage answers."""
