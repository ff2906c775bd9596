"""OpsConsole: the operations console that knows Django."""

__version__ = "0.1.0"
