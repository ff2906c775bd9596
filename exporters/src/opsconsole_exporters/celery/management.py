"""What RabbitMQ tells of queues over the HTTP API of its management plugin only: who holds what, how old, and which exist."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from opsconsole_exporters.celery.broker import TIMEOUT_S
from opsconsole_exporters.redaction import HIDDEN

VARIABLE = "OPSCONSOLE_RABBITMQ_MANAGEMENT_URL"
# A virtual host may hold queues of others; so many are kept, in the order of their names.
MOST_QUEUES = 500
# What is longer is cut, and then no JSON.
LARGEST_ANSWER = 16 * 1024 * 1024
COLUMNS = (
    "name,durable,auto_delete,exclusive,type,arguments,messages_ready,messages_unacknowledged,"
    "head_message_timestamp,backing_queue_status"
)
# Celery's own, through which workers are controlled, events told and ETAs waited for.
_INTERNAL = re.compile(r"^(?:amq\.|celeryev\.|celery_delayed_)|\.pidbox$")


class ManagementError(Exception):
    """One line that says what is wrong with the variable or with the answer; never the password."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue as of a few seconds ago.  ``head_at``: since when the oldest message waits (unix seconds).

    ``persistent``: made to outlive its consumers, as those of tasks are.  None is what RabbitMQ does not tell.
    """

    persistent: bool
    ready: int | None
    unacked: int | None
    head_at: float | None

    def oldest_s(self, length: int, now: float) -> float | None:
        """How long the oldest message waits (seconds) in a queue that has ``length`` now, by the queue itself."""
        if length == 0:
            return 0.0
        return None if self.head_at is None or not self.ready else max(0.0, now - self.head_at)


@dataclass(frozen=True, slots=True)
class Management:
    """One server's API.  ``base``: its address without user and password."""

    base: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Management | None:
        """From ``OPSCONSOLE_RABBITMQ_MANAGEMENT_URL``; None if it is not set.  Raises ``ManagementError``."""
        if not (address := environment.get(VARIABLE, "").strip()):
            return None
        try:
            parts = urlsplit(address)
            port = f":{parts.port}" if parts.port else ""
            valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:  # it quotes what it could not read, and that may be the password
            valid = False
        if not valid:
            raise ManagementError(
                f"{VARIABLE} is no address: give http://user:password@host:15672, with % before what is special in a password"
            )
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        return cls(
            f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}",
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    def queues(self, virtual_host: str) -> dict[str, QueueState]:
        """All queues of a virtual host by name, Celery's internal ones left out; raises ``ManagementError``."""
        address = f"{self.base}/api/queues/{quote(virtual_host, safe='')}?columns={COLUMNS}"
        secret = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Accept": "application/json"}
        request = Request(address, headers=headers)  # noqa: S310 - read() lets no other scheme through than http and https
        try:
            with build_opener(_StayHere).open(request, timeout=TIMEOUT_S) as response:
                body = response.read(LARGEST_ANSWER)
            said = {str(queue["name"]): _state(queue) for queue in json.loads(body)}
        except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManagementError(f"{self.base}: {self._explain(error)}") from None
        return {name: state for name, state in said.items() if not _INTERNAL.search(name)}

    def _explain(self, error: Exception) -> str:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return text.replace(self.password, HIDDEN) if self.password else text


class _StayHere(HTTPRedirectHandler):
    """Follows no redirect, which would take the password along to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _state(said: Mapping[str, Any]) -> QueueState:
    """Counts and ages are missing until a queue's first statistics, and ages where the kind of queue keeps none."""
    at = _count(said.get("head_message_timestamp"))
    return QueueState(
        persistent=bool(said.get("durable")) and not said.get("auto_delete") and not said.get("exclusive"),
        ready=_count(said.get("messages_ready")),
        unacked=_count(said.get("messages_unacknowledged")),
        head_at=at if at and _is_in_order(said) else None,
    )


def _is_in_order(said: Mapping[str, Any]) -> bool:
    """Whether the first message is the oldest: in a queue with priorities only while all that wait have the same one."""
    if "x-max-priority" not in (said.get("arguments") or {}):
        return True
    lengths = (said.get("backing_queue_status") or {}).get("priority_lengths")
    return isinstance(lengths, dict) and sum(map(bool, lengths.values())) <= 1


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
