"""The vocabulary of samples: labels, matchers, blocks, durations, ranges and clocks.

Written once, used everywhere below the edges: an instant is an ``int`` of Unix milliseconds (``*_ms``), a length of time
inside the engine is an ``int`` of milliseconds, and in definitions and configuration a ``datetime.timedelta``.
"""
