"""``opsconsole serve``: the console."""

from __future__ import annotations

import argparse
import os
import sys

from opsconsole.config.error import StartError


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="run the console")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s); with another, set OPSCONSOLE_URL to the one people type",
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data-dir", metavar="DIR", help="records and telemetry (default: .opsconsole)")
    parser.add_argument("--profile", help="production or demo: how fast to scrape and how long to hold")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="JOB=URL",
        help="what to scrape, e.g. web=http://127.0.0.1:8001/metrics; may be given many times",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.profile:
        os.environ["OPSCONSOLE_PROFILE"] = arguments.profile
    if arguments.target:
        os.environ["OPSCONSOLE_TARGETS"] = ",".join(arguments.target)

    from opsconsole.config.server import listen, run  # late, here and below: daphne and Django read the environment

    with listen(arguments.host, arguments.port) as listener:
        port = listener.getsockname()[1]
        url = f"http://{'127.0.0.1' if arguments.host in ('0.0.0.0', '::') else arguments.host}:{port}"  # noqa: S104  # nosec B104
        os.environ.setdefault("OPSCONSOLE_URL", url)

        import django
        from django.core.management import call_command

        from opsconsole.config.logging import configure_logging

        configure_logging()
        django.setup()
        from opsconsole.config import env
        from opsconsole.config.wiring import build

        graph = build()  # takes the data folder before anything is written to it
        with graph.stores:
            try:
                call_command("migrate", verbosity=0, interactive=False)
            except Exception as error:
                raise StartError(f"the records at DATABASE_URL cannot be opened: {error}") from error
            env.URL_FILE.write_text(env.PUBLIC_URL)
            from opsconsole.config import urls  # noqa: F401 - a view that does not import stops the start, not the visitor
            from opsconsole.config.asgi import application, http

            run(application, http, listener, graph.services, lambda: _say_ready(url))
    return 0


def _say_ready(url: str) -> None:
    print(f"OpsConsole listens on {url}  (a link to sign in: opsconsole sign-in-link)", file=sys.stderr, flush=True)
