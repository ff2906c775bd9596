"""A body's lines, sorted into samples and comments; a line whose series is known is not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .grammar import Grammar, MalformedExposition, MalformedLine, Rest, shown
from .number import read_numbers

_END = b"# EOF"


@dataclass(slots=True)
class Rows:
    """R lines with a sample.

    ``series``: the text of each one's series; of those in ``unread``, for now, the whole line.  ``values``: the text of
    its value.  ``lines``: which line of the body it is, from 0.  ``rests``: by row, where more than a value follows.
    ``starts``: by row, where the value starts, unless one blank after the series.  ``comments``: (line, text).
    """

    grammar: Grammar
    series: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    comments: list[tuple[int, bytes]] = field(default_factory=list)
    rests: dict[int, Rest] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, body: bytes, grammar: Grammar, known: Mapping[bytes, object]) -> Rows:
        """Lines that are a series of ``known``, a blank and a word are taken for what they seem: see ``numbers``.

        Raises ``MalformedExposition`` for a body that is not UTF-8, or without its end mark.
        """
        rows = cls(grammar)
        series, values, lines, unread = rows.series, rows.values, rows.lines, rows.unread
        for number, line in enumerate(_split(body, grammar)):
            text, _, value = line.rpartition(b" ")
            if text in known:
                series.append(text)
                values.append(value)
                lines.append(number)
            elif line.startswith(b"#"):
                rows.comments.append((number, line))
            elif not grammar.openmetrics and (bare := line.lstrip(b" \t"))[:1] in (b"", b"#"):
                if bare:
                    rows.comments.append((number, bare))
            else:
                unread.append(len(series))
                series.append(line)
                values.append(b"")
                lines.append(number)
        return rows

    def read(self, row: int, known: Mapping[bytes, object]) -> dict[str, str] | None:
        """Read an unread row: its name and labels, or None when its series is one of ``known`` after all.

        Raises ``MalformedLine``.
        """
        grammar, line = self.grammar, self.series[row]
        exposed: dict[str, str] | None = None
        end = line.find(b"} ") + 1 or line.find(b" ")  # where the series of a well-formed line ends, as a rule
        start = end + 1
        rest = None
        if line[:end] in known:
            with suppress(MalformedLine):
                rest = grammar.read_rest(line[start:])
        if rest is None:
            text = line.decode()
            end, start, exposed = grammar.read_series(text)
            if not text.isascii():
                end, start = len(text[:end].encode()), len(text[:start].encode())
            try:
                rest = grammar.read_rest(line[start:])
            except MalformedLine as error:
                raise MalformedLine(f"series {shown(line[:end])!r}: {error}") from None
        self.series[row], self.values[row] = line[:end], rest.value
        if len(rest.value) < len(line) - start:
            self.rests[row] = rest
        if start != end + 1:
            self.starts[row] = start
        return exposed

    def fault(self, row: int, reason: str) -> MalformedExposition:
        return MalformedExposition(self.lines[row] + 1, reason)

    def no_value(self, row: int) -> MalformedExposition:
        return self.fault(row, f"series {shown(self.series[row])!r}: no value")

    def numbers(self) -> NDArray[np.float64]:
        """Float64[R].  Raises ``NotANumber``; the row may then have more parts than was assumed."""
        return read_numbers(pa.array(self.values, pa.large_binary()))

    def prefixes(self) -> NDArray[np.int64]:
        """Int64[R]: bytes before the value."""
        prefixes = np.fromiter(map(len, self.series), dtype=np.int64, count=len(self.series)) + 1
        for row, start in self.starts.items():
            prefixes[row] = start
        return prefixes


def _split(body: bytes, grammar: Grammar) -> Sequence[bytes]:
    """The lines, without the end mark."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedExposition(body.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if grammar.openmetrics and (not lines or lines.pop() != _END):
        raise MalformedExposition(max(1, len(lines) + 1), "OpenMetrics must end with '# EOF'; the body is cut off")
    return lines
