"""
While Kafka refuses the rows of one topic, these tests measure how many rows of ten healthy topics a relay sends per
second. They assert counts, and only print rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter, sleep
from typing import Any

import attrs
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from django.db import connection
from django.test import override_settings
from openedx_events.data import EventsMetadata
from openedx_events.learning.signals import CERTIFICATE_CREATED

from event_bus_kafka import create_producer
from event_bus_kafka.models import OutboxRecord
from tests.services.bus import CREATED, RealBus
from tests.services.kafka import KafkaCluster
from tests.services.schema_registry import SchemaRegistry
from tests.support.databases import Database
from tests.support.examples_of import certificate
from tests.support.outbox_service import KEY_FIELD, Service, until
from tests.support.scale import LONG, scaled

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(3600)]

OUTBOX = OutboxRecord._meta.db_table
KEPT = f"{OUTBOX}_kept"


@pytest.fixture(scope="module")
def cluster_with_rights() -> Iterator[KafkaCluster]:
    """Return a cluster with authorisation. Everyone may use a topic for which no rule exists."""
    authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    with KafkaCluster(
        properties={"authorizer.class.name": authorizer, "allow.everyone.if.no.acl.found": "true"}
    ) as cluster:
        yield cluster


@pytest.fixture
def bus(cluster_with_rights: KafkaCluster, schema_registry: SchemaRegistry) -> RealBus:
    return RealBus(cluster_with_rights, schema_registry)


def forbid_writing(bus: RealBus, topic: str) -> None:
    anybody, anywhere, reads = "User:*", "*", AclOperation.READ
    right = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, anybody, anywhere, reads, AclPermissionType.ALLOW
    )
    admin = bus._cluster.admin()
    admin.create_acls([right])[right].result(60)


@pytest.mark.parametrize("waiting", [300, pytest.param(400_000, marks=pytest.mark.skipif(not LONG, reason="long"))])
def test_s10_rows_of_ten_topics_are_sent_while_kafka_refuses_an_eleventh_topic(
    service: Service, database: Database, waiting: int
) -> None:
    refused = f"{service.topic}-refused"
    healthy = [f"{service.topic}-{number}" for number in range(10)]
    for topic in (refused, *healthy):
        service.bus.create_topic(topic)
    forbid_writing(service.bus, refused)
    neighbours = Neighbours(service, healthy, refused, count=scaled(50, long=12_000))
    with override_settings(**service.settings_for(refused, *healthy)):
        neighbours.fill(waiting)
    neighbours.rate(beside=False)  # a broker that has just started compiles its code
    rates: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(scaled(1, long=5)):
        for beside in rates:
            rates[beside].append(neighbours.rate(beside=beside))
    without, among = median(rates[False]), median(rates[True])
    print(
        f"{database.vendor}, {waiting:,} rows refused: {among:,.0f}/s, without {without:,.0f}/s:"
        f" {among / without:.2f} ×"
    )


@attrs.frozen
class Neighbours:
    """
    Rows of healthy topics and of a refused topic. The rows are stored in a separate table, and are copied into the
    outbox for each measurement.
    """

    service: Service
    healthy: list[str]
    refused: str
    count: int = attrs.field(kw_only=True)
    """Number of rows of each healthy topic."""

    def fill(self, waiting: int) -> None:
        for topic, count in [*((topic, self.count) for topic in self.healthy), (self.refused, min(waiting, 10_000))]:
            create_producer().send_many(
                signal=CERTIFICATE_CREATED,
                topic=topic,
                event_key_field=KEY_FIELD,
                events=list(map(_event, range(count))),
            )
        columns = ", ".join(_quoted(one.attname) for one in OutboxRecord._meta.concrete_fields if one.attname != "id")
        more = f"INSERT INTO {OUTBOX} ({columns}) SELECT {columns} FROM {KEPT} WHERE topic = %s"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {KEPT} AS SELECT * FROM {OUTBOX}")
            for _ in range(waiting // 10_000 - 1):
                cursor.execute(more, [self.refused])
            cursor.execute(f"DROP TABLE {KEPT}")
            cursor.execute(f"CREATE TABLE {KEPT} AS SELECT * FROM {OUTBOX}")
        assert self.service.waiting == len(self.healthy) * self.count + waiting

    def rate(self, *, beside: bool) -> float:
        """
        Return how many events of healthy topics a relay sends per second. If ``beside`` is true, the outbox also
        contains rows of the refused topic.
        """
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE TABLE {OUTBOX}")
            if beside:
                cursor.execute(f"INSERT INTO {OUTBOX} SELECT * FROM {KEPT} WHERE topic = %s", [self.refused])
        _settle()
        consumer = Consumer({"bootstrap.servers": self.service.bus.bootstrap_servers, "group.id": "neighbours"})
        first = self._arrived(consumer)
        all_there = first + len(self.healthy) * self.count
        with self.service.relay_process(EVENT_BUS_KAFKA_AUDIT_LOGGING_ENABLED=False) as relay:
            relay.wait_for_log(f"{self.refused} takes no records" if beside else "Running relay")
            waiting = self.service.waiting
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {OUTBOX} SELECT * FROM {KEPT} WHERE topic <> %s", [self.refused])
            until(lambda: self._arrived(consumer) > first, step=lambda: sleep(0.001))  # the relay may pause until now
            began, before = perf_counter(), self._arrived(consumer)
            until(lambda: self._arrived(consumer) >= all_there, step=lambda: sleep(0.02))
            seconds = perf_counter() - began
            until(lambda: self.service.waiting == waiting)
            assert relay.stop() == 0
        consumer.close()
        return (all_there - before) / seconds

    def _arrived(self, consumer: Consumer) -> int:
        ends = (consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)[1] for topic in self.healthy)
        return sum(ends)


def _event(number: int) -> tuple[dict[str, Any], EventsMetadata]:
    return {"certificate": certificate(number % 1_000)}, EventsMetadata(event_type=CREATED)


def _settle() -> None:
    """Let the server finish its background work on the new rows, so that this work is not measured."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"VACUUM ANALYZE {OUTBOX}")
            cursor.execute("CHECKPOINT")
            return
        cursor.execute(f"ANALYZE TABLE {OUTBOX}")
        cursor.execute("SET GLOBAL innodb_max_dirty_pages_pct = 0, GLOBAL innodb_max_dirty_pages_pct_lwm = 0")
        until(lambda: _dirty_pages(cursor) < 100)


def _dirty_pages(cursor: Any) -> int:
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    return int(cursor.fetchone()[1])


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
