"""Emits events. The name of an emission has three parts: its place, its mode and its case."""

from django.utils import translation
from edx_django_utils.cache import RequestCache
from openedx_events.learning.signals import CERTIFICATE_CREATED, CERTIFICATE_REVOKED

from tests.support.examples_of import certificate

_SIGNALS = {"outbox": CERTIFICATE_CREATED, "on-commit": CERTIFICATE_REVOKED}


def emit(name: str) -> None:
    """Emit an event with this name. The middle part of the name is the mode."""
    before = _request_state()
    _SIGNALS[name.split("/")[1]].send_event(certificate=certificate(7, name=f"<{name}>"))
    assert _request_state() == before, "an emission leaves a request's language and cache alone"


def _request_state() -> tuple[str | None, dict[str, object]]:
    return translation.get_language(), dict(RequestCache("lms_like").data)
