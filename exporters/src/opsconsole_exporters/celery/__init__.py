"""Celery: what tasks do (counted in the worker), when they were published, and which workers live."""

try:
    import celery as _celery  # noqa: F401
except ImportError as error:
    raise ImportError(
        "opsconsole_exporters.celery needs celery; pip install 'opsconsole-exporters[celery]'", name="celery"
    ) from error

from opsconsole_exporters.celery.installation import install_celery

__all__ = ["install_celery"]
