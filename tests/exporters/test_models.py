"""Served models: what they count is what they predicted, and the drift that PromQL finds is the drift there is."""

from __future__ import annotations

import json
import math
import os
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opsconsole_exporters.catalog import models as names
from opsconsole_exporters.models import (
    InvalidInput,
    JsonLines,
    RowWriter,
    ServedModel,
    drift,
    read_reference,
    write_reference,
)
from opsconsole_exporters.models.reference import Distribution
from prometheus_client import REGISTRY

from opsconsole.promql.engine import Engine
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels

HOUR_MS = 3_600_000


def scores(seed: int, n: int, mean: float) -> list[float]:
    source = random.Random(seed)
    return [1 / (1 + math.exp(-source.gauss(mean, 1))) for _ in range(n)]


def samples(model: str) -> dict[Labels, float]:
    found = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.labels.get("model") == model and not sample.name.endswith("_created"):
                found[Labels.of(__name__=sample.name, **sample.labels)] = sample.value
    return found


def value(model: str, metric: Any, **labels: str) -> float:
    wanted = {"__name__": str(metric), **labels}.items()
    return sum(number for found, number in samples(model).items() if wanted <= dict(found).items())


def engine(model: str) -> Engine:
    """An hour of two workers, each of which has counted what this process has; gauges stand still."""
    steps = np.arange(0, HOUR_MS + 1, 15_000, dtype=np.int64)
    rows, values = [], []
    for instance in ("a", "b"):
        for labels, number in samples(model).items():
            of = dict(labels)
            counter = of["__name__"].endswith("_total")
            rows.append(Labels.of(**of, instance=instance))
            values.append(np.linspace(0, number, len(steps)) if counter else np.full(len(steps), number))
    return Engine(MemorySource([Block(rows, steps, np.array(values))]))


def answer(model: str, query: str) -> float:
    result = engine(model).instant(query, HOUR_MS)
    (only,) = result.last.tolist()  # type: ignore[union-attr]
    return float(only)


def expected(distribution: Distribution, values: Sequence[Any]) -> tuple[float, float, float]:
    """PSI, Jensen-Shannon and KS of two workers that have each predicted ``values``."""
    counts = [0] * len(distribution.bins)
    for one in values:
        counts[distribution.place(one)] += 2
    total = sum(counts) + 0.5 * len(counts)
    p, q = [(count + 0.5) / total for count in counts], distribution.ratios
    psi = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    parts = [a * math.log2(2 * a / (a + b)) + b * math.log2(2 * b / (a + b)) for a, b in zip(p, q, strict=True)]
    below = [sum(counts[: i + 1]) / sum(counts) for i in range(len(distribution.edges))]
    ks = max((abs(a - b) for a, b in zip(below, distribution.cumulative, strict=True)), default=0.0)
    return psi, math.sqrt(max(0.0, 0.5 * sum(parts))), ks


@pytest.mark.parametrize(("model", "mean", "drifts"), [("steady", 0.0, False), ("shifted", 0.8, True)])
def test_drift_in_promql_is_drift_in_python(tmp_path: Path, model: str, mean: float, drifts: bool) -> None:
    file = tmp_path / "reference.json"
    write_reference(file, scores(1, 2000, 0.0))
    served = ServedModel(model, "v1", reference=file)
    predicted = scores(2, 1000, mean)
    with served.prediction() as prediction:
        prediction.scores = predicted
    psi, js, ks = expected(read_reference(file).scores, predicted)
    assert answer(model, drift.psi("1h")) == pytest.approx(psi, rel=1e-6)
    assert answer(model, drift.js_distance("1h")) == pytest.approx(js, rel=1e-6)
    assert answer(model, drift.ks("1h")) == pytest.approx(ks, rel=1e-6)
    assert answer(model, drift.predictions("1h")) == pytest.approx(2000)
    assert (psi > 0.25) is drifts
    assert (ks > 0.1) is drifts


def test_classes_drift_too_and_an_unknown_one_is_other(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    write_reference(file, ["cat"] * 70 + ["dog"] * 30)
    served = ServedModel("animals", "v1", reference=file)
    predicted = ["cat"] * 300 + ["dog"] * 300 + ["bird"] * 100
    with served.prediction() as prediction:
        prediction.scores = predicted
    assert value("animals", names.ML_BINS, bin="other") == 100
    psi, js, _ = expected(read_reference(file).scores, predicted)
    assert answer("animals", drift.psi("1h")) == pytest.approx(psi, rel=1e-6)
    assert answer("animals", drift.js_distance("1h")) == pytest.approx(js, rel=1e-6)


def test_every_bin_and_every_outcome_is_there_before_the_first_prediction(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    write_reference(file, [float(i) for i in range(101)], {"amount": [1.0, 2.0, 3.0]})
    ServedModel("fresh", "v1", reference=file)
    found = [dict(labels) for labels in samples("fresh")]
    assert len([of for of in found if of["__name__"] == "opsconsole_ml_prediction_bin_total"]) == 12
    assert len([of for of in found if of["__name__"] == str(names.ML_CUMULATIVE)]) == 11
    assert {of["outcome"] for of in found if "outcome" in of} == {"ok", "invalid_input", "error"}
    assert value("fresh", names.ML_REFERENCE_BINS, bin=">100") == 1e-4
    assert value("fresh", names.ML_REFERENCE_ROWS) == 101


def test_a_score_that_is_no_number_lies_above_all_others_and_makes_no_reference(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    write_reference(file, [0.1, 0.5, 0.9])
    with ServedModel("nan", "v1", reference=file).prediction() as prediction:
        prediction.scores = [math.nan]
    assert value("nan", names.ML_BINS, bin=">0.9") == 1
    with pytest.raises(ValueError, match="not a finite number"):
        write_reference(file, [0.1, math.nan])


def test_outcomes_are_told_apart_and_exceptions_go_on() -> None:
    served = ServedModel("plain", "v2")
    with served.prediction() as prediction:
        prediction.scores = [0.5, 0.5]
    with pytest.raises(InvalidInput), served.prediction():
        raise InvalidInput("no total")
    with pytest.raises(ZeroDivisionError), served.prediction():
        print(1 / 0)
    counted = {o: value("plain", names.ML_PREDICTIONS, outcome=o) for o in ("ok", "invalid_input", "error")}
    assert counted == {"ok": 2, "invalid_input": 1, "error": 1}
    assert value("plain", names.ML_DURATION.count) == 3


def test_watched_features_are_counted_by_their_own_bins(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    write_reference(file, [0.1, 0.9], {"country": ["de"] * 9 + ["fr"], "total": [10.0, 20.0, 30.0]})
    served = ServedModel("features", "v1", reference=file)
    with served.prediction() as prediction:
        prediction.scores = np.array([0.2, 0.8])
        prediction.features = {"country": ["de", "us"], "total": np.array([15.0, 99.0])}
    assert value("features", names.ML_FEATURE_BINS, feature="country", bin="other") == 1
    assert value("features", names.ML_FEATURE_BINS, feature="total", bin=">30") == 1
    assert value("features", names.ML_REFERENCE_FEATURE_BINS, feature="country", bin="de") == 0.9


def test_a_reference_that_is_wrong_is_named_and_does_not_stop_the_model(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_text('{"scores": {"edges": [1, 2], "ratios": [1]}, "rows": 1, "sha": "", "created_at": ""}')
    with pytest.raises(ValueError, match=r"reference\.json: edges, bins and ratios"):
        read_reference(file)
    served = ServedModel("blind", "v1", reference=file)
    with served.prediction() as prediction:
        prediction.scores = [0.5]
    assert value("blind", names.ML_PREDICTIONS, outcome="ok") == 1
    assert value("blind", names.ML_REFERENCE_ROWS) == 0
    with pytest.raises(ValueError, match="at least one value"):
        write_reference(file, [])


def rows_counted(result: str) -> float:
    return REGISTRY.get_sample_value(str(names.ML_ROWS), {"result": result}) or 0.0


def test_a_row_per_prediction_is_written_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = RowWriter(JsonLines(file))
    served = ServedModel("studied", "v1", rows=rows)
    with served.prediction(key="order-7") as prediction:
        prediction.scores = np.array([0.25])
        prediction.features = {"total": np.array([12.5])}
    assert rows.flush(10)
    (row,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert row["score"] == 0.25
    assert row["features"] == {"total": 12.5}
    assert (row["model"], row["version"], row["key"], row["outcome"]) == ("studied", "v1", "order-7", "ok")


def test_a_slow_sink_holds_nobody_up_and_what_it_misses_is_counted() -> None:
    gate, entered = threading.Event(), threading.Event()

    def slow(rows: Sequence[Any]) -> int:
        entered.set()
        gate.wait(30)
        return len(rows)

    before = rows_counted("dropped")
    writer = RowWriter(slow, capacity=10)
    writer.put({"n": 0})
    assert entered.wait(30)
    for n in range(15):
        writer.put({"n": n})
    assert rows_counted("dropped") - before == 5
    gate.set()
    assert writer.flush(30)


def test_a_sink_that_fails_or_is_full_is_counted_and_tried_again(tmp_path: Path) -> None:
    before = rows_counted("dropped")
    missing = tmp_path / "later" / "rows.jsonl"
    writer = RowWriter(JsonLines(missing, largest=100))
    writer.put({"n": 1})
    assert writer.flush(30)
    assert rows_counted("dropped") - before == 1
    missing.parent.mkdir()
    writer.put({"n": 2})
    assert writer.flush(30)
    writer.put({"n": "x" * 200})
    assert writer.flush(30)
    assert rows_counted("dropped") - before == 2
    assert missing.read_text() == '{"n": 2}\n'


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_rows_are_written_after_a_fork(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    writer = RowWriter(JsonLines(file))
    writer.put({"of": "parent"})
    assert writer.flush(30)
    if (child := os.fork()) == 0:
        writer.put({"of": "child"})
        os._exit(0 if writer.flush(30) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert file.read_text().splitlines() == ['{"of": "parent"}', '{"of": "child"}']


def test_a_sample_of_none_writes_none(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    writer = RowWriter(JsonLines(file), sample=0.0)
    writer.put({"n": 1})
    assert writer.flush(1)
    assert not file.exists()
