"""Files of the dead, options, and the promise that nothing in here reaches the host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from opsconsole_exporters import catalog, exposition, installation, multiprocess, shield, workerprocess
from opsconsole_exporters.options import Options
from opsconsole_exporters.service import service_name
from prometheus_client.mmap_dict import MmapedDict, mmap_key


@pytest.fixture
def shared(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead_pid():
    """The pid of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def write(directory, file, name, value):
    values = MmapedDict(str(directory / file))
    values.write_value(mmap_key(name, name, [], [], "help"), value, 0.0)
    values.close()


def test_a_page_leaves_out_the_gauges_of_the_dead_and_keeps_their_counters(shared, dead_pid):
    for pid in (os.getpid(), dead_pid):
        write(shared, f"gauge_livesum_{pid}.db", "busy", 2)
        write(shared, f"counter_{pid}.db", "done_total", 5)
    page = exposition.render("").body.decode()
    assert "\nbusy 2.0\n" in page
    assert "\ndone_total 10.0\n" in page
    assert not (shared / f"gauge_livesum_{dead_pid}.db").exists()


def test_a_process_that_has_ended_and_was_not_waited_for_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not multiprocess.is_alive(child.pid)
    child.wait()
    child.stdout.close()
    assert multiprocess.is_alive(os.getpid())


def test_a_file_that_was_created_an_instant_ago_does_not_fail_the_scrape(shared):
    (shared / f"counter_{os.getpid()}.db").touch()
    assert exposition.render("").body == b""


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(shared, accept, content_type):
    assert exposition.render(accept).content_type.startswith(content_type)


@pytest.mark.parametrize(
    ("token", "header", "allowed"),
    [("", "", True), ("t", "", False), ("t", "Bearer t", True), ("t", "Bearer tt", False), ("é", "Bearer é", True)],
)
def test_a_page_with_a_token_is_for_those_who_have_it(token, header, allowed):
    assert exposition.authorized(token, header) is allowed


@pytest.mark.parametrize(
    ("command", "environment", "workers"),
    [
        ("gunicorn shop.wsgi", {}, 1),
        ("gunicorn -w 3 shop.wsgi", {}, 3),
        ("gunicorn shop.wsgi --workers=4", {}, 4),
        ("gunicorn shop.wsgi", {"WEB_CONCURRENCY": "5"}, 5),
        ("gunicorn -w 2 shop.wsgi", {"WEB_CONCURRENCY": "5"}, 2),
        ("manage.py check", {"WEB_CONCURRENCY": "many"}, 1),
    ],
)
def test_the_number_of_workers_is_what_the_server_was_told(command, environment, workers):
    assert multiprocess.likely_workers(command.split(), environment) == workers


def test_options_come_from_the_environment(monkeypatch):
    assert Options() == Options.read()
    monkeypatch.setenv("OPSCONSOLE_METRICS_PATH", "internal/metrics/")
    monkeypatch.setenv("OPSCONSOLE_LOGS", "off")
    monkeypatch.setenv("OPSCONSOLE_LOG_LEVEL", "debug")
    monkeypatch.setenv("OPSCONSOLE_METRICS_QUEUES", "yes")
    monkeypatch.setenv("OPSCONSOLE_EXPORTERS_DISABLED", "true")
    read = Options.read()
    assert (read.metrics_path, read.logs, read.log_level, read.queues, read.enabled) == (
        "/internal/metrics",
        False,
        "DEBUG",
        True,
        False,
    )


def test_the_operator_names_a_service_before_its_code_does(monkeypatch):
    assert service_name() == "unknown_service"
    assert service_name(None, "fallback") == "fallback"
    assert service_name("given", "fallback") == "given"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.name=attributes")
    assert service_name("given") == "attributes"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "operator")
    assert service_name("given") == "operator"


def test_a_failure_is_logged_once_and_goes_no_further(monkeypatch, caplog):
    monkeypatch.setattr(shield, "_reported", set())

    @shield.shielded("part")
    def fail():
        raise OSError("disk full")

    assert fail() is None
    with shield.shield("part"):
        raise OSError("again")
    with shield.shield("other part"):
        raise OSError("elsewhere")
    assert [str(record.exc_info[1]) for record in caplog.records] == ["disk full", "elsewhere"]
    assert "part failed; the service goes on without it" in caplog.records[0].getMessage()


def test_a_part_is_installed_once_even_if_it_failed(monkeypatch):
    monkeypatch.setattr(installation, "_installed", set())
    calls = []
    installation.once("part", lambda: calls.append(1))
    installation.once("part", lambda: calls.append(2))
    assert calls == [1]


def test_starters_run_once_a_process_and_one_that_fails_stops_no_other(monkeypatch):
    monkeypatch.setattr(workerprocess, "_starters", {})
    monkeypatch.setattr(workerprocess, "_started_in", None)
    monkeypatch.setattr(shield, "_reported", {"first"})
    started = []
    workerprocess.on_start("first", lambda: started.append(1 / 0))
    workerprocess.on_start("second", lambda: started.append("second"))
    workerprocess.ensure_started()
    workerprocess.ensure_started()
    assert started == ["second"]


def test_names_can_be_imported_without_anything_else():
    code = "import sys; import opsconsole_exporters.catalog; print(*sys.modules)"
    sources = Path(catalog.__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", code], cwd=sources, capture_output=True, text=True, check=True)
    assert {"prometheus_client", "django", "celery", "opentelemetry", "structlog"}.isdisjoint(answer.stdout.split())


GAUGES_OF_DJANGO_PROMETHEUS = {"django_migrations_applied_total", "django_migrations_unapplied_total"}


def test_names_are_unique_and_follow_the_rules_of_prometheus():
    assert len({metric.name for metric in catalog.CATALOG}) == len(catalog.CATALOG)
    for metric in catalog.CATALOG:
        named_as_a_counter = metric.name.endswith("_total") and metric.name not in GAUGES_OF_DJANGO_PROMETHEUS
        assert named_as_a_counter == (metric.kind is catalog.Kind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is catalog.Kind.HISTOGRAM)
        assert list(metric.buckets) == sorted(metric.buckets)


def test_every_variable_that_is_read_is_in_the_table_of_the_readme():
    package = Path(catalog.__file__).parents[1]
    sources = "".join(file.read_text() for file in package.rglob("*.py"))
    read = set(re.findall(r'"((?:OPSCONSOLE|PROMETHEUS|OTEL)_[A-Z_]+)"', sources))
    table = "".join(
        line for line in (package.parents[1] / "README.md").read_text().splitlines() if line.startswith("|")
    )
    assert read >= {"OPSCONSOLE_METRICS_PATH", "PROMETHEUS_MULTIPROC_DIR", "OTEL_SERVICE_NAME"}
    assert {name for name in read if f"`{name}`" not in table} == set()
