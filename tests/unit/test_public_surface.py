"""
The public names of the package are exactly the listed names. Importing the package or its pytest plugin loads neither
Django nor Kafka's client.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import event_bus_kafka
from event_bus_kafka import testing


def test_the_public_names_are_exactly_those_of_this_list() -> None:
    assert event_bus_kafka.__all__ == [
        "KafkaEventConsumer",
        "RowsByPk",
        "__version__",
        "backfill_source",
        "create_producer",
        "is_replay",
        "once",
        "record_deleted",
        "send_tombstone",
    ]
    assert all(hasattr(event_bus_kafka, name) for name in event_bus_kafka.__all__)


def test_an_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = event_bus_kafka.nothing


def test_importing_the_package_imports_neither_kafka_nor_django() -> None:
    code = "import sys, event_bus_kafka; print({'confluent_kafka', 'django'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"


def test_the_changelog_contains_the_version_of_the_package() -> None:
    changelog = Path(event_bus_kafka.__file__).parent.parent / "CHANGELOG.rst"
    assert event_bus_kafka.__version__ in changelog.read_text()


def test_loading_the_pytest_plugin_imports_neither_django_nor_kafka() -> None:
    code = (
        "import sys, event_bus_kafka.testing.plugin; "
        "print({'attrs', 'confluent_kafka', 'django', 'openedx_events'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"


def test_the_public_names_of_the_testing_kit_can_be_imported() -> None:
    assert all(getattr(testing, name).__name__ == name for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing
