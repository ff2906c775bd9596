"""What a watched service gets when it installs the exporters from a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPORTERS = Path(__file__).parents[2] / "exporters"
MODULES = sorted(
    ".".join(path.relative_to(EXPORTERS / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (EXPORTERS / "src").rglob("*.py")
)
# What only the console needs; a watched service must never carry it.
HEAVY = {"channels", "channels-redis", "chdb", "chdb-core", "daphne", "numpy", "opsconsole", "pyarrow", "twisted"}

pytestmark = pytest.mark.real


def made(folder: Path) -> Path:
    """The Python of a new environment in which nothing is installed."""
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    newer = subprocess.run([*pip(python), "--upgrade", "pip>=25.1"], capture_output=True, text=True, check=False)
    if newer.returncode:
        pytest.skip("needs a package index that pip can reach")
    return python


def pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]


def install(python: Path, extras: str = "") -> None:
    wanted = f"{EXPORTERS}[{extras}]" if extras else str(EXPORTERS)
    done = subprocess.run([*pip(python), wanted], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def distributions(python: Path) -> set[str]:
    answer = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {entry["name"].lower().replace("_", "-") for entry in json.loads(answer.stdout)}


def run(python: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "OPSCONSOLE_", "OTEL_"))
    }
    own.pop("PYTHONPATH", None)
    return subprocess.run([python, *command], capture_output=True, text=True, check=False, cwd=folder, env=own)


@pytest.mark.timeout(600)
def test_the_base_works_and_says_what_else_to_install_and_nothing_brings_the_console(tmp_path):
    python = made(tmp_path)
    install(python)
    assert distributions(python).isdisjoint({"django", "celery", "redis", *HEAVY})

    code = "from opsconsole_exporters import instrument; instrument('bare'); import logging; logging.info('hello')"
    done = run(python, tmp_path, "-c", code)
    assert (done.returncode, json.loads(done.stdout)["service"]) == (0, "bare"), done.stderr

    for module, extra in [("django", "django"), ("celery", "celery"), ("queues", "celery"), ("postgres", "postgres")]:
        done = run(python, tmp_path, "-c", f"import opsconsole_exporters.{module}")
        assert f"pip install 'opsconsole-exporters[{extra}]'" in done.stderr.splitlines()[-1]

    for command, extra in [(("celery", "--app", "x:y"), "celery"), (("postgres",), "postgres")]:
        done = run(python, tmp_path, "-m", "opsconsole_exporters", *command, "--port", "0")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"pip install 'opsconsole-exporters[{extra}]'" in done.stderr

    install(python, "django,celery,postgres")
    installed = distributions(python)
    assert installed.isdisjoint(HEAVY)
    assert {"django", "celery", "redis", "structlog", "prometheus-client"} <= installed

    imports = "; ".join(["from django.conf import settings; settings.configure()", *(f"import {m}" for m in MODULES)])
    done = run(python, tmp_path, "-W", "error", "-c", imports)
    assert done.returncode == 0, done.stderr
    assert run(python.with_name("opsconsole-exporter"), tmp_path, "--help").stdout.startswith("usage:")
