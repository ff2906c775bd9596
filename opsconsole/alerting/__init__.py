"""Deciding: the alert state machine and what it says.  Pure; time is a parameter."""
