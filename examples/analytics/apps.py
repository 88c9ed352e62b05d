from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "examples.analytics"
    label = "analytics"

    def ready(self) -> None:
        from examples.analytics import receivers  # noqa: F401 connects the receivers
