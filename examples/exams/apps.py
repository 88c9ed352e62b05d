from django.apps import AppConfig


class ExamsConfig(AppConfig):
    name = "examples.exams"
    label = "exams"

    def ready(self) -> None:
        from examples.exams import receivers  # noqa: F401 connects the receivers
