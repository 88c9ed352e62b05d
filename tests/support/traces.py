"""
``python -m tests.support.traces PACKAGE`` prints as JSON the spans that a monitoring package records for two events.

Each package needs a separate process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Thread
from typing import Any

import django
from django.conf import settings

import test_settings

Spans = list[dict[str, Any]]
"""
A list of spans. Each span has the keys ``id``, ``parent``, ``name``, ``attributes`` and ``errors``, which is the number
of the span's errors.
"""
Package = tuple[str, Callable[[str], AbstractContextManager[Any]], Callable[[], Spans]]
"""
The parts of a monitoring package: its backend of edx-django-utils, a function that opens a span, and a function that
returns the ended spans.
"""


def opentelemetry() -> Package:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    def ended() -> Spans:
        return [
            _span(one.context.span_id, one.parent and one.parent.span_id, one.name, one.attributes, len(one.events))
            for one in exporter.get_finished_spans()
        ]

    return "OpenTelemetryBackend", trace.get_tracer(__name__).start_as_current_span, ended


def ddtrace() -> Package:
    from ddtrace.trace import TraceFilter, tracer

    found: list[Any] = []

    class Keep(TraceFilter):  # type: ignore[misc]
        def process_trace(self, trace: list[Any]) -> None:
            found.extend(trace)

    tracer.configure(trace_processors=[Keep()])

    def ended() -> Spans:
        return [
            _span(
                one.span_id,
                one.parent_id,
                one.resource,
                one.get_tags() | one.get_metrics(),
                int("error.type" in one.get_tags()),
            )
            for one in found
        ]

    return "DatadogBackend", tracer.trace, ended


def ddtrace_as_provider() -> Package:
    """Return the parts of ddtrace as an implementation of OpenTelemetry's API."""
    os.environ |= {"DD_TRACE_OTEL_ENABLED": "true", "OTEL_PYTHON_CONTEXT": "ddcontextvars_context"}  # as Datadog has it
    from ddtrace.opentelemetry import TracerProvider
    from opentelemetry import trace

    trace.set_tracer_provider(TracerProvider())
    return ddtrace()


def newrelic() -> Package:
    from newrelic import agent

    known = agent.global_settings()
    known.developer_mode, known.license_key, known.app_name = True, "none", "tests"  # connects to no server
    agent.initialize()
    application = agent.register_application(timeout=30)

    def ended() -> Spans:
        spans = application._agent.application("tests")._stats_engine.span_events.samples
        return [
            _span(
                own["guid"],
                own.get("parentId"),
                own["name"].removeprefix("Function/"),
                users,
                int("error.class" in more),
            )
            for own, users, more in spans
        ]

    return "NewRelicBackend", agent.FunctionTrace, ended


def _span(number: Any, parent: Any, name: str, attributes: Any, errors: int) -> dict[str, Any]:
    return {"id": number, "parent": parent, "name": name, "attributes": dict(attributes), "errors": errors}


def main(package: str) -> None:
    """
    Process two records in a thread, as a lane does, and print the spans. The receiver succeeds for the first record and
    fails for the second record.
    """
    packages = {
        "opentelemetry": opentelemetry,
        "ddtrace": ddtrace,
        "ddtrace-as-provider": ddtrace_as_provider,
        "newrelic": newrelic,
    }
    backend, span, ended = packages[package]()
    known = {name: getattr(test_settings, name) for name in dir(test_settings) if name.isupper()}
    settings.configure(**known | {"OPENEDX_TELEMETRY": [f"edx_django_utils.monitoring.{backend}"]})
    django.setup()
    from tests.support.traced import attempts  # needs a configured Django

    thread = Thread(target=attempts, args=(span,))
    thread.start()
    thread.join()
    print(json.dumps(ended()))


if __name__ == "__main__":
    main(sys.argv[1])
