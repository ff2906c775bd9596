"""The options of this package: read from the environment first, then from Django's settings."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass

from opsconsole_exporters.log import log

_OFF = frozenset({"", "0", "false", "no", "off"})
LABEL_SETS = 2_000


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose; the README has the same table.

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
    traces_per_second: float = 10.0
    recall_ratio: float = 0.01
    llm: bool = True
    label_sets: int = LABEL_SETS

    @classmethod
    def read(cls) -> Options:
        return cls(
            enabled=not _switch("OPSCONSOLE_EXPORTERS_DISABLED", default=False),
            release=_text("OPSCONSOLE_RELEASE", ""),
            metrics_path="/" + _text("OPSCONSOLE_METRICS_PATH", "/metrics").strip("/"),
            metrics_token=_text("OPSCONSOLE_METRICS_TOKEN", ""),
            queues=_switch("OPSCONSOLE_METRICS_QUEUES", default=False),
            migrations=_switch("OPSCONSOLE_METRICS_MIGRATIONS", default=True),
            cache_patterns=_text("OPSCONSOLE_CACHE_PATTERNS", ""),
            logs=_switch("OPSCONSOLE_LOGS", default=True),
            log_level=_text("OPSCONSOLE_LOG_LEVEL", "INFO").upper(),
            log_redact=_text("OPSCONSOLE_LOG_REDACT", ""),
            request_id=_switch("OPSCONSOLE_REQUEST_ID", default=True),
            traces_per_second=_number("OPSCONSOLE_TRACES_PER_SECOND", 10.0, math.inf),
            recall_ratio=_number("OPSCONSOLE_VECTOR_RECALL_RATIO", 0.01, 1),
            llm=_switch("OPSCONSOLE_LLM", default=True),
            label_sets=_count("OPSCONSOLE_METRICS_LABEL_SETS", LABEL_SETS),
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
    return default if value is None else str(value).strip().lower() not in _OFF


def _count(name: str, default: int) -> int:
    text = _text(name, str(default)).strip()
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    log.warning(f"{name} is {text!r}, which is no number above 0: it counts as {default}")
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
    log.warning(
        f"{name} is {text!r}, which is no number {'from 0' if most == math.inf else f'from 0 to {most:g}'}: it counts as {default}"
    )
    return default
