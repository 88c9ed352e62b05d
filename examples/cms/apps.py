from django.apps import AppConfig


class CmsConfig(AppConfig):
    name = "examples.cms"
    label = "cms"

    def ready(self) -> None:
        from examples.cms import receivers  # noqa: F401 connects the receivers
