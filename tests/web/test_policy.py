"""What no page may do: run or style anything that did not come from our files, or trust a label."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from opsconsole.web import page

WEB = Path(page.__file__).parent
SCRIPTS = sorted((WEB / "static" / "opsconsole" / "js").glob("*.js"))
PAGES = [
    "/boards/overview/",
    "/alerts/",
    "/runbooks/DjangoLatencyHigh/",
    "/traces/",
    "/ingest/",
    "/sign-in/",
    "/sign-in/token/",
]


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def everything(person, make_incident, store_trace, hostile):
    """The text of every page, with content made by somebody who means harm."""
    incident = make_incident(f"{hostile} is slow", {"job": hostile})
    trace_id = store_trace(hostile, failed=True, sql=hostile)
    paths = [*PAGES, f"/alerts/{incident.pk}/", f"/traces/{trace_id}/", "/nothing/"]
    answers = {path: person.get(path) for path in paths}
    person.logout()
    answers |= {path: person.get(path) for path in ("/sign-in/", "/sign-in/token/")}
    return answers


def test_every_page_forbids_what_is_not_ours(everything):
    for path, answer in everything.items():
        policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'", path
        assert policy["style-src"] == "'self'", path
        assert re.fullmatch(r"'self'( 'nonce-[^']+')?", policy["script-src"]), path
        assert "unsafe" not in answer["Content-Security-Policy"], path


def test_no_page_has_inline_styles_or_handlers_and_inline_scripts_carry_the_nonce(everything):
    for path, answer in everything.items():
        for tag, attributes in Tags(answer.text).found:
            assert tag != "style", path
            assert not [name for name in attributes if name == "style" or name.startswith("on")], (
                path,
                tag,
                attributes,
            )
            if tag == "script" and attributes.get("type") != "application/json":
                assert attributes.get("src", "").startswith("/static/") or attributes.get("nonce"), (path, attributes)


def test_the_nonce_is_another_one_each_time(person):
    nonces = {re.search(r"nonce-([^']+)", person.get("/alerts/")["Content-Security-Policy"])[1] for _ in range(3)}
    assert len(nonces) == 3


def test_hostile_text_stays_text(everything, hostile):
    for path, answer in everything.items():
        assert hostile not in answer.text, path
        assert not [attributes for tag, attributes in Tags(answer.text).found if tag == "img"], path
    assert "&lt;img src=x onerror" in everything["/alerts/"].text


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_stays_small_and_every_module_is_in_the_import_map(script):
    text = script.read_text()
    assert len(text.splitlines()) <= 200
    assert script.stem in {*page.MODULES, "main", "theme"}
    assert set(re.findall(r'(?:from|import) "ops/(\w+)"', text)) <= set(page.MODULES)


def test_the_import_map_names_no_file_that_is_not_there():
    assert set(page.MODULES) <= {script.stem for script in SCRIPTS}


def test_only_one_module_calls_text_safe():
    calls = [path.name for path in WEB.rglob("*.py") if "mark_safe(" in path.read_text()]
    assert calls == ["runbook.py"]
    assert not [path for path in WEB.rglob("*.html") if re.search(r"\|\s*safe\b|autoescape off", path.read_text())]


def test_every_value_a_page_styles_with_has_a_name():
    tokens = set(re.findall(r"(--[\w-]+):", (WEB / "static/opsconsole/css/tokens.css").read_text()))
    for sheet in (WEB / "static/opsconsole/css").glob("*.css"):
        text = sheet.read_text()
        own = set(re.findall(r"(--[\w-]+):", text))
        assert set(re.findall(r"var\((--[\w-]+)", text)) <= tokens | own, sheet.name
