"""
The registry's client caches ids and schemas, distinguishes kinds of errors, and ends each call within its time limit.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from event_bus_kafka.errors import ConfigurationError, SchemaRegistryError
from event_bus_kafka.kafka.schema_registry import SchemaRegistry
from event_bus_kafka.sandbox import SchemaRegistryServer
from event_bus_kafka.telemetry import guards, tallies
from event_bus_kafka.telemetry.metrics import REGISTRY_REQUESTS
from tests.services.bus import Bus
from tests.services.faulty_registry import Fault, faulty
from tests.services.silence import answering, black_hole, dripping
from tests.support.outbox_service import until


@pytest.fixture
def server() -> Iterator[SchemaRegistryServer]:
    server = SchemaRegistryServer()
    server.start()
    yield server
    server.stop()


def client(
    url: str, *, register: bool = True, timeout: float = 30, backoff: float = 0, clock: Any = None
) -> SchemaRegistry:
    options = {"url": url, "timeout": timeout, "max.retries": 0}
    more = {"clock": clock} if clock else {}
    return SchemaRegistry(options, timeout=timeout, register=register, backoff=backoff, **more)


# On the sandbox and on a real registry

JSON_SCHEMA = '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}'


@pytest.fixture
def registry(bus: Bus) -> Iterator[SchemaRegistry]:
    registry = client(bus.schema_registry_url)
    yield registry
    registry.close()


def schema_of(name: str) -> str:
    fields = [{"name": "a", "type": "string"}]
    return json.dumps({"type": "record", "name": "R", "namespace": name.replace("-", "_"), "fields": fields})


def test_a_registered_schema_is_found_by_its_id(registry: SchemaRegistry, bus: Bus, topic: str) -> None:
    schema_id = registry.id_of(topic, schema_of(topic))
    other = client(bus.schema_registry_url, register=False)
    assert json.loads(other.schema_of(schema_id))["fields"] == [{"name": "a", "type": "string"}]
    assert other.id_of(topic, schema_of(topic)) == schema_id
    other.close()


def test_a_schema_has_the_same_id_under_all_subjects(registry: SchemaRegistry, topic: str) -> None:
    assert registry.id_of(topic, schema_of(topic)) == registry.id_of(f"{topic}-other", schema_of(topic))


def test_concurrent_processes_get_the_same_id_when_they_register_one_schema(bus: Bus, topic: str) -> None:
    registries = [client(bus.schema_registry_url) for _ in range(4)]
    with ThreadPoolExecutor(len(registries)) as threads:
        for number in range(20):
            subject = f"{topic}-{number}"
            ids = threads.map(lambda one, subject=subject: one.id_of(subject, schema_of(subject)), registries)
            assert len(set(ids)) == 1
    for one in registries:
        one.close()


def test_c13_the_error_for_an_unknown_schema_id_is_neither_retriable_nor_final(registry: SchemaRegistry) -> None:
    """
    The error is no outage, so it is not retriable and counts as a failed attempt. It is not final, because another node
    of the registry may already know the id.
    """
    with pytest.raises(SchemaRegistryError) as caught:
        registry.schema_of(2_000_000_000)
    assert (caught.value.status, caught.value.retriable, caught.value.final) == (404, False, False)


def test_the_error_for_an_unregistered_schema_is_neither_retriable_nor_final(bus: Bus, topic: str) -> None:
    registry = client(bus.schema_registry_url, register=False)
    with pytest.raises(SchemaRegistryError) as caught:
        registry.id_of(topic, schema_of(topic))
    assert (caught.value.status, caught.value.retriable, caught.value.final) == (404, False, False)
    registry.close()


def test_the_error_is_final_if_the_registry_refuses_a_schema(registry: SchemaRegistry, topic: str) -> None:
    with pytest.raises(SchemaRegistryError, match="refuses the schema") as caught:
        registry.id_of(topic, "no json")
    assert (caught.value.status, caught.value.retriable, caught.value.final) == (422, False, True)


def test_c4_reading_a_json_schema_from_the_registry_raises_a_final_error(
    registry: SchemaRegistry, bus: Bus, topic: str
) -> None:
    """
    A registry validates JSON schemas by different rules than Avro schemas. Formerly JSON schemas were accepted, and a
    record of 116 bytes was decoded to 1.6 GB.
    """
    asked = urllib.request.Request(
        f"{bus.schema_registry_url}/subjects/{topic}/versions",
        data=json.dumps({"schema": JSON_SCHEMA, "schemaType": "JSON"}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            schema_id = json.loads(answer.read())["id"]
    except urllib.error.HTTPError as refused:
        refused.close()
        pytest.skip("the sandbox takes no other kind than Avro")
    with pytest.raises(SchemaRegistryError, match="not of type AVRO") as caught:
        registry.schema_of(schema_id)
    assert caught.value.final


def test_an_unknown_schema_is_distinguished_from_a_wrong_url(bus: Bus) -> None:
    known, lost = client(bus.schema_registry_url), client(f"{bus.schema_registry_url}/wrong")
    with pytest.raises(SchemaRegistryError, match="HTTP 404") as unknown:
        known.schema_of(4095999)
    with pytest.raises(SchemaRegistryError, match=r"HTTP 404; .*check EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL") as misled:
        lost.schema_of(4095999)
    assert (unknown.value.retriable, misled.value.retriable) == (False, True)
    known.close()
    lost.close()


# Answers of every kind


ADVICE = {
    401: "_API_KEY",
    403: "no right",
    404: "_REGISTRY_URL",
    409: "default=None",
    422: "refuses the schema",
}
PASSING = (301, 302, 303, 307, 308, 400, 402, 404, 405, 406, 407, 408, 410, 415, 421, 425, 429, 431, 451, 500, 502, 503)


@pytest.mark.parametrize("status", [*PASSING, 401, 403, 409, 422])
@pytest.mark.parametrize("content", [b'{"error_code": 1, "message": "secret"}', b"<html>secret</html>"])
def test_c13_an_http_error_is_retriable_if_it_lacks_an_error_code_of_the_registry(status: int, content: bytes) -> None:
    """Redirects, proxies and login pages cause such errors, which must not lead to dead letters."""
    with answering(status, content) as address, pytest.raises(SchemaRegistryError) as caught:
        client(f"http://{address}").id_of("s", '"string"')
    assert (caught.value.status, caught.value.retriable, caught.value.final) == (status, True, False)
    assert ADVICE.get(status, f"HTTP {status}") in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "code"), [(409, 409), (409, 40901), (422, 422), (422, 42201)])
def test_c13_the_refusal_of_a_schema_is_final_if_it_has_an_error_code_of_the_registry(status: int, code: int) -> None:
    content = json.dumps({"error_code": code, "message": "why"}).encode()
    with answering(status, content) as address, pytest.raises(SchemaRegistryError, match=ADVICE[status]) as caught:
        client(f"http://{address}").id_of("s", '"string"')
    assert (caught.value.retriable, caught.value.final) == (False, True)
    assert "(why)" in str(caught.value)


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF", "", "avro", None, 5])
def test_c4_the_error_is_final_if_a_schema_is_not_avro(kind: Any) -> None:
    content = json.dumps({"schema": '"string"', "schemaType": kind}).encode()
    with answering(200, content) as address, pytest.raises(SchemaRegistryError, match="not of type AVRO") as caught:
        (registry := client(f"http://{address}")).schema_of(1)
    assert caught.value.final
    assert (
        registry._client._cache.get_schema_by_id(None, 1) is None
    )  # this cache could hold a thousand schemas of a megabyte


def test_c17_long_schemas_are_not_cached(server: SchemaRegistryServer) -> None:
    """
    Anybody who is allowed to write records can use any number of schema ids, with schemas of any length. A cache of
    long schemas could therefore exhaust the memory.
    """
    registry = client(server.url)
    long = registry.id_of("s", json.dumps({"type": "string", "doc": "x" * 60_000}))
    registry.schema_of(long)
    assert registry._schemas == {}
    assert registry._requests.keys() == {("s", json.dumps({"type": "string", "doc": "x" * 60_000}))}
    registry.close()


def test_the_reason_for_the_refusal_of_a_schema_is_truncated() -> None:
    content = json.dumps({"error_code": 409, "message": "seats has no default" + "." * 10_000}).encode()
    with answering(409, content) as address, pytest.raises(SchemaRegistryError) as caught:
        client(f"http://{address}").id_of("s", '"string"')
    assert str(caught.value).startswith("registering s: HTTP 409 (seats has no default")
    assert len(str(caught.value)) < 600


ODD_ANSWERS = [b"", b"no json", b"null", b"5", b"[]", b"{}", b"[" * 2000, b"\xff"]
ODD_IDS = [b'{"id": "5"}', b'{"id": null}', b'{"id": true}', b'{"id": -1}', b'{"id": 4294967296}', b'{"id": 1.5}']
ODD_SCHEMAS = [b'{"schema": null}', b'{"schema": {}}', b'{"schema": 5}']


@pytest.mark.parametrize("register", [True, False])
@pytest.mark.parametrize("content", ODD_ANSWERS + ODD_IDS)
def test_a_malformed_answer_instead_of_a_schema_id_causes_a_retriable_error(content: bytes, register: bool) -> None:
    registered = content.replace(b"{", b'{"subject": "s", "version": 1, "schema": "", ') if not register else content
    with answering(200, registered) as address, pytest.raises(SchemaRegistryError) as caught:
        client(f"http://{address}", register=register).id_of("s", '"string"')
    assert caught.value.retriable


@pytest.mark.parametrize("content", ODD_ANSWERS + ODD_SCHEMAS)
def test_a_malformed_answer_instead_of_a_schema_causes_a_retriable_error(content: bytes) -> None:
    before = tallies.total(REGISTRY_REQUESTS, outcome="failed")
    with answering(200, content) as address, pytest.raises(SchemaRegistryError) as caught:
        client(f"http://{address}").schema_of(1)
    assert caught.value.retriable
    assert tallies.total(REGISTRY_REQUESTS, outcome="failed") == before + 1


def test_a_schema_conflict_in_one_subject_does_not_block_requests_for_other_subjects() -> None:
    before = tallies.total(REGISTRY_REQUESTS, outcome="failed")
    with answering(409, b'{"error_code": 409, "message": ""}') as address:
        registry = client(f"http://{address}", backoff=30)
        for subject in ("a", "b"):
            with pytest.raises(SchemaRegistryError, match=f"registering {subject}"):
                registry.id_of(subject, '"string"')
    assert tallies.total(REGISTRY_REQUESTS, outcome="failed") == before + 2


def test_the_traceback_of_a_repeated_error_does_not_grow() -> None:
    registry = client("http://127.0.0.1:9", backoff=30)
    depths = []
    for _ in range(3):
        with pytest.raises(SchemaRegistryError) as caught:
            registry.schema_of(1)
        depths.append(len(caught.traceback))
    assert depths[1] == depths[2]
    registry.close()


# Caches and time limits


def test_the_id_of_a_schema_is_requested_only_once(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    first = registry.id_of("s", '"string"')
    server.stop()
    assert registry.id_of("s", '"string"') == first
    registry.close()


def test_the_schema_for_an_id_is_requested_only_once(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    schema_id = registry.id_of("s", '"string"')
    assert registry.schema_of(schema_id) == '"string"'
    server.stop()
    assert registry.schema_of(schema_id) == '"string"'
    registry.close()


def test_threads_share_a_request_if_they_need_the_same_schema(server: SchemaRegistryServer) -> None:
    """
    If each thread sent a separate request, one of the requests might time out although the other requests are answered.
    """
    server.store.register("s", '"string"')
    with faulty(server.url) as slow, ThreadPoolExecutor(16) as threads:
        slow.fault = Fault.SLOW
        registry, together = client(slow.url, timeout=60), Barrier(16)
        answers = threads.map(lambda _: (together.wait(), registry.schema_of(1))[1], range(16))
        until(lambda: slow.asked)
        slow.closing.set()
        assert list(answers) == ['"string"'] * 16
        registry.close()
    assert slow.asked == 1


def test_a_hanging_request_is_not_shared_after_its_timeout(server: SchemaRegistryServer) -> None:
    server.store.register("s", '"string"')
    with faulty(server.url) as hanging:
        hanging.fault = Fault.SLOW
        registry = SchemaRegistry({"url": hanging.url, "timeout": 60, "max.retries": 0}, timeout=0.2, register=True)
        for _ in range(2):
            with pytest.raises(SchemaRegistryError, match="no answer within"):
                registry.schema_of(1)
        until(lambda: hanging.asked == 2)
        hanging.closing.set()
        registry.close()


def test_a_schema_id_is_cached_even_if_it_arrives_after_the_timeout(server: SchemaRegistryServer) -> None:
    """The first answer of a registry may take longer than a sender waits for an id."""
    with faulty(server.url) as slow:
        slow.fault = Fault.SLOW
        options = {"url": slow.url, "timeout": 60, "max.retries": 0}
        registry = SchemaRegistry(options, timeout=0.2, register=True, backoff=60)
        with pytest.raises(SchemaRegistryError, match="no answer within"):
            registry.id_of("s", '"string"')
        slow.closing.set()
        until(lambda: registry._ids)
        assert registry.id_of("s", '"string"') == 1
        assert slow.asked == 1
        assert registry.id_of("another", '"string"') == 1  # the schema exists
        registry.close()


def test_an_unknown_schema_is_requested_again_when_registering_is_disabled(server: SchemaRegistryServer) -> None:
    registry = client(server.url, register=False)
    with pytest.raises(SchemaRegistryError) as caught:
        registry.id_of("s", '"string"')
    assert (caught.value.status, caught.value.retriable) == (404, False)
    server.store.register("s", '"string"')
    assert registry.id_of("s", '"string"') == 1
    registry.close()


def test_an_unreachable_registry_causes_a_retriable_error() -> None:
    registry = client("http://127.0.0.1:9")
    with pytest.raises(SchemaRegistryError) as caught:
        registry.schema_of(1)
    assert (caught.value.status, caught.value.retriable) == (None, True)
    registry.close()


def test_a_request_raises_after_the_timeout_if_the_registry_is_silent() -> None:
    with black_hole() as address, pytest.raises(SchemaRegistryError, match=r"no answer within 0\.2 s|ReadTimeout"):
        client(f"http://{address}", timeout=0.2).schema_of(1)


def test_a_request_raises_after_the_timeout_if_the_registry_answers_byte_by_byte() -> None:
    with dripping(0.05) as address, pytest.raises(SchemaRegistryError, match=r"no answer within 0\.3 s"):
        client(f"http://{address}", timeout=0.3).schema_of(1)


def test_no_request_is_sent_between_a_failure_and_the_end_of_the_backoff(server: SchemaRegistryServer) -> None:
    now = [100.0]
    registry = client(server.url, backoff=30, clock=lambda: now[0])
    before = tallies.total(REGISTRY_REQUESTS, outcome="failed")
    server.stop()
    for _ in range(3):
        with pytest.raises(SchemaRegistryError):
            registry.schema_of(1)
    assert tallies.total(REGISTRY_REQUESTS, outcome="failed") == before + 1
    server.start()
    server.store.register("s", '"string"')
    with pytest.raises(SchemaRegistryError):
        registry.schema_of(1)
    now[0] += 31
    assert registry.schema_of(1) == '"string"'
    registry.close()


def test_a_final_error_does_not_block_requests_for_other_schemas(server: SchemaRegistryServer) -> None:
    registry = client(server.url, backoff=30)
    before = tallies.total(REGISTRY_REQUESTS, outcome="failed")
    for _ in range(3):
        with pytest.raises(SchemaRegistryError):
            registry.id_of("s", "no json")
    assert tallies.total(REGISTRY_REQUESTS, outcome="failed") == before + 1  # nor is the refused schema requested again
    assert registry.id_of("s", '"string"') == 1
    registry.close()


def test_a_repeatedly_refused_schema_does_not_block_requests_after_the_backoff(
    server: SchemaRegistryServer,
) -> None:
    now = [100.0]
    registry = client(server.url, backoff=30, clock=lambda: now[0])
    server.store.register("s", '"string"')
    refused(registry)
    server.stop()
    now[0] = 110.0
    with pytest.raises(SchemaRegistryError):
        registry.schema_of(1)
    server.start()
    for now[0] in (131.0, 141.0):
        refused(registry)
    assert registry.schema_of(1) == '"string"'
    registry.close()


def test_an_answer_of_the_registry_ends_the_backoff_even_if_the_answer_is_a_refusal(
    server: SchemaRegistryServer,
) -> None:
    now = [100.0]
    registry = client(server.url, backoff=30, clock=lambda: now[0])
    server.store.register("s", '"string"')
    server.stop()
    with pytest.raises(SchemaRegistryError):
        registry.schema_of(1)
    server.start()
    now[0] += 31
    refused(registry)
    assert registry.schema_of(1) == '"string"'
    registry.close()


def refused(registry: SchemaRegistry) -> None:
    with pytest.raises(SchemaRegistryError):
        registry.id_of("s", "no json")


def test_only_one_of_many_callers_sends_a_request_after_the_backoff() -> None:
    now = [100.0]
    with black_hole() as address:
        registry = client(f"http://{address}", timeout=1, backoff=30, clock=lambda: now[0])
        with pytest.raises(SchemaRegistryError):
            registry.schema_of(0)
        now[0] += 31
        before = tallies.total(REGISTRY_REQUESTS, outcome="failed")
        with ThreadPoolExecutor(10) as pool:
            answers = [pool.submit(registry.schema_of, number) for number in range(10)]
            assert [type(one.exception()) for one in answers] == [SchemaRegistryError] * 10
    assert tallies.total(REGISTRY_REQUESTS, outcome="failed") == before + 1


@pytest.mark.parametrize("options", [{}, {"url": ""}, {"url": "http://r", "no.such.option": 1}, {"url": 5}])
def test_invalid_options_raise_a_configuration_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="registry"):
        SchemaRegistry(options, timeout=1, register=True)


def test_s17_a_caller_gets_an_error_when_the_request_that_it_waits_for_raises_system_exit() -> None:

    def leave() -> int:
        raise SystemExit(0)

    answer: Future[int] = Future()
    guards.answer(answer, leave, "event-bus-registry")
    with pytest.raises(RuntimeError, match="SystemExit"):
        answer.result(60)
