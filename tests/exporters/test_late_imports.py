"""HTTP clients are instrumented when the service imports them, and are not imported for its sake."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.exporters import llm_upstream
from tests.exporters.conftest import SOURCES

CLIENTS = ("httpx", "httpx2", "requests")

BEGIN = """
import json, sys
before = set(sys.modules)
from opsconsole_exporters import instrument
instrument("service")
import opsconsole_exporters.llm
eager = sorted({"httpx", "httpx2", "requests", "openai"} & (set(sys.modules) - before))
"""
TELL_LLM = """
from opsconsole_exporters.catalog.llm import LLM_REQUESTS
from prometheus_client import REGISTRY
ask = lambda library: REGISTRY.get_sample_value(LLM_REQUESTS.name, {
    "provider": "openai", "model": library, "operation": "chat", "outcome": "ok"})
"""
CALL = """
import importlib
library = importlib.import_module(sys.argv[1])
body = {"model": sys.argv[1], "messages": [{"role": "user", "content": "hello"}]}
assert library.post(sys.argv[2] + "/chat/completions", json=body).status_code == 200
"""
TELL_TRACES = """
import importlib
library = importlib.import_module(sys.argv[1])
sends = {"requests": lambda: library.Session.send}.get(sys.argv[1], lambda: library.HTTPTransport.handle_request)()
instrumented = hasattr(sends, "__wrapped__")
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment, "PYTHONPATH": environment.get("PYTHONPATH", str(SOURCES))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def provider():
    with llm_upstream.serving() as address:
        yield address


def test_a_service_without_a_client_has_none_imported():
    assert run(BEGIN + "print(json.dumps(eager))") == []


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("order", ["imported later", "imported before"])
def test_a_library_is_observed_whenever_it_is_imported(provider, library, order):
    pytest.importorskip(library, reason=f"needs {library}; pip install {library}")
    first = f"import {library}\n" if order == "imported before" else ""
    code = first + BEGIN + CALL + TELL_LLM + "print(json.dumps(ask(sys.argv[1])))"
    assert run(code, library, provider) == 1


@pytest.mark.parametrize("library", CLIENTS)
@pytest.mark.parametrize("order", ["imported later", "imported before"])
def test_a_client_is_traced_whenever_it_is_imported(library, order):
    pytest.importorskip(library, reason=f"needs {library}; pip install {library}")
    first = f"import {library}\n" if order == "imported before" else ""
    code = first + BEGIN + TELL_TRACES + "print(json.dumps(instrumented))"
    assert run(code, library, OPSCONSOLE_LLM="off") is True


@pytest.mark.parametrize("order", ["httpx, httpx2", "httpx2, httpx"])
def test_of_two_clients_each_is_traced_whichever_comes_first(order):
    pytest.importorskip("httpx2", reason="needs httpx2; pip install httpx2")
    code = BEGIN + (
        f"import {order}\n"
        "print(json.dumps([hasattr(one.HTTPTransport.handle_request, '__wrapped__') for one in (httpx, httpx2)]))"
    )
    assert run(code, OPSCONSOLE_LLM="off") == [True, True]


def test_a_library_that_cannot_be_instrumented_is_imported_all_the_same(tmp_path):
    """The service's import is not ours to break: here an httpx without what we wrap."""
    (tmp_path / "httpx.py").write_text("answer = 42\n")
    code = BEGIN + "import httpx\nprint(json.dumps(httpx.answer))"
    assert run(code, PYTHONPATH=f"{tmp_path}:{SOURCES}", OTEL_SDK_DISABLED="true") == 42
    assert run(code, PYTHONPATH=f"{tmp_path}:{SOURCES}") == 42


def test_a_library_is_found_as_it_was_before():
    """Its loader is its own again, for whoever asks for its source or its data."""
    code = BEGIN + (
        "import httpx, inspect, importlib.resources\n"
        "print(json.dumps([type(httpx.__loader__).__name__, type(httpx.__spec__.loader).__name__, "
        "len(inspect.getsource(httpx)) > 0, importlib.resources.files('httpx').joinpath('__init__.py').is_file()]))"
    )
    assert run(code) == ["SourceFileLoader", "SourceFileLoader", True, True]
