"""A receiver that runs under ``once()``."""

from functools import partial
from typing import Any

from django.db import transaction
from openedx_events.learning.data import CertificateData

from event_bus_kafka import once
from tests.projects.certificates.apps import say


@once
def award(certificate: CertificateData, **_: Any) -> None:
    """Print a line after the receiver's transaction has committed."""
    transaction.on_commit(partial(say, "award", user=certificate.user.id))
