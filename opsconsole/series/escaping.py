"""Names with characters that an address or an old client cannot carry, escaped as ``U__a_2e_b``.

Source: Prometheus' UTF-8 proposal, "value encoding" (prometheus/common, model/metric.go).
"""

from __future__ import annotations

import re

_PREFIX = "U__"
_ESCAPE = re.compile(r"__|_([0-9A-Fa-f]{1,6})_")


def unescaped(name: str) -> str:
    """The name that ``name`` stands for; what is not an escaped name stands for itself."""
    if not name.startswith(_PREFIX):
        return name
    pieces: list[str] = []
    at, text = 0, name.removeprefix(_PREFIX)
    while (underscore := text.find("_", at)) >= 0:
        escape = _ESCAPE.match(text, underscore)
        if escape is None:
            return name
        pieces += [text[at:underscore], _character(escape[1]) if escape[1] else "_"]
        at = escape.end()
        if pieces[-1] == "":
            return name
    return "".join(pieces) + text[at:]


def _character(digits: str) -> str:
    """Empty for a code that is no character."""
    code = int(digits, 16)
    return chr(code) if code < 0xD800 or 0xE000 <= code <= 0x10FFFF else ""
