"""A service as a user would write it; the tests start it with real servers and watch it."""

from watched.celery import app as celery_app

__all__ = ["celery_app"]
