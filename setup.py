"""How this package is built and what it needs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
(VERSION,) = re.findall(r'^__version__ = "(.+)"$', (ROOT / "event_bus_kafka/__init__.py").read_text(), re.MULTILINE)
PLUGIN = ["event_bus_kafka = event_bus_kafka.apps:EventBusKafkaConfig"]

setup(
    name="openedx-event-bus-kafka",
    version=VERSION,
    description="The Kafka event bus of Open edX: no event lost, none sent for a rolled-back transaction",
    long_description=(ROOT / "README.rst").read_text(),
    long_description_content_type="text/x-rst",
    license="AGPL-3.0",
    packages=find_packages(include=["event_bus_kafka", "event_bus_kafka.*"]),
    package_data={
        "event_bus_kafka": ["py.typed", "static/event_bus_kafka/*", "templates/admin/event_bus_kafka/*"],
    },
    python_requires=">=3.11",
    install_requires=[
        "Django>=5.2,<6.2",
        "attrs>=23.1",
        "confluent-kafka[schemaregistry]>=2.16,<3",
        "edx-django-utils>=5.15",
        "fastavro>=1.9,<2",
        "openedx-events>=9.15,<12",
    ],
    extras_require={
        "opentelemetry": ["opentelemetry-api>=1.25,<2"],
        "prometheus": ["prometheus-client>=0.20"],
        # to judge schemas without a registry: event_schemas check --against, and the sandbox's registry
        "schemas": ["avro>=1.12,<2"],
    },
    entry_points={
        "lms.djangoapp": PLUGIN,
        "cms.djangoapp": PLUGIN,
        "pytest11": ["event_bus_kafka = event_bus_kafka.testing.plugin"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
