"""Regular expressions in the syntax of Prometheus (RE2), run by ``re``."""

from __future__ import annotations

import re
from functools import lru_cache

_SPECIAL = re.compile(
    r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\(\?(?P<flags>[imsU]*(?:-[imsU]+)?)\)|[()|]", re.DOTALL
)
_POSIX = {"alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s",
          "word": r"\w", "xdigit": "0-9A-Fa-f"}  # fmt: skip


@lru_cache(maxsize=1024)
def compile_re2(pattern: str) -> re.Pattern[str]:
    r"""The pattern for ``fullmatch``.  Raises ``ValueError`` that shows the pattern.

    What differs from Python: a flag group such as ``(?i)`` may stand anywhere and holds to the end of its group,
    ``\z`` is the end of the text, ``[[:alpha:]]`` is a class.  A dot matches a newline too, as in Prometheus.
    """
    try:
        return re.compile(_translated(pattern), re.DOTALL | re.ASCII)
    except re.error as error:
        raise ValueError(f"not a regular expression: {pattern!r} ({error.msg})") from None


def _translated(pattern: str) -> str:
    """Python's spelling; a flag group becomes ``(?i:`` and closes where the group around it closes."""
    pieces: list[str] = []
    flags: list[list[str]] = [[]]  # the flag groups we opened in each group around this point
    end = 0
    for match in _SPECIAL.finditer(pattern):
        pieces.append(pattern[end : match.start()])
        end = match.end()
        piece = match[0]
        if match["flags"]:
            pieces.append(f"(?{match['flags'].replace('U', '')}:")  # U: which match is found, not whether one is
            flags[-1].append(pieces[-1])
        elif piece == "(":
            pieces.append(piece)
            flags.append([])
        elif piece == ")":
            pieces.append(")" * (len(flags.pop()) + 1) if len(flags) > 1 else piece)
        elif piece == "|":
            pieces.append(")" * len(flags[-1]) + "|" + "".join(flags[-1]))
        elif piece == r"\z":
            pieces.append(r"\Z")
        elif piece.startswith("["):
            pieces.append(re.sub(r"\[:(\w+):\]", lambda posix: _POSIX.get(posix[1], posix[0]), piece))
        else:
            pieces.append(piece)
    return "".join(pieces) + pattern[end:] + ")" * len(flags[0])
