from django.apps import AppConfig


class CmsConfig(AppConfig):
    name = "examples.cms"
    label = "cms"
