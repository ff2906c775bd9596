"""The commands: ``up`` runs everything, ``fault`` shows or moves a switch of the demo that runs."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import redis

from .faults.switches import Fault, connect
from .supervisor.datadir import DEFAULT_DATA_DIR, DataDir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line on stderr."""
    parser = _parser()
    given = parser.parse_args(arguments)
    data_dir = DataDir(given.data_dir.resolve())
    if given.command == "fault":
        return _fault(data_dir, given.name, given.state)
    # Late: moving a switch needs nothing of this and should be quick.
    from .supervisor.plan import Options
    from .supervisor.run import up

    options = Options(
        data_dir=data_dir,
        console_port=None if given.no_console else given.port,
        shop_port=given.shop_port,
        webhook_url=given.webhook_url,
    )
    if given.console_command:
        options = replace(options, console_command=tuple(shlex.split(given.console_command)))
    return up(options, as_json=given.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo_app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="where all state lives")

    start = commands.add_parser("up", parents=[shared], help="start everything; Ctrl-C ends it")
    start.add_argument("--port", type=int, default=8000, help="the console's port (8000)")
    start.add_argument("--shop-port", type=int, help="the shop's port (a free one)")
    start.add_argument("--no-console", action="store_true", help="run the shop alone")
    start.add_argument("--console-command", help="what to run as the console instead of 'python -m opsconsole'")
    start.add_argument("--webhook-url", default="", help="where the console posts alerts")
    start.add_argument("--json", action="store_true", help="when up, print one line of JSON instead of the summary")

    fault = commands.add_parser("fault", parents=[shared], help="list the faults, or switch one on or off")
    fault.add_argument("name", nargs="?", choices=[fault.value for fault in Fault])
    fault.add_argument("state", nargs="?", choices=["on", "off"])
    return parser


def _fault(data_dir: DataDir, name: str | None, state: str | None) -> int:
    run = data_dir.read_run()
    if run is None:
        return _fail(f"no demo runs on {data_dir.root}: start one with 'make demo', or give its --data-dir")
    switches = connect(run["valkey_faults_url"])
    try:
        if name and state:
            switches.set(Fault(name), on=state == "on")
        on = switches.read()
    except redis.RedisError:
        return _fail(f"the demo on {data_dir.root} does not answer any more: start it again with 'make demo'")
    for fault in [Fault(name)] if name else Fault:
        print(f"{fault.value:<16} {'on' if fault in on else 'off':<4} {fault.effect}")
    return 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1
