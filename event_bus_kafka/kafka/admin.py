"""Describes and creates topics."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # of its public names
from confluent_kafka.cimpl import NewTopic

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.kafka.broker_errors import as_broker_errors, to_broker_error
from event_bus_kafka.kafka.factory import Options, make_client


class Admin:
    """The topics of a cluster."""

    def __init__(self, options: Options) -> None:
        self._client = make_client(AdminClient, options, "admin")

    def topics(self, *, timeout: float) -> dict[str, int]:
        """Return the number of partitions of each topic. Raises :class:`BrokerError`."""
        with as_broker_errors(self._client):
            found = self._client.list_topics(timeout=timeout).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def largest_requests(self, topics: Iterable[str], *, timeout: float) -> dict[str, int]:
        """
        Return ``max.message.bytes`` of each topic that exists and may be described. Raises :class:`BrokerError` if none
        can be asked for.
        """
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
        if not resources:
            return {}
        with as_broker_errors(self._client):
            answers = self._client.describe_configs(resources, request_timeout=timeout)
        found: dict[str, int] = {}
        for resource, answer in answers.items():
            with suppress(KafkaException, TimeoutError, KeyError, TypeError, ValueError):
                found[resource.name] = int(answer.result(timeout)["max.message.bytes"].value)
        return found

    def create_topic(self, name: str, *, partitions: int, replication: int, timeout: float) -> None:
        """Create a topic; one that exists is left as it is. Raises :class:`BrokerError`."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replication)
        try:
            self._client.create_topics([topic], operation_timeout=timeout)[name].result(timeout)
        except TimeoutError:
            raise BrokerError(error_codes.TIMED_OUT, f"no answer within {timeout:g} s", retriable=True) from None
        except KafkaException as error:
            failure = to_broker_error(error)
            if failure.code != error_codes.TOPIC_ALREADY_EXISTS:
                raise failure from error
