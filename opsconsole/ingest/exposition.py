"""The Prometheus text format and OpenMetrics, as samples.

Source: prometheus/docs, instrumenting/exposition_formats; OpenMetrics 1.0.  As Prometheus' own parser does, an unknown
escape in a label value stands for itself.  Timestamps and exemplars are checked for form and not kept: all samples of a
scrape carry its own instant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import NAN_SAMPLE
from opsconsole.series.labels import METRIC_NAME, Labels

_SERIES = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(\{)?")
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*([,}])')
_CLOSE = re.compile(r"[ \t]*\}")
_VALUE = re.compile(r"[ \t]*([^ \t#{}]+)(?:[ \t]+([+-]?[0-9.eE+-]+))?[ \t]*")
_ESCAPE = re.compile(r'\\([\\"n])')
_ESCAPED = {"\\": "\\", '"': '"', "n": "\n"}


class MalformedExposition(Exception):
    """One line that names the line and what is wrong with it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Exposition:
    """``labels``: S label sets, each one once, in the order of the text.  ``values``: float64[S]."""

    labels: Sequence[Labels]
    values: NDArray[np.float64]


class ExpositionParser:
    """Reads the bodies of one target, one after the other.

    ``target``: labels every series gets.  An exposed label of the same name is kept as ``exported_<name>``.
    A series whose text did not change since the last body gives the same ``Labels``, and a body whose series did not
    change the same ``labels`` tuple: a steady scrape costs a dictionary look-up and a float a sample.
    """

    def __init__(self, target: Labels = Labels()) -> None:  # noqa: B008 - immutable
        self._target = target
        self._known: Mapping[str, Labels] = {}
        self._last: tuple[Labels, ...] = ()

    def parse(self, body: bytes, *, openmetrics: bool = False) -> Exposition:
        """All samples of ``body``.  Raises ``MalformedExposition``; then none of it is taken."""
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise MalformedExposition(body.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
        lines = text.split("\n")
        if openmetrics:
            _check_end(lines)
        known, seen = self._known, {}
        labels: list[Labels] = []
        values: list[float] = []
        for number, line in enumerate(lines, start=1):
            if not line or line[0] == "#":
                continue
            series, _, text_of_value = line.rpartition(" ")
            found = known.get(series)
            value = None if found is None else _number(text_of_value)
            if found is None or value is None:
                if not line.strip(" \t"):
                    continue
                series, found, value = self._read(line, number, openmetrics=openmetrics)
            seen[series] = found
            labels.append(found)
            values.append(value)
        if tuple(labels) != self._last or len(seen) != len(known):
            if len(set(labels)) != len(labels):
                raise _duplicate(lines, labels)
            self._known, self._last = seen, tuple(labels)
        array = np.array(values, dtype=np.float64)
        array[np.isnan(array)] = NAN_SAMPLE  # a value that was sent, unlike the NaN of a series that is not there
        return Exposition(self._last, array)

    def _read(self, line: str, number: int, *, openmetrics: bool) -> tuple[str, Labels, float]:
        """(text of the series, its labels, its value) of a line that is new or has a timestamp."""
        start = _SERIES.match(line)
        if start is None:
            raise MalformedExposition(number, f"no metric name at {line[:40]!r}")
        pairs: dict[str, str] = {METRIC_NAME: start[1]}
        position = start.end()
        if start[2]:
            position = _read_labels(line, position, number, pairs)
        series = line[:position].rstrip(" \t")
        sample = _VALUE.match(line, position)
        value = None if sample is None else _number(sample[1])
        if sample is None or value is None:
            raise MalformedExposition(number, f"no value after {series[:80]!r}")
        rest = line[sample.end() :]
        if rest and not (openmetrics and rest.startswith("# {")):
            raise MalformedExposition(number, f"unexpected {rest[:40]!r} after the value of {series[:80]!r}")
        return series, self._labels(pairs), value

    def _labels(self, pairs: Mapping[str, str]) -> Labels:
        named = {**pairs, **dict(self._target)}
        for name, _ in self._target:
            if name in pairs:
                aside = f"exported_{name}"
                while aside in named:
                    aside = f"exported_{aside}"
                named[aside] = pairs[name]
        return Labels.of(named)


def _number(text: str) -> float | None:
    """What Go's ParseFloat reads, but for hexadecimals: Python's ``float`` without underscores and foreign digits."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _read_labels(line: str, position: int, number: int, pairs: dict[str, str]) -> int:
    """Read ``name="value", …}`` from ``position`` into ``pairs``; the position after the brace."""
    while True:
        if close := _CLOSE.match(line, position):
            return close.end()
        label = _LABEL.match(line, position)
        if label is None:
            raise MalformedExposition(number, f"no label at {line[position : position + 40]!r}")
        name, value, after = label.groups()
        if name in pairs:
            raise MalformedExposition(number, f"label {name} stands there twice")
        pairs[name] = _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], value) if "\\" in value else value
        position = label.end()
        if after == "}":
            return position


def _check_end(lines: Sequence[str]) -> None:
    last = len(lines) if lines[-1] else len(lines) - 1
    if last < 1 or lines[last - 1] != "# EOF":
        raise MalformedExposition(last, "OpenMetrics must end with '# EOF'; the body is cut off")


def _duplicate(lines: Sequence[str], labels: Sequence[Labels]) -> MalformedExposition:
    """The error for the first series that stands there twice."""
    numbers = (number for number, line in enumerate(lines, start=1) if line.strip(" \t") and line[0] != "#")
    first: dict[Labels, int] = {}
    for number, one in zip(numbers, labels, strict=True):
        if one in first:
            return MalformedExposition(number, f"series {one} stands in line {first[one]} already")
        first[one] = number
    raise AssertionError("no series stands there twice")
