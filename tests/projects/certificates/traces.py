"""A service that exports its traces. A process starts the export when it imports this module."""

import json
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from openedx_events.learning.data import CertificateData
from openedx_events.learning.signals import CERTIFICATE_CREATED
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from tests.projects.certificates.apps import say
from tests.support.examples_of import certificate


def export_traces(exporter: SpanExporter) -> None:
    """
    Export the spans of this process to ``exporter``. An app calls this function once per process, for example in
    ``ready()``.
    """
    provider = TracerProvider(resource=Resource.create({"service.name": "certificates"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _as_said(span: ReadableSpan) -> str:
    return json.dumps({"what": "span"} | json.loads(span.to_json())) + "\n"


export_traces(ConsoleSpanExporter(formatter=_as_said))


def award(request: HttpRequest) -> HttpResponse:
    """Emit an event inside a span, like a view of an instrumented Django."""
    with trace.get_tracer("web").start_as_current_span("GET /award"), transaction.atomic():
        CERTIFICATE_CREATED.send_event(certificate=certificate(7))
    return HttpResponse()


urlpatterns = [path("award", award)]


def arrive(certificate: CertificateData, from_event_bus: bool = False, **_: Any) -> None:
    """Print that an event arrived, and the id of the current span."""
    if from_event_bus:
        context = trace.get_current_span().get_span_context()
        say("arrive", user=certificate.user.id, span=f"0x{context.span_id:016x}")
