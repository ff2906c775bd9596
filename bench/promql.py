"""PromQL end to end: the console beside Prometheus and VictoriaMetrics, over HTTP, on the same samples.

    python -m bench.promql
    python -m bench.promql --only q2 --sizes 8500 --engines console,prometheus --rounds 20
    python -m bench.promql --only q2 --engines engine --profile

Engines take turns query by query; every figure is a median in milliseconds on a kept connection, the body read and not
parsed.  The range (1 h at 15 s, 241 points) moves by a step each round as a dashboard's does.  Before anything is timed
the console's and Prometheus' answers are compared.  ``engine`` is the console's evaluator in this process: no server, no
encoding.  ``console`` continues the answers of ranges that it gave, as it comes; ``console-anew`` keeps none
(``OPSCONSOLE_ANSWERS_MEMORY=0``), so that every range is evaluated whole.  VictoriaMetrics is asked with and without its cache of results; what it calls a rate is not Prometheus'.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import servers
from bench.answer import compared
from bench.client import Refused
from bench.shapes import DASHBOARD, Shape, shapes
from bench.workload import SIZES, STEP_MS, Workload, sample_count
from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import Block
from opsconsole.storage.head import Head, Limits

RESULT = Path(__file__).with_suffix(".json")
PEERS = ("prometheus", "victoriametrics", "victoriametrics-cached")
ENGINES = ("console", "console-anew", *PEERS, "engine")
KINDS = ("range", "instant")
SOURCES = ("head", "history")
WARM_UP = 2
RANGE_MS = 3_600_000
_POSITIONS = 16  # after so many rounds the range is back where it began
_OLD_MS = 10_800_000  # of the history: an hour more than the head holds
_ROUNDS = {"8500": 14, "85000": 5, "500x17": 8}

Ask = Callable[[Shape, str, int], object]
"""Ask a shape, as a range or an instant query that ends at an instant.  Raises ``Refused`` or ``PromQLError``."""


@dataclass(frozen=True, slots=True)
class Run:
    """One size, from one source."""

    workload: Workload
    source: str
    blocks: Sequence[Block]
    rounds: int

    def end_ms(self, number: int) -> int:
        """Where the range of this round ends: a step later each time."""
        return self.workload.last_ms - (_POSITIONS - 1 - number % _POSITIONS) * STEP_MS


def main() -> None:
    arguments = _arguments()
    results = []
    failed = False
    for size in arguments.sizes:
        for source in arguments.sources:
            if source == "history" and size == "85000" and len(arguments.sizes) > 1:
                continue  # more samples than the console reads from history for one query
            end_ms = time.time_ns() // 1_000_000 - (_OLD_MS if source == "history" else 0)
            workload = Workload(SIZES[size], end_ms, arguments.minutes)
            run = Run(workload, source, workload.blocks(), arguments.rounds or _ROUNDS[size])
            wanted = [shape for shape in shapes(workload.size) if not arguments.only or shape.name in arguments.only]
            with _engines(run, arguments.engines) as engines:
                answered = _answered(run, engines, wanted, arguments.kinds)
                failed |= answered != wanted
                failed |= not (arguments.no_check or _agree(run, engines, answered, arguments.kinds))
                for kind in arguments.kinds if answered else ():
                    results.append(measure(run, engines, answered, kind, profile=arguments.profile))
                    print(table(results[-1]), flush=True)
    if not (arguments.only or arguments.profile or failed or set(arguments.engines) < set(ENGINES)):
        _write(results)
    if failed:
        sys.exit("answers are missing or differ; see above")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one_of = {"sizes": tuple(SIZES), "sources": SOURCES, "engines": ENGINES, "kinds": KINDS}
    for name, choices in one_of.items():
        parser.add_argument(
            f"--{name}", type=_some_of(choices), default=list(choices), metavar="A,B", help=f"of {', '.join(choices)}"
        )
    names = tuple(shape.name for shape in shapes(SIZES["8500"]))
    parser.add_argument("--only", type=_some_of(names), default=[], metavar="A,B", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help=f"timed rounds (default: {_ROUNDS})")
    parser.add_argument("--minutes", type=float, default=65, help="of samples (default: %(default)s)")
    parser.add_argument("--profile", action="store_true", help="show where the time of --engines engine goes")
    parser.add_argument("--no-check", action="store_true", help="do not compare answers first")
    return parser.parse_args()


def _some_of(choices: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        found = text.split(",")
        for one in found:
            if one not in choices:
                raise argparse.ArgumentTypeError(f"{one!r} is none of {', '.join(choices)}")
        return found

    return parse


@contextmanager
def _engines(run: Run, names: Sequence[str]) -> Iterator[dict[str, Ask]]:
    """What can be asked, by name, in the order of ``names``."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="opsconsole-bench-")))
        found: dict[str, Ask] = {}
        for name in names:
            began = time.perf_counter()
            match name:
                case "engine":
                    found[name] = in_process(run)
                case "console" | "console-anew":
                    server = servers.console(run.workload, folder, keeps_answers=name == "console")
                    found[name] = OverHttp(running.enter_context(server))
                case "prometheus":
                    from_disk = run.source == "history"
                    server = servers.prometheus(run.blocks, folder, from_disk=from_disk)
                    found[name] = OverHttp(running.enter_context(server))
                case _ if name not in found:
                    plain, cached = running.enter_context(servers.victoriametrics(run.blocks, folder))
                    found |= {each.name: OverHttp(each) for each in (plain, cached) if each.name in names}
            print(f"{name} is ready after {time.perf_counter() - began:.1f} s", file=sys.stderr)
        yield found


class OverHttp:
    """A server to ask: the call for the clock, ``json`` for what it answered."""

    def __init__(self, server: servers.Server) -> None:
        self._server = server

    def __call__(self, shape: Shape, kind: str, end_ms: int) -> bytes:
        return self._server.client.get(self._target(shape, kind, end_ms))

    def json(self, shape: Shape, kind: str, end_ms: int) -> dict[str, Any]:
        return self._server.client.json(self._target(shape, kind, end_ms))

    def _target(self, shape: Shape, kind: str, end_ms: int) -> str:
        at_ms = end_ms + shape.shift_ms
        if kind == "instant":
            return self._server.instant(shape.text, at_ms)
        return self._server.range(shape.text, at_ms - RANGE_MS, at_ms, STEP_MS)


def in_process(run: Run) -> Ask:
    """The evaluator over a head that was filled from the blocks."""
    head = Head(Limits(memory_bytes=8 << 30, total_series=1_000_000))
    head.load(MemorySource(run.blocks), run.workload.end_ms)
    engine = Engine(head)

    def ask(shape: Shape, kind: str, end_ms: int) -> object:
        at_ms = end_ms + shape.shift_ms
        if kind == "instant":
            return engine.instant(shape.text, at_ms)
        return engine.range(shape.text, at_ms - RANGE_MS, at_ms, STEP_MS)

    return ask


def _answered(run: Run, engines: dict[str, Ask], wanted: Sequence[Shape], kinds: Sequence[str]) -> Sequence[Shape]:
    """The shapes that every engine answers; says which does not and why."""
    answered = list(wanted)
    for shape in wanted:
        for name, ask in engines.items():
            try:
                for kind in kinds:
                    ask(shape, kind, run.end_ms(0))
            except (Refused, PromQLError) as error:
                print(f"{shape.name} is left out: {name} answers {error}", flush=True)
                answered.remove(shape)
                break
    return answered


def _agree(run: Run, engines: dict[str, Ask], wanted: Sequence[Shape], kinds: Sequence[str]) -> bool:
    """Compare the console with Prometheus at the first and the last position; says what differs."""
    console, prometheus = engines.get("console"), engines.get("prometheus")
    if not (isinstance(console, OverHttp) and isinstance(prometheus, OverHttp)):
        return True
    problems: list[str] = []
    worst = 0.0
    points = 0
    for shape in wanted:
        for kind in kinds:
            for number in (0, _POSITIONS - 1):
                ours, theirs = (ask.json(shape, kind, run.end_ms(number)) for ask in (console, prometheus))
                found = compared(ours, theirs, shape.tolerance)
                problems += [f"{shape.name} {kind}: {problem}" for problem in found.problems]
                worst, points = max(worst, found.worst), points + found.points
    name = f"{run.workload.size.name} from {run.source}"
    print(
        f"{name}: {points:,} points compared with Prometheus, worst {worst:.1e}, {len(problems)} problems", flush=True
    )
    for problem in problems:
        print(f"  {problem}")
    return not problems


def measure(
    run: Run, engines: dict[str, Ask], wanted: Sequence[Shape], kind: str, *, profile: bool = False
) -> dict[str, Any]:
    """Medians of every shape and engine, as ``bench/promql.json`` holds them."""
    times: dict[tuple[str, str], list[float]] = {(shape.name, name): [] for shape in wanted for name in engines}
    sizes: dict[str, int] = {}
    profiler = cProfile.Profile()
    load_before = os.getloadavg()[0]
    gc.collect()
    gc.disable()
    for number in range(WARM_UP + run.rounds):
        order = list(engines)
        order = order[number % len(order) :] + order[: number % len(order)]
        for shape in wanted:
            for name in order:
                profiled = profile and name == "engine" and number >= WARM_UP
                if profiled:
                    profiler.enable()
                began = time.perf_counter()
                body = engines[name](shape, kind, run.end_ms(number))
                took = time.perf_counter() - began
                if profiled:
                    profiler.disable()
                if number >= WARM_UP:
                    times[shape.name, name].append(took * 1000)
                if name == "console" and isinstance(body, bytes):
                    sizes[shape.name] = len(body)
    gc.enable()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    medians = {key: statistics.median(found) for key, found in times.items()}
    result: dict[str, Any] = {
        "size": run.workload.size.name,
        "series": run.workload.size.series,
        "samples": sample_count(run.blocks),
        "source": run.source,
        "kind": kind,
        "rounds": run.rounds,
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "bench.promql", *sys.argv[1:]]),
        "queries": {
            shape.name: {
                "query": shape.text,
                "target": _required(run, shape, kind),
                "bytes": sizes.get(shape.name),
                "ms": {name: round(medians[shape.name, name], 3) for name in engines},
                "times_faster": {
                    f"{peer} / {ours}": round(medians[shape.name, peer] / medians[shape.name, ours], 4)
                    for ours, peer in _pairs(engines)
                },
            }
            for shape in wanted
        },
    }
    return result | {"geometric_mean": _means(result["queries"])}


def _pairs(engines: Collection[str]) -> list[tuple[str, str]]:
    """(ours, a peer) to be compared; a peer's cache with our own."""
    pairs = [("console", peer) for peer in PEERS] + [("console-anew", peer) for peer in PEERS[:2]]
    return [(ours, peer) for ours, peer in pairs if ours in engines and peer in engines]


def _means(queries: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How many times faster than each peer: the five of every dashboard, and the others."""
    means = {}
    for title, chosen in (("dashboard", True), ("others", False)):
        found = [query["times_faster"] for name, query in queries.items() if (name in DASHBOARD) is chosen]
        if found and found[0]:
            means[title] = {
                peer: round(statistics.geometric_mean(each[peer] for each in found), 2) for peer in found[0]
            }
    return means


def _required(run: Run, shape: Shape, kind: str) -> float:
    """How many times faster than Prometheus."""
    if run.source == "history":
        return 1
    return shape.target if kind == "range" else shape.instant_target


def table(result: dict[str, Any]) -> str:
    """The result for people: milliseconds, then how many times faster the console is than each peer."""
    first = next(iter(result["queries"].values()))
    engines, peers = list(first["ms"]), list(first["times_faster"])
    header = ["query", *(f"{name} ms" for name in engines), *peers, "target"]
    rows = [header, ["---"] * len(header)]
    for name, query in result["queries"].items():
        ms = [f"{value:.2f}" for value in query["ms"].values()]
        rows.append([name, *ms, *(f"{value:.1f}" for value in query["times_faster"].values()), _target_text(query)])
    for title, means in result["geometric_mean"].items():
        rows.append(
            [f"({title}: geometric mean)", *[""] * len(engines), *(f"{mean:.1f}" for mean in means.values()), ""]
        )
    title = (
        f"\n{result['size']} ({result['series']:,} series, {result['samples']:,} samples) from {result['source']}, "
        f"{result['kind']} queries, {result['rounds']} rounds, load {result['load'][0]} to {result['load'][1]}\n"
    )
    return title + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _target_text(query: dict[str, Any]) -> str:
    target, found = query["target"], query["times_faster"].get("prometheus / console")
    return f"{target:g}x" + ("" if found is None else " met" if found >= target else " missed")


def _write(results: Sequence[dict[str, Any]]) -> None:
    """Replace these runs in the result file and keep the others."""
    kept = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else []
    runs = {(run["size"], run["source"], run["kind"]): run for run in [*kept, *results]}
    machine = {"cores": os.cpu_count(), "platform": os.uname().release}
    RESULT.write_text(
        json.dumps({"versions": servers.versions(ENGINES), "machine": machine, "runs": list(runs.values())}, indent=2)
        + "\n"
    )


if __name__ == "__main__":
    main()
