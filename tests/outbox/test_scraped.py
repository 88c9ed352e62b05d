"""Prometheus, heartbeats and history show the same numbers. These numbers agree with what the processes did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic, sleep

import pytest

from event_bus_kafka.operations.workers import workers
from tests.outbox.test_telling import QUICK, RECEIVER
from tests.projects.process import PATIENCE, ServiceProcess
from tests.services.bus import RealBus
from tests.services.kafka import KafkaCluster
from tests.services.process import free_port
from tests.services.prometheus import Prometheus
from tests.services.schema_registry import SchemaRegistry
from tests.support.counting import totals
from tests.support.databases import Database
from tests.support.outbox_service import Service, until
from tests.support.workers import OURS_FIRST

pytestmark = [pytest.mark.real, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

_EVEN, _ODD = [*range(2, 200, 2)], [7]
_FIRST, _IN_OUTAGE, _LATE = _EVEN[:50], [*_EVEN[50:80], *_ODD], _EVEN[80:]
_WEB = """
import json, sys
from openedx_events.event_bus import get_producer
from openedx_events.learning.signals import CERTIFICATE_CREATED
from prometheus_client import start_http_server
from tests.projects.certificates.apps import say
from tests.support.examples_of import certificate
start_http_server({port}, addr="127.0.0.1")
for line in sys.stdin:
    for user in json.loads(line):
        CERTIFICATE_CREATED.send_event(certificate=certificate(user))
    get_producer().prepare_for_shutdown()
    say("sent")
"""


@pytest.fixture
def own_cluster() -> Iterator[KafkaCluster]:
    """Return a broker that a test may stop."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def own_service(
    own_cluster: KafkaCluster, schema_registry: SchemaRegistry, topic: str, database: Database
) -> Iterator[Service]:
    """Return a service that uses ``own_cluster``, so that the test may stop the broker."""
    own_cluster.create_topic(topic)
    bus = RealBus(own_cluster, schema_registry)
    with database.connected("default"), Service(bus=bus, topic=topic, entry=database.entry).configured() as service:
        yield service


def test_history_and_heartbeats_agree_with_prometheus_after_an_outage_and_a_restart(
    own_service: Service, own_cluster: KafkaCluster, group: str
) -> None:
    """
    The receiver fails for each user with an odd number. One event is for such a user. This event causes 3 retries and 1
    dead letter.
    """
    service = own_service
    web_port, worker_port, *relay_ports = (free_port() for _ in range(4))
    consume = ("consume_events", "-t", service.topic, "-g", group, "--health-port", str(worker_port))
    settings = service.process_settings(**QUICK, **OURS_FIRST)
    targets = {"relay": relay_ports, "worker": [worker_port]}
    with (
        Prometheus(targets | {"web": [web_port]}, interval="200ms") as prometheus,
        ServiceProcess(code=_WEB.format(port=web_port), settings=settings) as web,
        ServiceProcess(*consume, settings=settings, receivers="receivers.fail_for_odd") as worker,
    ):

        def tells(**wanted: float) -> None:
            assert _found_by(prometheus, wanted) == wanted, (web.log, worker.log)

        def emit(users: Sequence[int]) -> None:
            before = len(web.heard("sent"))
            web.write(str(users))
            web.wait_for(lambda: len(web.heard("sent")) > before)

        emit(_FIRST)
        with service.relay_process("--health-port", str(relay_ports[0]), **QUICK) as relay:
            tells(relay_rows_sent_total=50, records_done_total=50)
            until(lambda: _positions(worker.pid) == [[50, 50, 0]])  # else records may come again after the outage
            own_cluster.terminate(1)
            emit(_IN_OUTAGE)
            tells(outbox_depth=31, relay_rows_sent_total=50)
            until(
                lambda: all(prometheus.query(f'event_bus_kafka_client_errors_total{{job="{job}"}}') for job in targets)
            )
            own_cluster.start(1)
            tells(relay_rows_sent_total=81)
            assert relay.stop() == 0, relay.log
        until(lambda: prometheus.value(f'up{{instance="127.0.0.1:{relay_ports[0]}"}}') == 0)
        emit(_LATE)
        with service.relay_process("--health-port", str(relay_ports[1]), **QUICK) as again:
            tells(relay_rows_sent_total=19, outbox_depth=0, records_done_total=99, records_dead_lettered_total=1)
            tells(worker_ready=1, lag=0, in_flight=0)
            assert _told_by(prometheus) == _DONE
            until(lambda: _positions(worker.pid) == [[100, 100, 0]])
            assert (worker.stop(), again.stop()) == (0, 0), worker.log
    assert {name: sums.count for name, sums in totals().items()} == _HISTORY
    told = {run.pid: run for run in workers()}
    assert {told[one.pid].kind for one in (relay, again)} == {"relay"}
    assert {run.liveness for run in told.values()} == {"stopped"}


def _positions(pid: int) -> list[list[int]]:
    """Return the committed offset, the end offset and the lag of each partition from the worker's heartbeat."""
    (told,) = [run for run in workers() if run.pid == pid]
    return [[partition[name] for name in ("committed", "end", "lag")] for partition in told.state["partitions"]]


_HISTORY = {
    ("", "appended"): 100,
    ("", "relayed"): 100,
    ("", "received"): 100,
    ("", "retried"): 3,
    ("", "done"): 99,
    ("", "dead-lettered"): 1,
    (RECEIVER, "done"): 99,
    (RECEIVER, "failed"): 4,
}
_DONE = {
    "events_sent_total": 100,
    "events_appended_total": 100,
    "relay_rows_sent_total": 100,
    "records_received_total": 100,
    "records_retried_total": 3,
    "records_done_total": 99,
    "records_dead_lettered_total": 1,
    'attempts_failed_total{outcome="retry"}': 3,
    "latency_seconds_count": 99,
    'receiver_seconds_count{outcome="done"}': 99,
    'receiver_seconds_count{outcome="failed"}': 4,
}


def _found_by(prometheus: Prometheus, wanted: Mapping[str, float]) -> dict[str, float | None]:
    """
    Query Prometheus until the results equal ``wanted``; return the results. If a time limit passes first, return the
    last results.
    """
    deadline = monotonic() + PATIENCE
    while True:
        found = {name: prometheus.value(f"event_bus_kafka_{name}") for name in wanted}
        if found == wanted or monotonic() > deadline:
            return found
        sleep(0.1)


def _told_by(prometheus: Prometheus) -> dict[str, float | None]:
    """Return the sum of each counter over all processes. Processes that have ended are included."""
    return {name: prometheus.value(f"sum(max_over_time(event_bus_kafka_{name}[1h]))") for name in _DONE}
