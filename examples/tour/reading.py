"""Checks whether the services have read all records of their topics."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition
from django.db import connections

from event_bus_kafka.models import OutboxRecord
from examples.tour.services import topics_of

_SECONDS = 10


def all_is_read(servers: str, services: Iterable[str]) -> bool:
    """
    Return whether all outboxes are empty, and the consumer group of each service has committed the last offsets of its
    topics.
    """
    if any(OutboxRecord.objects.using(alias).exists() for alias in connections if alias != "default"):
        return False
    return all(_has_read(servers, service) for service in services)


def _has_read(servers: str, service: str) -> bool:
    client = Consumer({"bootstrap.servers": servers, "group.id": service})  # never joins the group
    try:
        return all(_reached(client, topic) for topic in topics_of(service))
    finally:
        client.close()


def _reached(client: Consumer, topic: str) -> bool:
    there = client.list_topics(topic, _SECONDS).topics[topic].partitions
    committed = client.committed([TopicPartition(topic, number) for number in there], _SECONDS)
    return all(max(one.offset, 0) >= client.get_watermark_offsets(one, _SECONDS)[1] for one in committed)
