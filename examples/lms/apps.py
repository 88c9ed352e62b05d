from django.apps import AppConfig


class LmsConfig(AppConfig):
    name = "examples.lms"
    label = "lms"
