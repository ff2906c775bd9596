"""Where pushes go: into ClickHouse, several requests in one commit, and then before the eyes of readers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from opsconsole.ingest.push import Push, Refused
from opsconsole.ingest.roster import Roster
from opsconsole.series.clock import Clock

from .commit import CommitPolicy, CommitState, GroupCommit
from .pushed import PushedState, PushedStore
from .samples import PushedSamples, SampleStore

# A sender's connection waits for the answer before it sends more, so the wait is short; an insert costs some 10 ms.
POLICY = CommitPolicy(what="pushed samples", batch=200_000, pending=1_000_000, delay_s=0.1)


@dataclass(slots=True)
class Offered:
    """A push on its way.  ``refused`` counts when ``stored`` is done."""

    push: Push
    refused: Refused = field(default_factory=Refused)
    stored: Future[None] = field(default_factory=Future)


class Intake:
    """Takes pushes from any thread.  What is answered as stored is durable, and queries find it."""

    def __init__(self, pushed: PushedStore, samples: SampleStore, clock: Clock, policy: CommitPolicy = POLICY) -> None:
        self._pushed = pushed
        self._samples = samples
        self._clock = clock
        self._commit: GroupCommit[Offered] = GroupCommit(self._write, policy)

    @property
    def roster(self) -> Roster:
        return self._pushed.roster

    def offer(self, push: Push) -> Offered:
        """Take ``push``; its future is done once it is stored, or holds the ``StoreError``.  Raises ``Overloaded``."""
        offered = Offered(push)
        offered.stored = self._commit.offer(offered, max(1, push.samples))
        return offered

    @property
    def state(self) -> CommitState:
        return self._commit.state

    @property
    def pushed(self) -> PushedState:
        return self._pushed.state

    def flush(self, timeout_s: float = 30.0) -> bool:
        return self._commit.flush(timeout_s)

    def close(self) -> None:
        self._commit.close()

    def _write(self, offered: Sequence[Offered], batch_id: str) -> None:
        """Raises ``StoreError``; then nothing is stored, and nothing of it is seen."""
        now_ms = self._clock.now_ms()
        judged = self._pushed.judge([one.push for one in offered], now_ms)
        numbers, which = np.unique(judged.numbers, return_inverse=True)
        self._samples.append_pushed(
            PushedSamples(self._pushed.members(numbers), which, judged.timestamps, judged.values), batch_id=batch_id
        )
        self._pushed.publish(judged, now_ms)
        for one, refused in zip(offered, judged.refused, strict=True):
            one.refused = refused
