"""Describes, creates and alters topics."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import attrs
from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # of its public names
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer, to_broker_error
from event_bus_kafka.kafka.factory import Options, make_client
from event_bus_kafka.trouble import Trouble

T = TypeVar("T")

_BROKERS_DEFAULT = -1
"""Tells the brokers to use their default number of partitions or replicas."""
_AFTER_DEL = 1.0
"""
Seconds for which a timer keeps a reference to a client whose ``__del__`` has begun. If the timer ended before
``__del__``, the thread that runs ``__del__`` would hold the last reference, and would destroy the client.
"""


@attrs.frozen(kw_only=True)
class TopicLayout:
    """A topic's partitions and replicas. ``replication`` is the lowest number of replicas of any partition."""

    partitions: int
    replication: int


class _Client(AdminClient):
    """
    A client that is never destroyed in a thread of librdkafka, because librdkafka would then abort the process. Without
    this class such a thread could destroy the client, because garbage collection may run in any thread.
    """

    def __del__(self) -> None:
        if isinstance(threading.current_thread(), threading._DummyThread):  # perhaps a thread of librdkafka
            later = threading.Timer(_AFTER_DEL, id, (self,))
            later.daemon = True
            later.start()


class Admin:
    """Describes, creates and alters the topics of a cluster. ``timeout`` is always in seconds."""

    def __init__(self, options: Options) -> None:
        self._client = make_client(_Client, options, "admin")

    def topics(self, *, timeout: float) -> dict[str, TopicLayout]:
        """Return name → layout of each topic that this user may describe. Raises :class:`BrokerError`."""
        with as_broker_errors(self._client):
            found = self._client.list_topics(timeout=timeout).topics
        return {name: _layout(topic) for name, topic in found.items() if topic.error is None}

    def has_controller(self, *, timeout: float) -> bool:
        """
        Return whether the cluster has a controller, without which topics cannot be created or altered. The sandbox has
        no controller. Raises :class:`BrokerError`.
        """
        with as_broker_errors(self._client):
            cluster = self._client.list_topics(timeout=timeout)
        return cluster.controller_id in cluster.brokers

    def require_controller(self, *, timeout: float) -> None:
        """
        Raise :class:`BrokerError` if :meth:`has_controller` returns False, or if no broker answers.
        """
        if not self.has_controller(timeout=timeout):
            reason = "these brokers cannot create or alter topics (the sandbox creates topics at their first use)"
            raise BrokerError(error_codes.UNSUPPORTED_FEATURE, reason)

    def hidden(self, topics: Iterable[str], *, timeout: float) -> set[str]:
        """
        Return those of ``topics`` that this Kafka user may not describe, whether they exist or not. Topics about which
        the brokers give another answer, or none, are left out.
        """
        names = list(topics)
        answers = self._client.describe_topics(TopicCollection(names), request_timeout=timeout) if names else {}
        failures = {name: _failure(answer, timeout) for name, answer in answers.items()}
        return {name for name, failure in failures.items() if failure and failure.kind is Trouble.FORBIDDEN}

    def topic_options(self, topics: Iterable[str], *, timeout: float) -> dict[str, dict[str, str] | BrokerError]:
        """
        Return topic → options, including options with default values; or topic → error, if its options cannot be read.
        """
        return options_in(self._describe_configs(topics, timeout), timeout)

    def is_unwritten(self, topic: str, *, partitions: int, timeout: float) -> bool:
        """Return whether no record was ever written to a topic. Raises :class:`BrokerError`."""
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = {TopicPartition(topic, number): end for number in range(partitions)}
        answers = self._client.list_offsets(ends, request_timeout=timeout)
        return all(result_of(answer, timeout).offset == 0 for answer in answers.values())

    def largest_requests(self, topics: Iterable[str], *, timeout: float) -> dict[str, int]:
        """
        Return ``max.message.bytes`` of each topic that exists and that this user may describe. Raises
        :class:`BrokerError` if the request cannot be sent.
        """
        found: dict[str, int] = {}
        for resource, answer in self._describe_configs(topics, timeout).items():
            with suppress(KafkaException, TimeoutError, KeyError, TypeError, ValueError):
                found[resource.name] = int(answer.result(timeout)["max.message.bytes"].value)
        return found

    def create_topic(
        self,
        name: str,
        *,
        partitions: int | None,
        replication: int | None,
        options: Mapping[str, str] | None = None,
        timeout: float,
    ) -> None:
        """
        Create a topic, unless it exists. If ``partitions`` or ``replication`` is None, the brokers use their default.
        Raises :class:`BrokerError`.
        """
        topic = NewTopic(
            name,
            num_partitions=partitions or _BROKERS_DEFAULT,
            replication_factor=replication or _BROKERS_DEFAULT,
            config=dict(options or {}),
        )
        try:
            result_of(self._client.create_topics([topic], operation_timeout=timeout)[name], timeout)
        except BrokerError as error:
            if error.code != error_codes.TOPIC_ALREADY_EXISTS:
                raise

    def grow_topic(self, name: str, *, partitions: int, timeout: float) -> None:
        """Increase a topic's number of partitions to ``partitions``. Raises :class:`BrokerError`."""
        wanted = NewPartitions(name, partitions)
        result_of(self._client.create_partitions([wanted], operation_timeout=timeout)[name], timeout)

    def alter_topic(self, name: str, *, options: Mapping[str, str], timeout: float) -> None:
        """Set options of a topic; its other options stay unchanged. Raises :class:`BrokerError`."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in options.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        result_of(self._client.incremental_alter_configs([resource], request_timeout=timeout)[resource], timeout)

    def _describe_configs(self, topics: Iterable[str], timeout: float) -> dict[ConfigResource, Future[Any]]:
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
        if not resources:
            return {}
        with as_broker_errors(self._client):
            answers: dict[ConfigResource, Future[Any]] = self._client.describe_configs(
                resources, request_timeout=timeout
            )
        return answers


def options_in(
    answers: Mapping[ConfigResource, Future[Any]], timeout: float
) -> dict[str, dict[str, str] | BrokerError]:
    """
    Return topic → options from the brokers' answers to a describe request; or topic → error, if its options cannot be
    read. ``timeout``: seconds to wait for each answer.
    """
    found: dict[str, dict[str, str] | BrokerError] = {}
    for resource, answer in answers.items():
        try:
            entries = result_of(answer, timeout)
        except BrokerError as error:
            found[resource.name] = error
        else:
            found[resource.name] = {name: entry.value or "" for name, entry in entries.items()}
    return found


def _layout(topic: Any) -> TopicLayout:
    replicas = [len(partition.replicas) for partition in topic.partitions.values()]
    return TopicLayout(partitions=len(replicas), replication=min(replicas, default=0))


def _failure(answer: Future[Any], timeout: float) -> BrokerError | None:
    try:
        result_of(answer, timeout)
    except BrokerError as error:
        return error
    return None


def result_of(answer: Future[T], timeout: float) -> T:
    """
    Return the result of ``answer``. Raises :class:`BrokerError` if the request failed, or if no answer comes within
    ``timeout`` seconds.
    """
    try:
        return answer.result(timeout)
    except TimeoutError:
        raise no_answer(timeout) from None
    except KafkaException as error:
        raise to_broker_error(error) from error
