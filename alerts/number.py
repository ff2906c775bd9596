"""How a definition's numbers are written: 0.5 stays 0.5, a million stays 1000000."""

from __future__ import annotations

from decimal import Decimal


def in_promql(number: float) -> str:
    """The shortest decimal text that reads back as ``number``, without an exponent."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
