"""A channel: one way to tell people.  Adding one is a file beside this and a line in ``registry.py``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from opsconsole.alerting.notification import Notification


class Verdict(StrEnum):
    """What became of an attempt; the metric's ``outcome`` label prints it."""

    DELIVERED = "delivered"
    RETRY = "retry"  # the other end is unwell: try again later
    DEAD = "dead"  # it will never take this: a person must look


@dataclass(frozen=True, slots=True)
class Outcome:
    """``detail``: one line for people, without secrets.  ``after_ms``: the pause the other end asked for, if it did."""

    verdict: Verdict
    detail: str = ""
    after_ms: int | None = None

    @classmethod
    def delivered(cls) -> Outcome:
        return cls(Verdict.DELIVERED)

    @classmethod
    def retry(cls, detail: str, after_ms: int | None = None) -> Outcome:
        return cls(Verdict.RETRY, detail, after_ms)

    @classmethod
    def dead(cls, detail: str) -> Outcome:
        return cls(Verdict.DEAD, detail)


@dataclass(frozen=True, slots=True)
class Message:
    """``id`` is the same at every attempt to send the same facts, so that a receiver can drop a repetition."""

    id: str
    notification: Notification


class Channel(Protocol):
    @property
    def kind(self) -> str:
        """Its key in the registry."""
        ...

    async def send(self, message: Message) -> Outcome:
        """One attempt, finished within 20 s.  Failures are outcomes, not exceptions."""
        ...
