from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "examples.reporting"
    label = "reporting"

    def ready(self) -> None:
        from examples.reporting import receivers  # noqa: F401 connects the receivers
