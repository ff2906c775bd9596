"""One process: the door, daphne's server and our services on one event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

# daphne installs Twisted's asyncio reactor on a loop of its own when it is imported; that loop is the process' loop.
from daphne.server import Server, twisted_loop

from .door import BACKLOG, Door
from .error import StartError

if TYPE_CHECKING:
    from .handler import Handler  # needs Django set up, which comes after the port is bound


class Service(Protocol):
    """Something that runs while the server runs."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Return when nothing of it runs any more and nothing accepted is lost."""
        ...


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening socket, taken before anything else starts so that a taken port costs nothing.

    Raises ``StartError`` that names the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise StartError(
            f"cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}); choose another with --port"
        ) from None
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def run(
    application: Any, http: Handler, listener: socket.socket, services: tuple[Service, ...], ready: Callable[[], None]
) -> None:
    """Start the services in order, serve until SIGINT or SIGTERM, stop them in reverse order.

    ``http`` answers every request; ``application`` gets the WebSockets, from daphne.
    """
    asyncio.set_event_loop(twisted_loop)
    started: list[Service] = []

    async def start(daphne: Server) -> None:
        for service in services:
            await service.start()
            started.append(service)
        door = Door(http, listener, daphne)
        await door.start()
        started.append(door)

    async def stop() -> None:
        while started:
            await started.pop().stop()

    server = Server(
        application,
        endpoints=["none: connections come from the door"],
        ready_callable=ready,
        server_name="opsconsole",
        request_buffer_size=1 << 20,
        websocket_timeout=-1,
        verbosity=0,
    )
    server.endpoints.clear()  # its constructor insists on one
    try:
        twisted_loop.run_until_complete(start(server))
        server.run()
    finally:
        twisted_loop.run_until_complete(stop())
        listener.close()
