"""
No models: this module exists because Django imports the models of all apps before the first app is ready.

openedx-events looks through ``EVENT_BUS_PRODUCER_CONFIG`` when its own app is ready, and a service whose signals it
does not know by then does not start ("No OpenEdxPublicSignal of type …"). A consuming service would start, and skip
their records. Imported from here, the signals are known in time wherever the app stands in ``INSTALLED_APPS``.
Imported in ``AppConfig.ready``, they would be known in time only if the app stood before ``openedx_events``.
"""

from __future__ import annotations

from examples.platform_events import signals  # noqa: F401
