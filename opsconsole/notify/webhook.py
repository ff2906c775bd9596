"""The webhook channel: Alertmanager's JSON by POST, signed as Standard Webhooks (standardwebhooks.com) when it has a secret."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx
import orjson

from opsconsole import __version__
from opsconsole.alerting.notification import webhook_payload
from opsconsole.series.clock import Clock

from .channel import Message, Outcome

CONNECT_S = 5.0
READ_S = 10.0
TOTAL_S = 15.0  # a receiver that drips bytes would reset the read timeout for ever
RETRIED = frozenset({408, 425, 429})
LONGEST_PAUSE_MS = 3_600_000
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix, not a secret


class Webhook:
    """Posts to ``url``.  Neither the address nor the secret appears in outcomes: both may open doors."""

    kind = "webhook"

    def __init__(
        self, url: str, *, secret: str, public_url: str, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises ``ValueError`` for an address or a secret that cannot work."""
        if httpx.URL(url).scheme not in ("http", "https"):
            raise ValueError("OPSCONSOLE_WEBHOOK_URL must begin with http:// or https://")
        self._url = url
        self._key = signing_key(secret) if secret else b""
        self._public_url = public_url
        self._clock = clock
        self._transport = transport

    async def send(self, message: Message) -> Outcome:
        body = orjson.dumps(webhook_payload(message.notification, receiver=self.kind, public_url=self._public_url))
        headers = {"content-type": "application/json", "user-agent": f"OpsConsole/{__version__}"}
        headers |= self._standard_headers(message.id, body)
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        try:
            async with (
                asyncio.timeout(TOTAL_S),
                httpx.AsyncClient(timeout=timeout, transport=self._transport) as client,
                client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                return self._judge(response)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome.retry("no answer in time")
        except httpx.TransportError as error:
            return Outcome.retry(f"no connection: {type(error).__name__}")

    def _standard_headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = self._clock.now_ms() // 1000
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        if self._key:
            headers["webhook-signature"] = signature(self._key, message_id, timestamp, body)
        return headers

    def _judge(self, response: httpx.Response) -> Outcome:
        status = response.status_code
        if response.is_success:
            return Outcome.delivered()
        if status in RETRIED or status >= 500:
            return Outcome.retry(f"answered {status}", self._pause_ms(response.headers.get("retry-after", "")))
        if response.is_redirect:
            return Outcome.dead(f"answered {status}; set the address it redirects to")
        return Outcome.dead(f"answered {status}")

    def _pause_ms(self, retry_after: str) -> int | None:
        """``Retry-After`` in either of its forms, seconds or a date; None where absent or nonsense."""
        if retry_after.isdecimal():
            return min(int(retry_after) * 1000, LONGEST_PAUSE_MS)
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        until_ms = int(until.replace(tzinfo=until.tzinfo or UTC).timestamp() * 1000)
        return min(max(0, until_ms - self._clock.now_ms()), LONGEST_PAUSE_MS)


def signing_key(secret: str) -> bytes:
    """The bytes of a secret: base64 after ``whsec_`` as the standard writes it, otherwise the text itself."""
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(
            "OPSCONSOLE_WEBHOOK_SECRET must be base64 after whsec_, or plain text without whsec_"
        ) from None


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
