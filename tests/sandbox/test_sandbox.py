"""The sandbox stores records and schemas like real servers. Its command runs the sandbox until a Unix signal comes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from event_bus_kafka.sandbox import MockCluster, Sandbox, SchemaRegistryServer

RECORD = {"type": "record", "name": "R", "namespace": "n", "doc": "d", "fields": [{"name": "a", "type": "string"}]}


def request(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method), timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": sandbox.schema_registry_url}) as client:
        yield client


def test_a_record_is_produced_and_read_by_a_group(sandbox: Sandbox) -> None:
    sandbox.create_topic("travel", 2)
    producer = Producer({"bootstrap.servers": sandbox.bootstrap_servers, "enable.idempotence": True})
    producer.produce("travel", b"value", b"key")
    assert producer.flush(10) == 0
    consumer = Consumer(
        {"bootstrap.servers": sandbox.bootstrap_servers, "group.id": "travel", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["travel"])
    message = consumer.poll(10)
    assert message is not None
    assert message.value() == b"value"
    assert len(consumer.list_topics("travel").topics["travel"].partitions) == 2
    consumer.commit(asynchronous=False)
    consumer.close()


def test_reading_the_address_of_a_stopped_cluster_raises_an_error() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = MockCluster().bootstrap_servers


def test_schemas_can_be_registered_looked_up_and_fetched(client: SchemaRegistryClient) -> None:
    schema_id = client.register_schema("s1", Schema(json.dumps(RECORD), "AVRO"))
    assert client.lookup_schema("s1", Schema(json.dumps(RECORD), "AVRO")).schema_id == schema_id
    text = client.get_schema(schema_id).schema_str
    assert text is not None
    assert json.loads(text) == RECORD
    assert client.get_versions("s1") == [1]
    assert client.get_latest_version("s1").schema_id == schema_id


def test_equal_schemas_share_one_id(client: SchemaRegistryClient) -> None:
    first = client.register_schema("a-string", Schema('{"name": "course_key", "type": "string"}', "AVRO"))
    second = client.register_schema("b-string", Schema('{"type": "string", "name": "user"}', "AVRO"))
    third = client.register_schema("c-string", Schema('"string"', "AVRO"))
    other = client.register_schema("a-string", Schema('"long"', "AVRO"))
    assert first == second == third != other
    assert client.get_versions("a-string") == [1, 2]


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "code"),
    [
        ("/subjects/none", "POST", {"schema": '"string"'}, 404, 40401),
        ("/subjects/none/versions", "GET", None, 404, 40401),
        ("/subjects/known/versions/7", "GET", None, 404, 40402),
        ("/subjects/known/versions/x", "GET", None, 422, 42202),
        ("/subjects/known", "POST", {"schema": '"bytes"'}, 404, 40403),
        ("/schemas/ids/999", "GET", None, 404, 40403),
        ("/schemas/ids/x", "GET", None, 404, 40403),
        ("/subjects/known/versions", "POST", {"schema": "no json"}, 422, 42201),
        ("/subjects/known/versions", "POST", {"schema": '{"type": "record"}'}, 422, 42201),
        ("/subjects/known/versions", "POST", {"schema": '"string"', "schemaType": "JSON"}, 422, 42201),
        ("/subjects/known/versions", "POST", [], 422, 422),
        ("/nothing", "GET", None, 404, 404),
        ("/subjects", "DELETE", None, 405, 405),
    ],
)
def test_errors_of_the_sandbox_registry_have_the_codes_of_confluents_registry(
    sandbox: Sandbox, client: SchemaRegistryClient, path: str, method: str, body: Any, status: int, code: int
) -> None:
    client.register_schema("known", Schema('"string"', "AVRO"))
    content = None if body is None else json.dumps(body).encode()
    assert request(sandbox.schema_registry_url + path, method, content)[0] == status
    assert request(sandbox.schema_registry_url + path, method, content)[1]["error_code"] == code


def test_the_registry_answers_400_for_a_body_that_is_not_json(sandbox: Sandbox) -> None:
    status, _ = request(f"{sandbox.schema_registry_url}/subjects/s/versions", "POST", b"{")
    assert status == 400


def test_a_restarted_registry_keeps_its_address_and_schemas() -> None:
    server = SchemaRegistryServer()
    server.start()
    url = server.url
    with SchemaRegistryClient({"url": url, "max.retries": 0}) as client:
        schema_id = client.register_schema("s", Schema('"string"', "AVRO"))
    server.stop()
    with SchemaRegistryClient({"url": url, "max.retries": 0}) as client, pytest.raises(Exception, match="refused"):
        client.get_schema(schema_id)
    server.start()
    assert server.url == url
    with SchemaRegistryClient({"url": url}) as client:
        assert client.get_schema(schema_id).schema_str == '"string"'
    server.stop()


def test_the_registry_answers_404_for_an_unknown_schema(client: SchemaRegistryClient) -> None:
    with pytest.raises(SchemaRegistryError) as caught:
        client.get_schema(4711)
    assert caught.value.http_status_code == 404


# The command python -m event_bus_kafka.sandbox


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "event_bus_kafka.sandbox", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_command_prints_its_addresses_and_stops_with_exit_code_0(number: signal.Signals) -> None:
    with start("--json") as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert request(f"{addresses['schema_registry_url']}/subjects") == (200, [])
        assert "127.0.0.1" in addresses["bootstrap_servers"]
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


SIGNALLED_WHILE_A_LOCK_IS_HELD = """
import os, signal, sys, threading
from event_bus_kafka.sandbox.__main__ import main

def trace(frame, event, argument):
    if frame.f_code is threading.Condition.wait.__code__ and frame.f_back.f_back.f_code is main.__code__:
        os.kill(os.getpid(), signal.SIGTERM)

sys.argv = ["sandbox", "--json"]
sys.settrace(trace)
sys.exit(main())
"""


def test_a_unix_signal_ends_the_sandbox_command_even_while_a_lock_is_held() -> None:
    command = [sys.executable, "-c", SIGNALLED_WHILE_A_LOCK_IS_HELD]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_the_sandbox_command_prints_settings_that_can_be_pasted() -> None:
    with start() as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(9)]
        process.terminate()
        process.communicate(timeout=20)
    scope: dict[str, str] = {}
    exec("".join(line for line in lines if line.startswith("EVENT_BUS")), scope)
    assert scope["EVENT_BUS_PRODUCER"] == "event_bus_kafka.create_producer"
    assert scope["EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"].startswith("http://127.0.0.1:")


def test_the_sandbox_command_reports_a_port_in_use_in_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        start("--registry-port", str(taken.getsockname()[1])) as process,
    ):
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.startswith("The sandbox cannot start: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_the_sandbox_command_refuses_an_invalid_port(port: str) -> None:
    with start("--registry-port", port) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"argument --registry-port: {port!r} is not a port" in errors
