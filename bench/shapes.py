"""The queries: five that every dashboard has, and others that people write."""

from __future__ import annotations

from dataclasses import dataclass

from bench.workload import BUILD, LATENCY, MEMORY, QUEUE, RESPONSES, Size

_BUCKETS = f"{LATENCY}_bucket"
_COUNT = f"{LATENCY}_count"


@dataclass(frozen=True, slots=True)
class Shape:
    """``target``: how many times faster than Debian's Prometheus the range query has to be.

    ``tolerance``: how far answers may differ, relatively.  ``shift_ms``: added to the instants, so that they and the
    steps of a subquery never meet on the edge of its window, which Prometheus 2.x counts in.
    """

    name: str
    text: str
    target: float = 1
    tolerance: float = 1e-9
    shift_ms: int = 0


def dashboard() -> tuple[Shape, ...]:
    ratio = f'sum(rate({RESPONSES}{{status=~"5.."}}[5m])) / sum(rate({RESPONSES}[5m]))'
    return (
        Shape("q1", f"sum(rate({_COUNT}[5m]))", target=10),
        Shape("q2", f"histogram_quantile(0.95, sum by (le) (rate({_BUCKETS}[5m])))", target=20),
        Shape("q3", f"histogram_quantile(0.95, sum by (le, view) (rate({_BUCKETS}[5m])))", target=18),
        Shape("q4", f"topk(5, sum by (view) (rate({_COUNT}[5m])))", target=12),
        Shape("q5", ratio, target=15),
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
