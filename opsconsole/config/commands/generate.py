"""``opsconsole generate``: the files that are derived from the definitions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alerts.profile import PRODUCTION, PROFILES


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "generate",
        help="write Grafana boards, Prometheus rules, their tests and the table of metrics from the definitions",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and list the files that differ")
    parser.add_argument("--profile", choices=sorted(PROFILES), default=PRODUCTION.name, help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="the folder that holds alerts/, dashboards/ and docs/"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from dashboards import generate  # late: grafanalib is slow to import and no other command wants it

    profile = PROFILES[arguments.profile]
    if arguments.check:
        differing = generate.drift(arguments.out, profile)
        for name in differing:
            print(f"{name} is not what the definitions say; run: opsconsole generate", file=sys.stderr)
        return 1 if differing else 0
    for path in generate.write(arguments.out, profile):
        print(path)
    return 0
