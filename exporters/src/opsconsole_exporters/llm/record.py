"""From what a call was to its metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from opsconsole_exporters import exemplars, metrics
from opsconsole_exporters.catalog.llm import (
    LLM_COST,
    LLM_DURATION,
    LLM_EARLY_END,
    LLM_FIRST_CHUNK,
    LLM_GENERATION_SECONDS,
    LLM_GENERATION_TOKENS,
    LLM_NEXT_CHUNK,
    LLM_PRICES_DATE,
    LLM_REQUESTS,
    LLM_TOKEN_USAGE,
    LLM_TOKENS,
    LLM_UNPRICED,
)
from opsconsole_exporters.llm.modelname import label
from opsconsole_exporters.llm.outcome import Outcome
from opsconsole_exporters.llm.prices import table
from opsconsole_exporters.llm.usage import TokenClass, Usage


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a call asks: the names as given, which spans and prices use; as labels they are bounded."""

    operation: str
    provider: str
    requested: str
    answering: str = ""

    def answered_by(self, model: str) -> Who:
        return replace(self, answering=model)

    @property
    def model(self) -> str:
        """The label of our own metrics: the model that was asked, known before any answer."""
        return label(self.requested)

    @property
    def stream_labels(self) -> tuple[str, str, str, str]:
        """The labels of the conventions' metrics."""
        return (self.operation, self.provider, self.model, label(self.answering) if self.answering else "")


def finished(who: Who, outcome: Outcome, seconds: float, usage: Usage | None, ended_early_by: str) -> None:
    """Count a call that ended, and what it used and cost."""
    _begin(who.provider, who.model, who.operation)
    error = "" if outcome is Outcome.OK else outcome.value
    metrics.histogram(LLM_DURATION).labels(*who.stream_labels, error).observe(seconds, exemplars.of_current_span())
    metrics.counter(LLM_REQUESTS).labels(who.provider, who.model, who.operation, outcome.value).inc()
    if ended_early_by:
        metrics.counter(LLM_EARLY_END).labels(who.provider, who.model, ended_early_by).inc()
    if usage is not None:
        _tokens(who, usage)
        _cost(who, usage)


def streamed(who: Who, first_chunk: float, generating: float, usage: Usage | None) -> None:
    """The times of a stream: seconds to its first chunk, and from there to its last."""
    metrics.histogram(LLM_FIRST_CHUNK).labels(*who.stream_labels).observe(first_chunk)
    if usage is not None and generating > 0:
        metrics.counter(LLM_GENERATION_SECONDS).labels(who.provider, who.model).inc(generating)
        metrics.counter(LLM_GENERATION_TOKENS).labels(who.provider, who.model).inc(usage.output)


def next_chunk(who: Who, seconds: float) -> None:
    metrics.histogram(LLM_NEXT_CHUNK).labels(*who.stream_labels).observe(seconds)


def cost_of(who: Who, usage: Usage) -> dict[TokenClass, float | None]:
    """Dollars by class; a deployment with a name of its own has the price of the model that answers for it."""
    cost: dict[TokenClass, float | None] = {}
    for model in (who.answering, who.requested):
        if model:
            cost = table().cost(who.provider, model, usage)
            if any(dollars is not None for dollars in cost.values()):
                return cost
    return cost


def usage_attributes(usage: Usage | None) -> dict[str, Any]:
    """The span's attributes; estimated tokens say so."""
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        "opsconsole.usage_source": usage.source.value,
    }


def _tokens(who: Who, usage: Usage) -> None:
    histogram = metrics.histogram(LLM_TOKEN_USAGE)
    histogram.labels(*who.stream_labels, "input").observe(usage.input)
    if usage.output:
        histogram.labels(*who.stream_labels, "output").observe(usage.output)
    for kind, count in usage.by_class().items():
        metrics.counter(LLM_TOKENS).labels(who.provider, who.model, kind.value, usage.source.value).inc(count)


def _cost(who: Who, usage: Usage) -> None:
    cost = cost_of(who, usage)
    for kind, dollars in cost.items():
        if dollars is not None:
            metrics.counter(LLM_COST).labels(who.provider, who.model, kind.value).inc(dollars)
    if any(dollars is None for dollars in cost.values()):
        metrics.counter(LLM_UNPRICED).labels(who.provider, who.model).inc()


@cache
def _begin(provider: str, model: str, operation: str) -> None:
    """Every outcome from 0: ``increase()`` does not see the first count of a series that is born with it."""
    metrics.gauge(LLM_PRICES_DATE).set(table().timestamp)
    for outcome in Outcome:
        metrics.counter(LLM_REQUESTS).labels(provider, model, operation, outcome.value)
    metrics.counter(LLM_UNPRICED).labels(provider, model)
