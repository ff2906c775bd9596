"""Where the parts of a query stand in its text.

The parser's tree carries no positions, but the order in which a reader meets operators and names is the order in which a
walk of the tree meets them; so it is enough to list where these stand.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<blank>    \s+ | \#[^\n]* )
  | (?P<text>     "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
  | (?P<window>   \[[^\]]*\] )
  | (?P<shift>    (?:\boffset\b|@) \s* [-+]? \s* (?:(?:start|end)\s*\(\s*\) | [\w.]+(?:(?<=e)[-+]\d+)?) )
  | (?P<clause>   \b(?:by|without|on|ignoring|group_left|group_right|fill|fill_left|fill_right)\b \s* (?:\([^()]*\))? )
  | (?P<keyword>  \bbool\b )
  | (?P<operator> == | != | <= | >= | [-+*/%^<>] | \b(?:and|or|unless|atan2)\b )
  | (?P<number>   (?:inf|nan)(?![\w:]) | 0x[0-9a-f]+ | (?:\d+(?:ms|[ywdhms]))+ | (?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)? )
  | (?P<name>     [a-z_:][\w:]* (?:\s*\{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^}"'`])*\})?
                | \{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^}"'`])*\} )
  | (?P<close>    \) )
  | (?P<other>    . )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_NEUTRAL = frozenset(("blank", "window", "shift", "clause", "keyword"))
_OPERANDS = frozenset(("text", "number", "name", "close"))


def landmarks(query: str) -> list[int]:
    """Where each function, aggregation, selector and binary operator stands, in reading order."""
    found: list[int] = []
    after_operand = False
    for match in _TOKEN.finditer(query):
        kind = str(match.lastgroup)
        if kind in _NEUTRAL:
            continue
        if kind == "name" or (kind == "operator" and after_operand):  # without an operand before it, it is a sign
            found.append(match.start())
        after_operand = kind in _OPERANDS
    return found


def position_of(name: str, query: str) -> int:
    """Where a function of that name is called, -1 if nowhere."""
    return next((m.start() for m in _TOKEN.finditer(query) if m["name"] and m["name"].split("{")[0] == name), -1)
