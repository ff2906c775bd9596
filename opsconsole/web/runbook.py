"""Runbooks as HTML.  The only module that calls a string safe: its input is a file of ours, and raw HTML in it is text."""

from __future__ import annotations

from importlib.resources import files

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from alerts.model import Alert

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def render(alert: Alert) -> SafeString | None:
    """The runbook of ``alert``; None when nobody has written it yet."""
    source = files("alerts") / "runbooks" / alert.runbook
    if not source.is_file():
        return None
    html: str = _MARKDOWN.render(source.read_text(encoding="utf-8"))
    return mark_safe(html)  # noqa: S308  # nosec: see above
