"""Ids and schemas are asked for once; trouble is told apart and never waited for longer than agreed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from event_bus_kafka.errors import ConfigurationError, SchemaRegistryError
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.sandbox import Sandbox, SchemaRegistryServer
from event_bus_kafka.telemetry import counters
from event_bus_kafka.telemetry.events import RegistryFailed
from tests.silence import black_hole, dripping


@pytest.fixture
def server() -> Iterator[SchemaRegistryServer]:
    server = SchemaRegistryServer()
    server.start()
    yield server
    server.stop()


def client(
    url: str, *, register: bool = True, timeout: float = 5, rest: float = 0, clock: Any = None
) -> SchemaRegistry:
    options = {"url": url, "timeout": timeout, "max.retries": 0}
    more = {"clock": clock} if clock else {}
    return SchemaRegistry(options, timeout=timeout, register=register, rest=rest, **more)


def test_an_id_is_asked_for_once(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    first = registry.id_of("s", '"string"')
    server.stop()
    assert registry.id_of("s", '"string"') == first
    registry.close()


def test_a_schema_is_asked_for_once(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    schema_id = registry.id_of("s", '"string"')
    assert registry.schema_of(schema_id) == '"string"'
    server.stop()
    assert registry.schema_of(schema_id) == '"string"'
    registry.close()


def test_without_registering_an_unknown_schema_is_a_final_error(server: SchemaRegistryServer) -> None:
    registry = client(server.url, register=False)
    with pytest.raises(SchemaRegistryError) as caught:
        registry.id_of("s", '"string"')
    assert (caught.value.status, caught.value.retriable) == (404, False)
    server.store.register("s", '"string"')
    assert registry.id_of("s", '"string"') == 1
    registry.close()


def test_a_schema_that_the_registry_refuses_is_a_final_error(sandbox: Sandbox) -> None:
    registry = client(sandbox.schema_registry_url)
    with pytest.raises(SchemaRegistryError) as caught:
        registry.id_of("s", "no json")
    assert (caught.value.status, caught.value.retriable) == (422, False)
    assert "refuses the schema" in str(caught.value)
    registry.close()


def test_a_registry_that_is_away_is_a_passing_error() -> None:
    registry = client("http://127.0.0.1:9")
    with pytest.raises(SchemaRegistryError) as caught:
        registry.schema_of(1)
    assert (caught.value.status, caught.value.retriable) == (None, True)
    registry.close()


def test_a_registry_that_is_silent_is_not_waited_for() -> None:
    with black_hole() as address, pytest.raises(SchemaRegistryError, match=r"no answer within 0\.2 s|ReadTimeout"):
        client(f"http://{address}", timeout=0.2).schema_of(1)


def test_a_registry_that_drips_is_not_waited_for() -> None:
    with dripping(0.05) as address, pytest.raises(SchemaRegistryError, match=r"no answer within 0\.3 s"):
        client(f"http://{address}", timeout=0.3).schema_of(1)


def test_after_a_failure_the_registry_is_left_alone_for_a_while(server: SchemaRegistryServer) -> None:
    now = [100.0]
    registry = client(server.url, rest=30, clock=lambda: now[0])
    before = counters.count(RegistryFailed)
    server.stop()
    for _ in range(3):
        with pytest.raises(SchemaRegistryError):
            registry.schema_of(1)
    assert counters.count(RegistryFailed) == before + 1
    server.start()
    server.store.register("s", '"string"')
    with pytest.raises(SchemaRegistryError):
        registry.schema_of(1)
    now[0] += 31
    assert registry.schema_of(1) == '"string"'
    registry.close()


def test_a_final_error_does_not_keep_others_from_asking(server: SchemaRegistryServer) -> None:
    registry = client(server.url, rest=30)
    with pytest.raises(SchemaRegistryError):
        registry.id_of("s", "no json")
    assert registry.id_of("s", '"string"') == 1
    registry.close()


@pytest.mark.parametrize("options", [{}, {"url": ""}, {"url": "http://r", "no.such.option": 1}, {"url": 5}])
def test_wrong_options_are_a_configuration_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="registry"):
        SchemaRegistry(options, timeout=1, register=True)


def test_an_error_that_is_raised_again_keeps_no_callers() -> None:
    registry = SchemaRegistry({"url": "http://127.0.0.1:9"}, timeout=1, register=True, rest=60)
    lengths = []
    for _ in range(3):
        with pytest.raises(SchemaRegistryError) as caught:
            registry.schema_of(1)
        lengths.append(len(caught.traceback))
    assert lengths[1] == lengths[2]
    registry.close()
