from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    name = "examples.discovery"
    label = "discovery"

    def ready(self) -> None:
        from examples.discovery import receivers  # noqa: F401 connects the receivers
