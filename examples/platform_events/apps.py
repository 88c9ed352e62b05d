from django.apps import AppConfig


class PlatformEventsConfig(AppConfig):
    name = "examples.platform_events"
    label = "platform_events"
