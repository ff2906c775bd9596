"""Telling: channels, the outbox and its delivery."""
