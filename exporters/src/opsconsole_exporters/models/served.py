"""A model that the service serves itself: how often, how long, how well, and how far from what it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from prometheus_client import Counter, Gauge

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.models import (
    ML_BINS,
    ML_CUMULATIVE,
    ML_DURATION,
    ML_FEATURE_BINS,
    ML_PREDICTIONS,
    ML_REFERENCE_BINS,
    ML_REFERENCE_CUMULATIVE,
    ML_REFERENCE_FEATURE_BINS,
    ML_REFERENCE_ROWS,
)
from opsconsole_exporters.models.reference import Distribution, Reference, read_reference
from opsconsole_exporters.models.rows import RowWriter
from opsconsole_exporters.shield import shield, shielded


class Outcome(StrEnum):
    OK = "ok"
    INVALID_INPUT = "invalid_input"
    ERROR = "error"


class InvalidInput(ValueError):
    """Raise it inside ``prediction()`` for an input that the model cannot take: the caller's fault, not the model's."""


@dataclass(slots=True)
class Prediction:
    """What the block of ``ServedModel.prediction()`` fills in.

    ``scores``: one per row of the input, numbers or names of classes.  ``features``: the values of each feature, by name.
    ``key``: finds the row again when the truth is known, for example the order's number.
    """

    scores: Sequence[Any] = ()
    features: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    key: str = ""


class ServedModel:
    """One version of one model; make it once, where the model is loaded.

    ``reference``: the ``reference.json`` beside the model.  Without one, or with one that cannot be read, predictions are
    counted and drift is not.  ``rows``: where a row per prediction goes.
    """

    def __init__(
        self, model: str, version: str, *, reference: Path | None = None, rows: RowWriter | None = None
    ) -> None:
        self.model = model
        self.version = version
        self._rows = rows
        self._scores: _Bins | None = None
        self._features: dict[str, _Bins] = {}
        with shield(f"metrics of the model {model}"):
            for outcome in Outcome:
                metrics.counter(ML_PREDICTIONS).labels(model, version, outcome.value)
            if reference is not None:
                self._load(read_reference(reference))

    @contextmanager
    def prediction(self, key: str = "") -> Generator[Prediction]:
        """Time the block and count what it predicts; its exceptions are counted and go on."""
        made = Prediction(key=key)
        started = perf_counter()
        try:
            yield made
        except Exception as error:
            invalid = isinstance(error, InvalidInput)
            self._ended(made, Outcome.INVALID_INPUT if invalid else Outcome.ERROR, perf_counter() - started)
            raise
        self._ended(made, Outcome.OK, perf_counter() - started)

    @shielded("metrics of models")
    def _ended(self, made: Prediction, outcome: Outcome, seconds: float) -> None:
        metrics.histogram(ML_DURATION).labels(self.model, self.version).observe(seconds)
        count = len(made.scores) if outcome is Outcome.OK else 1
        metrics.counter(ML_PREDICTIONS).labels(self.model, self.version, outcome.value).inc(count)
        if outcome is Outcome.OK:
            if self._scores is not None:
                self._scores.count(made.scores)
            for name, bins in self._features.items():
                bins.count(made.features.get(name, ()))
        if self._rows is not None:
            for row in self._study(made, outcome, seconds):
                self._rows.put(row)

    def _study(self, made: Prediction, outcome: Outcome, seconds: float) -> Iterable[dict[str, Any]]:
        head = {
            "time": datetime.now(UTC).isoformat(),
            "model": self.model,
            "version": self.version,
            "key": made.key,
            "outcome": outcome.value,
            "seconds": seconds,
        }
        if outcome is not Outcome.OK:
            yield head
            return
        for index, score in enumerate(made.scores):
            features = {name: values[index] for name, values in made.features.items() if index < len(values)}
            yield {**head, "score": score, "features": features}

    def _load(self, reference: Reference) -> None:
        who = (self.model, self.version)
        metrics.gauge(ML_REFERENCE_ROWS).labels(*who).set(reference.rows)
        self._scores = _Bins(
            reference.scores,
            bins=partial(metrics.counter(ML_BINS).labels, *who),
            expected=partial(metrics.gauge(ML_REFERENCE_BINS).labels, *who),
            below=partial(metrics.counter(ML_CUMULATIVE).labels, *who),
        )
        for edge, share in zip(reference.scores.edges, reference.scores.cumulative, strict=True):
            metrics.gauge(ML_REFERENCE_CUMULATIVE).labels(*who, f"{edge:g}").set(share)
        for feature, distribution in reference.features.items():
            self._features[feature] = _Bins(
                distribution,
                bins=partial(metrics.counter(ML_FEATURE_BINS).labels, *who, feature),
                expected=partial(metrics.gauge(ML_REFERENCE_FEATURE_BINS).labels, *who, feature),
            )


class _Bins:
    """The series of one distribution, every one of them from 0: a bin without a series would drop its term of the PSI."""

    def __init__(
        self,
        distribution: Distribution,
        *,
        bins: Callable[[str], Counter],
        expected: Callable[[str], Gauge],
        below: Callable[[str], Counter] | None = None,
    ) -> None:
        self._distribution = distribution
        self._bins = [bins(name) for name in distribution.bins]
        self._below = [below(f"{edge:g}") for edge in distribution.edges] if below is not None else []
        for name, ratio in zip(distribution.bins, distribution.ratios, strict=True):
            expected(name).set(ratio)

    def count(self, values: Iterable[Any]) -> None:
        """One increment a bin, however many values there are."""
        counts = [0] * len(self._bins)
        for value in values:
            counts[self._distribution.place(value)] += 1
        total = 0
        for index, count in enumerate(counts):
            total += count
            if count:
                self._bins[index].inc(count)
            if total and index < len(self._below):
                self._below[index].inc(total)
