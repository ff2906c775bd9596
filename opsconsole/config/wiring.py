"""Builds the object graph, once: what depends on what can be read here from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from alerts.profile import PROFILES, Profile
from alerts.registry import ALERTS
from alerts.registry import BY_NAME as ALERTS_BY_NAME
from dashboards.registry import BY_NAME as BOARDS_BY_NAME
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import RuleBook
from opsconsole.alerting.state import State
from opsconsole.ingest.otlp_metrics import OtlpMetricsDecoder
from opsconsole.ingest.remote_write import RemoteWriteDecoder
from opsconsole.ingest.scrape import Scraper
from opsconsole.ingest.target import Target
from opsconsole.live.hub import Hub
from opsconsole.live.relay import Relay
from opsconsole.live.tick import Tick
from opsconsole.notify.browser import Browser
from opsconsole.notify.channel import Channel
from opsconsole.notify.delivery import Delivery
from opsconsole.notify.webhook import Webhook
from opsconsole.operations.console import Console, install
from opsconsole.operations.ingest import Receivers
from opsconsole.promql.engine import Engine
from opsconsole.promql.kept import Kept
from opsconsole.promql.limits import Limits
from opsconsole.series.clock import Clock, SystemClock
from opsconsole.storage import retention
from opsconsole.storage.clickhouse import ClickHouse, StoreError
from opsconsole.storage.exemplars import ExemplarStore
from opsconsole.storage.folder import FolderInUse
from opsconsole.storage.head import Head
from opsconsole.storage.head import Limits as HeadLimits
from opsconsole.storage.history import History
from opsconsole.storage.intake import Intake
from opsconsole.storage.metadata import MetadataStore
from opsconsole.storage.pushed import PushedStore
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.remote import RemoteEngine
from opsconsole.storage.rollups import Rollups
from opsconsole.storage.samples import SampleStore
from opsconsole.storage.schema import NewerSchema
from opsconsole.storage.spans import SpanStore

from . import env
from .error import StartError
from .evaluator import Evaluator
from .roller import Roller
from .server import Service

_DIGITS = 19  # fewer fit 63 bits


@dataclass(frozen=True, slots=True)
class Graph:
    """``services`` in the order they start; ``stores`` closes, after the last of them stopped, what holds data."""

    console: Console
    services: tuple[Service, ...]
    stores: ExitStack


def build() -> Graph:
    """Everything the environment asks for, not running yet.  Raises ``StartError``."""
    profile = _profile()
    limits, head_limits = _query_limits(), _head_limits()
    answers_memory = _number("OPSCONSOLE_ANSWERS_MEMORY", env.ANSWERS_MEMORY, "bytes", least=0)
    shelf_memory = _number("OPSCONSOLE_SHELF_MEMORY", env.SHELF_MEMORY, "bytes", least=0)
    kept = _retention()
    clock = SystemClock()
    targets = tuple(_targets(env.TARGETS, profile))
    with ExitStack() as stores:
        try:
            clickhouse = ClickHouse.open(env.TELEMETRY_URL, env.DATA_DIR)
        except (FolderInUse, NewerSchema, StoreError, ValueError) as error:
            raise StartError(str(error)) from error
        stores.callback(clickhouse.close)
        retention.apply(kept, clickhouse)
        samples = SampleStore(clickhouse)
        rollups = Rollups(clickhouse, samples, samples_days=kept.samples_days)
        head = Head(head_limits)
        head.load(samples.of_scrapes(), clock.now_ms())
        pushed = PushedStore(targets=[target.labels for target in targets], scraped=samples.scraped)
        pushed.load(samples.of_pushes(), clock.now_ms())
        intake = Intake(pushed, samples, clock)
        stores.callback(intake.close)
        exemplars, metadata = ExemplarStore(), MetadataStore()
        recorder = Recorder(head, samples, exemplars=exemplars, metadata=metadata)
        stores.callback(recorder.close)
        spans = SpanStore(clickhouse)
        stores.callback(spans.close)

        history = History(head, samples, pushed, moved=samples.moved, rollups=rollups, shelf_bytes=shelf_memory)
        answers = Kept(history, answers_memory)
        engine = _remote(limits) or Engine(history, limits=limits, at_hand=history.at_hand, answers=answers)
        if isinstance(engine, RemoteEngine):
            stores.callback(engine.close)

        hub = Hub()
        relay = Relay(hub)
        rules = RuleBook(Rule.of(alert, profile) for alert in ALERTS)
        channels = dict(_channels(relay, rules, clock))
        console = Console(
            clock=clock,
            profile=profile,
            boards=BOARDS_BY_NAME,
            alerts=ALERTS_BY_NAME,
            engine=engine,
            spans=spans,
            scraper=_scraper(targets, recorder, clock),
            hub=hub,
            public_url=env.PUBLIC_URL,
            recorder=recorder,
            receivers=None if isinstance(engine, RemoteEngine) else _receivers(intake, pushed),
            exemplars=exemplars,
            metadata=metadata,
            rules=rules,
            retention=kept,
            channels=channels,
            started_ms=clock.now_ms(),
        )
        delivery = Delivery(channels, clock)
        services = (
            relay,
            delivery,
            console.scraper,
            Roller(rollups, clock),
            Evaluator(console, relay, delivery),
            Tick(console),
        )
        install(console)
        return Graph(console, services, stores.pop_all())


def _profile() -> Profile:
    try:
        return PROFILES[env.PROFILE]
    except KeyError:
        raise StartError(
            f"OPSCONSOLE_PROFILE is {env.PROFILE!r}; choose one of: {', '.join(sorted(PROFILES))}"
        ) from None


def _query_limits() -> Limits:
    try:
        return Limits(env.QUERY_SERIES, env.QUERY_SAMPLES, env.QUERY_POINTS, env.QUERY_SECONDS)
    except ValueError as error:
        raise StartError(f"OPSCONSOLE_QUERY_…: {error}") from None


def _head_limits() -> HeadLimits:
    memory = _number("OPSCONSOLE_HEAD_MEMORY", env.HEAD_MEMORY, "bytes")
    series = _number("OPSCONSOLE_HEAD_SERIES", env.HEAD_SERIES, "series")
    try:
        return HeadLimits(memory_bytes=memory, total_series=series)
    except ValueError as error:
        raise StartError(f"OPSCONSOLE_HEAD_MEMORY and OPSCONSOLE_HEAD_SERIES do not go together: {error}") from None


def _number(name: str, text: str, unit: str, *, least: int = 1) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS and int(text) >= least):
        raise StartError(f"{name} is {text!r}; say a number of {unit}, {least} or more, in digits alone")
    return int(text)


def _retention() -> retention.Retention:
    try:
        return retention.Retention(env.SAMPLES_DAYS, env.ROLLUPS_DAYS, env.TRACES_DAYS)
    except ValueError as error:
        raise StartError(f"OPSCONSOLE_…_DAYS: {error}") from None


def _receivers(intake: Intake, pushed: PushedStore) -> Receivers:
    return Receivers(intake, RemoteWriteDecoder(intake.roster), OtlpMetricsDecoder(intake.roster, pushed.newest))


def _remote(limits: Limits) -> RemoteEngine | None:
    if not env.METRICS_URL:
        return None
    if env.TARGETS:
        raise StartError(
            "METRICS_URL is set, so metrics are read from there, and what the console scraped itself would never be "
            "shown; take away METRICS_URL, or the targets (--target, OPSCONSOLE_TARGETS)"
        )
    try:
        return RemoteEngine(env.METRICS_URL, limits=limits)
    except ValueError as error:
        raise StartError(str(error)) from None


def _targets(texts: Iterable[str], profile: Profile) -> Iterable[Target]:
    for text in texts:
        try:
            yield Target.parse(text, interval_s=profile.scrape.total_seconds())
        except ValueError as error:
            raise StartError(f"--target or OPSCONSOLE_TARGETS: {error}") from None


def _scraper(targets: tuple[Target, ...], recorder: Recorder, clock: Clock) -> Scraper:
    try:
        return Scraper(targets, recorder, clock)
    except ValueError as error:
        raise StartError(f"--target or OPSCONSOLE_TARGETS: {error}") from None


def _channels(relay: Relay, rules: RuleBook, clock: Clock) -> Iterable[tuple[str, Channel]]:
    yield "browser", Browser(relay.publish, lambda: rules.count(State.FIRING))
    if env.WEBHOOK_URL:
        try:
            yield (
                "webhook",
                Webhook(env.WEBHOOK_URL, secret=env.WEBHOOK_SECRET, public_url=env.PUBLIC_URL, clock=clock),
            )
        except ValueError as error:
            raise StartError(str(error)) from None
