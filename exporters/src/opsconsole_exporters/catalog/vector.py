"""Vector search by pgvector: what the service sees of its searches, and what the catalogs of PostgreSQL say.

No convention exists.  ``collection`` is the name that the service gives a kind of search; ``table`` has its schema when
the search path does not lead to it.
"""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

SEARCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_COLLECTION = ("collection",)
_DATABASE = ("server", "database")
_TABLE = ("server", "database", "table")
_COLUMN = ("server", "database", "table", "column")
_INDEX = ("server", "database", "table", "index")

VECTOR_SEARCH_DURATION = Metric(
    "opsconsole_vector_search_duration_seconds",
    Kind.HISTOGRAM,
    _COLLECTION,
    "Seconds a vector search took, its rows fetched.",
    SEARCH_BUCKETS,
    unit="seconds",
)

VECTOR_SEARCH_ERRORS = Metric(
    "opsconsole_vector_search_errors_total", Kind.COUNTER, _COLLECTION, "Vector searches that raised an exception."
)

VECTOR_SEARCH_ROWS = Metric(
    "opsconsole_vector_search_rows_total", Kind.COUNTER, _COLLECTION, "Rows that vector searches returned."
)

VECTOR_SHORT_RESULTS = Metric(
    "opsconsole_vector_search_short_results_total",
    Kind.COUNTER,
    _COLLECTION,
    "Vector searches that returned fewer rows than their LIMIT.",
)

VECTOR_MISSING_ROWS = Metric(
    "opsconsole_vector_search_missing_rows_total",
    Kind.COUNTER,
    _COLLECTION,
    "Rows by which vector searches fell short of their LIMIT.",
)

VECTOR_RECALL_MATCHED = Metric(
    "opsconsole_vector_recall_matched_total",
    Kind.COUNTER,
    _COLLECTION,
    "Rows of sampled searches that are among the truly nearest; by the expected rows it is recall@k.",
)

VECTOR_RECALL_EXPECTED = Metric(
    "opsconsole_vector_recall_expected_total",
    Kind.COUNTER,
    _COLLECTION,
    "Rows that an exact search finds for the sampled searches.",
)

VECTOR_RECALL_SCANS = Metric(
    "opsconsole_vector_recall_exact_scans_total",
    Kind.COUNTER,
    ("database", "table"),
    "Sequential scans that the exact checks made, to be taken from those of the table.",
)

VECTOR_RECALL_SKIPPED = Metric(
    "opsconsole_vector_recall_skipped_total",
    Kind.COUNTER,
    ("collection", "reason"),
    "Sampled searches that were not checked, by reason: busy, failed, unsupported.",
)

VECTOR_PLANS = Metric(
    "opsconsole_vector_search_plans_total",
    Kind.COUNTER,
    ("collection", "plan"),
    "Sampled searches by how the planner would find them: vector_index or other.",
)

VECTOR_UP = Metric(
    "opsconsole_vector_up", Kind.GAUGE, ("server",), "Whether the database with the vectors answers: 1 or 0."
)

VECTOR_EXTENSION = Metric(
    "opsconsole_vector_extension_info",
    Kind.GAUGE,
    (*_DATABASE, "version"),
    "Always 1; the label has the version of pgvector. Absent where the extension is not installed.",
)

VECTOR_INDEX_PRESENT = Metric(
    "opsconsole_vector_index_present",
    Kind.GAUGE,
    _COLUMN,
    "Whether the vector column has an hnsw or ivfflat index: 1 or 0.",
)

VECTOR_INDEX_VALID = Metric(
    "opsconsole_vector_index_valid",
    Kind.GAUGE,
    _COLUMN,
    "Whether the vector column has such an index that queries can use: 1 or 0.",
)

VECTOR_INDEX_RIGHT = Metric(
    "opsconsole_vector_index_operator_right",
    Kind.GAUGE,
    (*_COLUMN, "operator"),
    "Whether a valid index of the column serves the distance operator that is expected of it: 1 or 0.",
)

VECTOR_INDEX_INFO = Metric(
    "opsconsole_vector_index_info",
    Kind.GAUGE,
    (*_INDEX, "column", "method", "operator_class", "operator"),
    "Always 1; the labels say what the index is and which distance operator it serves.",
)

VECTOR_INDEX_SIZE = Metric(
    "opsconsole_vector_index_size_bytes", Kind.GAUGE, _INDEX, "Size of the index on disk.", unit="bytes"
)

VECTOR_INDEX_SCANS = Metric("opsconsole_vector_index_scans_total", Kind.COUNTER, _INDEX, "Scans of the index.")

VECTOR_TABLE_ROWS = Metric(
    "opsconsole_vector_table_rows", Kind.GAUGE, _TABLE, "Live rows of the table, as the statistics estimate them."
)

VECTOR_TABLE_DEAD = Metric(
    "opsconsole_vector_table_dead_tuples", Kind.GAUGE, _TABLE, "Dead rows of the table that wait for vacuum."
)

VECTOR_TABLE_SEQ_SCANS = Metric(
    "opsconsole_vector_table_seq_scans_total", Kind.COUNTER, _TABLE, "Sequential scans of the table."
)

LABELS = {
    "collection": "Name that the code gives this kind of search: as many as it has.",
    "reason": "`busy`, `failed` or `unsupported`.",
    "plan": "`vector_index` or `other`.",
    "server": labels.SERVER,
    "database": "Name of the database: one for each DSN; in a service, one for each alias.",
    "version": "Version of pgvector: one for each database.",
    "table": f"Table with a vector column, with its schema if the search path does not lead to it: {labels.ASKED}",
    "column": "Vector column: as many as those tables have.",
    "index": "Vector index: as many as those tables have.",
    "method": "`hnsw` or `ivfflat`.",
    "operator_class": "Operator class of the index: one of pgvector's.",
    "operator": "Distance operator (`<->`, `<=>`, `<#>`, `<+>`, `<~>`, `<%>`): one of pgvector's six.",
}

METRICS = (
    VECTOR_SEARCH_DURATION,
    VECTOR_SEARCH_ERRORS,
    VECTOR_SEARCH_ROWS,
    VECTOR_SHORT_RESULTS,
    VECTOR_MISSING_ROWS,
    VECTOR_RECALL_MATCHED,
    VECTOR_RECALL_EXPECTED,
    VECTOR_RECALL_SCANS,
    VECTOR_RECALL_SKIPPED,
    VECTOR_PLANS,
    VECTOR_UP,
    VECTOR_EXTENSION,
    VECTOR_INDEX_PRESENT,
    VECTOR_INDEX_VALID,
    VECTOR_INDEX_RIGHT,
    VECTOR_INDEX_INFO,
    VECTOR_INDEX_SIZE,
    VECTOR_INDEX_SCANS,
    VECTOR_TABLE_ROWS,
    VECTOR_TABLE_DEAD,
    VECTOR_TABLE_SEQ_SCANS,
)
