"""The vector columns of a database and their indexes, by the catalogs of PostgreSQL 15 to 18 and pgvector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from psycopg.rows import DictRow

from opsconsole_exporters.catalog.vector import (
    VECTOR_EXTENSION,
    VECTOR_INDEX_INFO,
    VECTOR_INDEX_PRESENT,
    VECTOR_INDEX_RIGHT,
    VECTOR_INDEX_SCANS,
    VECTOR_INDEX_SIZE,
    VECTOR_INDEX_VALID,
    VECTOR_TABLE_DEAD,
    VECTOR_TABLE_ROWS,
    VECTOR_TABLE_SEQ_SCANS,
    VECTOR_UP,
)
from opsconsole_exporters.postgres.collector import Connection, Probe, Reading, Subject, bounded

_EXTENSION = """
SELECT current_database() AS database, extversion AS version FROM pg_extension WHERE extname = 'vector'
"""

# An index on an expression, such as (embedding::halfvec(3072)), has no column in pg_index; pg_depend knows it all the same.
# The operator is the one that the operator class orders by.
_COLUMNS = """
SELECT current_database() AS database,
       CASE WHEN pg_table_is_visible(t.oid) THEN t.relname ELSE n.nspname || '.' || t.relname END AS "table",
       a.attname AS "column", i.relname AS index, am.amname AS method, opc.opcname AS operator_class,
       (SELECT o.oprname FROM pg_amop ao JOIN pg_operator o ON o.oid = ao.amopopr
         WHERE ao.amopfamily = opc.opcfamily AND ao.amoppurpose = 'o' LIMIT 1) AS operator,
       ix.indisvalid AND ix.indisready AS valid,
       pg_relation_size(i.oid) AS size_bytes, si.idx_scan AS index_scans,
       st.n_live_tup AS rows, st.n_dead_tup AS dead, st.seq_scan AS seq_scans
FROM pg_attribute a
JOIN pg_class t ON t.oid = a.attrelid AND t.relkind IN ('r', 'm')
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname NOT LIKE 'pg\\_temp\\_%'
LEFT JOIN (
    pg_index ix
    JOIN pg_class i ON i.oid = ix.indexrelid
    JOIN pg_am am ON am.oid = i.relam AND am.amname IN ('hnsw', 'ivfflat')
    JOIN pg_opclass opc ON opc.oid = ix.indclass[0]
) ON ix.indrelid = t.oid AND EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = i.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.refobjsubid = a.attnum
)
LEFT JOIN pg_stat_all_indexes si ON si.indexrelid = i.oid
LEFT JOIN pg_stat_all_tables st ON st.relid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND (i.oid IS NOT NULL OR a.atttypid IN (
      SELECT ty.oid FROM pg_type ty JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = ty.oid
      JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
      WHERE e.extname = 'vector' AND ty.typname IN ('vector', 'halfvec', 'sparsevec')))
"""


class Distance(StrEnum):
    """The operators of pgvector by the names of its operator classes."""

    L2 = "<->"
    COSINE = "<=>"
    IP = "<#>"
    L1 = "<+>"
    HAMMING = "<~>"
    JACCARD = "<%>"


@dataclass(frozen=True, slots=True)
class Expectation:
    """By which distance a column is searched; an index for another one is never used."""

    table: str
    column: str
    distance: Distance

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Read ``table.column=distance``.  Raises ``ValueError`` with what to write instead."""
        where, _, name = text.partition("=")
        table, _, column = where.rpartition(".")
        if not table or not column or name.upper() not in Distance.__members__:
            choices = ", ".join(distance.lower() for distance in Distance.__members__)
            raise ValueError(f"{text!r} is not table.column=distance with a distance of {choices}")
        return cls(table, column, Distance[name.upper()])


def subject(expectations: tuple[Expectation, ...] = ()) -> Subject:
    def columns(connection: Connection) -> Iterable[Reading]:
        rows = list(connection.execute(_COLUMNS.encode()))
        shown, left_out = bounded(rows, "vector indexes", lambda row: row["rows"] or 0)
        yield left_out
        yield from readings(shown, expectations)

    return Subject(
        name="vector",
        up=VECTOR_UP,
        probes=(Probe("extension", extension), Probe("columns", columns)),
        prepare=("SET statement_timeout = '2s'", "SET default_transaction_read_only = on"),
    )


def extension(connection: Connection) -> Iterable[Reading]:
    for row in connection.execute(_EXTENSION):
        yield Reading(VECTOR_EXTENSION, (row["database"], row["version"]), 1)


def readings(rows: Iterable[DictRow], expectations: Iterable[Expectation]) -> Iterable[Reading]:
    """What the rows say: one for each pair of a vector column and an index of it, or of a column without one."""
    by_table: dict[tuple[str, str], DictRow] = {}
    by_column: dict[tuple[str, str, str], list[DictRow]] = {}
    for row in rows:
        by_table[row["database"], row["table"]] = row
        by_column.setdefault((row["database"], row["table"], row["column"]), []).append(row)
        if row["index"] is not None:
            yield from _index(row)
    for table, row in by_table.items():
        yield Reading(VECTOR_TABLE_ROWS, table, row["rows"] or 0)
        yield Reading(VECTOR_TABLE_DEAD, table, row["dead"] or 0)
        yield Reading(VECTOR_TABLE_SEQ_SCANS, table, row["seq_scans"] or 0)
    expected: Mapping[tuple[str, str], Distance] = {(e.table, e.column): e.distance for e in expectations}
    for column, found in by_column.items():
        valid = [row for row in found if row["valid"]]
        yield Reading(VECTOR_INDEX_PRESENT, column, any(row["index"] is not None for row in found))
        yield Reading(VECTOR_INDEX_VALID, column, bool(valid))
        if (distance := expected.get((column[1], column[2]))) is not None:
            yield Reading(VECTOR_INDEX_RIGHT, (*column, distance), any(row["operator"] == distance for row in valid))


def _index(row: DictRow) -> Iterable[Reading]:
    index = (row["database"], row["table"], row["index"])
    kind = (row["column"], row["method"], row["operator_class"], row["operator"] or "")
    yield Reading(VECTOR_INDEX_INFO, (*index, *kind), 1)
    yield Reading(VECTOR_INDEX_SIZE, index, row["size_bytes"])
    yield Reading(VECTOR_INDEX_SCANS, index, row["index_scans"] or 0)
