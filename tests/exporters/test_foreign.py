"""Turned on in a project that is not ours, by the steps of docs/guide/instrument.md: its own tests stay as green as they were.

The project is django-reversion's, with its admin, views, middleware and three databases, here all of them SQLite.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

SOURCE = "django-reversion==6.4.0"
ON_SQLITE = """
from test_project.settings import *
DATABASES = {name: {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{name}.sqlite3"} for name in DATABASES}
"""
# The first step of the guide; the others are for several processes, Celery and traces.
WATCHED = """
from on_sqlite import *
INSTALLED_APPS = ["opsconsole_exporters.django", *INSTALLED_APPS]
"""
ASK = """
import django
django.setup()
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
assert Client().get("/admin/login/").status_code == 200
print(Client().get("/metrics").content.decode())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with its ``manage.py``."""
    folder = tmp_path_factory.mktemp("foreign")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    fetched = subprocess.run(
        [*download, "--no-binary", "django-reversion", SOURCE], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"the source of {SOURCE} cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (tests,) = folder.glob("*/tests")
    (tests / "on_sqlite.py").write_text(ON_SQLITE)
    (tests / "watched.py").write_text(WATCHED)
    return tests


@pytest.fixture(scope="module")
def run(project: Path):
    """``run("watched", "manage.py", ...)`` with those settings; returns the status and all output."""

    def command(settings: str, *arguments: str, **environment: str) -> tuple[int, str]:
        sources = Path(__file__).parents[2] / "exporters" / "src"
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "OPSCONSOLE_", "DJANGO_"))}
        path = os.pathsep.join((str(project), str(project.parent), str(sources)))
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env={**inherited, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        return done.returncode, done.stdout

    return command


def count_of_tests(output: str) -> int:
    found = re.search(r"^Ran (\d+) tests?", output, re.MULTILINE)
    assert found, output[-3000:]
    return int(found[1])


def test_its_tests_are_as_green_as_without(run):
    _, without = run("on_sqlite", "manage.py", "test", "--verbosity", "0")
    # A collector that nobody can reach, as in a developer's shell.  Its tests allow a second between two clocks, which is
    # too little when the machine is busy, with us or without: then they are asked again.
    for _ in range(3):
        status, watched = run(
            "watched", "manage.py", "test", "--verbosity", "0", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
        )
        if "within datetime.timedelta(seconds=1)" not in watched:
            break
    assert status == 0, watched[-3000:]
    assert count_of_tests(watched) == count_of_tests(without) > 100
    assert "the service goes on without it" not in watched


def test_it_then_answers_for_its_requests(run):
    status, said = run("watched", "-c", ASK)
    assert status == 0, said[-3000:]
    assert 'view="admin:login"' in said


def test_one_variable_leaves_it_as_it_was(run):
    status, said = run("watched", "-c", ASK, OPSCONSOLE_EXPORTERS_DISABLED="1")
    assert status == 0, said[-3000:]
    assert "django_http" not in said
