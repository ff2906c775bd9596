"""The grammar of a line: a series, its value, perhaps a timestamp and an exemplar; in the two dialects.

Source: prometheus/docs, instrumenting/exposition_formats; OpenMetrics 1.0; Prometheus 3 for names in quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from opsconsole.series.labels import METRIC_NAME

from .number import read_number

_METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*+"
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_TIMESTAMP_DIGITS = 18  # what an int64 holds for certain
_ESCAPE = re.compile(r'\\([\\"n])')
_ESCAPED = {"\\": "\\", '"': '"', "n": "\n"}


class MalformedExposition(Exception):
    """One line that names the line and what is wrong with it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class MalformedLine(Exception):
    """What is wrong with a line whose number the caller knows."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What stands behind a series.  ``exemplar`` is its text, from the brace on; b"" without one."""

    value: bytes
    timestamp_ms: int | None
    exemplar: bytes


@dataclass(frozen=True, slots=True)
class ExposedExemplar:
    labels: dict[str, str]
    value: float
    timestamp_ms: int | None

    @property
    def length(self) -> int:
        """Characters of all its names and values together, which OpenMetrics bounds."""
        return sum(len(name) + len(value) for name, value in self.labels.items())


class Grammar:
    """A dialect.  ``openmetrics`` knows exemplars, seconds and no blanks but the one before each part."""

    def __init__(self, *, openmetrics: bool) -> None:
        self.openmetrics = openmetrics
        blank = "" if openmetrics else r"[ \t]*+"
        label = rf"(?:(?:({_LABEL})|{_QUOTED}){blank}={blank})?{_QUOTED}"
        uncaptured = re.sub(r"\((?!\?)", "(?:", label)
        braces = rf"\{{((?:{blank}{uncaptured}{blank},)*+(?:{blank}{uncaptured})?+){blank}\}}"
        self._series = re.compile(rf"{blank}({_METRIC})?+(?:{blank}{braces})?+")
        self._label = re.compile(label)
        self._item = re.compile(rf"{blank}{uncaptured}{blank}(?:,|(?=\}}))")
        self._gap = re.compile(" " if openmetrics else blank)
        self._exemplar = re.compile(rf"{braces} ([^ ]+)(?: ([^ ]+))?")
        if openmetrics:
            self._rest = re.compile(rb"([^ ]+)(?: ([^ #][^ ]*))?(?: # (\{.*))?")
        else:
            self._rest = re.compile(rb"[ \t]*+([^ \t{]+)(?:[ \t]+([0-9]+))?[ \t]*()")

    def read_series(self, line: str) -> tuple[int, int, dict[str, str]]:
        """(where the series ends, where its value starts, the name and the labels).  Raises ``MalformedLine``."""
        match = self._series.match(line)
        if match is None or not match.end() or (match[2] is None and line.startswith("{", match.end())):
            raise self._fault(line, match.end() if match else 0)
        pairs = {METRIC_NAME: match[1]} if match[1] else {}
        if match[2]:
            self._read_labels(match[2], pairs, named=True)
        if not pairs.get(METRIC_NAME):
            raise MalformedLine(f"no metric name at {line[:40]!r}")
        gap = self._gap.match(line, match.end())
        if gap is None:
            raise MalformedLine(f"series {line[: match.end()][:80]!r}: no value")
        return match.end(), gap.end(), pairs

    def read_rest(self, rest: bytes) -> Rest:
        """What follows from the value on.  The value's own form is not checked.  Raises ``MalformedLine``."""
        match = self._rest.match(rest)
        if match is None:
            raise MalformedLine("no value")
        if match.end() < len(rest):
            raise MalformedLine(f"unexpected {shown(rest[match.end() :].strip())!r} after the value")
        return Rest(match[1], self._timestamp(match[2]), match[3] or b"")

    def read_exemplar(self, text: str) -> ExposedExemplar:
        """``{trace_id="…"} value`` and perhaps a timestamp.  Raises ``MalformedLine``."""
        match = self._exemplar.fullmatch(text)
        value = None if match is None else read_number(match[2].encode())
        if match is None or value is None:
            raise MalformedLine(f"no exemplar at {text[:80]!r}")
        labels: dict[str, str] = {}
        self._read_labels(match[1], labels, named=False)
        return ExposedExemplar(labels, value, self._timestamp(match[3].encode() if match[3] else None))

    def _read_labels(self, text: str, pairs: dict[str, str], *, named: bool) -> None:
        """Into ``pairs``; a text in quotes without a value is the metric's name, where there may be one."""
        for bare, quoted, value in self._label.findall(text):
            name = bare or unescape(quoted)
            if not name:
                if not named:
                    raise MalformedLine(f'no label at "{value[:40]}"')
                name = METRIC_NAME
            if name in pairs:
                raise MalformedLine(f"label {name} stands there twice")
            pairs[name] = unescape(value)

    def _timestamp(self, text: bytes | None) -> int | None:
        if text is None:
            return None
        milliseconds: float | None
        if self.openmetrics:
            seconds = read_number(text)
            milliseconds = None if seconds is None else seconds * 1000
        else:
            milliseconds = int(text[: _TIMESTAMP_DIGITS + 1])
        if milliseconds is None or not abs(milliseconds) < 10**_TIMESTAMP_DIGITS or len(text) > 40:
            raise MalformedLine(f"no timestamp at {shown(text)!r}")
        return int(milliseconds)

    def _fault(self, line: str, position: int) -> MalformedLine:
        """Where the labels of ``line`` stop being labels."""
        if not line.startswith("{", position):
            return MalformedLine(f"no metric name at {line[:40]!r}")
        position += 1
        while item := self._item.match(line, position):
            position = item.end()
        return MalformedLine(f"no label at {line[position : position + 40]!r}")


TEXT, OPENMETRICS = Grammar(openmetrics=False), Grammar(openmetrics=True)


def unescape(text: str) -> str:
    """As Prometheus' own parser does it, an unknown escape stands for itself."""
    return _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], text) if "\\" in text else text


def shown(text: bytes) -> str:
    """The beginning of ``text``, for an error."""
    return text[:80].decode(errors="replace")
