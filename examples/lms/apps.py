from django.apps import AppConfig


class LmsConfig(AppConfig):
    name = "examples.lms"
    label = "lms"

    def ready(self) -> None:
        from examples.lms import exams, receivers  # noqa: F401 connects the receivers
