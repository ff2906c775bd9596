"""Scrapes of real HTTP servers on the loopback interface."""

from __future__ import annotations

import asyncio
import gzip
import math
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opsconsole.ingest.limits import IngestLimits
from opsconsole.ingest.scrape import Scrape, Scraper, TargetState, TargetStatus
from opsconsole.ingest.target import Target
from opsconsole.series.clock import ManualClock, SystemClock
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

NOW = 1_764_000_000_000


class Page:
    """What a target answers; tests change it."""

    def __init__(self) -> None:
        self.body = b"hits 1\n"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.wait = threading.Event()
        self.wait.set()
        self.requests = 0
        self.accepts: list[str] = []
        self.url = ""


class Sink:
    def __init__(self) -> None:
        self.scrapes: list[Scrape] = []

    def append(self, scrape: Scrape) -> None:
        self.scrapes.append(scrape)

    def last(self) -> dict[str, float]:
        return samples(self.scrapes[-1])


def samples(scrape: Scrape) -> dict[str, float]:
    assert all(scrape.target == labels.keep(("job", "instance")) for labels in scrape.labels)
    return {labels.metric: float(value) for labels, value in zip(scrape.labels, scrape.values, strict=True)}


@pytest.fixture
def serve() -> Iterator[Callable[[], Page]]:
    """``serve()`` starts a target and is its page."""
    servers: list[ThreadingHTTPServer] = []
    pages: list[Page] = []

    def start() -> Page:
        page = Page()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page.requests += 1
                page.accepts.append(self.headers["Accept"])
                page.wait.wait(20)
                try:
                    self.send_response(page.status)
                    for name, value in {"Content-Length": str(len(page.body)), **page.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(page.body)
                except OSError:
                    pass  # the scraper hung up, as some tests want

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        page.url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
        servers.append(server)
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.wait.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def target_of(page: Page, job: str = "shop", **options: float) -> Target:
    return Target.parse(f"{job}={page.url}", **{"interval_s": 600, **options})  # type: ignore[arg-type]


async def scraped(page: Page, sink: Sink, limits: IngestLimits | None = None, **options: float) -> TargetStatus:
    """Scrape once, and how it went."""
    target = target_of(page, **options)
    scraper = Scraper([target], sink, ManualClock(NOW), limits)
    await scraper.start()
    try:
        await scraper.scrape(target.labels)
    finally:
        await scraper.stop()
    return scraper.status[0]


async def test_a_scrape_brings_the_samples_with_the_target_labels_at_its_own_start(
    serve: Callable[[], Page],
) -> None:
    page, sink = serve(), Sink()
    page.body = b'hits{view="/x"} 5 123\nfree NaN\n'
    status = await scraped(page, sink)
    (scrape,) = sink.scrapes
    assert scrape.timestamp_ms == NOW
    found = sink.last()
    assert found["hits"] == 5.0
    assert math.isnan(found["free"])
    assert (found["up"], found["scrape_samples_scraped"]) == (1.0, 2.0)
    assert 0 < found["scrape_duration_seconds"] == status.duration_s
    assert status.state is TargetState.UP
    assert (status.error, status.last_scrape_ms, status.samples) == ("", NOW, 2)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_a_target_that_is_away_is_down_and_its_series_end() -> None:
    page, sink = Page(), Sink()
    page.url = f"http://127.0.0.1:{closed_port()}/metrics"
    status = await scraped(page, sink)
    assert status.state is TargetState.DOWN
    assert status.error == "cannot be reached: Connection refused"
    found = sink.last()
    assert (found.pop("up"), found.pop("scrape_samples_scraped")) == (0.0, 0.0)
    assert (found.pop("scrape_samples_post_metric_relabeling"), found.pop("scrape_series_added")) == (0.0, 0.0)
    assert list(found) == ["scrape_duration_seconds"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (b"oops", {}, 500, "answered HTTP 500"),
        (b"a 1\nb x\n", {}, 200, "malformed metrics, line 2: series 'b': no value"),
        (b"up 1\n", {}, 200, "exposes up, which the scraper writes itself; rename it"),
        (b"a 1\n", {"Content-Type": "application/openmetrics-text; version=1.0.0"}, 200, "must end with '# EOF'"),
        (b"a 1\nb 1\nc 1\nd 1\n", {}, 200, "exposes 4 samples, over the limit of 3"),
        (b"#" * 2000, {}, 200, "exposes more than the limit of 1,000 bytes"),
        (gzip.compress(b"#" * 100_000), {"Content-Encoding": "gzip"}, 200, "exposes more than the limit"),
        (b"no gzip", {"Content-Encoding": "gzip"}, 200, "the body is no valid gzip"),
        (b"a 1\n", {"Content-Encoding": "br"}, 200, "content encoding 'br' is not supported"),
        (b"a 1\n", {"Content-Length": "100"}, 200, "cannot be reached: "),
    ],
)
async def test_a_scrape_that_fails_says_why_in_one_line(
    serve: Callable[[], Page], body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    page, sink = serve(), Sink()
    page.body, page.headers, page.status = body, headers, status
    found = await scraped(page, sink, IngestLimits(scrape_bytes=1000, scrape_samples=3))
    assert error in found.error
    assert "\n" not in found.error
    assert found.state is TargetState.DOWN
    assert sink.last()["up"] == 0.0
    assert len(sink.last()) == 5


async def test_a_target_that_does_not_answer_in_time_is_down(serve: Callable[[], Page]) -> None:
    page, sink = serve(), Sink()
    page.wait.clear()
    status = await scraped(page, sink, timeout_s=0.1)
    assert status.error == "no answer within 0.1 s"
    assert sink.last()["up"] == 0.0


async def test_a_gzipped_answer_is_read(serve: Callable[[], Page]) -> None:
    page, sink = serve(), Sink()
    page.body, page.headers = gzip.compress(b"hits 7\n"), {"Content-Encoding": "gzip"}
    await scraped(page, sink)
    assert sink.last()["hits"] == 7.0


async def test_openmetrics_is_asked_for_and_its_exemplars_and_metadata_are_handed_over(
    serve: Callable[[], Page],
) -> None:
    page, sink = serve(), Sink()
    page.headers = {"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"}
    page.body = b'# TYPE hits counter\n# HELP hits Visits.\nhits_total 7 # {trace_id="ab"} 1\n# EOF\n'
    await scraped(page, sink)
    assert page.accepts[0].startswith("application/openmetrics-text;version=1.0.0;")
    (scrape,) = sink.scrapes
    hits = Labels.of(scrape.target, __name__="hits_total")
    assert scrape.exemplars == [(hits, Exemplar(Labels.of(trace_id="ab"), 1.0, NOW))]
    assert scrape.metadata == {"hits": Metadata("counter", "Visits.")}


async def test_what_is_not_taken_as_it_stands_is_noted(serve: Callable[[], Page]) -> None:
    page, sink = serve(), Sink()
    page.body = b'a{x="1",y="2"} 1\na{y="2",x="1"} 2\nb 3 1764000000000\n'
    status = await scraped(page, sink)
    assert status.notes == (
        "samples with a timestamp of their own, kept at the instant of the scrape: 1",
        "samples left out because their series stands further up already: 1",
    )
    assert (sink.last()["a"], sink.last()["b"]) == (1.0, 3.0)
    assert sink.last()["scrape_samples_scraped"] == 3.0


async def test_the_same_series_bring_the_same_labels(serve: Callable[[], Page]) -> None:
    page, sink = serve(), Sink()
    target = target_of(page)
    scraper = Scraper([target], sink, ManualClock(NOW))
    await scraper.start()
    for body in (b"hits 1\n", b"hits 2\n", b"hits 2\nmisses 1\n", b"broken", b"hits 3\nmisses 1\n"):
        page.body = body
        await scraper.scrape(target.labels)
    await scraper.stop()
    layouts = [scrape.labels for scrape in sink.scrapes]
    assert layouts[0] is layouts[1]
    assert layouts[2] is layouts[4]
    added = Labels.of(target.labels, __name__="scrape_series_added")
    assert [scrape.values[scrape.labels.index(added)] for scrape in sink.scrapes] == [1, 0, 1, 0, 0]
    assert [len(layout) for layout in layouts] == [6, 6, 7, 5, 7]


async def test_every_target_is_scraped_again_and_again_whatever_the_others_do(
    serve: Callable[[], Page], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    good, slow, broken = serve(), serve(), serve()
    slow.wait.clear()
    broken.body = b"{"
    sink = Sink()
    targets = [target_of(page, job, interval_s=0.05) for page, job in ((good, "g"), (slow, "s"), (broken, "b"))]
    scraper = Scraper(targets, sink, SystemClock())
    assert {status.state for status in scraper.status} == {TargetState.UNKNOWN}
    await scraper.start()
    await asyncio.to_thread(eventually, lambda: min(good.requests, broken.requests, slow.requests) >= 3)
    await scraper.stop()
    states = {status.target.job: status.state for status in scraper.status}
    assert states == {"g": TargetState.UP, "s": TargetState.DOWN, "b": TargetState.DOWN}
    instants = [scrape.timestamp_ms for scrape in sink.scrapes if scrape.target.get("job") == "g"]
    assert instants == sorted(set(instants))


async def test_a_defect_of_the_sink_does_not_end_the_loop(
    serve: Callable[[], Page], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    class Broken:
        def append(self, scrape: Scrape) -> None:
            raise KeyError("defect")

    page = serve()
    scraper = Scraper([target_of(page, interval_s=0.05)], Broken(), SystemClock())
    await scraper.start()
    await asyncio.to_thread(eventually, lambda: page.requests >= 3)
    await scraper.stop()


async def test_stopping_gives_up_a_scrape_under_way(
    serve: Callable[[], Page], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    page, sink = serve(), Sink()
    page.wait.clear()
    scraper = Scraper([target_of(page, interval_s=0.05, timeout_s=60)], sink, SystemClock())
    await scraper.start()
    await asyncio.to_thread(eventually, lambda: page.requests >= 1)
    await asyncio.wait_for(scraper.stop(), 10)
    assert sink.scrapes == []


def test_two_targets_that_cannot_be_told_apart_are_refused() -> None:
    targets: Sequence[Target] = [Target.parse(f"a=http://h:1/{path}", interval_s=1) for path in "xy"]
    with pytest.raises(ValueError, match="a=http://h:1/y stands in the list twice"):
        Scraper(targets, Sink(), ManualClock())


def test_labels_of_own_series_are_those_of_the_target() -> None:
    assert Labels.of(Target.parse("a=http://h:1", interval_s=1).labels, __name__="up").as_dict() == {
        "__name__": "up",
        "instance": "h:1",
        "job": "a",
    }
