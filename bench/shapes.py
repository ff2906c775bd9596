"""The queries: five that every dashboard has, and others that people write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.workload import BUILD, LATENCY, MEMORY, QUEUE, RESPONSES, Size, instance, views

_BUCKETS = f"{LATENCY}_bucket"
_COUNT = f"{LATENCY}_count"


@dataclass(frozen=True, slots=True)
class Shape:
    """``target``: how many times faster than Debian's Prometheus the range query has to be; ``instant_target``: the
    instant query.  From history it is enough to be on a par.

    ``tolerance``: how far answers may differ, relatively.  ``shift_ms``: added to the instants, so that they and the
    steps of a subquery never meet on the edge of its window, which Prometheus 2.x counts in.
    """

    name: str
    text: str
    target: float = 1
    instant_target: float = 1
    tolerance: float = 1e-9
    shift_ms: int = 0


def dashboard() -> tuple[Shape, ...]:
    ratio = f'sum(rate({RESPONSES}{{status=~"5.."}}[5m])) / sum(rate({RESPONSES}[5m]))'
    return (
        Shape("q1", f"sum(rate({_COUNT}[5m]))", target=10),
        Shape("q2", f"histogram_quantile(0.95, sum by (le) (rate({_BUCKETS}[5m])))", target=20, instant_target=5),
        Shape("q3", f"histogram_quantile(0.95, sum by (le, view) (rate({_BUCKETS}[5m])))", target=18, instant_target=5),
        Shape("q4", f"topk(5, sum by (view) (rate({_COUNT}[5m])))", target=12),
        Shape("q5", ratio, target=15, instant_target=5),
    )


def others(size: Size) -> tuple[Shape, ...]:
    rates = f"rate({RESPONSES}[5m])"
    join = f"sum by (version) ({rates} * on (job, instance) group_left (version) {BUILD})"
    return (
        Shape("selector", size.few),
        Shape("avg_by", f"avg by (view) ({rates})"),
        Shape("max_by", f"max by (view, status) ({rates})"),
        Shape("increase_1h", f"sum by (view) (increase({RESPONSES}[1h]))"),
        Shape("avg_over_time", f"avg by (queue) (avg_over_time({QUEUE}[10m]))"),
        Shape("max_over_time", f"max_over_time({MEMORY}[10m])"),
        Shape("subquery", f"max_over_time(sum({rates})[30m:1m])", shift_ms=7_500),
        Shape("join", join),
        Shape("absent", 'absent(up{job="shop", instance="10.9.9.9:8000"})'),
        Shape("quantile_by", f'quantile by (view) (0.9, rate({RESPONSES}{{status="200"}}[5m]))'),
        Shape("offset", f"sum({rates}) / sum(rate({RESPONSES}[5m] offset 30m))"),
        Shape("predict_linear", f"predict_linear({MEMORY}[15m], 3600)", tolerance=1e-6),
    )


DASHBOARD = frozenset(shape.name for shape in dashboard())


def shapes(size: Size) -> tuple[Shape, ...]:
    return *dashboard(), *others(size)


def panels_of_one(size: Size) -> tuple[Shape, ...]:
    """60 panels, most of which look at one view or instance; ``$selector`` and ``$window`` are the board's."""
    return tuple(Shape(f"panel-{number}", text) for number, text in enumerate(_narrow(size)))


def panels_of_all() -> tuple[Shape, ...]:
    """60 panels that look at all series: twelve variants of each of the five."""
    texts = [text for variant in range(12) for text in _five(variant)]
    return tuple(Shape(f"panel-{number}", text) for number, text in enumerate(texts))


def _narrow(size: Size) -> Iterator[str]:
    names = [view for view, _ in views(size)]
    for number in range(60):
        view = f'$selector, view="{names[number % len(names)]}"'
        one = f'$selector, instance="{instance(number % size.targets)}"'
        match number % 10:
            case 0 | 1:
                yield f"sum(rate({_COUNT}{{{view}}}[$window]))"
            case 2 | 3:
                yield f"histogram_quantile(0.95, sum by (le) (rate({_BUCKETS}{{{view}}}[$window])))"
            case 4:
                yield f"sum by (status) (rate({RESPONSES}{{{view}}}[$window]))"
            case 5:
                yield f"sum by (view) (rate({_COUNT}{{{one}}}[$window]))"
            case 6:
                errors = f'sum(rate({RESPONSES}{{{one}, status=~"5.."}}[$window]))'
                yield f"{errors} / sum(rate({RESPONSES}{{{one}}}[$window]))"
            case 7:
                yield f"histogram_quantile(0.9{number // 10}, sum by (le) (rate({_BUCKETS}{{{one}}}[$window])))"
            case 8:
                yield f"max_over_time({MEMORY}{{{one}}}[$window])" if number % 20 == 8 else f"{QUEUE}{{{one}}}"
            case _:
                yield _five(number // 10)[number // 10 % 5]


def _five(variant: int) -> tuple[str, str, str, str, str]:
    """The five of every dashboard, different for each variant from 0 to 11."""
    label = ("job", "instance", "view", "method")[variant % 4]
    counter = (_COUNT, f"{LATENCY}_sum", RESPONSES)[variant // 4]
    statuses = ("5..", "4..", "[45]..")[variant // 4]
    quantile = round(0.5 + 0.04 * variant, 2)
    requests = f"sum by ({label}) (rate({RESPONSES}{{$selector}}[$window]))"
    return (
        f"sum by ({label}) (rate({counter}{{$selector}}[$window]))",
        f"histogram_quantile({quantile}, sum by (le) (rate({_BUCKETS}{{$selector}}[$window])))",
        f"histogram_quantile({quantile}, sum by (le, {label}) (rate({_BUCKETS}{{$selector}}[$window])))",
        f"topk({variant + 1}, sum by (view) (rate({_COUNT}{{$selector}}[$window])))",
        f'sum by ({label}) (rate({RESPONSES}{{$selector, status=~"{statuses}"}}[$window])) / {requests}',
    )
