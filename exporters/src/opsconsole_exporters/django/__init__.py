"""The Django app: ``"opsconsole_exporters.django"`` in ``INSTALLED_APPS`` is the whole installation."""

try:
    import django as _django  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"opsconsole_exporters.django needs {error.name}; pip install 'opsconsole-exporters[django]'", name=error.name
    ) from error
