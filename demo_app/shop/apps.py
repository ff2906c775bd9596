from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "demo_app.shop"
    label = "shop"

    def ready(self) -> None:
        # Without it a web process would publish shared tasks by Celery's default app, to a broker that is not there.
        import demo_app.celery  # noqa: F401
