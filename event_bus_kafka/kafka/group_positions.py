"""Which consumer groups there are, and where they stand on some partitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.kafka.broker_errors import as_broker_errors, no_answer, to_broker_error
from event_bus_kafka.kafka.factory import Options, make_client
from event_bus_kafka.kafka.offsets import Committed, Partition


@attrs.frozen(kw_only=True)
class GroupPositions:
    """What is committed for some partitions, by group; groups without any of it are left out."""

    committed: Mapping[str, Mapping[Partition, Committed]]
    refused: Mapping[str, BrokerError]
    """Groups that this user may not ask about, or whose answer failed."""


class Groups:
    """The consumer groups of a cluster. ``timeout`` is in seconds everywhere."""

    def __init__(self, options: Options) -> None:
        self._client = make_client(AdminClient, options, "admin")

    def names(self, *, timeout: float) -> list[str]:
        """Return the groups that this user may see. Raises :class:`BrokerError`; the sandbox does not list them."""
        with as_broker_errors(self._client):
            answer = self._client.list_consumer_groups(request_timeout=timeout)
            found = _result(answer, timeout)
        if found.errors and not found.valid:
            raise to_broker_error(found.errors[0])
        return sorted(one.group_id for one in found.valid)

    def positions(self, groups: Iterable[str], partitions: Collection[Partition], *, timeout: float) -> GroupPositions:
        """Return where groups stand: all are asked at once."""
        asked = [TopicPartition(*one) for one in sorted(partitions)]
        with as_broker_errors(self._client):
            answers = {name: self._ask(name, asked, timeout) for name in groups}
        committed: dict[str, Mapping[Partition, Committed]] = {}
        refused: dict[str, BrokerError] = {}
        for name, answer in answers.items():
            try:
                with as_broker_errors():
                    found = _committed(_result(answer, timeout))
            except BrokerError as error:
                refused[name] = error
            else:
                committed |= {name: found} if found else {}
        return GroupPositions(committed=committed, refused=refused)

    def _ask(self, group: str, asked: list[TopicPartition], timeout: float) -> Any:
        request = [ConsumerGroupTopicPartitions(group, asked)]
        return self._client.list_consumer_group_offsets(request, request_timeout=timeout)[group]


def _committed(found: Any) -> dict[Partition, Committed]:
    for one in found.topic_partitions:
        if one.error is not None:
            raise KafkaException(one.error)
    return {
        (one.topic, one.partition): Committed(one.offset, one.metadata or "")
        for one in found.topic_partitions
        if one.offset >= 0
    }


def _result(answer: Any, timeout: float) -> Any:
    try:
        return answer.result(timeout + 1)
    except TimeoutError:
        raise no_answer(timeout) from None
