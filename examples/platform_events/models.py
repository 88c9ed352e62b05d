"""
Contains no models. Django imports the models modules of all apps before the first app's ``ready``. So this module is
the place to import the signals early.

openedx-events reads ``EVENT_BUS_PRODUCER_CONFIG`` when its own app becomes ready. A sending service whose signals are
unknown at this moment does not start ("No OpenEdxPublicSignal of type …"). A consuming service would start and skip
their records. Signals imported here are known early enough at any position of the app in ``INSTALLED_APPS``. Signals
imported in ``AppConfig.ready`` would be known early enough only if the app preceded ``openedx_events``.
"""

from __future__ import annotations

from examples.platform_events import signals  # noqa: F401
