"""The ``opsconsole`` command.

Options become environment variables before Django reads its settings, so that a flag, a variable and a container's
environment are one way to configure, and the flag wins.
"""

from __future__ import annotations

import argparse
import os
import sys

from opsconsole import __version__

from .commands import access, generate, serve
from .error import StartError

_ENVIRONMENT = """\
environment:
  OPSCONSOLE_DATA_DIR      records, telemetry and secret key (default .opsconsole)
  OPSCONSOLE_URL           how people reach the console; links begin with it
  OPSCONSOLE_TARGETS       what to scrape: job=http://host:port/metrics, comma between
  OPSCONSOLE_PROFILE       production or demo
  OPSCONSOLE_API_TOKEN     a token for scripts and for pushing telemetry
  OPSCONSOLE_WEBHOOK_URL   where alerts are posted (Alertmanager v4 JSON)
  OPSCONSOLE_WEBHOOK_SECRET  signs them
  TELEMETRY_URL            clickhouse://user:password@host:port/database instead of the embedded engine
  DATABASE_URL, REDIS_URL  PostgreSQL and Redis instead of SQLite and memory
"""


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="opsconsole",
        description="The operations console that knows Django.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"opsconsole {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    for module in (serve, access, generate):
        module.register(commands)
    return root


def main(argv: list[str] | None = None) -> None:
    arguments = parser().parse_args(argv)
    if data_dir := getattr(arguments, "data_dir", None):
        os.environ["OPSCONSOLE_DATA_DIR"] = data_dir
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opsconsole.config.settings")
    try:
        sys.exit(arguments.run(arguments))
    except StartError as error:
        sys.exit(f"opsconsole: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
