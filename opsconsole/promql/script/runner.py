"""Runs the commands of a script against the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan
from pathlib import Path

import numpy as np

from opsconsole.series.block import NAN_SAMPLE, STALE, Block
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Matcher, select

from ..engine import Engine
from ..error import PromQLError
from ..memory import MemorySource
from ..result import Matrix, Scalar, String
from .grammar import Broken, Clear, Eval, Gap, Histogram, Load, Point, Remark, Series, Stale, parse_script

_TOLERANCE = 1e-6  # that of promqltest, whose expectations are written with few digits


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """The outcome of one ``eval``.  ``reason``: why it was skipped, or what was expected and got."""

    file: str
    line: int
    query: str
    verdict: Verdict
    reason: str = ""


class _Samples(MemorySource):
    """The loaded series; notices when a query reaches for native histograms."""

    def __init__(self) -> None:
        super().__init__()
        self._native: list[Labels] = []
        self.touched_native = False

    def load(self, command: Load) -> None:
        alike: dict[tuple[int, ...], list[tuple[Labels, list[float]]]] = defaultdict(list)
        for series in command.series:
            labels = series.labels
            if any(isinstance(point, Histogram) for point in series.points):
                self._native.append(labels)
                continue
            if command.histograms and labels.metric.endswith("_bucket"):
                self._native.append(Labels.of(labels.drop(("le",)), **{METRIC_NAME: labels.metric[: -len("_bucket")]}))
            taken = tuple(number for number, point in enumerate(series.points) if not isinstance(point, Gap))
            alike[taken].append((labels, [_cell(series.points[number]) for number in taken]))
        for taken, rows in alike.items():
            timestamps = np.array(taken, dtype=np.int64) * command.step_ms
            self.add(Block([labels for labels, _ in rows], timestamps, np.array([cells for _, cells in rows])))

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        self.touched_native |= any(select(labels, matchers) for labels in self._native)
        return super().select(matchers, start_ms, end_ms)


def _cell(point: Point) -> float:
    if isinstance(point, Stale):
        return STALE
    return point if isinstance(point, float) and not isnan(point) else NAN_SAMPLE


def run_file(path: Path) -> Iterator[Case]:
    """One case for each ``eval``, and one for each line that cannot be read."""
    samples = _Samples()
    for command in parse_script(path.read_text()):
        match command:
            case Clear():
                samples = _Samples()
            case Load():
                samples.load(command)
            case Broken():
                yield Case(path.name, command.line, "", Verdict.FAILED, command.reason)
            case Eval():
                verdict, reason = _judge(command, samples)
                yield Case(path.name, command.line, command.query, verdict, reason)


def _judge(command: Eval, samples: _Samples) -> tuple[Verdict, str]:
    if command.histogram or any(isinstance(point, Histogram) for series in command.series for point in series.points):
        return Verdict.SKIPPED, "native histogram"
    samples.touched_native = False
    result: Matrix | Scalar | String | PromQLError
    try:
        result = _answer(command, Engine(samples))
    except PromQLError as error:
        result = error
    if isinstance(result, PromQLError) and result.message.startswith("unsupported"):
        return Verdict.SKIPPED, result.message
    if samples.touched_native:
        return Verdict.SKIPPED, "native histogram"
    if isinstance(result, PromQLError):
        if command.fails is not None and command.fails.fits(result.message):
            return Verdict.PASSED, ""
        return Verdict.FAILED, f"expected {_wanted(command)}, got error {result.message!r}"
    return _compared(command, result)


def _compared(command: Eval, result: Matrix | Scalar | String) -> tuple[Verdict, str]:
    got = _got(result, command)
    if command.fails is not None or not _equal(command, got):
        return Verdict.FAILED, f"expected {_wanted(command)}, got {_shown(got)}"
    remarks = _unsaid(command, result)
    return (Verdict.FAILED, remarks) if remarks else (Verdict.PASSED, "")


def _answer(command: Eval, engine: Engine) -> Matrix | Scalar | String:
    if command.step_ms:
        return engine.range(command.query, command.start_ms, command.end_ms, command.step_ms)
    return engine.instant(command.query, command.start_ms)


def _unsaid(command: Eval, result: Matrix | Scalar | String) -> str:
    """What is wrong with the remarks on an answer; empty if nothing is."""
    said = {Remark.WARN: result.warnings, Remark.INFO: result.infos}
    for kind, message in command.remarks:
        if not any(message.fits(each) for each in said[kind]):
            wanted = f" {str(message)!r}" if str(message) else ""
            return f"expected {kind.value}{wanted}, got {' '.join(map(repr, said[kind])) or 'none'}"
    for kind in sorted(command.silent):
        if said[kind]:
            return f"expected no {kind.value}, got {' '.join(map(repr, said[kind]))}"
    return ""


def _got(result: Matrix | Scalar | String, command: Eval) -> float | str | list[Series]:
    if isinstance(result, Scalar | String):
        return result.value
    times = result.timestamps.tolist()
    if command.shown_ms is not None and times:  # the samples of a range vector stand where they were taken
        start_ms, step_ms = command.shown_ms
        times_shown = range(start_ms, times[-1] + 1, step_ms)
    else:
        times_shown = times
    series = []
    for labels, values, present in zip(result.labels, result.values.tolist(), result.present.tolist(), strict=True):
        at = {time: value for time, value, there in zip(times, values, present, strict=True) if there}
        series.append(Series(labels, tuple(at.get(time, Gap()) for time in times_shown)))
    return series


def _equal(command: Eval, got: float | str | list[Series]) -> bool:
    if isinstance(got, str):
        return command.text == got
    if isinstance(got, float):
        return command.scalar is not None and _close(command.scalar, got)
    wanted = command.series
    if command.scalar is not None:  # a scalar in a range query is one series
        wanted = [Series(Labels(), (command.scalar,))]
    if command.ordered and [series.labels for series in wanted] != [series.labels for series in got]:
        return False
    points = {series.labels: series.points for series in got}
    if len(points) != len(wanted) or len(got) != len(wanted):
        return False
    return all(series.labels in points and _same_points(series.points, points[series.labels]) for series in wanted)


def _same_points(wanted: tuple[Point, ...], got: tuple[Point, ...]) -> bool:
    padded = wanted + (Gap(),) * (len(got) - len(wanted))
    return len(padded) == len(got) and all(
        _close(a, b) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(padded, got, strict=True)
    )


def _close(a: float, b: float) -> bool:
    if isnan(a) or isnan(b):
        return isnan(a) and isnan(b)
    if not (isfinite(a) and isfinite(b)):
        return a == b
    return a == b or abs(a - b) < _TOLERANCE * min(abs(a) + abs(b), 1.7e308)


def _wanted(command: Eval) -> str:
    if command.fails is not None:
        return f"an error {str(command.fails)!r}" if str(command.fails) else "an error"
    if command.text is not None:
        return repr(command.text)
    return str(command.scalar) if command.scalar is not None else _shown(command.series)


def _shown(result: float | str | list[Series]) -> str:
    if isinstance(result, float | str):
        return repr(result)
    return "; ".join(f"{series.labels} {' '.join(map(_point, series.points))}" for series in result) or "nothing"


def _point(point: Point) -> str:
    return format(point, ".12g") if isinstance(point, float) else "_"
