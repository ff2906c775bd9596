"""What the address of a page chooses: a time range, and values of the board's variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

from opsconsole.series.clock import Clock
from opsconsole.series.timerange import TimeRange

QUICK: tuple[tuple[str, str], ...] = (
    ("now-5m", "Last 5 minutes"),
    ("now-15m", "Last 15 minutes"),
    ("now-30m", "Last 30 minutes"),
    ("now-1h", "Last hour"),
    ("now-3h", "Last 3 hours"),
    ("now-6h", "Last 6 hours"),
    ("now-24h", "Last 24 hours"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a menu: a link to the same page with this chosen."""

    value: str
    label: str
    href: str
    current: bool

    @property
    def start(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    chosen: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """``problem`` says in one line what is wrong with the address; the range is the default one then."""

    range: TimeRange
    said: Mapping[str, str]
    problem: str = ""

    @property
    def query(self) -> str:
        """What other pages need to open at the same range: ``?from=…``, or nothing when nothing was chosen."""
        kept = {name: self.said[name] for name in ("from", "to", "job") if name in self.said}
        return f"?{urlencode(kept)}" if kept and not self.problem else ""

    @property
    def label(self) -> str:
        named = dict(QUICK).get(self.range.start) if self.range.live else None
        return named or f"{self.range.start} to {self.range.end}"

    @property
    def quick(self) -> Sequence[Option]:
        return [
            Option(start, label, self.href({"from": start, "to": "now"}), self.range == TimeRange(start, "now"))
            for start, label in QUICK
        ]

    @property
    def kept(self) -> Sequence[tuple[str, str]]:
        """What a form of the range must send along."""
        return [(name, value) for name, value in self.said.items() if name not in ("from", "to")]

    def href(self, change: Mapping[str, str]) -> str:
        wanted = {name: value for name, value in {**self.said, **change}.items() if value}
        return f"?{urlencode(wanted)}"

    def variable(self, name: str, values: Iterable[str]) -> Variable:
        chosen = self.said.get(name, "")
        options = ["", *sorted({*values, chosen} - {""})]
        return Variable(
            name, chosen, tuple(Option(each, each, self.href({name: each}), each == chosen) for each in options)
        )


def read(request: HttpRequest, clock: Clock) -> Choice:
    """The choice of ``request``; a range that makes no sense becomes a ``problem``, never an exception."""
    said = {name: value for name, value in request.GET.items() if isinstance(value, str)}
    try:
        chosen = TimeRange(said.get("from") or "now-15m", said.get("to") or "now")
        chosen.resolve(clock.now_ms())
    except (ValueError, OverflowError) as error:
        return Choice(TimeRange(), said, problem=str(error))
    return Choice(chosen, said)
