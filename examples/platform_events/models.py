"""
Contains no models: Django imports the models modules of all apps before the first app's ``ready``, so this one imports
the signals early.

openedx-events reads ``EVENT_BUS_PRODUCER_CONFIG`` when its own app becomes ready. A sending service whose signals are
unknown at this moment does not start ("No OpenEdxPublicSignal of type …"); a consuming service would start and skip
their records. Imported here, the signals are known early enough at any position of the app in ``INSTALLED_APPS``.
Imported in ``AppConfig.ready``, they would be known early enough only if the app came before ``openedx_events``.
"""

from __future__ import annotations

from examples.platform_events import signals  # noqa: F401
