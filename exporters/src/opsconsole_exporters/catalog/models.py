"""Predictions of models that the service serves itself, in a form from which drift is PromQL.

Counters over fixed bins add up over workers and pods, and any window of them is a query; a gauge of drift that every
process computes for itself does neither.
"""

from __future__ import annotations

from .metric import Kind, Metric

# A model in the same process answers in well under a millisecond, a large forest over a batch in seconds.
PREDICTION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_MODEL = ("model", "version")

ML_PREDICTIONS = Metric(
    "opsconsole_ml_predictions_total",
    Kind.COUNTER,
    (*_MODEL, "outcome"),
    "Predictions by outcome: ok, invalid_input, error.",
)

ML_DURATION = Metric(
    "opsconsole_ml_prediction_duration_seconds",
    Kind.HISTOGRAM,
    _MODEL,
    "Seconds a prediction took; a batch is one observation.",
    PREDICTION_BUCKETS,
    unit="seconds",
)

ML_BINS = Metric(
    "opsconsole_ml_prediction_bin_total",
    Kind.COUNTER,
    (*_MODEL, "bin"),
    "Predictions by bin of the reference distribution, each bin from the start.",
)

ML_CUMULATIVE = Metric(
    "opsconsole_ml_prediction_cumulative_total",
    Kind.COUNTER,
    (*_MODEL, "le"),
    "Numeric predictions at or below an edge of the reference distribution.",
)

ML_FEATURE_BINS = Metric(
    "opsconsole_ml_feature_bin_total",
    Kind.COUNTER,
    (*_MODEL, "feature", "bin"),
    "Values of a watched feature by bin of its reference distribution.",
)

ML_REFERENCE_BINS = Metric(
    "opsconsole_ml_reference_bin_ratio",
    Kind.GAUGE,
    (*_MODEL, "bin"),
    "Share of the reference predictions in the bin, at least 0.0001.",
    unit="ratio",
    merge="livemax",
)

ML_REFERENCE_CUMULATIVE = Metric(
    "opsconsole_ml_reference_cdf_ratio",
    Kind.GAUGE,
    (*_MODEL, "le"),
    "Share of the reference predictions at or below an edge.",
    unit="ratio",
    merge="livemax",
)

ML_REFERENCE_FEATURE_BINS = Metric(
    "opsconsole_ml_reference_feature_bin_ratio",
    Kind.GAUGE,
    (*_MODEL, "feature", "bin"),
    "Share of a watched feature's reference values in the bin, at least 0.0001.",
    unit="ratio",
    merge="livemax",
)

ML_REFERENCE_ROWS = Metric(
    "opsconsole_ml_reference_rows",
    Kind.GAUGE,
    _MODEL,
    "Predictions from which the reference distribution was made.",
    merge="livemax",
)

ML_ROWS = Metric(
    "opsconsole_ml_prediction_rows_total",
    Kind.COUNTER,
    ("result",),
    "Rows for later study: written, or dropped because the queue was full, the row too large or the sink failed.",
)

LABELS = {
    "model": "Name that the code gives to `ServedModel`: as many as it serves.",
    "version": "Version that the code gives to `ServedModel`: one for each model that a process has loaded.",
    "outcome": "`ok`, `invalid_input` or `error`.",
    "bin": "Bin of the reference distribution: at most 12 of numbers, or 51 of classes.",
    "le": "Edge of the reference distribution: at most 11.",
    "feature": "Name of a feature in the reference distribution: at most 20.",
    "result": "`written` or `dropped`.",
}

METRICS = (
    ML_PREDICTIONS,
    ML_DURATION,
    ML_BINS,
    ML_CUMULATIVE,
    ML_FEATURE_BINS,
    ML_REFERENCE_BINS,
    ML_REFERENCE_CUMULATIVE,
    ML_REFERENCE_FEATURE_BINS,
    ML_REFERENCE_ROWS,
    ML_ROWS,
)
