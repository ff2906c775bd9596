from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opsconsole.storage import schema
from opsconsole.storage.clickhouse import ClickHouse, StoreError
from opsconsole.storage.folder import FolderInUse, FolderLock
from opsconsole.storage.retention import Retention, apply

OPEN = """
import sys
from pathlib import Path
from opsconsole.storage.clickhouse import ClickHouse
store = ClickHouse.open("", Path(sys.argv[1]))
print("open", flush=True)
__import__("signal").pause() if len(sys.argv) > 2 else store.close()
"""


def test_a_query_error_is_one_line(clickhouse: ClickHouse) -> None:
    with pytest.raises(StoreError, match="UNKNOWN_TABLE") as failed:
        clickhouse.rows("SELECT * FROM nowhere")
    assert "\n" not in str(failed.value)


def test_a_session_is_usable_after_an_error(clickhouse: ClickHouse) -> None:
    for _ in range(20):  # more often than there are sessions
        with pytest.raises(StoreError):
            clickhouse.command("SELECT throwIf(1)")
    assert clickhouse.rows("SELECT 1") == [(1,)]


def test_more_threads_than_sessions_share_them(clickhouse: ClickHouse) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: clickhouse.rows(f"SELECT sum(number) FROM numbers({n})"), range(1, 60)))
    assert answers == [[(n * (n - 1) // 2,)] for n in range(1, 60)]


def test_opening_twice_changes_no_table(clickhouse: ClickHouse) -> None:
    before = clickhouse.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    schema.migrate(clickhouse)
    after = clickhouse.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    assert sorted(after) == sorted(before)


def test_a_newer_schema_is_refused_with_what_to_do(clickhouse: ClickHouse) -> None:
    clickhouse.command("INSERT INTO schema_version VALUES (999)")
    try:
        with pytest.raises(schema.NewerSchema, match=r"schema 999.*upgrade opsconsole"):
            schema.migrate(clickhouse)
    finally:
        clickhouse.command("ALTER TABLE schema_version DELETE WHERE version = 999 SETTINGS mutations_sync = 2")


def test_retention_sets_the_time_to_live_and_alters_only_what_changed(clickhouse: ClickHouse) -> None:
    def mutations() -> int:
        return int(clickhouse.rows("SELECT count() FROM system.mutations WHERE table = 'samples'")[0][0])

    try:
        apply(Retention(samples_days=30, traces_days=7), clickhouse)
        apply(Retention(samples_days=45, traces_days=7), clickhouse)
        once = mutations()
        apply(Retention(samples_days=45, traces_days=7), clickhouse)
        assert mutations() == once
        tables = clickhouse.rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
        engines: dict[str, str] = dict(tables)  # type: ignore[arg-type]
    finally:
        for table in (
            "samples",
            "series",
            "rollups",
            "rolled",
            "otel_traces",
        ):  # the samples of other tests are of a fixed, past day
            clickhouse.command(f"ALTER TABLE {table} REMOVE TTL")
    assert "TTL toDateTime(ts) + toIntervalDay(45)" in engines["samples"]
    assert "TTL toDateTime(Timestamp) + toIntervalDay(7)" in engines["otel_traces"]


def test_retention_of_no_day_is_refused() -> None:
    with pytest.raises(ValueError, match="traces_days is 0"):
        Retention(traces_days=0)


@pytest.mark.parametrize("url", ["http://host/db", "clickhouse://", "postgres://u:secret@h/db"])
def test_a_bad_telemetry_url_is_named_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"TELEMETRY_URL.*clickhouse://user:password@host:port/database") as failed:
        ClickHouse.open(url, tmp_path)
    assert "secret" not in str(failed.value)


def test_a_second_console_on_a_folder_is_told_who_has_it(
    tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    owner = child(OPEN, str(tmp_path), "stay")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "open\n"
    with pytest.raises(FolderInUse) as refused:
        ClickHouse.open("", tmp_path)
    assert str(owner.pid) in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert "--data-dir" in str(refused.value)


def test_a_folder_is_free_again_after_its_owner_was_killed(
    tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    owner = child(OPEN, str(tmp_path), "stay")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "open\n"
    owner.kill()
    owner.wait()
    assert child(OPEN, str(tmp_path)).communicate(timeout=60)[0] == "open\n"


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(FolderInUse):
        FolderLock(tmp_path)
    lock.release()
    lock.release()
    FolderLock(tmp_path).release()
