"""The exporter of spans that the environment asks for: OTLP over HTTP, or over gRPC."""

from __future__ import annotations

import os

from opentelemetry.sdk.trace.export import SpanExporter

from opsconsole_exporters.log import log

HTTP, GRPC = "http/protobuf", "grpc"


def wanted() -> bool:
    """Whether the environment names an OTLP endpoint and does not choose another exporter, or none."""
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return bool(endpoint) and os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() == "otlp"


def protocol() -> str:
    """``OTEL_EXPORTER_OTLP_TRACES_PROTOCOL``, else ``OTEL_EXPORTER_OTLP_PROTOCOL``, else HTTP; what we cannot is HTTP too."""
    told = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or HTTP
    told = told.strip().lower()
    if told in {HTTP, GRPC}:
        return told
    log.warning(f"OTEL_EXPORTER_OTLP_PROTOCOL is {told!r}: give {HTTP} or {GRPC}; traces go over {HTTP}")
    return HTTP


def exporter() -> SpanExporter:
    """Made in the process that exports: connections do not survive a fork.  Raises ``ImportError`` with the fix."""
    if protocol() == HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    try:
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter
    except ImportError as error:
        raise ImportError(
            "OTLP over gRPC needs a package: pip install 'opsconsole-exporters[grpc]', "
            f"or set OTEL_EXPORTER_OTLP_PROTOCOL={HTTP}"
        ) from error
    return trace_exporter.OTLPSpanExporter()
