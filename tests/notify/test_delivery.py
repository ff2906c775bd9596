from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, connection
from prometheus_client import REGISTRY

from opsconsole.notify import delivery as module
from opsconsole.notify import outbox
from opsconsole.notify.channel import Message, Outcome
from opsconsole.notify.delivery import Delivery
from opsconsole.notify.webhook import Webhook
from opsconsole.records.models import Delivery as Row
from opsconsole.series.clock import ManualClock

pytestmark = pytest.mark.django_db(transaction=True)
NOW = 1_764_000_000_000


class Recorder:
    """A channel that notes what it is sent and answers from a list; it waits for ``go_on`` before it answers."""

    kind = "webhook"

    def __init__(self, *answers: Outcome | Exception) -> None:
        self.answers = list(answers)
        self.messages: list[Message] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def send(self, message: Message) -> Outcome:
        self.messages.append(message)
        await self.go_on.wait()
        answer = self.answers.pop(0) if self.answers else Outcome.delivered()
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[None]:
    await delivery.start()
    try:
        yield
    finally:
        async with asyncio.timeout(30):
            await delivery.stop()


async def until(condition: Callable[[], bool], deadline_s: float = 20) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - what it watches knows no events
            await asyncio.sleep(0.01)


async def until_rows(deadline_s: float = 20, **states: int) -> None:
    async with asyncio.timeout(deadline_s):
        while True:
            rows = [row.state for row in await in_thread(lambda: list(Row.objects.all()))]
            if {state: rows.count(state) for state in states} == states:
                return
            await asyncio.sleep(0.01)


def in_thread(function, *args, **kwargs):
    return database_sync_to_async(function)(*args, **kwargs)


def counted(channel: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("opsconsole_notifications_total", {"channel": channel, "outcome": outcome}) or 0.0


async def test_what_waits_is_delivered_once_and_counted(fire):
    await in_thread(fire, "mail")
    channel, before = Recorder(), counted("webhook", "delivered")
    async with running(Delivery({"webhook": channel}, ManualClock(NOW))):
        await until_rows(done=1)
    assert len(channel.messages) == 1
    assert counted("webhook", "delivered") == before + 1


async def test_it_wakes_when_rows_are_written(fire):
    channel = Recorder()
    delivery = Delivery({"webhook": channel}, ManualClock(NOW), poll_s=3600)
    async with running(delivery):
        await in_thread(fire, "mail")
        await asyncio.to_thread(delivery.wake)
        await until(lambda: len(channel.messages) == 1)


async def test_it_finds_rows_that_another_process_wrote(fire):
    channel = Recorder()
    async with running(Delivery({"webhook": channel}, ManualClock(NOW), poll_s=0.05)):
        await in_thread(fire, "mail")
        await until(lambda: len(channel.messages) == 1)


async def test_it_tries_again_when_the_pause_is_over_and_not_before(fire):
    await in_thread(fire, "mail")
    clock, channel = ManualClock(NOW), Recorder(Outcome.retry("answered 500"))
    async with running(Delivery({"webhook": channel}, clock, poll_s=0.02, chance=lambda: 0.0)):
        await until(lambda: len(channel.messages) == 1)
        await until_rows(waiting=1)
        clock.advance(999)
        await asyncio.sleep(0.2)  # ten polls: had it been due, it would be gone
        assert len(channel.messages) == 1
        clock.advance(1)
        await until_rows(done=1)
    assert channel.messages[0].id == channel.messages[1].id


async def test_a_pause_that_was_asked_for_holds_for_every_message(fire):
    await in_thread(fire, "mail", alert="A")
    await in_thread(fire, "mail", alert="B")
    channel = Recorder(Outcome.retry("answered 429", after_ms=3_600_000))
    async with running(Delivery({"webhook": channel}, ManualClock(NOW), poll_s=0.02)):
        await until(lambda: len(channel.messages) == 1)
        await asyncio.sleep(0.2)
        assert len(channel.messages) == 1


async def test_a_channel_that_hangs_holds_up_no_other(fire):
    await in_thread(fire, "mail", channels=("webhook", "browser"))
    stuck, quick = Recorder(), Recorder()
    stuck.go_on.clear()
    async with running(Delivery({"webhook": stuck, "browser": quick}, ManualClock(NOW))):
        await until(lambda: len(stuck.messages) == 1)
        await until_rows(done=1, leased=1)
        assert len(quick.messages) == 1
        stuck.go_on.set()
        await until_rows(done=2)


async def test_a_channel_sends_one_message_at_a_time(fire):
    for alert in "ABC":
        await in_thread(fire, "mail", alert=alert)
    channel = Recorder()
    channel.go_on.clear()
    async with running(Delivery({"webhook": channel}, ManualClock(NOW), poll_s=0.02)):
        await until(lambda: len(channel.messages) == 1)
        await asyncio.sleep(0.2)
        assert len(channel.messages) == 1
        channel.go_on.set()
        await until_rows(done=3)


async def test_stopping_finishes_the_message_in_hand(fire):
    await in_thread(fire, "mail")
    channel = Recorder()
    channel.go_on.clear()
    delivery = Delivery({"webhook": channel}, ManualClock(NOW))
    await delivery.start()
    await until(lambda: len(channel.messages) == 1)
    stopping = asyncio.create_task(delivery.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    channel.go_on.set()
    await stopping
    assert (await in_thread(Row.objects.get)).state == "done"


async def test_a_channel_that_breaks_is_tried_again(fire, caplog):
    await in_thread(fire, "mail")
    clock, channel = ManualClock(NOW), Recorder(RuntimeError("a bug"))
    async with running(Delivery({"webhook": channel}, clock, poll_s=0.02, chance=lambda: 0.0)):
        await until(lambda: "failed in an unexpected way" in caplog.text)
        await until_rows(waiting=1)
        clock.advance(1_000)
        await until_rows(done=1)


async def test_a_channel_that_takes_too_long_is_cut_off(fire, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPT_S", 0.05)
    await in_thread(fire, "mail")
    channel = Recorder()
    channel.go_on.clear()
    async with running(Delivery({"webhook": channel}, ManualClock(NOW))):
        await until(lambda: len(channel.messages) == 1)
        await until_rows(waiting=1)
    assert (await in_thread(Row.objects.get)).last_error == "not finished in 0.05 s"


async def test_records_that_fail_for_a_moment_stop_nothing(fire, monkeypatch):
    monkeypatch.setattr(module, "AFTER_FAILURE_S", 0.01)
    failures = [OperationalError("database is locked")] * 3
    claim = outbox.claim

    def flaky(*args):
        if failures:
            raise failures.pop()
        return claim(*args)

    monkeypatch.setattr(outbox, "claim", flaky)
    await in_thread(fire, "mail")
    async with running(Delivery({"webhook": Recorder()}, ManualClock(NOW))):
        await until_rows(done=1)


async def test_rows_of_a_channel_that_is_gone_are_given_up_at_the_start(fire):
    await in_thread(fire, "mail", channels=("webhook", "pager"))
    async with running(Delivery({"webhook": Recorder()}, ManualClock(NOW))):
        await until_rows(done=1, dead=1)


class TestOverTheWire:
    async def test_429_then_500_then_200_is_delivered_under_one_id(self, fire, sink):
        sink.answers = [(429, {"retry-after": "1"}), (500, {}), (200, {})]
        await in_thread(fire, "mail")
        clock = ManualClock(NOW)
        async with running(Delivery({"webhook": webhook(sink, clock)}, clock, poll_s=0.02, chance=lambda: 0.0)):
            for attempt in (1, 2):
                await until(lambda expected=attempt: len(sink.received) == expected)
                await until_rows(waiting=1)
                clock.advance(1_000)
            await until_rows(done=1)
        assert len(sink.received) == 3
        assert len({received.headers["webhook-id"] for received in sink.received}) == 1

    async def test_404_is_a_dead_letter(self, fire, sink):
        sink.answers = [(404, {})]
        await in_thread(fire, "mail")
        before = counted("webhook", "dead")
        clock = ManualClock(NOW)
        async with running(Delivery({"webhook": webhook(sink, clock)}, clock, poll_s=0.02)):
            await until_rows(dead=1)
            await until(lambda: counted("webhook", "dead") == before + 1)
        assert len(sink.received) == 1
        assert (await in_thread(Row.objects.get)).last_error == "answered 404"


def webhook(sink, clock) -> Webhook:
    return Webhook(sink.url, secret="", public_url="http://127.0.0.1:8000", clock=clock)


_WORKER = """
import asyncio, sys
import django
django.setup()
from opsconsole.notify.delivery import Delivery
from opsconsole.notify.webhook import Webhook
from opsconsole.series.clock import ManualClock
clock = ManualClock(int(sys.argv[2]))
channel = Webhook(sys.argv[1], secret="", public_url="http://127.0.0.1:8000", clock=clock)

async def deliver():
    await Delivery({"webhook": channel}, clock, poll_s=0.05).start()
    await asyncio.Event().wait()

asyncio.run(deliver())
"""


class TestAWorkerThatIsKilled:
    @pytest.fixture
    def worker(self):
        """``worker(url, now_ms)`` is a process that delivers until it is killed."""
        processes: list[subprocess.Popen] = []
        database = connection.settings_dict
        if connection.vendor == "sqlite":
            url = f"sqlite:///{database['NAME']}"
        else:
            url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database['NAME']}").geturl()

        def start(sink_url: str, now_ms: int) -> subprocess.Popen:
            environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)}
            process = subprocess.Popen([sys.executable, "-c", _WORKER, sink_url, str(now_ms)], env=environment)
            processes.append(process)
            return process

        yield start
        for process in processes:
            process.kill()
            process.wait()

    def test_its_message_is_delivered_by_the_next_once_the_lease_ran_out(self, fire, sink, worker):
        fire("mail")
        sink.go_on.clear()
        first = worker(sink.url, NOW)
        sink.wait_for(1)
        assert Row.objects.get().state == "leased"
        first.kill()
        first.wait()
        sink.go_on.set()

        worker(sink.url, NOW + outbox.LEASE_MS)
        deadline = time.monotonic() + 20
        while Row.objects.get().state != "done":
            assert time.monotonic() < deadline, f"the row is still {Row.objects.get().state}"
            time.sleep(0.02)
        first_try, second_try = sink.received
        assert first_try.headers["webhook-id"] == second_try.headers["webhook-id"]
        assert first_try.payload == second_try.payload

    def test_two_at_once_send_every_message_once(self, fire, sink, worker):
        for number in range(10):
            fire("mail", alert=f"Alert{number}")
        for _ in range(2):
            worker(sink.url, NOW)
        sink.wait_for(10)
        deadline = time.monotonic() + 20
        while Row.objects.filter(state="done").count() < 10:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        alerts = [received.payload["groupLabels"]["alertname"] for received in sink.received]
        assert sorted(alerts) == sorted(f"Alert{number}" for number in range(10))
