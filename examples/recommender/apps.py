from django.apps import AppConfig


class RecommenderConfig(AppConfig):
    name = "examples.recommender"
    label = "recommender"

    def ready(self) -> None:
        from examples.recommender import receivers  # noqa: F401 connects the receivers
