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
from enum import StrEnum

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


class Remark(StrEnum):
    """What an answer says besides its values."""

    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Message:
    """What a text must be; empty: anything."""

    text: str = ""
    regex: str = ""

    @classmethod
    def of(cls, said: str) -> Message:
        """From ``msg: ...``, ``regex: ...`` or nothing."""
        how, _, text = said.partition(":")
        match how.strip():
            case "msg":
                return cls(text=text.strip())
            case "regex":
                return cls(regex=text.strip())
            case "":
                return cls()
        raise ValueError(f"no message: {said!r}; write msg: or regex: before it")

    def fits(self, text: str) -> bool:
        if self.regex:
            return re.search(self.regex, text) is not None
        return self.text in ("", text)

    def __str__(self) -> str:
        return self.text or self.regex


@dataclass(frozen=True, slots=True)
class Broken:
    """Lines that cannot be read."""

    line: int
    reason: str


@dataclass(slots=True)
class Eval:
    """A query and what it must answer.  An instant has ``step_ms`` 0.

    ``fails``: what the error must say, None where there must be none.  ``remarks``: of each kind those that must be there.
    ``silent``: the kinds of which there must be none.  ``shown_ms``: start and step of the points that a range vector shows.
    """

    line: int
    query: str
    start_ms: int
    end_ms: int
    step_ms: int
    fails: Message | None = None
    ordered: bool = False
    text: str | None = None
    scalar: float | None = None
    histogram: bool = False
    series: list[Series] = field(default_factory=list)
    remarks: list[tuple[Remark, Message]] = field(default_factory=list)
    silent: set[Remark] = field(default_factory=set)
    shown_ms: tuple[int, int] | None = None


Command = Load | Clear | Eval | Broken

_LOAD = re.compile(r"load(_with_nhcb)?\s+(\S+)$")
_INSTANT = re.compile(r"eval(?:_(\w+))?\s+instant\s+at\s+(\S+)\s+(.+)$", re.DOTALL)
_RANGE = re.compile(r"eval(?:_(\w+))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$", re.DOTALL)
_EXPECT = re.compile(r"expect\s+(fail|ordered|string|warn|no_warn|info|no_info|range\s+vector)\b\s*(.*)$")
_OLD_EXPECT = re.compile(r"expected_fail_(message|regexp)\s+(.*)$")
_SHOWN = re.compile(r"from\s+(\S+)\s+to\s+\S+\s+step\s+(\S+)$")
_COMMAND = re.compile(r"(?:load|eval|clear)(?:_\w+)?\b")
_STAMPS = re.compile(r"\s*@\s*(?:\[[^\]]*\]|\S+)\s*$")  # when series began, which makes no difference here
_SERIES = re.compile(r"""([a-zA-Z_:][\w:]*)?\s*(?:\{((?:"(?:\\.|[^"\\])*"|[^}"])*)\})?(?=\s|$)\s*(.*)$""")
_LABEL = re.compile(r"""("(?:\\.|[^"\\])*"|[\w.:]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))?\s*,?\s*""")
_NUMBER = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI]nf|[nN]a[nN])"
_NATIVE = r"\{\{.*?\}\}"
_POINTS = re.compile(
    rf"(?:(_)|(stale)|({_NATIVE}(?:[-+]{_NATIVE})?)|([-+]?{_NUMBER})([-+]{_NUMBER})?)(?:x(\d+))?(?=\s|$)\s*"
)


def parse_script(text: str) -> Iterator[Command]:
    """What cannot be read is a ``Broken`` that names the line; the script goes on after it."""
    command: Command | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if command is not None and (raw[0].isspace() or not _COMMAND.match(line)):
                _add(command, line)
                continue
            if command is not None:
                yield command
            command = None
            command = _command(number, line)
        except ValueError as error:
            yield Broken(number, f"line {number}: {error}")
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
    command.fails, command.ordered = Message() if how == "fail" else None, how == "ordered"
    if how in tuple(Remark):
        command.remarks.append((Remark(how), Message()))
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
        case _:
            raise ValueError(f"nothing may stand there: {line!r}")


def _expect(command: Eval, line: str) -> None:
    if expect := _EXPECT.match(line):
        _expect_of(command, expect[1], expect[2])
    elif old := _OLD_EXPECT.match(line):
        command.fails = Message(text=old[2]) if old[1] == "message" else Message(regex=old[2])
    elif points := _POINTS.fullmatch(line):
        if points[4] is None:
            command.histogram = True
        else:
            command.scalar = float(points[4])
    else:
        command.series.append(_series(line))


def _expect_of(command: Eval, what: str, rest: str) -> None:
    match what.split():
        case ["fail"]:
            command.fails = Message.of(rest)
        case ["ordered"]:
            command.ordered = True
        case ["string"]:
            command.text = rest[1:-1] if rest.startswith("`") else ast.literal_eval(rest)
        case ["warn" | "info" as kind]:
            command.remarks.append((Remark(kind), Message.of(rest)))
        case ["no_warn" | "no_info" as kind]:
            command.silent.add(Remark(kind.removeprefix("no_")))
        case _:
            shown = _SHOWN.match(rest)
            if shown is None:
                raise ValueError(f"no range: {rest!r}; write from 0 to 5m step 1m")
            command.shown_ms = (_instant(shown[1]), _instant(shown[2]))


def _series(line: str) -> Series:
    parts = _SERIES.match(_STAMPS.sub("", line) if line.endswith("]") else line)
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
