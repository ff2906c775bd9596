"""Reads the words of a query one after the other, and says what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from opsconsole.series.labels import quote

from .error import ParseError
from .lexer import Token, Type, tokens

T = TypeVar("T")


class Cursor:
    """Stands on ``token``.  Every method that moves it raises ``ParseError`` where the next characters make no token."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._rest: Iterator[Token] = tokens(query)
        self._following: Token | None = None
        self.token = Token(Type.END, "", 0)
        self.advance()

    def advance(self) -> Token:
        """The current token; the next one takes its place."""
        taken = self.token
        self.token = self._following or next(self._rest)
        self._following = None
        if self.token.type is Type.ERROR:
            self.fail(self.token.text, self.token.position)
        return taken

    def peek(self) -> Token:
        """The token after the current one."""
        if self._following is None:
            self._following = next(self._rest, self.token)
        return self._following

    @property
    def ended(self) -> bool:
        return self.token.type is Type.END

    def at(self, *texts: str) -> bool:
        return self.token.is_(Type.PUNCTUATION, *texts)

    def accept(self, text: str) -> bool:
        if found := self.at(text):
            self.advance()
        return found

    def expect(self, text: str, context: str = "", expected: str = "") -> Token:
        if not self.at(text):
            self.unexpected(context, expected)
        return self.advance()

    def fail(self, message: str, position: int) -> NoReturn:
        raise ParseError(message, position, self._query)

    def unexpected(self, context: str = "", expected: str = "") -> NoReturn:
        message = f"unexpected {self.token}"
        message += f" in {context}" if context else ""
        self.fail(message + (f", expected {expected}" if expected else ""), self.token.position)

    def read(self, meaning: Callable[[str], T]) -> T:
        """What the current token means."""
        token = self.token
        try:
            value = meaning(token.text)
        except ValueError as error:
            numeric = token.type is Type.NUMBER
            said = f"bad number or duration syntax: {quote(token.text)}" if numeric else str(error)
            self.fail(said, token.position)
        self.advance()
        return value
