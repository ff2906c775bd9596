"""The generated files in the stack they were written for: Debian's Prometheus scrapes the demo and runs our rules."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.conftest import Demo, environment

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def generated(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boards and rules at the demo's speed, written by the command a user would run."""
    folder = tmp_path_factory.mktemp("generated")
    subprocess.run(
        [sys.executable, "-m", "opsconsole", "generate", "--profile", "demo", "--out", str(folder)],
        check=True,
        cwd=demo.repository,
        env=environment(demo.repository, OPSCONSOLE_DATA_DIR=str(folder / "state")),
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def prometheus(
    demo: Demo,
    generated: Path,
    program: Callable[[str], str],
    eventually: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(generated / "alerts" / "generated" / "prometheus" / "*.yml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [httpx.URL(url).netloc.decode()]}]}
            for job, url in demo.ready["targets"].items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return httpx.get(f"{url}/-/ready").status_code == 200
        except (httpx.TransportError, ValueError):  # while it starts it answers, but not in JSON
            return False

    try:
        eventually(ready, 30, "Prometheus is ready")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def ask(url: str, path: str, **parameters: str) -> Any:
    return httpx.get(f"{url}/api/v1/{path}", params=parameters).json()["data"]


def test_prometheus_loads_every_generated_rule_and_evaluates_it_without_error(
    prometheus: str, eventually: Callable[..., Any]
) -> None:
    def rules() -> list[dict[str, Any]]:
        found = [rule for group in ask(prometheus, "rules")["groups"] for rule in group["rules"]]
        return found if found and all(rule["health"] != "unknown" for rule in found) else []

    found = eventually(rules, 30, "every rule was evaluated once")
    assert {rule["name"] for rule in found} >= {
        "DjangoLatencyHigh",
        "DjangoErrorRateHigh",
        "CeleryQueueBacklog",
        "DatabasePoolSaturated",
        "TargetDown",
        "CeleryNoWorkers",
    }
    assert [rule for rule in found if rule["health"] != "ok"] == []


def test_prometheus_scrapes_every_target_of_the_demo(prometheus: str, eventually: Callable[..., Any]) -> None:
    def up() -> bool:
        targets = ask(prometheus, "targets")["activeTargets"]
        return len(targets) == 4 and all(target["health"] == "up" for target in targets)

    eventually(up, 30, "all four targets are up in Prometheus")


def test_every_query_of_every_generated_panel_returns_data_there(
    demo: Demo, generated: Path, prometheus: str, eventually: Callable[..., Any]
) -> None:
    queries = {
        f"{board.stem} / {panel['title']} / {target['refId']}": target["expr"]
        for board in sorted((generated / "dashboards" / "generated").glob("*.json"))
        for panel in json.loads(board.read_text())["panels"]
        for target in panel.get("targets", ())
    }
    assert len(queries) >= 10

    def empty() -> list[str]:
        return [
            name
            for name, expr in queries.items()
            if not ask(
                prometheus,
                "query",
                query=expr.replace("$__rate_interval", "30s").replace("$job", ".+"),
            )["result"]
        ]

    demo.fault("exceptions", "on")  # error panels have something to show only while there are errors
    try:
        eventually(lambda: not empty(), 60, f"data in every panel; still empty: {empty()}")
    finally:
        demo.fault("exceptions", "off")


def test_the_console_and_prometheus_give_the_same_answer_to_the_same_counter(demo: Demo, prometheus: str) -> None:
    """Two scrapers read at different instants, so only what does not depend on the instant is compared."""
    for promql in (
        "count(up == 1)",
        "sum(celery_workers)",
        "count(count by (le) (django_db_query_duration_seconds_bucket))",
    ):
        theirs = ask(prometheus, "query", query=promql)["result"][0]["value"][1]
        assert demo.query(promql)[0]["value"][1] == theirs, promql
