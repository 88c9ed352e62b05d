"""How the documentation is built."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

project = "openedx-event-bus-kafka"
copyright = "Open edX contributors, AGPL-3.0"
release = re.findall(r'^__version__ = "(.+)"$', (ROOT / "event_bus_kafka/__init__.py").read_text(), re.MULTILINE)[0]

nitpicky = True
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "The Kafka event bus of Open edX"}
