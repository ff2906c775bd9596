"""Errors that end a command with one line instead of a traceback."""


class StartError(Exception):
    """Something outside the program must change first; the message says what."""
