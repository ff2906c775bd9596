"""The sampler on a real Valkey: kombu's lists, prefixes and priorities, and what a message says about its age."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import redis
from celery import Celery
from kombu import Queue as KombuQueue
from opsconsole_exporters import queues
from opsconsole_exporters.celery import heartbeat, stamp
from opsconsole_exporters.celery.broker import UnsupportedBrokerError, connect
from opsconsole_exporters.celery.queue import Queue
from opsconsole_exporters.queues import FirstSeen, QueueCollector, QueueSampler, Tail, tail_of

pytestmark = pytest.mark.real


@pytest.fixture
def make_app(broker_url):
    apps = []

    def make(**transport_options):
        app = Celery("sampled", broker=broker_url, set_as_current=False)
        app.conf.task_queues = [KombuQueue("fast"), KombuQueue("slow")]
        app.conf.broker_transport_options = transport_options
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def broker(app):
    broker = connect(app)
    yield broker
    broker.close()


@pytest.fixture
def sampled():
    """Samples an app once, and leaves no connection behind."""
    samplers = {}

    def sample(app, now=1000.0):
        sampler = samplers.setdefault(id(app), QueueSampler(app))
        return sampler.sample(now)

    yield sample
    for sampler in samplers.values():
        sampler.close()


def message(identity="a", published=None, eta=None):
    headers = {"id": identity, "eta": eta}
    if published is not None:
        stamp.stamp(headers, published)
    return json.dumps({"body": "", "headers": headers, "properties": {"delivery_tag": identity}})


def test_an_empty_broker_has_every_declared_queue_at_zero(app, sampled):
    assert sampled(app) == {"fast": Queue(0, 0.0, 0), "slow": Queue(0, 0.0, 0)}


def test_the_oldest_of_all_priority_lists_gives_the_age(app, broker, sampled):
    broker.client.lpush("fast", message("x", 990), message("y", 995))
    broker.client.lpush("fast\x06\x169", message("z", 940))
    assert sampled(app)["fast"] == Queue(3, 60.0, 0)


def test_priorities_separator_and_prefix_are_those_of_the_app(make_app, sampled, broker_url):
    app = make_app(priority_steps=[0, 2], sep="|", global_keyprefix="shop:")
    with redis.Redis.from_url(broker_url) as client:
        client.lpush("shop:fast", message("x", 999))
        client.lpush("shop:fast|2", message("y", 998))
        client.lpush("shop:fast|9", message("nobody's step"))
        client.lpush("fast", message("without the prefix"))
    assert sampled(app)["fast"] == Queue(2, 2.0, 0)


def test_messages_that_celery_publishes_are_where_the_sampler_looks(make_app, sampled):
    app = make_app(priority_steps=list(range(10)), global_keyprefix="shop:")
    for priority in (0, 5, 9):
        app.send_task("anything", queue="slow", priority=priority)
    assert sampled(app)["slow"].length == 3


def test_an_unstamped_message_is_as_old_as_our_knowledge_of_it(app, broker, sampled):
    broker.client.lpush("fast", message("a"))
    assert sampled(app, 1000)["fast"].oldest_s == 0
    assert sampled(app, 1030)["fast"].oldest_s == 30
    broker.client.rpop("fast")
    broker.client.lpush("fast", message("b"))
    assert sampled(app, 1040)["fast"].oldest_s == 0


def test_clocks_that_differ_make_no_negative_age(app, broker, sampled):
    broker.client.lpush("fast", message("a", 1005))
    assert sampled(app, 1000)["fast"] == Queue(1, 0.0, 0)


def test_a_heartbeat_counts_for_the_queues_it_names_until_it_is_erased(app, broker, sampled):
    heartbeat.write(broker, "w1@host", ["fast", "slow"], now=1000)
    heartbeat.write(broker, "w2@host", ["slow", "extra"], now=1000)
    assert {name: queue.workers for name, queue in sampled(app).items()} == {"fast": 1, "slow": 2, "extra": 1}
    heartbeat.erase(broker, "w2@host")
    assert {name: queue.workers for name, queue in sampled(app).items()} == {"fast": 1, "slow": 1, "extra": 0}


def test_the_processes_of_all_its_workers_are_those_of_a_queue(app, broker, sampled):
    heartbeat.write(broker, "w1@host", ["fast", "slow"], now=1000, processes=4)
    heartbeat.write(broker, "w2@host", ["slow"], now=1000, processes=2)
    assert {name: queue.processes for name, queue in sampled(app).items()} == {"fast": 4, "slow": 6}


def test_a_heartbeat_of_an_earlier_version_counts_while_a_service_is_deployed(app, broker, sampled):
    heartbeat.write(broker, "old@host", ["fast"], now=1000)
    broker.client.set("opsconsole:worker:old@host", '["fast"]')
    assert sampled(app)["fast"].workers == 1


def test_a_message_that_a_consumer_holds_is_unacked_and_no_longer_waits(make_app, sampled):
    app = make_app(global_keyprefix="shop:")
    app.send_task("anything", queue="slow")
    app.send_task("anything", queue="slow")
    with app.connection_for_read() as connection:
        held = connection.channel().basic_get("slow")
        slow = sampled(app)["slow"]
        assert held is not None
        assert (slow.length, slow.unacked) == (1, 1)


def test_more_held_messages_than_we_read_are_unknown_and_not_zero(app, broker, sampled, monkeypatch):
    monkeypatch.setattr(queues, "UNACKED_READ", 1)
    broker.client.hset("unacked", mapping={"a": '[{}, "", "fast"]', "b": '[{}, "", "fast"]'})
    assert sampled(app)["fast"].unacked is None


def test_a_heartbeat_expires_by_the_brokers_clock_and_its_name_is_forgotten_within_a_day(broker):
    heartbeat.write(broker, "old@host", ["fast"], now=0)
    assert 0 < broker.client.ttl("opsconsole:worker:old@host") <= heartbeat.TTL_S
    heartbeat.write(broker, "new@host", ["fast"], now=heartbeat.FORGET_AFTER_S + 1)
    assert broker.client.zrange(heartbeat.INDEX, 0, -1) == [b"new@host"]


def test_a_broker_that_is_not_redis_is_named_as_the_reason():
    with Celery("memory", broker="memory://", set_as_current=False) as app, pytest.raises(UnsupportedBrokerError):
        connect(app)


def test_one_second_of_scrapes_costs_the_broker_one_reading():
    class Counting:
        readings = 0

        def sample(self, now):
            self.readings += 1
            return {"fast": Queue(self.readings, 0.0, 0)}

    sampler, times = Counting(), iter([10.0, 10.4, 10.9, 11.1])
    collector = QueueCollector(sampler, clock=lambda: next(times))
    lengths = [next(iter(collector.collect())).samples[0].value for _ in range(4)]
    assert lengths == [1, 1, 1, 2]


class TestStamp:
    def test_a_task_without_eta_waits_from_its_publication(self):
        assert stamp.due_at({stamp.HEADER: 50.5, "eta": None}) == 50.5

    def test_a_task_with_an_eta_waits_from_then(self):
        eta = datetime.fromtimestamp(100, UTC)
        assert stamp.due_at({stamp.HEADER: 50.0, "eta": eta.isoformat()}) == 100
        assert stamp.due_at({stamp.HEADER: 50.0, "eta": eta}) == 100

    def test_a_task_published_after_its_eta_waits_from_its_publication(self):
        assert stamp.due_at({stamp.HEADER: 150.0, "eta": "1970-01-01T00:01:40+00:00"}) == 150

    @pytest.mark.parametrize("published", [None, "yesterday", True, [], {}])
    def test_what_is_not_a_time_is_no_stamp(self, published):
        assert stamp.due_at({stamp.HEADER: published}) is None

    def test_an_eta_that_cannot_be_read_is_ignored(self):
        assert stamp.due_at({stamp.HEADER: 5, "eta": "soon"}) == 5


class TestTail:
    def test_a_message_of_another_origin_is_told_apart_by_its_content(self):
        assert tail_of(b"not json").due is None
        assert tail_of(b"not json") == tail_of(b"not json") != tail_of(b"other")
        assert tail_of(b"[1, 2]").due is None
        assert tail_of(b'{"headers": null, "properties": {}}').due is None

    def test_a_first_message_of_protocol_1_has_the_id_of_its_properties(self):
        assert tail_of(b'{"headers": {}, "properties": {"correlation_id": "c"}}') == Tail("c", None)

    def test_a_stamped_tail_clears_what_was_seen_before_it(self):
        seen = FirstSeen()
        assert seen.since("fast", Tail("a", None), 10) == 10
        assert seen.since("fast", Tail("b", 5.0), 20) == 5
        assert seen.since("fast", Tail("a", None), 30) == 30
