"""gunicorn: two processes that speak ASGI.  Bind address and paths come from the command line."""

from __future__ import annotations

from opsconsole_exporters.gunicorn import child_exit, post_fork, post_worker_init, when_ready

__all__ = ["child_exit", "post_fork", "post_worker_init", "when_ready"]  # gunicorn calls them by these names

worker_class = "uvicorn.workers.UvicornWorker"
workers = 2
graceful_timeout = 3
timeout = 60
keepalive = 75
control_socket_disable = (
    True  # it would lie in the home folder, one for all demos of a user, and nobody here talks to it
)
