from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    name = "examples.credentials"
    label = "credentials"

    def ready(self) -> None:
        from examples.credentials import receivers  # noqa: F401 connects the receivers
