"""The service with WebSockets: a consumer of Channels, and below ``/raw/`` an application that knows no Channels."""

from watched.asgi import application as django_application

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer  # isort: skip - after Django's setup
from channels.routing import ProtocolTypeRouter, URLRouter  # isort: skip
from django.urls import path  # isort: skip
from opsconsole_exporters.django.websockets import WebSocketMetrics  # isort: skip


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "fail":
            raise ZeroDivisionError("on purpose")
        if text_data == "close":
            await self.close(4001)
            return
        await self.send(text_data)


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data)


class Refusing(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


async def raw(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": "raw"})


sockets = URLRouter(
    [
        path("echo/", Echo.as_asgi()),
        path("sync/", SyncEcho.as_asgi()),
        path("refuse/", Refusing.as_asgi()),
        path("raw/", WebSocketMetrics(raw)),
        path("both/", WebSocketMetrics(Echo.as_asgi())),
    ]
)
application = ProtocolTypeRouter({"http": django_application, "websocket": sockets})
