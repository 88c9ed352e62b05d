"""The metrics of real workers agree with the work that these workers did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.projects.process import ServiceProcess
from tests.services.bus import CREATED, Bus
from tests.services.process import free_port
from tests.support.examples_of import certificate
from tests.support.scraping import numbers, page, scraped_until
from tests.support.sending import send
from tests.support.workers import OURS_FIRST, OURS_LAST, worker

_RECEIVERS = "tests.projects.certificates.receivers"


def test_a_worker_counts_the_outcomes_of_its_records(bus: Bus, topic: str, group: str) -> None:
    """
    The worker runs the command of openedx-events. This command has no option for the health port, so the settings
    contain the port.
    """
    bus.create_topic(f"{group}.dead-letters")
    bus.produce(topic, value=b"", headers={"ce_type": b"invented", "ce_id": b"1"})
    send(bus, topic, *map(certificate, (1, 2, 4, 6, 8)))
    port = free_port()
    changes: dict[str, Any] = {"EVENT_BUS_KAFKA_HEALTH_PORT": port, "EVENT_BUS_KAFKA_DEAD_LETTERS": "topic"}
    changes |= OURS_LAST
    with worker(bus, topic, group, "fail_for_odd,note", **changes) as process:
        found = scraped_until(
            port,
            {
                ("records_received_total", CREATED): 5,
                ("records_done_total", CREATED): 4,
                ("records_dead_lettered_total", CREATED): 1,
                ("records_skipped_total", "other", "unregistered type"): 1,
                ("lag", group, "0", topic): 0,
                ("in_flight", group): 0,
                ("worker_ready", group): 1,
            },
        )
        assert page(port, "/live") == (200, "alive\n")
        assert page(port, "/ready") == (200, "ready\n")
        assert process.stop() == 0
    attempts = len(process.users("fail_for_odd")) - 4
    expected = {
        ("records_retried_total", CREATED): attempts - 1,
        ("attempts_failed_total", CREATED, "retry"): attempts - 1,
        ("receiver_seconds_count", CREATED, "done", f"{_RECEIVERS}.fail_for_odd"): 4,
        ("receiver_seconds_count", CREATED, "failed", f"{_RECEIVERS}.fail_for_odd"): attempts,
        ("receiver_seconds_count", CREATED, "done", f"{_RECEIVERS}.note"): 5,
        ("latency_seconds_count", CREATED): 4,
        ("registry_requests_total", "done"): 1,
        ("lag_seconds", group, "0", topic): 0,
        ("lanes", group): 1,
        ("held_keys", group): 0,
        ("retries_waiting", group): 0,
        ("open_circuits", group): 0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["window_fill_ratio", group, "0", topic] <= 0.0006, (
        "6 of the 10,000 records of a window may still wait for their commit"
    )
    assert found["latency_seconds_sum", CREATED] > 0
    assert "learner@example.com" not in str(found)


def test_a_worker_reports_its_lag_until_it_has_caught_up(bus: Bus, topic: str, group: str, tmp_path: Path) -> None:
    gate, port = tmp_path / "gate", free_port()
    send(bus, topic, *[certificate(7, grade=str(number)) for number in range(3)])
    retry = {"attempts": 1_000, "first_delay": 0.1, "factor": 1}
    settings = bus.settings(EVENT_BUS_KAFKA_HEALTH_PORT=1, EVENT_BUS_KAFKA_RETRY=retry) | OURS_FIRST
    arguments = ("consume_events", "-t", topic, "-g", group, "--health-port", str(port))
    environment = {"GATE": str(gate)}
    with ServiceProcess(*arguments, settings=settings, receivers="wait_for_file", environment=environment) as process:
        behind = {("lag", group, "0", topic): 3.0, ("in_flight", group): 3.0, ("retries_waiting", group): 1.0}
        found = scraped_until(port, behind)
        assert 0 < found["lag_seconds", group, "0", topic] < 3_600
        gate.touch()
        scraped_until(port, dict.fromkeys(behind, 0.0))
        assert numbers(port)["records_done_total", CREATED] == 3
        assert process.stop() == 0


def test_a_web_process_counts_the_events_that_it_sends(bus: Bus, topic: str) -> None:
    code = (
        "from openedx_events.learning.signals import CERTIFICATE_CREATED as signal; "
        "from prometheus_client import REGISTRY; "
        "from event_bus_kafka import create_producer; from tests.projects.certificates.apps import say; "
        "from tests.support.examples_of import certificate; producer = create_producer(); "
        f"producer.send(signal=signal, topic={topic!r}, event_key_field='certificate.user.id', "
        "event_data={'certificate': certificate(7)}, event_metadata=signal.generate_signal_metadata()); "
        "producer.prepare_for_shutdown(); "
        f"labels = dict(event_type={CREATED!r}, mode='on-commit'); "
        "say('sent', count=REGISTRY.get_sample_value('event_bus_kafka_events_sent_total', labels))"
    )
    with ServiceProcess(code=code, settings=bus.settings(topic)) as process:
        assert process.end() == 0, process.log
    assert [one["count"] for one in process.heard("sent")] == [1]
