"""Profiles: the same definitions at the speed of production, or of a demo that must fire within a coffee."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Profile:
    """``window`` is the rate range of every signal; ``speed`` divides every hold and keep time.

    Scaled durations are rounded up to whole ``evaluation`` intervals, because a rule cannot hold for less.
    """

    name: str
    scrape: timedelta
    evaluation: timedelta
    window: timedelta
    speed: int

    def scale(self, duration: timedelta) -> timedelta:
        ticks = -(-duration // (self.evaluation * self.speed))
        return ticks * self.evaluation


PRODUCTION = Profile(
    name="production",
    scrape=timedelta(seconds=15),
    evaluation=timedelta(seconds=15),
    window=timedelta(minutes=5),
    speed=1,
)
DEMO = Profile(
    name="demo",
    scrape=timedelta(seconds=2),
    evaluation=timedelta(seconds=2),
    window=timedelta(seconds=20),
    speed=30,
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (PRODUCTION, DEMO)}
