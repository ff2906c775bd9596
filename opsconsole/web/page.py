"""The frame around every page: navigation, how many alerts fire, and the modules scripts may import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static

from dashboards.model import Board
from opsconsole.alerting.state import State
from opsconsole.operations import console

from .choice import Choice, read

MODULES = (
    "axes", "board", "chart", "copy", "cursor", "format", "frame", "heatmap", "keys", "live", "marks",
    "moment", "palette", "panel", "picker", "range", "stat", "status", "table", "toast",
)  # fmt: skip
"""Files of ``static/opsconsole/js`` that are imported as ``ops/<name>``."""


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Shell:
    """``section`` is the name of the board or page shown; ``query`` keeps the range on the way to others."""

    section: str
    boards: Sequence[Board]
    firing: int
    query: str

    @property
    def modules(self) -> list[Module]:
        return [Module(name, static(f"opsconsole/js/{name}.js")) for name in MODULES]


def page(
    request: HttpRequest,
    template: str,
    section: str,
    context: Mapping[str, Any],
    *,
    choice: Choice | None = None,
    status: int = 200,
) -> HttpResponse:
    """``template`` inside the shell.  ``choice`` is read from the request when the view did not need it."""
    running = console.current()
    chosen = choice or read(request, running.clock)
    shell = Shell(
        section=section,
        boards=list(running.boards.values()),
        firing=running.rules.count(State.FIRING),
        query=chosen.query,
    )
    return render(request, template, {"shell": shell, "choice": chosen, **context}, status=status)
