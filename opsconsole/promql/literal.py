"""What literals mean: numbers, durations and strings, in Go's spelling."""

from __future__ import annotations

import re

from opsconsole.series.duration import parse_duration

_ESCAPE = re.compile(r"\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_OCTAL = re.compile(r"0[0-7_]+")
MAX_DURATION_MS = 292 * 365 * 86_400_000
"""What 64 bits of nanoseconds hold, in Prometheus' years."""


def number(text: str) -> float:
    """``1_000``, ``0x1F``, ``017`` (octal), ``Inf``.  Raises ``ValueError``."""
    if text[:2] in ("0x", "0X"):
        return float(int(text, 16))
    if _OCTAL.fullmatch(text):
        return float(int(text, 8))
    return float(text)


def duration_ms(text: str) -> int:
    """Milliseconds of ``5m`` or of a number of seconds.  Raises ``ValueError``."""
    if text[-1] in "ywdhms":
        milliseconds = parse_duration(text)
    else:
        seconds = number(text)
        if not abs(seconds) * 1000 <= MAX_DURATION_MS:
            raise ValueError("duration out of range")
        milliseconds = round(seconds * 1000)
    if milliseconds > MAX_DURATION_MS:
        raise ValueError("duration out of range")
    return milliseconds


def string(text: str) -> str:
    """Without its quotes; bytes that are no UTF-8 become surrogates.  Raises ``ValueError`` for an unknown escape."""
    quote, body = text[0], text[1:-1]
    if quote == "`" or "\\" not in body:
        return body
    pieces: list[bytes] = []
    end = 0
    for escape in _ESCAPE.finditer(body):
        pieces.append(body[end : escape.start()].encode("utf-8", "surrogateescape"))
        pieces.append(_unescaped(escape, quote))
        end = escape.end()
    pieces.append(body[end:].encode("utf-8", "surrogateescape"))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _unescaped(escape: re.Match[str], quote: str) -> bytes:
    octal, byte, short, long, plain = escape.groups()
    if octal or byte:
        code = int(octal, 8) if octal else int(byte, 16)
        if code < 256:
            return bytes([code])
    elif short or long:
        code = int(short or long, 16)
        if code <= 0x10FFFF and not 0xD800 <= code < 0xE000:
            return chr(code).encode()
    elif plain == quote or plain in _SIMPLE:
        return _SIMPLE.get(plain, plain).encode()
    raise ValueError(f"unknown escape sequence {escape[0]}")


def printable(text: str) -> str:
    """With U+FFFD for the bytes that are no UTF-8, which no label value may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_label_name(text: str) -> bool:
    """Any UTF-8 that is not empty."""
    return bool(text) and printable(text) == text


def quoted(text: str) -> str:
    r"""As Go's ``%q``: what is no UTF-8 is written ``\xff``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in escaped) + '"'
