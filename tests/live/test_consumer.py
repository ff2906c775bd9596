"""The WebSocket as a browser uses it: a real session, the real routes, the real channel layer."""

from __future__ import annotations

from importlib import import_module

import orjson
import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User

from opsconsole.live.consumer import NOT_RUNNING, NOT_SIGNED_IN
from opsconsole.live.messages import MAX_BYTES
from opsconsole.live.relay import Relay
from opsconsole.live.routing import websocket_urlpatterns
from opsconsole.live.tick import Tick
from opsconsole.operations.console import install

pytestmark = pytest.mark.django_db(transaction=True)

SUBSCRIBE = {"type": "subscribe", "board": "shop", "from": "now-1m", "to": "now", "variables": {"job": "shop-web"}}
WAIT_S = 5


def _signed_in() -> str:
    """The cookie of somebody who is."""
    user = User.objects.create_user("ada")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


class Page:
    """A browser's end of the socket."""

    def __init__(self, cookie: str = "") -> None:
        headers = [(b"cookie", cookie.encode())] if cookie else []
        app = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        self._socket = WebsocketCommunicator(app, "/ws/live", headers=headers)

    async def open(self) -> None:
        assert (await self._socket.connect(WAIT_S))[0]

    async def say(self, message: object) -> None:
        await self._socket.send_to(text_data=message if isinstance(message, str) else orjson.dumps(message).decode())

    async def say_bytes(self, message: bytes) -> None:
        await self._socket.send_to(bytes_data=message)

    async def hear(self) -> dict:
        return orjson.loads(await self._socket.receive_from(WAIT_S))

    async def closing_code(self) -> int:
        message = await self._socket.receive_output(WAIT_S)
        assert message["type"] == "websocket.close"
        return message["code"]

    async def leave(self) -> None:
        await self._socket.disconnect(timeout=WAIT_S)

    async def vanish(self) -> None:
        """As a server does it to a connection that broke: the application is cancelled, without a word."""
        self._socket.future.cancel()
        await self._socket.wait(WAIT_S)


@pytest.fixture
async def page(console):
    page = Page(await sync_to_async(_signed_in)())
    await page.open()
    yield page
    await page.leave()


async def test_who_is_not_signed_in_is_told_so_by_the_code(console):
    page = Page()
    await page.open()
    assert await page.closing_code() == NOT_SIGNED_IN
    assert console.hub.stats().sockets == 0
    await page.leave()


async def test_a_cookie_that_is_no_session_does_not_let_in(console):
    page = Page(f"{settings.SESSION_COOKIE_NAME}=guessed")
    await page.open()
    assert await page.closing_code() == NOT_SIGNED_IN
    await page.leave()


async def test_a_process_without_a_console_asks_to_come_again():
    install(None)
    page = Page(await sync_to_async(_signed_in)())
    await page.open()
    assert await page.closing_code() == NOT_RUNNING
    await page.leave()


async def test_a_subscription_gets_a_snapshot_and_then_deltas(page, console, shop):
    await page.say(SUBSCRIBE)
    snapshot = await page.hear()
    assert (snapshot["type"], snapshot["board"], snapshot["step"]) == ("snapshot", "shop", 2)
    assert set(snapshot["panels"]) == {"requests", "lengths", "again", "latency", "queues"}
    tick = Tick(console)
    for number in (1, 2):
        shop.run(2)
        tick.step()
        delta = await page.hear()
        assert (delta["type"], delta["seq"]) == ("delta", snapshot["seq"] + number)
        assert delta["panels"]["lengths"] == {"values": [3.0]}


async def test_resync_brings_the_whole_board_again_at_the_newest_instant_pushed(page, console, shop):
    await page.say(SUBSCRIBE)
    first = await page.hear()
    shop.run(2)
    Tick(console).step()
    delta = await page.hear()
    await page.say({"type": "resync"})
    again = await page.hear()
    assert (again["type"], again["seq"], again["t"][-1]) == ("snapshot", delta["seq"], delta["t"])
    assert again["t"][0] == first["t"][1]


async def test_subscribing_again_replaces_the_subscription(page, console, shop):
    await page.say(SUBSCRIBE)
    await page.hear()
    await page.say({**SUBSCRIBE, "board": "broken"})
    assert (await page.hear())["board"] == "broken"
    assert [topic.key.board for topic in console.hub.topics()] == ["broken"]


async def test_unsubscribing_stops_the_evaluation_and_not_the_toasts(page, console):
    await page.say(SUBSCRIBE)
    await page.hear()
    await page.say({"type": "unsubscribe"})
    await page.say({"type": "resync"})
    assert (await page.hear())["message"] == "nothing to resync; subscribe first"
    assert console.hub.topics() == []
    console.hub.broadcast('{"type":"alerts","firing":0,"changed":true}')
    assert (await page.hear())["type"] == "alerts"


async def test_a_range_that_is_over_gets_its_snapshot_and_nothing_more(page, console, shop):
    now_s = shop.clock.now_ms() / 1000
    await page.say({**SUBSCRIBE, "from": str(now_s - 100), "to": str(now_s - 40)})
    snapshot = await page.hear()
    assert snapshot["t"][-1] <= now_s - 40
    shop.run(4)
    tick = Tick(console)
    console.engine.asked.clear()
    tick.step()
    await tick.settle()
    assert console.engine.asked == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("{", "message is no JSON"),
        ("[1]", "message must be an object"),
        ({"type": "dance"}, "type is 'dance'; send subscribe, unsubscribe or resync"),
        ({"board": "shop"}, "type is missing"),
        ({"type": "subscribe"}, "board is missing; send a text"),
        ({**SUBSCRIBE, "board": 7}, "board is 7; send a text"),
        ({**SUBSCRIBE, "board": "nowhere"}, "board 'nowhere' is unknown; there are shop, broken"),
        ({**SUBSCRIBE, "from": "yesterday"}, "from='yesterday' is no time"),
        ({**SUBSCRIBE, "from": "inf"}, "from='inf' is no time"),
        ({**SUBSCRIBE, "from": "1e15"}, "must be before"),
        ({**SUBSCRIBE, "from": "0", "to": "1e15"}, "is outside 1970 to 2200"),
        ({**SUBSCRIBE, "from": "now", "to": "now-5m"}, "must be before"),
        ({**SUBSCRIBE, "variables": ["job"]}, "variables must be an object of texts"),
        ({**SUBSCRIBE, "variables": {"job": 1}}, "variables must be an object of texts"),
        ({**SUBSCRIBE, "variables": {"colour": "red"}}, "variable 'colour' is unknown; this board has job"),
        ({**SUBSCRIBE, "variables": {"job": "x" * 300}}, "variable 'job' is longer than 200 characters"),
        ({**SUBSCRIBE, "board": "x" * MAX_BYTES}, f"message is longer than {MAX_BYTES} bytes"),
    ],
)
async def test_a_message_that_makes_no_sense_gets_a_sentence_and_the_socket_goes_on(page, message, sentence):
    await page.say(message)
    answer = await page.hear()
    assert answer["type"] == "error"
    assert sentence in answer["message"]
    assert "\n" not in answer["message"]
    await page.say(SUBSCRIBE)
    assert (await page.hear())["type"] == "snapshot"


async def test_a_binary_message_gets_a_sentence(page):
    await page.say_bytes(b"\x00\x01")
    assert (await page.hear())["message"] == "message is binary; send JSON as text"


async def test_a_label_value_cannot_break_out_of_the_query(page):
    await page.say({**SUBSCRIBE, "variables": {"job": 'x"} or up{a="\\\n'}})
    snapshot = await page.hear()
    assert all("error" not in panel and panel["series"] == [] for panel in snapshot["panels"].values())


async def test_the_hub_forgets_a_socket_that_left_and_one_that_was_cut_off(console):
    cookie = await sync_to_async(_signed_in)()
    polite, cut_off = Page(cookie), Page(cookie)
    for page in (polite, cut_off):
        await page.open()
        await page.say(SUBSCRIBE)
        await page.hear()
    assert console.hub.stats().sockets == 2
    await polite.leave()
    assert console.hub.stats().sockets == 1
    await cut_off.vanish()
    assert (console.hub.stats().sockets, console.hub.topics()) == (0, [])


async def test_what_is_published_reaches_every_page_once_through_the_channel_layer(page, console):
    relay = Relay(console.hub)
    await relay.start()
    toast = {"state": "firing", "severity": "critical", "title": "P95 high", "text": "", "url": "/alerts/1/"}
    message = {"type": "alerts", "firing": 1, "changed": True, "toast": toast}
    await relay.publish(message)
    assert await page.hear() == message
    await page.say({"type": "resync"})
    assert (await page.hear())["type"] == "error"  # and not the toast again
    await relay.stop()
