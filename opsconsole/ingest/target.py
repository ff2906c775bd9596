"""What is scraped: a job, a URL and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from opsconsole.series.labels import Labels

_JOB = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Target:
    job: str
    url: str
    interval_s: float
    timeout_s: float

    @classmethod
    def parse(cls, text: str, *, interval_s: float, timeout_s: float | None = None) -> Target:
        """Read ``job=http://host:port/path``; without a path ``/metrics``.  ``timeout_s`` defaults to at most 10 s.

        Raises ``ValueError`` that names the text and the form.
        """
        job, equals, url = text.strip().partition("=")
        parts = urlsplit(url)
        try:
            port_is_fine = parts.port != 0
        except ValueError:
            port_is_fine = False
        if not (
            equals and _JOB.fullmatch(job) and parts.scheme in ("http", "https") and parts.hostname and port_is_fine
        ):
            raise ValueError(f"target {text!r} is not understood; write job=http://host:port/metrics")
        if interval_s <= 0:
            raise ValueError(f"target {job}: interval_s is {interval_s:g}; it must be more than 0")
        if parts.path in ("", "/"):
            url = parts._replace(path="/metrics").geturl()
        return cls(job, url, interval_s, min(10.0, interval_s) if timeout_s is None else timeout_s)

    @property
    def instance(self) -> str:
        """``host:port``."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @property
    def labels(self) -> Labels:
        """``job`` and ``instance``, which every series of the target has."""
        return Labels.of(job=self.job, instance=self.instance)
