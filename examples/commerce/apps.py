from django.apps import AppConfig


class CommerceConfig(AppConfig):
    name = "examples.commerce"
    label = "commerce"

    def ready(self) -> None:
        from examples.commerce import receivers  # noqa: F401 connects the receivers
