"""Our own log lines: they go where the host's logging sends them, whether or not the host uses structlog."""

from __future__ import annotations

import logging

import structlog

# The processor is given here, so that neither a structlog that nobody has configured (it would print to standard output,
# with local variables in tracebacks) nor one that somebody has configured otherwise decides about it.
log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("opsconsole_exporters"),
    processors=[structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)
