"""The words of a query, each with its place.

The rules, and what an error says, are those of Prometheus' lexer (``promql/parser/lex.go``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from opsconsole.series.labels import quote

_LONG = 10


class Type(StrEnum):
    """What a token is; the value is how an error calls it."""

    IDENTIFIER = "identifier"
    METRIC = "metric identifier"
    NUMBER = "number"
    DURATION = "duration"
    STRING = "string"
    OPERATOR = "operator"
    AGGREGATOR = "aggregator"
    KEYWORD = "keyword"
    PUNCTUATION = "punctuation"
    ERROR = "error"
    END = "end of input"


@dataclass(frozen=True, slots=True)
class Token:
    """``position`` counts characters from 0.  ``word``: the text in lower case, for what is written in any case."""

    type: Type
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.lower()

    def is_(self, kind: Type, *words: str) -> bool:
        return self.type is kind and self.word in words

    def __str__(self) -> str:
        """As an error names it: ``identifier "up"``, ``<op:*>``, ``<by>``, ``"="``, ``end of input``."""
        match self.type:
            case Type.END:
                return self.type.value
            case Type.PUNCTUATION:
                return f'"{self.text}"'
            case Type.OPERATOR:
                return f"<op:{self.text}>"
            case Type.AGGREGATOR:
                return f"<aggr:{self.text}>"
            case Type.KEYWORD:
                return f"<{self.text}>"
            case _:
                named = self.type in (Type.IDENTIFIER, Type.METRIC) or len(self.text) <= _LONG
                return f"{self.type.value} {quote(self.text) if named else quote(self.text[:_LONG]) + '...'}"


AGGREGATORS = frozenset((
    "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile",
    "limitk", "limit_ratio",
))  # fmt: skip
_WORD_OPERATORS = frozenset(("and", "or", "unless", "atan2"))
_KEYWORDS = frozenset((
    "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "anchored", "smoothed", "fill",
    "fill_left", "fill_right",
))  # fmt: skip
_BLANK = re.compile(r"(?:\s+|#[^\n]*)+")
_STRING = re.compile(r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`""", re.DOTALL)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?")
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[ywdhms]))+")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RUN = re.compile(r"[\w.]+")
_OPERATOR = re.compile(r"==|!=|>=|<=|[-+*/%^<>]")
_MATCHER = re.compile(r"=~|!~|!=|=")


def tokens(query: str) -> Iterator[Token]:
    """Ends with an ``END``, or with an ``ERROR`` whose text says what is wrong there."""
    return _Lexer(query).tokens()


class _Lexer:
    """Knows which brackets are open, because a colon, a brace or the end mean something else inside them."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._at = 0
        self._parentheses = 0
        self._in_brackets = False
        self._in_braces = False

    def tokens(self) -> Iterator[Token]:
        while True:
            if blank := _BLANK.match(self._query, self._at):
                self._at = blank.end()
            token = self._end() if self._at == len(self._query) else self._next(self._query[self._at])
            yield token
            if token.type in (Type.END, Type.ERROR):
                return
            self._at += len(token.text)

    def _next(self, character: str) -> Token:
        if character in "\"'`":
            return self._matched(_STRING, Type.STRING, f"unterminated {'raw' if character == '`' else 'quoted'} string")
        if self._in_braces:
            return self._inside_braces(character)
        if character.isdecimal() or re.match(r"\.[0-9]", self._query[self._at : self._at + 2]):
            return self._number()
        if name := (_LABEL if self._in_brackets else _NAME).match(self._query, self._at):
            return self._token(_type_of(name[0]), name[0])
        if operator := _OPERATOR.match(self._query, self._at):
            return self._token(Type.OPERATOR, operator[0])
        return self._bracket(character) or self._sign(character)

    def _inside_braces(self, character: str) -> Token:
        if name := _LABEL.match(self._query, self._at):
            return self._token(Type.IDENTIFIER, name[0])
        if matcher := _MATCHER.match(self._query, self._at):
            return self._token(Type.PUNCTUATION, matcher[0])
        if character == "}":
            self._in_braces = False
        elif character == "!":
            return self._error(f"unexpected character after '!' inside braces: {self._query[self._at + 1 :][:1]!r}")
        elif character != ",":
            return self._error(f"unexpected character inside braces: {character!r}")
        return self._token(Type.PUNCTUATION, character)

    def _number(self) -> Token:
        for pattern, kind in ((_DURATION, Type.DURATION), (_NUMBER, Type.NUMBER)):
            found = pattern.match(self._query, self._at)
            if found and not re.match(r"\w", self._query[found.end() : found.end() + 1]):
                return self._token(kind, found[0])
        run = _RUN.match(self._query, self._at)
        return self._error(f'bad number or duration syntax: "{run[0] if run else ""}"')

    def _bracket(self, character: str) -> Token | None:
        match character:
            case "(":
                self._parentheses += 1
            case ")":
                if not self._parentheses:
                    self._at += 1  # Prometheus' place is behind it
                    return self._error("unexpected right parenthesis ')'")
                self._parentheses -= 1
            case "[":
                if self._in_brackets:
                    return self._error("unexpected left bracket '['")
                self._in_brackets = True
            case "]":
                if not self._in_brackets:
                    return self._error("unexpected right bracket ']'")
                self._in_brackets = False
            case "{":
                self._in_braces = True
            case _:
                return None
        return self._token(Type.PUNCTUATION, character)

    def _sign(self, character: str) -> Token:
        following = self._query[self._at + 1 : self._at + 2]
        if character == ":" and self._in_brackets:
            return self._token(Type.PUNCTUATION, character)
        if character == "!" or (character == "=" and following == "~"):
            return self._error(f"unexpected character after '{character}': {following!r}")
        if character in ",=@":
            return self._token(Type.PUNCTUATION, character)
        return self._error(f"unexpected character: {character!r}")

    def _end(self) -> Token:
        if self._in_braces:
            return self._error("unexpected end of input inside braces")
        if self._in_brackets:
            return self._error("unclosed left bracket")
        if self._parentheses:
            return self._error("unclosed left parenthesis")
        return self._token(Type.END, "")

    def _matched(self, pattern: re.Pattern[str], kind: Type, otherwise: str) -> Token:
        found = pattern.match(self._query, self._at)
        return self._token(kind, found[0]) if found else self._error(otherwise)

    def _token(self, kind: Type, text: str) -> Token:
        return Token(kind, text, self._at)

    def _error(self, message: str) -> Token:
        return self._token(Type.ERROR, message)


def _type_of(name: str) -> Type:
    word = name.lower()
    if word in _WORD_OPERATORS:
        return Type.OPERATOR
    if word in AGGREGATORS:
        return Type.AGGREGATOR
    if word in _KEYWORDS:
        return Type.KEYWORD
    if word in ("inf", "nan"):
        return Type.NUMBER
    return Type.METRIC if ":" in name else Type.IDENTIFIER
