"""The text of a script, as commands.

    load 5m
      up{job="web"} 1x3 _ 0 stale
    eval instant at 10m up
      up{job="web"} 1
    eval range from 0 to 10m step 5m rate(up[10m])
      expect fail
    clear

``1+2x3`` is 1, 3, 5, 7; ``1x3`` is four times 1; ``_`` is no sample; ``stale`` ends the series; ``{{...}}`` is a native histogram.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from opsconsole.series.duration import parse_duration
from opsconsole.series.labels import METRIC_NAME, Labels


@dataclass(frozen=True, slots=True)
class Gap:
    """No sample at that instant."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The series ends there."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A native histogram, which the engine does not know."""


Point = float | Gap | Stale | Histogram


@dataclass(frozen=True, slots=True)
class Series:
    labels: Labels
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """Forgets what was loaded."""


@dataclass(slots=True)
class Load:
    """Points that stand at 0, ``step_ms``, twice ``step_ms``, ...  ``histograms``: classic ones are native ones as well."""

    step_ms: int
    histograms: bool
    series: list[Series] = field(default_factory=list)


@dataclass(slots=True)
class Eval:
    """A query and what it must answer.  An instant has ``step_ms`` 0."""

    line: int
    query: str
    start_ms: int
    end_ms: int
    step_ms: int
    fails: bool = False
    message: str = ""
    ordered: bool = False
    text: str | None = None
    scalar: float | None = None
    histogram: bool = False
    series: list[Series] = field(default_factory=list)
    annotations: int = 0


Command = Load | Clear | Eval

_LOAD = re.compile(r"load(_with_nhcb)?\s+(\S+)$")
_INSTANT = re.compile(r"eval(?:_(\w+))?\s+instant\s+at\s+(\S+)\s+(.+)$", re.DOTALL)
_RANGE = re.compile(r"eval(?:_(\w+))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$", re.DOTALL)
_EXPECT = re.compile(r"expect\s+(fail|ordered|string|warn|no_warn|info|no_info)\b\s*(.*)$")
_SERIES = re.compile(r"""([a-zA-Z_:][\w:]*)?\s*(?:\{((?:"(?:\\.|[^"\\])*"|[^}"])*)\})?(?=\s|$)\s*(.*)$""")
_LABEL = re.compile(r"""("(?:\\.|[^"\\])*"|[\w.:]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))?\s*,?\s*""")
_NUMBER = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI]nf|[nN]a[nN])"
_NATIVE = r"\{\{.*?\}\}"
_POINTS = re.compile(
    rf"(?:(_)|(stale)|({_NATIVE}(?:[-+]{_NATIVE})?)|([-+]?{_NUMBER})([-+]{_NUMBER})?)(?:x(\d+))?(?=\s|$)\s*"
)


def parse_script(text: str) -> Iterator[Command]:
    """Raises ``ValueError`` that names the line."""
    command: Command | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if raw[0].isspace() and command is not None:
                _add(command, line)
                continue
            if command is not None:
                yield command
            command = _command(number, line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if command is not None:
        yield command


def _command(number: int, line: str) -> Command:
    if line == "clear":
        return Clear()
    if load := _LOAD.match(line):
        return Load(parse_duration(load[2]), histograms=load[1] is not None)
    if instant := _INSTANT.match(line):
        at = _instant(instant[2])
        command = Eval(number, instant[3], at, at, 0)
        how = instant[1]
    elif span := _RANGE.match(line):
        command = Eval(number, span[5], _instant(span[2]), _instant(span[3]), _instant(span[4]))
        how = span[1]
    else:
        raise ValueError(f"no command: {line!r}; write load, eval or clear")
    command.fails, command.ordered, command.annotations = how == "fail", how == "ordered", how in ("warn", "info")
    return command


def _instant(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-")
    try:
        return sign * round(float(text) * 1000)
    except ValueError:
        return sign * parse_duration(text)


def _add(command: Command, line: str) -> None:
    match command:
        case Load():
            command.series.append(_series(line))
        case Eval():
            _expect(command, line)
        case Clear():
            raise ValueError(f"nothing may follow clear: {line!r}")


def _expect(command: Eval, line: str) -> None:
    if expect := _EXPECT.match(line):
        what, rest = expect[1], expect[2]
        match what:
            case "fail":
                command.fails = True
                command.message = rest.removeprefix("msg:").strip() if rest.startswith("msg:") else ""
            case "ordered":
                command.ordered = True
            case "string":
                command.text = rest[1:-1] if rest.startswith("`") else ast.literal_eval(rest)
            case _:
                command.annotations += 1
    elif points := _POINTS.fullmatch(line):
        if points[4] is None:
            command.histogram = True
        else:
            command.scalar = float(points[4])
    else:
        command.series.append(_series(line))


def _series(line: str) -> Series:
    parts = _SERIES.match(line)
    if parts is None:
        raise ValueError(f"no series: {line!r}")
    pairs = {METRIC_NAME: parts[1] or ""}
    for label in _LABEL.finditer(parts[2] or ""):
        name = ast.literal_eval(label[1]) if label[1].startswith('"') else label[1]
        if label[2] is None:
            pairs[METRIC_NAME] = name
        else:
            pairs[name] = ast.literal_eval(label[2])
    return Series(Labels.of(pairs), tuple(_points(parts[3])))


def _points(text: str) -> Iterator[Point]:
    end = 0
    while end < len(text):
        token = _POINTS.match(text, end)
        if token is None:
            raise ValueError(f"no points: {text[end:]!r}")
        end = token.end()
        times = int(token[6]) if token[6] else 0
        if token[1]:
            yield from [Gap()] * max(times, 1)
        elif token[2]:
            yield from [Stale()] * (times + 1)
        elif token[3]:
            yield from [Histogram()] * (times + 1)
        else:
            start, slope = float(token[4]), float(token[5] or "0")
            yield from _line(start, slope, times)


def _line(start: float, slope: float, times: int) -> Sequence[float]:
    """By repeated addition, as Prometheus does, which rounds otherwise than a product."""
    values = [start]
    for _ in range(times):
        values.append(values[-1] + slope)
    return values
