"""``opsconsole-exporter``: serves ``/metrics`` for what has no web server of its own, or lives outside the service.

A sub-command for each: Celery workers, PgBouncer, PostgreSQL, and the vector columns of a database.  It answers when what
it watches has stopped, which is when its page matters.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from opsconsole_exporters import __version__
from opsconsole_exporters.multiprocess import VARIABLE
from opsconsole_exporters.server import Server

if TYPE_CHECKING:
    from celery import Celery
    from prometheus_client.registry import Collector

    from opsconsole_exporters.postgres.collector import Subject

PROGRAM = "opsconsole-exporter"
BEARER_NOTE = "OPSCONSOLE_METRICS_TOKEN, if set, is the bearer token that a scraper must send."

# A port each, so that all can run on one machine as they are; those of PgBouncer and PostgreSQL are the ones their
# well-known exporters have.
PORTS = {"celery": 9101, "pgbouncer": 9127, "postgres": 9187, "vector": 9102}

Make = Callable[[argparse.Namespace], "Sequence[Collector]"]


class SidecarError(Exception):
    """One line that says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C.  Exits 0 then, 1 if it cannot start, 2 for a wrong command line.

    ``check-prices`` serves nothing: it exits 0 for a good table, 1 for one with something wrong in it.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.act(arguments)
    except SidecarError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    return 0


def serve(arguments: argparse.Namespace) -> None:
    """Listen first, so that a port in use is told before anything is imported."""
    host, make = arguments.host, arguments.make
    _choose_directory(arguments)
    try:
        server = Server(host, arguments.port)
    except OSError as error:
        raise SidecarError(
            f"cannot listen on {host}:{arguments.port}: {error.strerror}; see --host and --port"
        ) from error
    with server:
        _prepare(server, make, arguments)
        signal.signal(signal.SIGTERM, _stop)
        sys.stdout.write(f"{PROGRAM} serves http://{host}:{server.server_port}/metrics\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except (KeyboardInterrupt, SystemExit):
            return


def check_prices(arguments: argparse.Namespace) -> None:
    from opsconsole_exporters.llm.pricecheck import check, summary

    today = datetime.now(UTC).date()
    if wrong := list(check(arguments.file, today)):
        raise SidecarError(f"\n{PROGRAM}: ".join(wrong))
    sys.stdout.write(f"{summary(arguments.file, today)}\n")


def celery(arguments: argparse.Namespace) -> Sequence[Collector]:
    if arguments.app is None:
        return ()
    app = load_app(arguments.app)
    from opsconsole_exporters.celery.management import Management, ManagementError
    from opsconsole_exporters.queues import QueueCollector, QueueSampler

    try:
        management = Management.read(os.environ)
    except ManagementError as error:
        raise SidecarError(str(error)) from None
    return (QueueCollector(QueueSampler(app, management=management)),)


def pgbouncer(_: argparse.Namespace) -> Sequence[Collector]:
    _need_psycopg("pgbouncer")
    from opsconsole_exporters.postgres.pgbouncer import SUBJECT

    return _servers(SUBJECT, "OPSCONSOLE_PGBOUNCER_DSN")


def postgres(_: argparse.Namespace) -> Sequence[Collector]:
    _need_psycopg("postgres")
    from opsconsole_exporters.postgres.server import SUBJECT

    return _servers(SUBJECT, "OPSCONSOLE_POSTGRES_DSN")


def vector(arguments: argparse.Namespace) -> Sequence[Collector]:
    _need_psycopg("vector")
    from opsconsole_exporters.postgres.vector import Expectation, subject

    try:
        expectations = tuple(Expectation.parse(text) for text in arguments.expect)
    except ValueError as error:
        raise SidecarError(f"--expect: {error}") from None
    return _servers(subject(expectations), "OPSCONSOLE_VECTOR_DSN")


def load_app(name: str) -> Celery:
    """Import a Celery app as ``celery -A`` would, from the working directory too."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        from celery.app.utils import find_app
    except ImportError as error:
        raise SidecarError("celery --app needs celery; pip install 'opsconsole-exporters[celery]'") from error
    try:
        return find_app(name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise SidecarError(f"cannot import --app {name}: {reason}") from error


def _servers(subject: Subject, variable: str) -> Sequence[Collector]:
    from opsconsole_exporters.postgres.collector import ServerCollector
    from opsconsole_exporters.postgres.target import TargetError, targets

    try:
        return (ServerCollector(subject, targets(os.environ, variable)),)
    except TargetError as error:
        raise SidecarError(str(error)) from None


def _need_psycopg(command: str) -> None:
    try:
        import opsconsole_exporters.postgres  # noqa: F401 - says itself what is missing
    except ImportError as error:
        raise SidecarError(f"{command} needs psycopg; pip install 'opsconsole-exporters[postgres]'") from error


def _choose_directory(arguments: argparse.Namespace) -> None:
    """Settle whose metrics the page has beside those of the collectors."""
    if arguments.command != "celery":
        # A server's exporter has nothing to do with the processes of a service, even if it inherits their environment.
        os.environ.pop(VARIABLE, None)
    elif arguments.multiproc_dir is not None:
        # prometheus-client reads it when it is first imported, which happens after this.
        os.environ[VARIABLE] = str(arguments.multiproc_dir)
    elif arguments.app is None:
        raise SidecarError(f"nothing to serve: set {VARIABLE}, or give --app module:app, or both")


def _prepare(server: Server, make: Make, arguments: argparse.Namespace) -> None:
    """Import what the pages need; the first scrape should not pay for it."""
    from opsconsole_exporters import multiprocess
    from opsconsole_exporters.options import Options
    from opsconsole_exporters.service import service_name

    try:
        multiprocess.prepare()
    except OSError as error:
        raise SidecarError(f"cannot create {multiprocess.directory()}: {error.strerror}") from error
    options = Options.read()
    server.token = options.metrics_token
    server.collectors = make(arguments)
    if options.logs:
        from opsconsole_exporters.logs import configure_logging

        configure_logging(service_name(fallback=PROGRAM))


def _stop(*_: object) -> NoReturn:
    sys.exit(0)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 (any free one) to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve /metrics for what has no web server of its own, or lives outside the service.",
        epilog=f"{PROGRAM} COMMAND --help says more.  {BEARER_NOTE}",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_celery(commands)
    _add_server(commands, "pgbouncer", pgbouncer, "PgBouncer: its pools, clients, queues and limits", "pgbouncer")
    _add_server(commands, "postgres", postgres, "PostgreSQL: connections, locks, databases, slow statements", "shop")
    command = _add_server(commands, "vector", vector, "pgvector: vector columns, their indexes and tables", "shop")
    command.add_argument(
        "--expect",
        metavar="TABLE.COLUMN=DISTANCE",
        action="append",
        default=[],
        help="the distance by which a column is searched (l2, cosine, ip, l1, hamming, jaccard); may be repeated",
    )
    prices = commands.add_parser(
        "check-prices",
        help="check a table of prices of language models",
        description="Check a table of prices of language models: every field that is wrong, and how to put it right.",
    )
    prices.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="",
        help="the table, as JSON (default: the one that OPSCONSOLE_LLM_PRICES names, else the one that comes along)",
    )
    prices.set_defaults(act=check_prices)
    return parser


def _add_celery(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Celery workers: their tasks, and the length, age and workers of each queue"
    command = commands.add_parser(
        "celery",
        help=text,
        description=f"Serve /metrics for {text}.",
        epilog=(
            "OPSCONSOLE_RABBITMQ_MANAGEMENT_URL, for example http://monitor:secret@127.0.0.1:15672, adds what RabbitMQ does "
            f"not tell over AMQP: what workers hold, and ages.  {BEARER_NOTE}"
        ),
    )
    shared = os.environ.get(VARIABLE)
    command.add_argument(
        "-A", "--app", metavar="MODULE:APP", help="Celery app whose queues to watch, for example shop.celery:app"
    )
    command.add_argument(
        "--multiproc-dir",
        metavar="DIR",
        type=Path,
        default=Path(shared) if shared else None,
        help=f"directory that the workers share for their metrics (default: {VARIABLE})",
    )
    _add_address(command, "celery", celery)


def _add_server(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, make: Make, text: str, database: str
) -> argparse.ArgumentParser:
    variable = f"OPSCONSOLE_{name.upper()}_DSN"
    command = commands.add_parser(
        name,
        help=text,
        description=f"Serve /metrics for {text}.",
        epilog=(
            f"{variable} says whom to ask, for example postgresql://monitor:secret@127.0.0.1:5432/{database}; "
            f'{variable}_NAME adds another one, labelled server="name".  There is no option for it, because '
            f"everybody can read command lines.  {BEARER_NOTE}"
        ),
    )
    _add_address(command, name, make)
    return command


def _add_address(command: argparse.ArgumentParser, name: str, make: Make) -> None:
    command.add_argument("--port", type=_port, default=PORTS[name], help="port to listen on (default: %(default)s)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.set_defaults(act=serve, make=make)


if __name__ == "__main__":
    raise SystemExit(main())
