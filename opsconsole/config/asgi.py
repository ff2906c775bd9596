"""The ASGI application: pages and API over HTTP, live frames over WebSockets."""

from __future__ import annotations

import django
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

django.setup(set_prefix=False)  # before the routes, whose consumer imports models

from opsconsole.config.handler import Handler  # noqa: E402
from opsconsole.live.routing import websocket_urlpatterns  # noqa: E402

http = Handler()
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
