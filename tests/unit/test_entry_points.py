"""
If a worker cannot start, its command exits with code 1 and logs the reason (case C16). The tests run ``consume_events``
of this package and of openedx-events.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from openedx_events.management.commands.consume_events import Command as TheirCommand

import event_bus_kafka
from event_bus_kafka.management.commands.consume_events import Command as OurCommand

SETTINGS: dict[str, Any] = {
    "EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumer",
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
}


class RaisingStore:
    def __init__(self) -> None:
        raise RuntimeError("no bucket")


class LeavingStore:
    def __init__(self) -> None:
        raise SystemExit(0)


class NoTenant:
    def db_for_write(self, model: Any, **_: Any) -> str:
        raise LookupError("no tenant")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no brokers configured": ({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": None}, "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"),
    "a store that raises": ({"EVENT_BUS_KAFKA_DEAD_LETTERS": f"{__name__}.RaisingStore"}, "no bucket"),
    "a store that exits": ({"EVENT_BUS_KAFKA_DEAD_LETTERS": f"{__name__}.LeavingStore"}, "SystemExit"),
    "a store that does not exist": ({"EVENT_BUS_KAFKA_DEAD_LETTERS": "no.such.Store"}, "no.such.Store"),
    "a router that raises": ({"DATABASE_ROUTERS": [f"{__name__}.NoTenant"]}, "no tenant"),
    "an invalid setting": ({"EVENT_BUS_KAFKA_REVOKE_TIMEOUT": "long"}, "REVOKE_TIMEOUT"),
}


@pytest.mark.parametrize("command", [OurCommand, TheirCommand])
@pytest.mark.parametrize("name", WRONG)
@pytest.mark.django_db(transaction=True)
def test_c16_a_worker_that_fails_before_its_loop_exits_with_1_and_logs_the_reason(
    command: type[OurCommand], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    changes, reason = WRONG[name]
    with override_settings(**SETTINGS | changes), pytest.raises(SystemExit) as ended:
        call_command(command(), "-t", "certs", "-g", "g", skip_checks=True)
    assert ended.value.code == 1
    assert reason in caplog.text


@pytest.mark.parametrize("command", [OurCommand, TheirCommand])
def test_c16_a_worker_exits_with_1_if_a_module_of_the_package_cannot_be_imported(
    command: type[OurCommand], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "event_bus_kafka.entry_points", None)
    with override_settings(**SETTINGS), pytest.raises(SystemExit) as ended:
        call_command(command(), "-t", "certs", "-g", "g", skip_checks=True)
    assert ended.value.code == 1
    assert "event_bus_kafka.entry_points" in caplog.text
    with pytest.raises(ImportError):
        event_bus_kafka.create_producer  # noqa: B018


def test_c16_a_worker_without_a_free_file_descriptor_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The worker must end the process, because the command of openedx-events would turn an exception into exit code 0.
    """

    def no_descriptor() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.pipe", no_descriptor)
    with override_settings(**SETTINGS, INSTALLED_APPS=["openedx_events"]), pytest.raises(SystemExit) as ended:
        call_command(TheirCommand(), "-t", "certs", "-g", "g", skip_checks=True)
    assert ended.value.code == 1
    assert "Too many open files" in caplog.text


FORGOTTEN: dict[str, Any] = {
    "EVENT_BUS_PRODUCER": None,
    "EVENT_BUS_PRODUCER_CONFIG": {
        "org.openedx.learning.certificate.created.v1": {
            "certificates": {"event_key_field": "certificate.user.id", "enabled": True},
            "switched-off": {"event_key_field": "certificate.user.id", "enabled": False},
        }
    },
}


@pytest.mark.parametrize(
    "command", [["consume_events", "-t", "certs", "-g", "g"], ["relay_events", "--database", "none"]]
)
def test_consume_events_and_relay_events_warn_when_the_setting_of_the_producer_is_missing(
    command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """In this test both commands also fail to start, for a different reason."""
    said = "EVENT_BUS_PRODUCER_CONFIG enables certificates, but EVENT_BUS_PRODUCER is not set: no event is sent"
    wrong = SETTINGS | {"EVENT_BUS_KAFKA_DEAD_LETTERS": "no.such.Store"}
    for changes, times in ((FORGOTTEN, 1), (FORGOTTEN | {"EVENT_BUS_PRODUCER": "another.producer"}, 0)):
        caplog.clear()
        with override_settings(**wrong | changes), pytest.raises((SystemExit, CommandError)):
            call_command(*command, skip_checks=True)
        assert caplog.messages.count(said) == times
