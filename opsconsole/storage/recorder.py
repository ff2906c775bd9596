"""Where scrapes go: at once into the head, and within a second into ClickHouse."""

from __future__ import annotations

from opsconsole.ingest.scraped import Scrape

from .commit import CommitPolicy, CommitState, GroupCommit, Overloaded
from .exemplars import ExemplarStore
from .head import Head, HeadState
from .metadata import MetadataStore
from .samples import SampleStore, StoredScrape

# Nobody sends a scrape again, so it is tried for as long as memory allows: 2 M samples are under 50 MB.
POLICY = CommitPolicy(what="samples", batch=200_000, pending=2_000_000, delay_s=1.0, attempts=None)


class Recorder:
    """The sink of the scraper."""

    def __init__(
        self,
        head: Head,
        samples: SampleStore,
        policy: CommitPolicy = POLICY,
        *,
        exemplars: ExemplarStore | None = None,
        metadata: MetadataStore | None = None,
    ) -> None:
        self._head = head
        self._exemplars = exemplars
        self._metadata = metadata
        self._commit: GroupCommit[StoredScrape] = GroupCommit(
            lambda scrapes, batch_id: samples.append(scrapes, batch_id=batch_id), policy
        )

    def append(self, scrape: Scrape) -> None:
        """Take a scrape.  What the head refuses is not stored either; what waits too long is counted as refused."""
        if self._exemplars is not None and scrape.exemplars:
            self._exemplars.append(scrape.exemplars)
        if self._metadata is not None and scrape.metadata:
            self._metadata.put(scrape.target, scrape.metadata)
        kept = self._head.append(scrape.target, scrape.timestamp_ms, scrape.labels, scrape.values)
        if not kept.labels and not kept.vanished:
            return
        stored = StoredScrape(scrape.timestamp_ms, kept.labels, kept.values, kept.vanished)
        try:
            self._commit.offer(stored, len(kept.labels) + len(kept.vanished))
        except Overloaded:
            return  # counted by the commit; the head has it, and the pages say that the store is behind

    @property
    def state(self) -> CommitState:
        return self._commit.state

    @property
    def head(self) -> HeadState:
        return self._head.state

    def flush(self, timeout_s: float = 30.0) -> bool:
        return self._commit.flush(timeout_s)

    def close(self) -> None:
        self._commit.close()
