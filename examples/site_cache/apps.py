from django.apps import AppConfig


class SiteCacheConfig(AppConfig):
    name = "examples.site_cache"
    label = "site_cache"

    def ready(self) -> None:
        from examples.site_cache import receivers  # noqa: F401 connects the receivers
