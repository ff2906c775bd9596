"""``opsconsole-exporter pgbouncer|postgres|vector`` as programs: who may ask them, whom they ask, and what they keep quiet."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from opsconsole_exporters.catalog.celery import CELERY_TASKS
from opsconsole_exporters.catalog.pgbouncer import PGBOUNCER_UP
from opsconsole_exporters.catalog.postgres import PG_UP
from opsconsole_exporters.catalog.vector import VECTOR_UP
from opsconsole_exporters.postgres.target import HIDDEN, Target, TargetError, targets

pytestmark = pytest.mark.real

SECRET = "s3cret-in-a-dsn"


@pytest.fixture
def serve(shared_launch, until):
    def start(*arguments, **environment):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = ("-m", "opsconsole_exporters", *arguments, "--port", str(port))
        process = shared_launch.run(*words, port=port, **environment)
        until("the exporter", process.answers)
        return process

    return start


def test_several_servers_are_on_one_page_and_a_token_guards_it(serve, postgres_15, postgres_18):
    exporter = serve(
        "postgres",
        OPSCONSOLE_POSTGRES_DSN=postgres_15,
        OPSCONSOLE_POSTGRES_DSN_NEW=postgres_18,
        OPSCONSOLE_POSTGRES_DSN_LOST=f"postgresql://u:{SECRET}@127.0.0.1:1/x",
        OPSCONSOLE_METRICS_TOKEN="sesame",
    )
    assert exporter.get("/metrics")[0] == 401
    page = exporter.scrape(Authorization="Bearer sesame")
    port = re.search(r"port=(\d+)", postgres_15)[1]
    assert {server: page.value(PG_UP, server=server) for server in (f"127.0.0.1:{port}", "new", "lost")} == {
        f"127.0.0.1:{port}": 1,
        "new": 1,
        "lost": 0,
    }
    assert page.sum("pg_settings_max_connections", server="new") > 0
    assert page.sum("opsconsole_exporter_collector_errors_total", collector="postgres") == 1
    assert SECRET not in exporter.output
    assert SECRET not in Path(f"/proc/{exporter.popen.pid}/cmdline").read_text()
    assert exporter.stop() == 0


def test_a_page_about_a_server_has_nothing_of_the_service_whose_directory_it_inherits(serve, shared_launch, pgbouncer):
    code = (
        "from opsconsole_exporters import metrics; from opsconsole_exporters.catalog.celery import CELERY_TASKS as T; "
    )
    task = shared_launch.run("-c", code + "metrics.counter(T).labels('a', 'b', 'succeeded').inc()")
    assert task.popen.wait(60) == 0, task.output
    assert list(shared_launch.multiproc_dir.glob("counter_*.db"))
    page = serve("pgbouncer", OPSCONSOLE_PGBOUNCER_DSN=pgbouncer).scrape()
    assert page.sum(PGBOUNCER_UP) == 1
    assert page.sum(CELERY_TASKS) == 0


def test_the_vector_exporter_answers(serve, postgres_18):
    page = serve("vector", "--expect", "item.embedding=cosine", OPSCONSOLE_VECTOR_DSN_SHOP=postgres_18).scrape()
    assert page.value(VECTOR_UP, server="shop") == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        (["postgres"], {}, "no server to ask: set OPSCONSOLE_POSTGRES_DSN, for example to postgresql://.*"),
        (
            ["vector"],
            {"OPSCONSOLE_VECTOR_DSN": f"host=x {SECRET}"},
            "OPSCONSOLE_VECTOR_DSN is no connection string: .*",
        ),
        (
            ["vector", "--expect", "item"],
            {"OPSCONSOLE_VECTOR_DSN": "host=x"},
            "--expect: 'item' is not table.column=.*",
        ),
        (
            ["pgbouncer"],
            {"OPSCONSOLE_PGBOUNCER_DSN": "host=x", "OPSCONSOLE_PGBOUNCER_DSN_": "host=x"},
            "OPSCONSOLE_PGBOUNCER_DSN_ is a second x:5432: give it a name, .*",
        ),
    ],
)
def test_what_cannot_start_says_why_in_one_line_and_tells_no_secret(shared_launch, arguments, environment, complaint):
    exporter = shared_launch.run("-m", "opsconsole_exporters", *arguments, "--port", "0", **environment)
    assert exporter.popen.wait(60) == 1
    assert re.fullmatch(rf"opsconsole-exporter: {complaint}\n", exporter.output), exporter.output
    assert SECRET not in exporter.output


@pytest.mark.parametrize("command", ["celery", "pgbouncer", "postgres", "vector"])
def test_each_command_has_help_and_no_option_for_a_connection_string(shared_launch, command):
    told = shared_launch.run("-m", "opsconsole_exporters", command, "--help")
    assert told.popen.wait(60) == 0
    assert "--port" in told.output
    assert "--dsn" not in told.output
    assert command == "celery" or f"OPSCONSOLE_{command.upper()}_DSN" in told.output


class TestTarget:
    def test_a_password_is_hidden_where_libpq_repeats_it(self):
        target = Target("x", "host=h password=hush")
        assert target.explain(ValueError('connection "host=h password=hush" failed\nfor hush')) == (
            f'connection "{HIDDEN}" failed for {HIDDEN}'
        )
        assert "hush" not in repr(target)

    def test_an_empty_variable_is_no_server(self):
        with pytest.raises(TargetError, match="set DSN, for example"):
            targets({"DSN": "", "DSNX": "host=other", **os.environ}, "DSN")

    def test_a_password_with_special_characters_is_hidden_as_libpq_shows_it(self):
        target = Target("x", "postgresql://u:p%40ss-word@h/db")
        assert "p@ss-word" not in target.explain(ValueError("invalid p@ss-word"))
