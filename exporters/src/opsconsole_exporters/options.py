"""The options of this package: read from the environment first, then from Django's settings."""

from __future__ import annotations

import logging
import math
import os
import re
import sys
from dataclasses import dataclass
from functools import cache

from opsconsole_exporters.log import log

_ON = frozenset({"1", "true", "t", "yes", "y", "on"})
_OFF = frozenset({"", "0", "false", "f", "no", "n", "off"})
_PATH = re.compile(r"(?:/[\w.~%@+-]+)+")
_TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)
LABEL_SETS = 2_000


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose; the README has the same table.  What cannot be read is said once, and keeps its default.

    ``metrics_token`` empty means that ``/metrics`` asks for no token.
    ``queues`` says whether a web process answers for the queues too; off because the sidecar does, and two answers
    for one queue add up to a wrong sum.  ``migrations`` says whether it asks the databases for theirs.
    ``cache_patterns`` as ``name=prefix, name=prefix``: what the keys of caches that begin with a prefix are called.
    ``log_redact``: further names of fields, divided by commas, whose values nobody may find in a log.
    ``label_sets``: the most that a metric has in a process.
    ``traces_per_second``: the most traces that begin in a process and are kept, unless OpenTelemetry's own variable chooses.
    ``recall_ratio``: the share of vector searches that are checked against an exact one, 0 to 1.
    """

    enabled: bool = True
    release: str = ""
    metrics_path: str = "/metrics"
    metrics_token: str = ""
    queues: bool = False
    migrations: bool = True
    cache_patterns: str = ""
    logs: bool = True
    log_level: str = "INFO"
    log_redact: str = ""
    request_id: bool = True
    traces_per_second: float = 2.0
    recall_ratio: float = 0.01
    llm: bool = True
    label_sets: int = LABEL_SETS

    @classmethod
    def read(cls) -> Options:
        return cls(
            enabled=not _switch("OPSCONSOLE_EXPORTERS_DISABLED", default=False),
            release=_text("OPSCONSOLE_RELEASE", ""),
            metrics_path=_path("OPSCONSOLE_METRICS_PATH", "/metrics"),
            metrics_token=_token("OPSCONSOLE_METRICS_TOKEN"),
            queues=_switch("OPSCONSOLE_METRICS_QUEUES", default=False),
            migrations=_switch("OPSCONSOLE_METRICS_MIGRATIONS", default=True),
            cache_patterns=_text("OPSCONSOLE_CACHE_PATTERNS", ""),
            logs=_switch("OPSCONSOLE_LOGS", default=True),
            log_level=_level("OPSCONSOLE_LOG_LEVEL", "INFO"),
            log_redact=_text("OPSCONSOLE_LOG_REDACT", ""),
            request_id=_switch("OPSCONSOLE_REQUEST_ID", default=True),
            traces_per_second=_number("OPSCONSOLE_TRACES_PER_SECOND", 2.0, math.inf),
            recall_ratio=_number("OPSCONSOLE_VECTOR_RECALL_RATIO", 0.01, 1),
            llm=_switch("OPSCONSOLE_LLM", default=True),
            label_sets=count("OPSCONSOLE_METRICS_LABEL_SETS", LABEL_SETS),
        )


def is_django_service() -> bool:
    return bool(os.environ.get("DJANGO_SETTINGS_MODULE")) or _django_is_configured()


def django_settings_pending() -> bool:
    """Whether this is a Django service whose settings are not loaded yet, so that only the environment can be read."""
    return is_django_service() and not _django_is_configured()


def _django_is_configured() -> bool:
    conf = sys.modules.get("django.conf")
    return conf is not None and bool(conf.settings.configured)


def _setting(name: str) -> object:
    """The Django setting of that name; None without Django, and while its settings are still being loaded."""
    return getattr(sys.modules["django.conf"].settings, name, None) if _django_is_configured() else None


def _text(name: str, default: str) -> str:
    value = os.environ.get(name) or _setting(name)
    return default if value is None else str(value)


def _switch(name: str, *, default: bool) -> bool:
    value = os.environ[name] if name in os.environ else _setting(name)
    if value is None:
        return default
    text = str(value).strip().lower()
    if text in _ON or text in _OFF:
        return text in _ON
    _say_wrong(name, repr(value), "set 1 for on or 0 for off", "on" if default else "off")
    return default


def count(name: str, default: int) -> int:
    """A whole number above 0, of whatever variable."""
    text = _text(name, str(default)).strip()
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    _say_wrong(name, repr(text), "set a whole number above 0", str(default))
    return default


def _number(name: str, default: float, most: float) -> float:
    """A number from 0 to ``most``."""
    text = _text(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value <= most and value < math.inf:
        return value
    fix = "set a number of 0 or more" if most == math.inf else f"set a number from 0 to {most:g}"
    _say_wrong(name, repr(text), fix, str(default))
    return default


def _path(name: str, default: str) -> str:
    text = _text(name, default)
    path = "/" + text.strip().strip("/")
    if _PATH.fullmatch(path):
        return path
    _say_wrong(name, repr(text), f"set a path below / without query string, as in {default}", default)
    return default


def _token(name: str) -> str:
    """A token that no header can carry stays, so that nobody is let in by mistake."""
    text = _text(name, "").strip()
    if text and not _TOKEN.fullmatch(text):
        _say_wrong(name, "of other characters", "set letters, digits and -._~+/= only", "a token that nobody can send")
    return text


def _level(name: str, default: str) -> str:
    text = _text(name, default).strip().upper()
    if text in logging.getLevelNamesMapping():
        return text
    _say_wrong(name, repr(text), "set DEBUG, INFO, WARNING, ERROR or CRITICAL", default)
    return default


@cache
def _say_wrong(name: str, what: str, fix: str, meaning: str) -> None:
    """Once a process: options are read wherever they are needed."""
    log.warning(f"{name} is {what}: {fix}; until then it counts as {meaning}")
