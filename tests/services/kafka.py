"""Runs Apache Kafka in KRaft mode, with one or several brokers."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import attrs
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.services.downloads import KAFKA_VERSION, cache_folder, kafka_jars, locked
from tests.services.process import ServerProcess, free_port

_CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAA"
_JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_SPARING = {"num.io.threads": "2", "num.network.threads": "1", "log.cleaner.backoff.ms": "1000"}
"""Options that halve the CPU time of an idle broker."""
_SECONDS = 30
_SECONDS_OF_ARCHIVING = 120


@attrs.frozen
class Listener:
    """
    An additional address of a broker, with one of Kafka's security protocols. ``advertised`` is the port that the
    broker announces to its clients.
    """

    name: str
    protocol: str
    port: int = attrs.field(factory=free_port)
    advertised: int = attrs.field(default=attrs.Factory(lambda self: self.port, takes_self=True))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.advertised}"


class KafkaCluster:
    """
    Brokers on 127.0.0.1, numbered from 1. Each broker is also a controller. The data of the brokers is deleted when the
    cluster is closed. A cluster of one broker may have additional listeners. ``java`` is a command-line option of Java;
    its default halves the time that brokers need to start.
    """

    def __init__(
        self,
        brokers: int = 1,
        properties: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        java: str | None = None,
    ) -> None:
        self._numbers = range(1, brokers + 1)
        self._ports = {number: free_port() for number in self._numbers}
        self._controllers = {number: free_port() for number in self._numbers}
        self._properties = dict(properties or {})
        self._listeners = listeners
        self._java = java or _archived_classes()
        self._folder = Path()
        self._processes: dict[int, ServerProcess] = {}

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def __enter__(self) -> KafkaCluster:
        self._folder = Path(tempfile.mkdtemp(prefix="event-bus-kafka-"))
        for number in self._numbers:
            self._write_properties(number)
            self._format(number)
        for number in self._numbers:
            self._launch(number)
        for number in self._numbers:
            self._wait_for(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.kill()  # the data is deleted anyway, and a clean stop takes a second
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, *numbers: int) -> None:
        """Start the stopped brokers with these numbers, and wait until the brokers answer."""
        for number in numbers:
            self._launch(number)
        for number in numbers:
            self._wait_for(number)

    def terminate(self, number: int, seconds: float = 20) -> None:
        """Stop a broker with SIGTERM. If it still runs after ``seconds``, kill it."""
        self._processes.pop(number).stop(seconds=seconds)

    def kill(self, number: int) -> None:
        """Stop a broker with SIGKILL."""
        self._processes.pop(number).kill()

    def create_topic(self, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
        topic = NewTopic(name, partitions, len(self._numbers), config=config or {})
        admin = self.admin()  # keeps a reference: if the client is garbage-collected, its requests are lost
        admin.create_topics([topic])[name].result(_SECONDS)
        for number, process in self._processes.items():
            process.wait_until(functools.partial(self._knows, number, name, partitions))

    def configure_topic(self, name: str, config: dict[str, str]) -> None:
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        admin = self.admin()
        admin.incremental_alter_configs([resource])[resource].result(_SECONDS)

    def delete_topic(self, name: str) -> None:
        admin = self.admin()
        admin.delete_topics([name])[name].result(_SECONDS)

    def grow_topic(self, name: str, partitions: int) -> None:
        admin = self.admin()
        admin.create_partitions([NewPartitions(name, partitions)])[name].result(_SECONDS)

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def _launch(self, number: int) -> None:
        command = self._command("kafka.Kafka", str(self._file(number)))
        self._processes[number] = ServerProcess(command, log=self._folder / f"broker-{number}.log")

    def _wait_for(self, number: int) -> None:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self._ports[number]}", "log_level": 0})

        def serves() -> bool:
            try:
                return number in admin.list_topics(timeout=1).brokers
            except KafkaException:
                return False

        self._processes[number].wait_until(serves)

    def _knows(self, number: int, topic: str, partitions: int) -> bool:
        """
        Return whether a broker knows all partitions of a new topic. The controller confirms the creation of a topic
        before all brokers know the topic.
        """
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self._ports[number]}", "log_level": 0})
        known = admin.list_topics(timeout=_SECONDS).topics.get(topic)
        return known is not None and len(known.partitions) == partitions

    def _format(self, number: int) -> None:
        command = self._command("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._file(number)))
        subprocess.run(command, check=True, capture_output=True)

    def _command(self, name: str, *arguments: str) -> list[str]:
        return [*_JAVA, self._java, _QUIET, "-cp", f"{kafka_jars()}/*", name, *arguments]

    def _file(self, number: int) -> Path:
        return self._folder / f"broker-{number}.properties"

    def _write_properties(self, number: int) -> None:
        voters = ",".join(f"{one}@127.0.0.1:{port}" for one, port in self._controllers.items())
        listener = f"PLAINTEXT://127.0.0.1:{self._ports[number]}"
        bound = [f"{one.name}://127.0.0.1:{one.port}" for one in self._listeners]
        advertised = [f"{one.name}://{one.address}" for one in self._listeners]
        protocols = [f"{one.name}:{one.protocol}" for one in self._listeners]
        replicas = str(len(self._numbers))
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": ",".join([listener, f"CONTROLLER://127.0.0.1:{self._controllers[number]}", *bound]),
            "advertised.listeners": ",".join([listener, *advertised]),
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(["PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", *protocols]),
            "log.dirs": str(self._folder / f"data-{number}"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            "min.insync.replicas": "1" if replicas == "1" else "2",
            "group.initial.rebalance.delay.ms": "0",
            "group.consumer.heartbeat.interval.ms": "500",
            "group.consumer.min.heartbeat.interval.ms": "500",
            "group.consumer.session.timeout.ms": "6000",
            "group.consumer.min.session.timeout.ms": "6000",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **_SPARING,
            "metadata.max.idle.interval.ms": "0" if replicas == "1" else "500",
        } | self._properties
        self._file(number).write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


@functools.cache
def _archived_classes() -> str:
    """
    Return an option with which Java reads its loaded classes from an archive. With this option brokers start in half of
    the time.
    """
    archive = cache_folder() / f"kafka-{KAFKA_VERSION}-classes" / "classes.jsa"
    with locked(archive.parent):
        if not archive.exists():
            new = archive.with_suffix(".new")
            with KafkaCluster(java=f"-XX:ArchiveClassesAtExit={new}") as cluster:
                cluster.terminate(1, _SECONDS_OF_ARCHIVING)
            new.rename(archive)
    return f"-XX:SharedArchiveFile={archive}"
