"""The application's own cache of answers: whether it is asked in vain, and what it saves."""

from __future__ import annotations

from enum import StrEnum

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.llm import PROMPT_CACHE_REQUESTS, PROMPT_CACHE_SAVED
from opsconsole_exporters.llm import record
from opsconsole_exporters.llm.usage import Usage
from opsconsole_exporters.shield import shielded


class Result(StrEnum):
    """``bypass``: the cache was not asked, on purpose.  ``error``: it could not answer."""

    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"
    ERROR = "error"


class PromptCache:
    """Counts for one cache, by its name in the application.  A hit is no call: it has no duration and no cost."""

    @shielded("prompt cache metrics")
    def __init__(self, name: str) -> None:
        self._name = name
        for result in Result:
            metrics.counter(PROMPT_CACHE_REQUESTS).labels(name, result.value)

    @shielded("prompt cache metrics")
    def hit(self, *, provider: str, model: str, usage: Usage | None = None) -> None:
        """An answer came from the cache.  ``usage``: what its call once used, which prices what has been saved."""
        metrics.counter(PROMPT_CACHE_REQUESTS).labels(self._name, Result.HIT.value).inc()
        if usage is None:
            return
        who = record.Who("chat", provider, model)
        saved = sum(dollars for dollars in record.cost_of(who, usage).values() if dollars is not None)
        metrics.counter(PROMPT_CACHE_SAVED).labels(self._name, provider, who.model).inc(saved)

    def miss(self) -> None:
        self._count(Result.MISS)

    def bypass(self) -> None:
        self._count(Result.BYPASS)

    def error(self) -> None:
        self._count(Result.ERROR)

    @shielded("prompt cache metrics")
    def _count(self, result: Result) -> None:
        metrics.counter(PROMPT_CACHE_REQUESTS).labels(self._name, result.value).inc()
