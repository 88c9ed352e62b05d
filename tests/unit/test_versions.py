"""The versions in the documentation and in setup.py equal the versions that the test environments install."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.version import Version

import event_bus_kafka
from tests.services.downloads import KAFKA_VERSION

ROOT = Path(event_bus_kafka.__file__).parent.parent
SETUP = (ROOT / "setup.py").read_text()


def environments() -> Iterator[tuple[str, str, str]]:
    """Yield the name, the Python version and the pins of each test environment."""
    yield "make test", "3.12", "py312/dev.txt"
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    pins = dict(re.findall(r"^(\w+): -c requirements/(.+)$", tox["testenv"]["deps"], re.MULTILINE))
    for name in tox["tox"]["env_list"].split():
        python, factor = name.split("-")
        yield name, re.sub(r"py(\d)(\d+)", r"\1.\2", python), pins[factor]


ENVIRONMENTS = list(environments())


def documented() -> dict[str, dict[str, str]]:
    """Return the rows of the table in docs/versions.rst. The keys are the names of the environments."""
    table = re.findall(r"^   (?::header: )?(.+,.+)$", (ROOT / "docs/versions.rst").read_text(), re.MULTILINE)
    names, *rows = csv.reader(table, skipinitialspace=True)
    return {row[0].strip("`"): dict(zip(names, row, strict=True)) for row in rows}


def pinned(pins: str) -> dict[str, Version]:
    found = re.findall(r"^([a-z-]+)==(\S+)", (ROOT / "requirements" / pins).read_text(), re.MULTILINE)
    return {name: Version(version) for name, version in found}


def classified(name: str) -> set[str]:
    return set(re.findall(rf'"{name} :: (\d\.\d+)"', SETUP))


def test_the_table_of_versions_lists_exactly_the_test_environments() -> None:
    assert documented().keys() == {name for name, *_ in ENVIRONMENTS}


@pytest.mark.parametrize(("name", "python", "pins"), ENVIRONMENTS)
def test_the_table_of_versions_equals_the_pins_of_an_environment(name: str, python: str, pins: str) -> None:
    row, installed = documented()[name], pinned(pins)
    for package in ("Django", "openedx-events", "confluent-kafka", "edx-event-bus-kafka"):
        version = installed.get(package.lower())
        assert row[package] == (f"{version.major}.{version.minor}" if version else "–"), package
    assert row["Python"] == python
    kafka = KAFKA_VERSION.rpartition(".")[0] if "edx-event-bus-kafka" in installed else "the sandbox"
    assert row["Kafka"] == kafka


def test_the_tested_versions_are_named_in_the_classifiers_of_the_package() -> None:
    rows = documented().values()
    assert classified("Programming Language :: Python") == {row["Python"] for row in rows}
    assert classified("Framework :: Django") == {row["Django"] for row in rows}


def test_every_lower_bound_of_a_dependency_is_installed_by_a_test_environment() -> None:
    installed = pinned("lowest.txt")
    bounds = dict(re.findall(r'"([\w-]+)(?:\[\w+\])?>=([\d.]+)', SETUP))
    assert {name: installed[name.lower()] for name in bounds} == {
        name: Version(bound) for name, bound in bounds.items()
    }
    assert f'python_requires=">={documented()["py311-lowest"]["Python"]}"' in SETUP
    assert len(bounds) == len(re.findall(r'"[\w-]+(?:\[\w+\])?[<>=]', SETUP))
