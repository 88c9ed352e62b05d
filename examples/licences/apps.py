from django.apps import AppConfig


class LicencesConfig(AppConfig):
    name = "examples.licences"
    label = "licences"

    def ready(self) -> None:
        from examples.licences import receivers  # noqa: F401 connects the receivers
