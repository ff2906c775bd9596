"""The door over raw sockets: what HTTP allows, what it does not, and what clients do that nobody should."""

from __future__ import annotations

import asyncio
import base64
import random
import re
import socket
import subprocess
import sys
import threading
from urllib.parse import urlencode

import aiohttp
import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

AUTH = b"Authorization: Bearer secret-of-this-test\r\n"
QUERY = b"GET /api/v1/query?query=1%2B1 HTTP/1.1\r\nHost: localhost\r\n" + AUTH
TWO = re.compile(rb'"result":\[[0-9.]+,"2"\]')


def answer(connection: socket.socket, *, head: bool = False) -> tuple[int, dict[bytes, bytes], bytes]:
    """The next answer on a connection that stays open: status, headers, body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _one(connection)
    status, *lines = received[:-4].split(b"\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    body = b""
    while not head and len(body) < int(headers[b"content-length"]):
        body += _one(connection)
    return int(status.split()[1]), headers, body


def _one(connection: socket.socket) -> bytes:
    byte = connection.recv(1)
    assert byte, "the connection was closed too early"
    return byte


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:  # closed with bytes of ours unread
        return b""


def test_a_connection_is_kept_across_the_api_and_pages(console):
    with console.connect() as connection:
        for _ in range(2):
            connection.sendall(QUERY + b"\r\n")
            status, headers, body = answer(connection)
            assert status == 200
            assert TWO.search(body)
            assert headers[b"server"] == b"opsconsole"
            assert b"set-cookie" not in headers
            connection.sendall(b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, headers, body = answer(connection)
            assert status == 200
            assert b"<html" in body
            assert b"content-security-policy" in headers


def test_the_same_headers_again_are_the_same_request_and_others_another(console):
    with console.connect() as connection:

        def ask(sent: bytes) -> tuple[int, bytes]:
            connection.sendall(sent)
            status, _, body = answer(connection)
            return status, body

        for number in range(3):  # the first is new, the second answered at once, the third by its address alone
            status, body = ask(QUERY.replace(b"1%2B1", b"1%%2B1&time=17640000%d0" % number) + b"\r\n")
            assert status == 200
            assert b'[17640000%d0,"2"]' % number in body
        rest = b" HTTP/1.1\r\nHost: localhost\r\n" + AUTH + b"\r\n"
        assert ask(b"GET /api/v1/query?query=nonsense(" + rest)[0] == 400
        assert ask(b"GET /api/v1/query?query=%22%2B%20%C3%BC%22" + rest)[1].endswith('"+ ü"]}}'.encode())
        assert ask(b"GET /api/v1/nowhere?query=1%2B1" + rest)[0] == 404
        assert TWO.search(ask(b"GET /api/v1/%71uery?query=1%2B1" + rest)[1])
        assert ask(b"PUT /api/v1/query?query=1%2B1" + rest)[0] == 405
        assert ask(b"GET /api/v1/query?query=1%2B1" + rest.replace(b"secret", b"Secret"))[0] == 401
        connection.sendall(2 * (QUERY + b"\r\n"))
        assert all(TWO.search(answer(connection)[2]) for _ in range(2))
        connection.sendall(QUERY + b"Connection: close\r\n\r\n")
        assert TWO.search(answer(connection)[2])
        assert connection.recv(1) == b""


def test_a_request_line_that_is_none_is_refused_behind_known_headers_too(console):
    with console.connect() as connection:
        for _ in range(3):
            connection.sendall(QUERY + b"\r\n")
            answer(connection)
        connection.sendall(QUERY.replace(b"HTTP/1.1", b"HTTP/9.1") + b"\r\n")
        assert answer(connection)[0] == 400
        assert connection.recv(1) == b""


def test_requests_that_come_at_once_are_answered_in_their_order(console):
    with console.connect() as connection:
        asked = [b"query=%d" % number for number in range(20)]
        connection.sendall(b"".join(QUERY.replace(b"query=1%2B1", one) + b"\r\n" for one in asked))
        for number in range(20):
            assert b',"%d"]' % number in answer(connection)[2]


def test_bytes_may_come_one_by_one(console):
    with console.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in QUERY + b"\r\n":
            connection.send(bytes([byte]))
        assert answer(connection)[0] == 200


@pytest.mark.parametrize("large", [False, True], ids=["short", "large"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_form_may_come_whole_or_in_chunks(console, large, chunked):
    form = b"query=1%2B1" + (b"&more=" + b"x" * 100_000 if large else b"")
    head = (
        b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n" + AUTH
    )
    with console.connect() as connection:
        if chunked:
            pieces = b"".join(
                b"%x\r\n%b\r\n" % (len(form[i : i + 999]), form[i : i + 999]) for i in range(0, len(form), 999)
            )
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
        else:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form) + form)
        status, _, body = answer(connection)
        assert status == 200, body
        assert TWO.search(body)
        connection.sendall(QUERY + b"\r\n")
        assert answer(connection)[0] == 200


def test_a_client_that_asks_first_is_told_to_go_on(console):
    with console.connect() as connection:
        connection.sendall(
            b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 11\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n" + AUTH + b"\r\n"
        )
        assert answer(connection, head=True)[0] == 100
        connection.sendall(b"query=1%2B1")
        assert TWO.search(answer(connection)[2])


def test_head_has_the_headers_of_get_and_no_body(console):
    with console.connect() as connection:
        connection.sendall(b"HEAD /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, headers, _ = answer(connection, head=True)
        assert (status, headers[b"content-length"]) == (200, b"3")
        connection.sendall(QUERY + b"\r\n")
        assert answer(connection)[0] == 200


def test_http_1_0_and_close_end_the_connection(console):
    for request in (QUERY.replace(b"HTTP/1.1", b"HTTP/1.0"), QUERY + b"Connection: close\r\n"):
        said = console.says(request + b"\r\n")
        assert said.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in said
        assert TWO.search(said)


def test_without_a_good_token_it_is_a_401_in_the_form_of_the_api(console):
    for line in (b"", b"Authorization: Bearer wrong\r\n", b"Authorization: \xff\xfe\r\n", b"Cookie: a=b\r\n"):
        with console.connect() as connection:
            connection.sendall(QUERY.replace(AUTH, line) + b"\r\n")
            status, headers, body = answer(connection)
            assert status == 401, line
            assert headers[b"www-authenticate"].startswith(b"B")
            assert b'"errorType":"unauthorized"' in body


def test_authorization_opens_no_page(console):
    """The short way is for views that check a token themselves."""
    with console.connect() as connection:
        connection.sendall(b"GET /alerts/ HTTP/1.1\r\nHost: localhost\r\n" + AUTH + b"\r\n")
        status, headers, _ = answer(connection)
        assert status == 302
        assert b"/sign-in/" in headers[b"location"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (QUERY + b"Content-Length: x\r\n\r\n", 400),
        (QUERY + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (QUERY.replace(b"GET", b"POST") + b"Content-Length: 999999999\r\n\r\n", 413),
        (QUERY + b"X-Long: " + b"x" * 700_000 + b"\r\n\r\n", 431),
    ],
    ids=["no request", "version", "length", "two lengths", "large body", "large head"],
)
def test_what_is_no_request_or_too_large_is_refused_and_the_connection_closed(console, request_, status):
    with console.connect() as connection:
        try:
            connection.sendall(request_)
        except ConnectionError:
            assert status == 431
        try:
            said = connection.recv(4096)
        except ConnectionError:
            said = b"HTTP/1.1 431 "  # the reset overtook the answer: bytes of ours were still under way
        assert said.startswith(b"HTTP/1.1 %d " % status)
    assert console.alive()


def test_an_earlier_request_is_answered_before_nonsense_closes_the_connection(console):
    said = console.says(QUERY + b"\r\n" + b"nonsense\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")
    assert TWO.search(said)


def test_clients_that_leave_in_the_middle_leave_nothing_behind(console):
    for part in (QUERY[:30], QUERY + b"\r\n", QUERY.replace(b"GET", b"POST") + b"Content-Length: 99\r\n\r\nquery="):
        for _ in range(20):
            with console.connect() as connection:
                connection.sendall(part)
    assert console.alive()


def test_a_websocket_opens_even_after_other_requests(console):
    key = base64.b64encode(b"0123456789abcdef")
    with console.connect() as connection:
        connection.sendall(QUERY + b"\r\n")
        assert answer(connection)[0] == 200
        connection.sendall(
            b"GET /ws/live HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        said = connection.recv(4096)  # nobody is signed in, so the consumer may refuse: daphne has spoken either way
        assert said.startswith((b"HTTP/1.1 101", b"HTTP/1.1 403")), said
        assert b"opsconsole" in said
    assert console.alive()


async def test_a_board_is_live_on_a_connection_that_served_pages_before(console, repository):
    """Signed in by a link, as a browser is: the sign-in, a page and then the socket, all on one connection."""
    folder = str(console.log.parent / "data")
    said = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "opsconsole", "sign-in-link", "--data-dir", folder],
        cwd=repository, env=console.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    link = said.stdout.strip()
    base = f"http://127.0.0.1:{console.port}"
    opened, trace = [], aiohttp.TraceConfig()

    async def note(*_: object) -> None:
        opened.append(1)

    trace.on_connection_create_end.append(note)
    async with aiohttp.ClientSession(
        base, connector=aiohttp.TCPConnector(limit=1), cookie_jar=aiohttp.CookieJar(unsafe=True), trace_configs=[trace]
    ) as browser:
        async with browser.get(link) as page:
            token = page.cookies["opsconsole_csrf"].value
        form = {"csrfmiddlewaretoken": token}
        async with browser.post(link, data=form, headers={"Referer": link}) as page:
            assert page.status == 200
        async with browser.get("/boards/overview/") as page:
            assert b"overview" in await page.read()
        async with browser.ws_connect("/ws/live", origin=base) as live:
            assert len(opened) == 1, "the socket took over the connection of the pages"
            for span in ("now-5m", "now-15m"):
                await live.send_json({"type": "subscribe", "board": "overview", "from": span, "to": "now"})
                snapshot = await live.receive_json(timeout=30)
                assert snapshot["type"] == "snapshot"
                assert "targets" in snapshot["panels"]
            await live.send_json({"type": "subscribe", "board": "no such"})
            while (answer := await live.receive_json(timeout=30))["type"] != "error":
                assert answer["type"] in ("delta", "snapshot")
            assert "no such" in answer["message"]
    assert console.alive()


def test_a_client_that_goes_takes_its_query_with_it(console, eventually):
    """Four queries hold all turns, each for a minute and more; when their clients go, the next one has its turn."""
    part = "quantile_over_time(0.5, vector(time())[1h:1s])"
    long = urlencode({"query": " + ".join([part] * 40), "start": 0, "end": 11_000, "step": 1})
    others = [console.connect() for _ in range(4)]
    for other in others:
        other.sendall(f"GET /api/v1/query_range?{long} HTTP/1.1\r\nHost: localhost\r\n".encode() + AUTH + b"\r\n")

    def ask(timeout: str) -> tuple[int, bytes]:
        """A small query would need no turn; what makes labels is never taken for one."""
        waits = urlencode({"query": 'label_replace(vector(1), "a", "b", "", "")', "timeout": timeout})
        with console.connect() as connection:
            connection.settimeout(60)
            connection.sendall(f"GET /api/v1/query?{waits} HTTP/1.1\r\nHost: localhost\r\n".encode() + AUTH + b"\r\n")
            status, _, body = answer(connection)
            return status, body

    eventually(lambda: b"query timed out in query queue" in ask("100ms")[1], 20, "all turns are taken")
    for other in others:
        other.close()
    status, body = ask("25s")
    assert status == 200, body


def test_an_upgrade_nobody_knows_is_a_plain_request(console):
    with console.connect() as connection:
        connection.sendall(
            QUERY + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
        )
        assert TWO.search(answer(connection)[2])


def test_random_bytes_never_hang_it_and_leave_no_traceback(console):
    dice = random.Random(20261124)
    pieces = [
        QUERY,
        b"\r\n",
        b"\r\n\r\n",
        b"GET ",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nab",
    ]
    for _ in range(300):
        sent = b"".join(
            dice.choice(pieces) if dice.random() < 0.6 else dice.randbytes(dice.randint(0, 40))
            for _ in range(dice.randint(1, 8))
        )
        with console.connect() as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while _received(connection):
                pass
    assert console.alive()
    assert "Traceback" not in console.log.read_text()


def test_many_connections_are_answered_at_once(console):
    failed = []

    def ask() -> None:
        with console.connect() as connection:
            for _ in range(50):
                connection.sendall(QUERY + b"\r\n")
                if answer(connection)[0] != 200:
                    failed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
