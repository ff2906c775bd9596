from __future__ import annotations

import io

from demo_app.supervisor.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_without_a_terminal_each_event_is_a_plain_line_and_a_long_wait_is_recalled() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(out, clock=clock)
    progress.queued("web", ("postgres",))
    progress.starting("web", "a page answers")
    for _ in range(12):
        clock.now_s += 0.5
        progress.tick()
    progress.ready("web")
    progress.close()
    assert out.getvalue().splitlines() == [
        "web            starting, waits until a page answers",
        "web            still waits until a page answers (5 s)",
        "web            ready after 6.0 s",
    ]


def test_on_a_terminal_each_part_keeps_its_line_and_is_redrawn_in_place() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out, clock=clock)
    progress.queued("postgres", ())
    progress.queued("web", ("postgres",))
    progress.starting("postgres", "it accepts connections")
    progress.tick()
    assert "after postgres" in out.getvalue()
    assert "waits until it accepts connections (0 s)" in out.getvalue()
    clock.now_s += 2
    progress.failed("postgres")
    progress.close()
    assert out.getvalue().count("\x1b[2F") == 1
    assert "failed" in out.getvalue().rpartition("\x1b[2F")[2]
