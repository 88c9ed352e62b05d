"""The status of Kafka is reported even if some partitions do not answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from event_bus_kafka.kafka.cluster.overview import Cluster, ClusterOverview, FoundOffset
from event_bus_kafka.kafka.offsets import Committed, Partition
from event_bus_kafka.operations.neglects.catalogue import GROUP_WITHOUT_WORKER, Neglect, Neglected
from event_bus_kafka.operations.status import kafka_status, look
from event_bus_kafka.operations.status.table_status import TablesLook
from event_bus_kafka.operations.status.values import GroupStatus, KafkaStatus, TableStatus
from event_bus_kafka.sandbox import Sandbox
from tests.services.bus import SandboxBus


class _Overview(ClusterOverview):
    """A cluster with a group that has committed an offset on two partitions."""

    def committed(self, *arguments: Any, **_: Any) -> Any:
        topic = f"status-{type(self).__name__}"
        return {group: {(topic, 0): Committed(0), (topic, 1): Committed(0)} for group in arguments[0]}


class _Silent(_Overview):
    """A cluster in which the leader of partition 1 does not answer."""

    def first_offsets(self, partitions: Iterable[Partition], *, timeout: float) -> dict[Partition, FoundOffset]:
        found = super().first_offsets(partitions, timeout=timeout)
        return {(topic, number): one for (topic, number), one in found.items() if number != 1}


class _Shrunk(_Overview):
    """A cluster in which partition 1 of a topic no longer exists."""

    def cluster(self, *, timeout: float) -> Cluster:
        found = super().cluster(timeout=timeout)
        return Cluster(
            id=found.id,
            brokers=found.brokers,
            has_controller=found.has_controller,
            partitions=dict.fromkeys(found.partitions, (0,)),
        )


@pytest.mark.parametrize(("overview", "silent", "records"), [(_Silent, 1, None), (_Shrunk, 0, 1)])
def test_the_status_of_a_group_omits_partitions_that_gave_no_answer_or_no_longer_exist(
    sandbox: Sandbox, overview: type[ClusterOverview], silent: int, records: int | None
) -> None:
    bus = SandboxBus(sandbox)
    topic = f"status-{overview.__name__}"
    bus.create_topic(topic, 2)
    bus.produce(topic, value=b"value", headers={})
    client = overview({"bootstrap.servers": sandbox.bootstrap_servers})
    found, _ = kafka_status.look(client, topics=(), groups={"readers": frozenset({topic})})
    assert [one.lag for one in found.groups] == [1]
    assert found.silent == (f"{topic}:1",) * silent
    assert [one.records for one in found.topics] == [records]


@pytest.mark.parametrize("silent", [(), ("grades:1",)])
def test_a_group_without_a_worker_is_reported_unless_kafka_shows_that_no_partition_has_unread_records(
    silent: tuple[str, ...],
) -> None:
    alarm = Neglect(kind=GROUP_WITHOUT_WORKER, subject="mail", message="Its last worker died.")
    tables = TablesLook(
        status=TableStatus(workers=(), outboxes=(), dead_letters=None, paused=None, last_hour=None, not_known={}),
        neglected=Neglected(neglects=(alarm,), unknown=frozenset(), unanswered=()),
        unanswered=(),
        findings=(),
    )
    group = GroupStatus(group="mail", state="empty", members=0, topics=1, unread=())
    kafka = KafkaStatus(cluster="c", brokers=(), has_controller=True, topics=(), groups=(group,), silent=silent)
    found, _ = look._neglects(tables, kafka)
    assert found == ((alarm,) if silent else ())
