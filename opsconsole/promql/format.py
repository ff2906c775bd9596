"""Numbers as text, as Prometheus writes them in labels and messages."""

from __future__ import annotations

import numpy as np


def sample(value: float) -> str:
    """A sample value: the shortest digits, without an exponent."""
    return _special(value) or np.format_float_positional(value, trim="-")


def open_metrics(value: float) -> str:
    """The value of a label like ``le`` or ``quantile``: ``1.0``, ``0.95``, ``+Inf``."""
    text = in_g(value)
    return text if _special(value) or any(character in text for character in "e.") else text + ".0"


def in_g(value: float) -> str:
    """Go's ``%g``: the shortest digits, with an exponent below 1e-4 and from 1e21."""
    if special := _special(value):
        return special
    if value and not 1e-4 <= abs(value) < 1e21:
        digits, exponent = np.format_float_scientific(value, trim="-").split("e")
        return f"{digits}e{exponent}"
    return np.format_float_positional(value, trim="-")


def _special(value: float) -> str | None:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None
