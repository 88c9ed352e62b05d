"""OpenTelemetry's API, if it is installed, and the tracer of the provider that the service has set."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module

from event_bus_kafka.telemetry.tracing.conventions import SCHEMA_URL

try:
    from opentelemetry import context, trace
    from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER
except ImportError:
    context = trace = None  # type: ignore[assignment]
    _has_api = _is_named = False
else:
    _has_api = True
    _is_named = OTEL_PYTHON_TRACER_PROVIDER in os.environ  # the API then creates the provider at its first use

__all__ = ["context", "current_tracer", "is_recording", "is_tracing", "trace"]


def current_tracer() -> trace.Tracer | None:
    """
    Return this package's tracer; None if the API is not installed, or if the service has not set a provider yet.

    A service may set its provider at any time.
    """
    return _tracer_of(trace.get_tracer_provider()) if is_tracing() else None


def is_recording() -> bool:
    """Return whether the current span is recorded. Spans inside of an unrecorded span are useless."""
    return is_tracing() and trace.get_current_span().is_recording()


def _has_provider() -> bool:
    return trace._TRACER_PROVIDER is not None


def _may_have_provider() -> bool:
    return True


is_tracing: Callable[[], bool] = bool
"""
Returns whether spans may be wanted. The function must be fast, because it is called twice for each event. Therefore it
reads a private name of OpenTelemetry's API, while the API's ``get_tracer_provider`` would read environment variables.
Without the API this function is ``bool``, the fastest function that returns False.
"""
if _has_api:
    is_tracing = _has_provider if hasattr(trace, "_TRACER_PROVIDER") and not _is_named else _may_have_provider


@lru_cache(maxsize=1)
def _tracer_of(provider: trace.TracerProvider) -> trace.Tracer:
    package = import_module("event_bus_kafka")  # importing the package by name would look like importing all of it
    return provider.get_tracer(package.__name__, package.__version__, SCHEMA_URL)
