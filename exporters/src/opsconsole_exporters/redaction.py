"""What nobody may find in a log or a trace: passwords, tokens, keys and cookies, by the name they go by or by how they look.

It errs on the side of leaving out: a word too many that is hidden costs less than a password that is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"
# Written by us or by logging itself: searching them would be half the work of an ordinary line.
OURS = frozenset(("timestamp", "level", "logger", "trace_id", "span_id", "request_id"))
# Beyond these a value is cut: whoever logs a whole object graph would otherwise pay for it on every line.
DEEPEST = 8
MOST_ITEMS = 200
LONGEST = 100_000

# Not the plural of "token": those of language models are counted, and no secret.
_WORDS = (
    r"pass(?:words?|wd|phrases?|codes?)|pwd|secrets?|(?:api|access|private|secret|signing|encryption)[_-]?keys?|token(?!s)"
    r"|(?:access|api|auth|bearer|refresh)[_-]?tokens|authorization|cookies?|credentials?|session[_-]?(?:id|key)"
    r"|csrf\w{0,20}|signature|dsn"
)
_BY_NAME = re.compile(rf"(?:^|[^a-z])(?:{_WORDS})(?:$|[^a-z])|password|passwd|(?:secret|token|apikey)$", re.IGNORECASE)
_HARMLESS = re.compile(r"token[_.-](?:class|count|limit|type|usage)$", re.IGNORECASE)

# One of them is in every text that the patterns below would change; looking for plain words is twenty times as quick.
# fmt: off
_HINTS = (
    "pass", "pwd", "secret", "key", "token", "auth", "cookie", "credential", "session", "csrf", "signature", "dsn",
    "identified", "://", "eyj", "sk-", "bearer", "basic", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "xox", "akia",
    "ops_",
)
# fmt: on
_PEM = re.compile(r"-----BEGIN ([A-Z ]{0,40}PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_QUOTED = r"\\?\"[^\"\r\n]*\"|\\?'[^'\r\n]*'"
_HEADER = re.compile(
    rf"(\b(?:(?:set-)?cookie|(?:proxy-)?authorization)\\?[\"']?\s{{0,3}}[:=]\s{{0,3}})({_QUOTED}|[^\r\n]+)",
    re.IGNORECASE,
)
# What may close a name before its value: Key (token)=(...), environ['TOKEN']=...
_CLOSE = r"\\?[\"')\]]{0,2}"
_PAIR = re.compile(rf"((?:{_WORDS}){_CLOSE}\s{{0,3}}(?:=|:|%3D)\s{{0,3}})({_QUOTED}|[^\s&;,\"'\])}}]+)", re.IGNORECASE)
# ALTER ROLE shop PASSWORD '...', CREATE USER shop IDENTIFIED BY '...'
_IN_SQL = re.compile(r"(\b(?:password|identified\s{1,3}by)\s{1,3})(E?'(?:[^']|'')*'?)", re.IGNORECASE)
# To the last @ before the path: a password may hold one.
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@?#]{0,200}:)[^\s/\"']{1,500}@", re.IGNORECASE)
# "Token missing" is no credential: one has a digit or is long.
_SCHEME = re.compile(
    r"\b(bearer|basic|token)\s{1,3}(?:(?=[^\s\d]{0,200}\d)[\w.~+/=-]{6,}|[\w.~+/=-]{20,})", re.IGNORECASE
)
_LOOKS = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # a JSON Web Token
    r"|\bsk-[\w-]{16,}|\bgh[oprsu]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[a-z]-[\w-]{10,}|\bAKIA[0-9A-Z]{12,}|\bops_\w{16,}"
)


class Redaction:
    """``more`` are further names of fields to hide, whole and whatever their case."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = frozenset(name.strip().lower() for name in more if name.strip())

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of one log line as plain data; values under a secret's name are hidden, texts are searched."""
        return {name: value if name in OURS else self.field(name, value) for name, value in fields.items()}

    def field(self, name: str, value: Any) -> Any:
        """One value as plain data, as ``fields`` has it."""
        return self._field(name, value, DEEPEST)

    def _field(self, name: object, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        return HIDDEN if self.is_secret(str(name)) else self._value(value, depth)

    def may_hide(self, texts: Iterable[str]) -> bool:
        """Whether any of these names and values may have to be hidden: asked first, because mostly the answer is no."""
        lower = "\n".join(texts).lower()
        return _is_suspect(lower) or any(name in lower for name in self._more)

    def is_secret(self, name: str) -> bool:
        return name.lower() in self._more or _goes_by_a_secrets_name(name)

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return text(value)
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._several(value, depth - 1) if depth else "..."
        if callable(own := getattr(value, "__structlog__", None)) and depth:
            return self._value(own(), depth - 1)
        # As the JSON renderer would write it, but searched.
        return text(repr(value))

    def _several(self, value: Mapping[Any, Any] | Iterable[Any], depth: int) -> dict[str, Any] | list[Any]:
        if isinstance(value, Mapping):
            first = list(value.items())[:MOST_ITEMS]
            return {text(str(name)): self._field(name, item, depth) for name, item in first}
        items = list(value)
        if len(items) == 2 and isinstance(items[0], str) and self.is_secret(items[0]):
            return [items[0], HIDDEN]  # a pair, as headers come
        return [self._value(item, depth) for item in items[:MOST_ITEMS]]


@lru_cache(maxsize=2048)
def _goes_by_a_secrets_name(name: str) -> bool:
    return bool(_BY_NAME.search(name) and not _HARMLESS.search(name))


def text(value: str) -> str:
    """A text without what looks like a secret: in pairs, query strings, headers, addresses, or by its own form."""
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}..."
    if not _is_suspect(value.lower()):
        return value
    value = _PEM.sub(HIDDEN, value)
    value = _HEADER.sub(_hide, value)
    value = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", value)
    value = _IN_SQL.sub(rf"\1'{HIDDEN}'", value)
    value = _PAIR.sub(_hide, value)
    value = _SCHEME.sub(rf"\1 {HIDDEN}", value)
    return _LOOKS.sub(HIDDEN, value)


def _is_suspect(lower: str) -> bool:
    for hint in _HINTS:  # noqa: SIM110 - any() of a generator takes twice as long
        if hint in lower:
            return True
    return False


def _hide(found: re.Match[str]) -> str:
    quote = found[2][-1] if found[2][-1] in "\"'" else ""
    return f"{found[1]}{quote}{HIDDEN}{quote}"
