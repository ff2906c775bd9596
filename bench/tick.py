"""The live tick: a board of 60 panels at one new instant, over the samples of ``bench.promql``.

    python -m bench.tick [--size 8500] [--ticks 50] [--no-peer] [--profile]

Each round every target is scraped once more, and then the frame that viewers would get is made, as the running console
makes it: evaluated for all panels, shaped and encoded.  Beside it, in the same rounds, Debian's Prometheus answers the
same 60 instant queries over HTTP on one kept connection.  On the first board most panels look at one view or instance; on
the second each looks at all series.  The memory of a series is that of a head filled scrape by scrape in a process of its
own.
"""

from __future__ import annotations

import argparse
import cProfile
import ctypes
import gc
import json
import multiprocessing
import os
import pstats
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psutil

from alerts.profile import PRODUCTION
from bench import servers
from bench.answer import compared
from bench.shapes import Shape, panels_of_all, panels_of_one
from bench.workload import SIZES, STEP_MS, Workload, scrapes
from dashboards.model import Board, Kind, Panel, Query, Row
from opsconsole.promql.engine import Engine
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.result import Matrix
from opsconsole.series.block import Block
from opsconsole.series.clock import ManualClock
from opsconsole.storage.head import Head
from opsconsole.storage.history import History
from opsconsole.storage.timeline import target_of
from signals.model import ANY_JOB, Signal
from signals.unit import Unit

if TYPE_CHECKING:
    from opsconsole.live.feed import BoardFeed

RESULT = Path(__file__).with_suffix(".json")
TARGET_MS = 10.0
WARM_UP = 3
_BEFORE = 260  # scrapes of each target before the first tick: 65 minutes
_SETTLE_MS = 500  # after its instant a frame is made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="8500", help="of the workload (default: %(default)s)")
    parser.add_argument("--ticks", type=int, default=50, help="timed rounds (default: %(default)s)")
    parser.add_argument("--no-peer", action="store_true", help="leave Prometheus out")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    arguments = parser.parse_args()
    rounds = WARM_UP + arguments.ticks
    end_ms = time.time_ns() // 1_000_000
    workload = Workload(SIZES[arguments.size], end_ms, minutes=(_BEFORE + rounds) * STEP_MS / 60_000)
    result: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "bench.tick", *sys.argv[1:]]),
        "series": workload.size.series,
        "ticks": arguments.ticks,
        "target_ms": TARGET_MS,
        "memory": memory(workload),
    }
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="opsconsole-bench-")))
        _django(folder)
        blocks = workload.blocks()
        peer = None
        if not arguments.no_peer:
            first = [_columns(block, slice(_BEFORE)) for block in blocks]
            peer = running.enter_context(servers.prometheus(first, folder, from_disk=False))
        result |= measure(workload, blocks, peer, rounds, profile=arguments.profile)
    print(table(result))
    if not (arguments.no_peer or arguments.profile or arguments.size != "8500"):
        result["versions"] = servers.versions(("prometheus",))
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


def measure(
    workload: Workload, blocks: Sequence[Block], peer: servers.Server | None, rounds: int, *, profile: bool
) -> dict[str, Any]:
    """Median milliseconds of a frame for each board, of one round of scrapes, and of the peer's answers."""
    boards = {"one view or instance": panels_of_one(workload.size), "all series": panels_of_all()}
    live = _Live(workload, blocks, boards)
    took: dict[str, list[float]] = {}
    profiler = cProfile.Profile()
    load_before = os.getloadavg()[0]
    gc.collect()
    gc.freeze()  # the workload's own objects, which a console would not hold
    for number in range(rounds):
        _timed(took, "append", lambda: live.scrape(_BEFORE + number))  # noqa: B023 - called at once
        at_ms = live.step()
        if peer:
            parts = [_columns(block, slice(_BEFORE + number, _BEFORE + number + 1)) for block in blocks]
            servers.fill(peer.client, parts)
        for name, shapes in boards.items():
            if profile and number >= WARM_UP:
                profiler.enable()
            _timed(took, name, lambda: live.frame(name))  # noqa: B023 - called at once
            profiler.disable()
            if peer:
                targets = [peer.instant(_text(shape), at_ms) for shape in shapes]
                _timed(took, f"prometheus, {name}", lambda: [peer.client.get(one) for one in targets])  # noqa: B023
            if peer and number == rounds - 1:
                _agree(live, peer, shapes, at_ms)
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
    return {
        "ms": {name: round(statistics.median(times[WARM_UP:]), 3) for name, times in took.items()},
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
    }


class _Live:
    """A console that holds the workload, and somebody who looks at each board."""

    def __init__(self, workload: Workload, blocks: Sequence[Block], boards: dict[str, Sequence[Shape]]) -> None:
        from opsconsole.live.feed import BoardFeed
        from opsconsole.operations.boards import watch
        from opsconsole.operations.console import Console
        from opsconsole.series.timerange import TimeRange

        self._head = Head()
        first_ms = workload.last_ms - (workload.scrapes - _BEFORE) * STEP_MS
        self._clock = ManualClock(first_ms + _SETTLE_MS)
        self._head.load(MemorySource([_columns(block, slice(_BEFORE)) for block in blocks]), first_ms)
        self._scrapes = [(target_of(block.labels[0]), list(scrapes(block))) for block in blocks]
        self.engine = Engine(History(self._head, MemorySource()))
        nothing = cast("Any", None)
        console = Console(
            clock=self._clock,
            profile=PRODUCTION,
            boards={name: _board(name, shapes) for name, shapes in boards.items()},
            alerts={},
            engine=self.engine,
            spans=nothing,
            scraper=nothing,
            hub=nothing,
            public_url="",
        )
        self._feeds: dict[str, BoardFeed] = {}
        for name, board in console.boards.items():
            self._feeds[name] = BoardFeed(console, watch(console, board, TimeRange("now-1h", "now"), {}))
            self._feeds[name].snapshot()

    def scrape(self, column: int) -> None:
        for target, of_target in self._scrapes:
            scrape = of_target[column]
            self._head.append(target, scrape.timestamp_ms, scrape.labels, scrape.values)

    def step(self) -> int:
        """Move the clock to where a frame is due, and say for which instant."""
        self._clock.advance(STEP_MS)
        return self._clock.now_ms() - _SETTLE_MS

    def frame(self, board: str) -> None:
        frame = self._feeds[board].advance(self._clock.now_ms())
        if frame.whole or '"error"' in frame.text:
            sys.exit(f"{board}: this is no tick of 60 panels: {frame.text[:500]}")


def _board(name: str, shapes: Sequence[Shape]) -> Board:
    panels = tuple(
        Panel(shape.name, shape.name, Kind.LINE, (Query(_signal(shape), legend=""),), width=3, height=6)
        for shape in shapes
    )
    return Board(name, name, "What the benchmark looks at.", (Row("", panels),))


def _signal(shape: Shape) -> Signal:
    return Signal(shape.name, shape.name, shape.text, Unit.COUNT, (), "What the benchmark asks.")


def _text(shape: Shape) -> str:
    return _signal(shape).promql(window="5m", selector=ANY_JOB)


def _columns(block: Block, columns: slice) -> Block:
    return Block(block.labels, block.timestamps[columns], block.values[:, columns])


def _timed(took: dict[str, list[float]], name: str, work: Any) -> None:
    began = time.perf_counter()
    work()
    took.setdefault(name, []).append((time.perf_counter() - began) * 1000)


def _agree(live: _Live, peer: servers.Server, shapes: Sequence[Shape], at_ms: int) -> None:
    """Stop where an answer is not that of Prometheus."""
    for shape in shapes:
        mine = live.engine.instant(_text(shape), at_ms)
        if not isinstance(mine, Matrix):
            sys.exit(f"{shape.name}: {_text(shape)} is no vector")
        rows = [
            {"metric": labels.as_dict(), "value": (at_ms / 1000, value)}
            for labels, value in zip(mine.labels, mine.values[:, -1].tolist(), strict=True)
        ]
        theirs = peer.client.json(peer.instant(_text(shape), at_ms))
        found = compared({"data": {"resultType": "vector", "result": rows}}, theirs, shape.tolerance)
        if found.problems:
            sys.exit(f"{_text(shape)} differs: {'; '.join(found.problems)}")


def memory(workload: Workload) -> dict[str, float]:
    """Bytes a series: what the head counts, and by how much the process grew, labels and indexes included."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_fill_head, (workload,))


def _fill_head(workload: Workload) -> dict[str, float]:
    process, libc = psutil.Process(), ctypes.CDLL(None)
    Workload(SIZES["500x17"], workload.end_ms, 1).blocks()  # what is imported and allocated once is no series' cost
    gc.collect()
    libc.malloc_trim(0)
    before = process.memory_info().rss
    head = Head()
    for block in workload.each():
        target = target_of(block.labels[0])
        for number, scrape in enumerate(scrapes(block)):
            if number < _BEFORE:
                head.append(target, scrape.timestamp_ms, scrape.labels, scrape.values)
    del block, scrape
    gc.collect()
    libc.malloc_trim(0)
    state = head.state
    return {
        "samples_a_series": _BEFORE,
        "head_bytes_a_series": round(state.memory_bytes / state.series, 1),
        "process_bytes_a_series": round((process.memory_info().rss - before) / state.series, 1),
    }


def table(result: dict[str, Any]) -> str:
    ms, memory_ = result["ms"], result["memory"]
    rows = [["60 panels", "console ms", "Prometheus ms", "times faster", "target"], ["---"] * 5]
    for name, took in ms.items():
        theirs = ms.get(f"prometheus, {name}")
        if name == "append" or name.startswith("prometheus"):
            continue
        told = ["", ""] if theirs is None else [f"{theirs:.1f}", f"{theirs / took:.1f}"]
        met = "met" if took < TARGET_MS else "missed"
        rows.append([name, f"{took:.2f}", *told, f"under {TARGET_MS:g} ms {met}"])
    bytes_ = f"{memory_['head_bytes_a_series']:,} B in the head, {memory_['process_bytes_a_series']:,} B of the process"
    lines = [
        f"\n{result['series']:,} series, {result['ticks']} ticks, load {result['load'][0]} to {result['load'][1]}",
        *(f"| {' | '.join(row)} |" for row in rows),
        f"one round of scrapes appended: {ms['append']:.2f} ms",
        f"a series of {memory_['samples_a_series']} samples: {bytes_}",
    ]
    return "\n".join(lines)


def _django(folder: Path) -> None:
    """The models behind the boards are read by Django; nothing is stored."""
    os.environ["OPSCONSOLE_DATA_DIR"] = str(folder / "console")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsconsole.config.settings")
    import django

    django.setup()


if __name__ == "__main__":
    main()
