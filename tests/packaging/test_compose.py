"""The compose file names only what exists: variables the console reads, services and volumes of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def compose(repository: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((repository / "docker-compose.yml").read_text())
    return document


def test_every_variable_of_the_console_is_one_it_reads(compose: dict[str, Any], repository: Path) -> None:
    read = set(re.findall(r'"([A-Z_]+)"', (repository / "opsconsole/config/env.py").read_text()))
    assert set(compose["services"]["console"]["environment"]) <= read


def test_the_console_waits_for_every_store_and_each_store_can_say_that_it_is_healthy(compose: dict[str, Any]) -> None:
    stores = set(compose["services"]) - {"console"}
    assert set(compose["services"]["console"]["depends_on"]) == stores == {"clickhouse", "postgres", "redis"}
    for store in stores:
        assert "healthcheck" in compose["services"][store]


def test_every_volume_that_is_mounted_is_declared(compose: dict[str, Any]) -> None:
    mounted = {
        volume.partition(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())
    }
    assert mounted == set(compose["volumes"])


def test_no_password_stands_in_the_file(repository: Path) -> None:
    text = (repository / "docker-compose.yml").read_text()
    assert not re.findall(r"(?m)^\s+\w*(?:PASSWORD|TOKEN|SECRET)\w*: *(?!\$)\S+", text)
