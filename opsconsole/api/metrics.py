"""The console's own ``/metrics``: what its parts count, and how they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from opsconsole import __version__
from opsconsole.ingest.push import Refusal
from opsconsole.operations.console import Console, current
from opsconsole.storage.commit import CommitState
from opsconsole.storage.intake import Intake
from opsconsole.storage.recorder import Recorder


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(_Everything()), content_type=content_type)


class _Everything:
    """The process' registry, and the console's state read when asked: what stands still needs no counter."""

    def collect(self) -> Iterable[Metric]:
        yield from REGISTRY.collect()
        yield InfoMetricFamily("opsconsole_build", "Version of this console.", value={"version": __version__})
        try:
            console = current()
        except RuntimeError:  # this process does not serve; its own numbers still help
            return
        yield from _live(console)
        yield from _scrapes(console)
        yield from _traces(console)
        if console.recorder is not None:
            yield from _samples(console.recorder)
        if console.receivers is not None:
            yield from _pushes(console.receivers.intake)


def _live(console: Console) -> Iterable[Metric]:
    stats = console.hub.stats()
    yield GaugeMetricFamily("opsconsole_live_sockets", "Open WebSockets.", stats.sockets)
    yield GaugeMetricFamily("opsconsole_live_topics", "Different subscriptions that somebody looks at.", stats.topics)
    yield CounterMetricFamily("opsconsole_live_frames_sent", "Frames handed to sockets.", stats.frames_sent)
    yield CounterMetricFamily(
        "opsconsole_live_frames_dropped", "Frames a socket was too slow for.", stats.frames_dropped
    )


def _scrapes(console: Console) -> Iterable[Metric]:
    up = GaugeMetricFamily("opsconsole_target_up", "Whether the last scrape went well.", labels=("job", "instance"))
    duration = GaugeMetricFamily(
        "opsconsole_target_scrape_duration_seconds", "Seconds the last scrape took.", labels=("job", "instance")
    )
    samples = GaugeMetricFamily(
        "opsconsole_target_scrape_samples", "Samples of the last scrape.", labels=("job", "instance")
    )
    for status in console.scraper.status:
        labels = (status.target.job, status.target.instance)
        up.add_metric(labels, float(status.state.value == "up"))
        duration.add_metric(labels, status.duration_s)
        samples.add_metric(labels, status.samples)
    yield from (up, duration, samples)


def _traces(console: Console) -> Iterable[Metric]:
    yield from _commit("spans", console.spans.state)


def _samples(recorder: Recorder) -> Iterable[Metric]:
    yield from _commit("samples", recorder.state)
    head = recorder.head
    yield GaugeMetricFamily("opsconsole_head_series", "Series in memory.", head.series)
    yield GaugeMetricFamily("opsconsole_head_bytes", "Bytes of their values.", head.memory_bytes)
    refused = CounterMetricFamily(
        "opsconsole_head_refused_samples", "Samples the head did not take.", labels=("reason",)
    )
    for reason, count in head.refused.items():
        refused.add_metric((reason.value,), count)
    yield refused


def _pushes(intake: Intake) -> Iterable[Metric]:
    yield from _commit("pushed_samples", intake.state)
    pushed = intake.pushed
    yield GaugeMetricFamily("opsconsole_pushed_series", "Pushed series in memory.", pushed.series)
    yield GaugeMetricFamily("opsconsole_pushed_sheets", "How many matrices hold them.", pushed.sheets)
    yield GaugeMetricFamily("opsconsole_pushed_bytes", "Bytes of their values.", pushed.memory_bytes)
    yield CounterMetricFamily("opsconsole_pushed_repeated_samples", "Samples that were here already.", pushed.repeated)
    yield CounterMetricFamily("opsconsole_pushed_late_samples", "Samples taken out of order.", pushed.late)
    refused = CounterMetricFamily(
        "opsconsole_pushed_refused_samples", "Pushed samples that were not taken.", labels=("reason",)
    )
    for reason in Refusal:
        refused.add_metric((reason.value,), pushed.refused.get(reason, 0))
    yield refused


def _commit(what: str, state: CommitState) -> Iterable[Metric]:
    yield GaugeMetricFamily(f"opsconsole_{what}_pending", f"How many {what} wait to be stored.", state.pending)
    received = CounterMetricFamily(
        f"opsconsole_{what}", f"How many {what} were received, by what became of them.", labels=("outcome",)
    )
    for outcome, count in (("stored", state.stored), ("failed", state.failed), ("refused", state.refused)):
        received.add_metric((outcome,), count)
    yield received
