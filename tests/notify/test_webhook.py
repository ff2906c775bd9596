from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket

import httpx
import pytest

from opsconsole.alerting.notification import Notice, Notification
from opsconsole.notify import webhook
from opsconsole.notify.channel import Message, Outcome, Verdict
from opsconsole.notify.webhook import Webhook, signature, signing_key
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels

NOW = 1_764_000_000_000
NOTICE = Notice(7, Labels.of(alertname="Down", severity="critical"), "It is down", "Look.", NOW, None, changed=True)
MESSAGE = Message("msg_1", Notification("Down", (NOTICE,)))


def channel(url: str, secret: str = "", transport: httpx.AsyncBaseTransport | None = None) -> Webhook:
    return Webhook(url, secret=secret, public_url="https://ops.example", clock=ManualClock(NOW), transport=transport)


async def test_it_posts_alertmanagers_json(sink):
    assert await channel(sink.url).send(MESSAGE) == Outcome.delivered()
    (received,) = sink.received
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("OpsConsole/")
    assert received.payload["version"] == "4"
    assert received.payload["receiver"] == "webhook"
    assert received.payload["alerts"][0]["generatorURL"] == "https://ops.example/alerts/7/"


async def test_every_request_carries_the_messages_id_and_the_time(sink):
    await channel(sink.url).send(MESSAGE)
    headers = sink.received[0].headers
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "1764000000")
    assert "webhook-signature" not in headers


async def test_with_a_secret_the_receiver_can_prove_who_sent_it(sink):
    await channel(sink.url, secret="between us").send(MESSAGE)
    received = sink.received[0]
    expected = hmac.new(b"between us", b"msg_1.1764000000." + received.body, hashlib.sha256).digest()
    assert received.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


def test_the_signature_is_that_of_the_standard():
    # The example of the Standard Webhooks specification's reference libraries.
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(sink, status):
    sink.answers = [(status, {})]
    assert (await channel(sink.url).send(MESSAGE)).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_receiver_that_is_unwell_is_tried_again(sink, status):
    sink.answers = [(status, {})]
    assert await channel(sink.url).send(MESSAGE) == Outcome.retry(f"answered {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
async def test_a_receiver_that_refuses_is_not(sink, status):
    sink.answers = [(status, {})]
    assert await channel(sink.url).send(MESSAGE) == Outcome.dead(f"answered {status}")


async def test_a_redirect_is_refused_with_what_to_do(sink):
    sink.answers = [(301, {"location": "http://127.0.0.1:1/"})]
    outcome = await channel(sink.url).send(MESSAGE)
    assert outcome == Outcome.dead("answered 301; set the address it redirects to")


@pytest.mark.parametrize(
    ("retry_after", "after_ms"),
    [
        ("17", 17_000),
        ("0", 0),
        ("Mon, 24 Nov 2025 16:00:30 GMT", 30_000),
        ("Mon, 24 Nov 2025 15:00:00 GMT", 0),
        ("999999", webhook.LONGEST_PAUSE_MS),
        ("soon", None),
        ("-3", None),
    ],
)
async def test_it_waits_as_long_as_it_is_asked_to(sink, retry_after, after_ms):
    sink.answers = [(429, {"retry-after": retry_after})]
    assert (await channel(sink.url).send(MESSAGE)).after_ms == after_ms


async def test_nobody_there_is_tried_again():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        outcome = await channel(f"http://127.0.0.1:{taken.getsockname()[1]}/").send(MESSAGE)
    assert outcome == Outcome.retry("no connection: ConnectError")


async def test_no_answer_in_time_is_tried_again(sink, monkeypatch):
    monkeypatch.setattr(webhook, "READ_S", 0.2)
    sink.go_on.clear()
    assert await channel(sink.url).send(MESSAGE) == Outcome.retry("no answer in time")


async def test_an_answer_that_never_gets_to_its_end_is_cut_off(monkeypatch):
    hung_up = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except OSError:
            writer.close()
            hung_up.set()

    monkeypatch.setattr(webhook, "TOTAL_S", 0.3)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        outcome = await channel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/").send(MESSAGE)
        await hung_up.wait()
    assert outcome == Outcome.retry("no answer in time")


@pytest.mark.parametrize("answer", [(404, {}), (500, {})])
async def test_no_outcome_gives_the_address_away(sink, answer):
    sink.answers = [answer]
    assert "secret" not in repr(await channel(sink.url, secret="secret").send(MESSAGE))


@pytest.mark.parametrize(
    ("url", "secret", "message"),
    [
        ("ftp://example.com", "", "OPSCONSOLE_WEBHOOK_URL must begin with http"),
        ("example.com/hook", "", "OPSCONSOLE_WEBHOOK_URL must begin with http"),
        ("http://example.com", "whsec_not base64", "OPSCONSOLE_WEBHOOK_SECRET must be base64"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_the_start(url, secret, message):
    with pytest.raises(ValueError, match=message):
        channel(url, secret)
