from django.apps import AppConfig


class EnterpriseCatalogConfig(AppConfig):
    name = "examples.enterprise_catalog"
    label = "enterprise_catalog"

    def ready(self) -> None:
        from examples.enterprise_catalog import receivers  # noqa: F401 connects the receivers
