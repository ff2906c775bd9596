"""A value that cannot be read is said once, with variable, value and fix, and costs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from opsconsole_exporters import catalog, outbox, shield
from opsconsole_exporters import options as module
from opsconsole_exporters.django.cachekeys import Patterns
from opsconsole_exporters.django.traces import excluded
from opsconsole_exporters.llm import prices
from opsconsole_exporters.options import Options

DEFAULT = Options()
SWITCHES = {
    "OPSCONSOLE_EXPORTERS_DISABLED": "enabled",
    "OPSCONSOLE_METRICS_QUEUES": "queues",
    "OPSCONSOLE_METRICS_MIGRATIONS": "migrations",
    "OPSCONSOLE_LOGS": "logs",
    "OPSCONSOLE_REQUEST_ID": "request_id",
    "OPSCONSOLE_LLM": "llm",
}
# Variable, value, what the warning says of it, and the option with what it counts as.
WRONG = [
    *((name, "maybe", "'maybe': set 1 for on or 0 for off", option, None) for name, option in SWITCHES.items()),
    ("OPSCONSOLE_METRICS_PATH", "/", "'/': set a path below /", "metrics_path", None),
    ("OPSCONSOLE_METRICS_PATH", "/metrics?token=1", "'/metrics?token=1': set a path", "metrics_path", None),
    ("OPSCONSOLE_METRICS_PATH", "http://shop/metrics", "'http://shop/metrics': set a path", "metrics_path", None),
    ("OPSCONSOLE_METRICS_TOKEN", "open sesame", "of other characters: set letters, digits", "metrics_token", "open sesame"),
    ("OPSCONSOLE_METRICS_LABEL_SETS", "many", "'many': set a whole number above 0", "label_sets", None),
    ("OPSCONSOLE_METRICS_LABEL_SETS", "0", "'0': set a whole number above 0", "label_sets", None),
    ("OPSCONSOLE_METRICS_LABEL_SETS", "1.5", "'1.5': set a whole number above 0", "label_sets", None),
    ("OPSCONSOLE_LOG_LEVEL", "loud", "'LOUD': set DEBUG, INFO", "log_level", None),
    ("OPSCONSOLE_TRACES_PER_SECOND", "many", "'many': set a number of 0 or more", "traces_per_second", None),
    ("OPSCONSOLE_TRACES_PER_SECOND", "inf", "'inf': set a number of 0 or more", "traces_per_second", None),
    ("OPSCONSOLE_VECTOR_RECALL_RATIO", "1%", "'1%': set a number from 0 to 1", "recall_ratio", None),
    ("OPSCONSOLE_VECTOR_RECALL_RATIO", "nan", "'nan': set a number from 0 to 1", "recall_ratio", None),
]  # fmt: skip
# Any text is one; or it is checked where it is used, by the tests below and those of the commands.
ELSEWHERE = {
    "OPSCONSOLE_RABBITMQ_MANAGEMENT_URL",
    "OPSCONSOLE_RELEASE",
    "OPSCONSOLE_LOG_REDACT",
    "OPSCONSOLE_SERVICE_NAME",
    "OPSCONSOLE_CACHE_PATTERNS",
    "OPSCONSOLE_LLM_PRICES",
    "OPSCONSOLE_POSTGRES_DSN",
    "OPSCONSOLE_PGBOUNCER_DSN",
    "OPSCONSOLE_VECTOR_DSN",
}


@pytest.fixture(autouse=True)
def of_a_new_process(monkeypatch):
    monkeypatch.setattr(shield, "_reported", set())
    module._say_wrong.cache_clear()
    prices.table.cache_clear()
    yield
    module._say_wrong.cache_clear()
    prices.table.cache_clear()


def test_every_option_of_the_readme_is_tried_with_a_wrong_value():
    readme = Path(catalog.__file__).parents[3] / "README.md"
    named = set(re.findall(r"`(OPSCONSOLE_[A-Z_]+)`", "".join(re.findall(r"^\|.*$", readme.read_text(), re.MULTILINE))))
    assert {name for name, *_ in WRONG} | ELSEWHERE == named


@pytest.mark.parametrize(("name", "given", "said", "option", "counts_as"), WRONG, ids=str)
def test_a_wrong_value_is_said_once_and_counts_as_the_default(
    monkeypatch, caplog, name, given, said, option, counts_as
):
    monkeypatch.setenv(name, given)
    for _ in range(3):
        read = Options.read()
    assert getattr(read, option) == (getattr(DEFAULT, option) if counts_as is None else counts_as)
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("opsconsole_exporters", "WARNING")
    assert line.getMessage().startswith(f"{name} is {said}")
    assert "it counts as" in line.getMessage()
    assert "sesame" not in line.getMessage(), "a token is no matter for a log"


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(("given", "on"), [("1", True), ("Yes ", True), ("on", True), ("FALSE", False), ("", False)])
def test_a_switch_has_the_usual_words(monkeypatch, caplog, name, given, on):
    monkeypatch.setenv(name, given)
    assert getattr(Options.read(), SWITCHES[name]) is (on is not (name == "OPSCONSOLE_EXPORTERS_DISABLED"))
    assert caplog.records == []


@pytest.mark.parametrize("given", ["internal/metrics/", "/a-b/m.1/", "/metrics"])
def test_a_path_may_have_slashes_or_not(monkeypatch, caplog, given):
    monkeypatch.setenv("OPSCONSOLE_METRICS_PATH", given)
    assert Options.read().metrics_path == f"/{given.strip('/')}"
    assert caplog.records == []


def test_a_token_out_of_a_file_has_no_line_end(monkeypatch, caplog):
    monkeypatch.setenv("OPSCONSOLE_METRICS_TOKEN", "sesame-42\n")
    assert Options.read().metrics_token == "sesame-42"
    assert caplog.records == []


def test_patterns_that_are_none_are_left_out_each_with_a_word(caplog):
    assert Patterns.parse("query=shop:, nonsense, =x").of("shop:1") == "query"
    assert [record.getMessage() for record in caplog.records] == [
        "OPSCONSOLE_CACHE_PATTERNS: 'nonsense' is not name=prefix and is left out",
        "OPSCONSOLE_CACHE_PATTERNS: '=x' is not name=prefix and is left out",
    ]


def test_addresses_that_are_no_pattern_are_left_out_and_the_others_count(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "health,*broken,static/.*")
    found = excluded()
    assert found is not None
    assert found.search("http://a/static/x")
    assert found.search("http://a/health")
    assert not found.search("http://a/broken")
    assert "OTEL_PYTHON_EXCLUDED_URLS: '*broken' is no regular expression and is left out" in caplog.text


@pytest.mark.parametrize("given", ["many", "0", "-5"])
def test_a_queue_of_no_length_has_the_usual_one(monkeypatch, caplog, given):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", given)
    assert outbox.queue_size() == 2048
    assert f"OTEL_BSP_MAX_QUEUE_SIZE is '{given}': set a whole number above 0" in caplog.text


@pytest.mark.real
def test_a_service_with_every_option_wrong_starts_and_says_so_once(launch, otlp_sink, free_port, until):
    wrong = {name: given for name, given, *_ in reversed(WRONG) if name != "OPSCONSOLE_METRICS_TOKEN"}
    wrong |= {
        "OPSCONSOLE_CACHE_PATTERNS": "nonsense",
        "OTEL_PYTHON_EXCLUDED_URLS": "*broken",
        "OTEL_BSP_MAX_QUEUE_SIZE": "many",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp_sink.port}",
    }
    port = free_port()
    words = ("-W", "ignore", "-m", "uvicorn", "watched.asgi:application", "--port", str(port), "--no-access-log")
    web = launch.run(*words, port=port, **wrong)
    until("the service", web.answers)
    assert web.get("/item/41/") == (200, "42")
    until("its span", lambda: otlp_sink.find("GET item/<int:number>/"))
    for name in wrong.keys() - {"OTEL_EXPORTER_OTLP_ENDPOINT"}:
        said = [line for line in web.output.splitlines() if re.search(rf"{name}(?: is|:) ", line)]
        assert len(said) == 1, (name, web.output)


def test_a_short_queue_takes_a_batch_of_its_length(monkeypatch):
    """The SDK refuses to begin with a batch longer than the queue, and 512 is its default."""
    from opentelemetry.sdk.trace.export import SpanExporter

    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    made = outbox.Outbox(SpanExporter(), None)
    made.shutdown()
