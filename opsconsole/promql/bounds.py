"""How large a query's text may be, seen before the parser sees it.

The parser's trees are recursive: one that is some thousand levels deep ends the process when it is dropped, whatever
called it.  Its depth can be told from the text alone.
"""

from __future__ import annotations

import re

from .error import ParseError

MAX_CHARACTERS = 100_000
"""More than a dashboard's longest regular expression, and little enough to remember a thousand of them."""

MAX_DEPTH = 200
"""Operators within each other; brackets and calls count twice, for reading one takes more of Python's stack."""

_BRACKET = 2

_TOKEN = re.compile(
    r"""
    (?P<text>     "(?:\\.|[^"\\])*+(?:"|\\?\Z) | '(?:\\.|[^'\\])*+(?:'|\\?\Z) | `[^`]*+(?:`|\Z) | \#[^\n]* )
  | (?P<operator> [-+*/%^] | [=!<>]=?~? | \b(?:and|or|unless|atan2)\b )
  | (?P<word>     [\w:.]+ )
  | (?P<open>     [(\[{] )
  | (?P<close>    [)\]}] )
  | (?P<comma>    , )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def check(query: str) -> None:
    """Raises ``ParseError`` for a text that is too long or nested too deeply to be parsed.

    Operators beside each other nest too: ``a + b + c`` is ``(a + b) + c``.
    """
    if len(query) > MAX_CHARACTERS:
        raise ParseError(f"the query has {len(query):,} characters; {MAX_CHARACTERS:,} are allowed", -1, "")
    depth = 0
    outside: list[int] = []  # the depth to come back to after each open bracket
    for token in _TOKEN.finditer(query):
        match token.lastgroup:
            case "open":
                outside.append(depth)
                depth += _BRACKET
            case "operator":
                depth += 1
            case "close" if outside:
                depth = outside.pop()
            case "comma" if outside:
                depth = outside[-1] + _BRACKET
        if depth > MAX_DEPTH:
            raise ParseError(
                f"the query is nested more than {MAX_DEPTH} levels deep; split it, or use a regular expression",
                token.start(),
                query,
            )
