"""A plugin of Open edX. Because of its entry point, the project installs it as an app with receivers and URLs."""

from typing import Any, ClassVar

from django.apps import AppConfig
from edx_django_utils.plugins import connect_plugin_receivers


class PluginConfig(AppConfig):
    name = "tests.projects.lms_like.plugin"
    plugin_app: ClassVar[dict[str, Any]] = {
        "url_config": {"lms.djangoapp": {"relative_path": "urls", "regex": "^"}},
        "signals_config": {
            "lms.djangoapp": {
                "relative_path": "receivers",
                "receivers": [
                    {
                        "receiver_func_name": "announce",
                        "signal_path": "django.db.models.signals.post_save",
                        "sender_path": "tests.projects.lms_like.courseware.models.Certificate",
                    }
                ],
            }
        },
    }

    def ready(self) -> None:
        """Connect the receivers of plugins. In the LMS, an app of the LMS connects them."""
        connect_plugin_receivers("lms.djangoapp")
