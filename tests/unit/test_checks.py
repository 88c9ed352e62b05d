"""``manage.py check`` reports mistakes in settings as errors or warnings."""

from __future__ import annotations

import socket
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from django.apps import apps
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoDbBlocker

from event_bus_kafka.checks.catalogue import CATALOGUE
from event_bus_kafka.checks.tables import check_tables
from tests.support.broken_configurations import BROKEN, Broken, findings, sent
from tests.support.databases import connected


def messages(**changes: Any) -> list[tuple[str, str]]:
    """
    Change valid settings; return id and text of each message of the checks. The value None removes a setting.
    """
    found = findings(changes)
    return [((message.id or "").removeprefix("event_bus_kafka."), f"{message.msg} {message.hint}") for message in found]


def test_valid_settings_yield_no_messages() -> None:
    assert messages() == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.title)
def test_each_mistake_in_the_settings_yields_its_message_with_an_explanation(broken: Broken) -> None:
    found = broken.messages()
    assert [one.id for one in found] == [f"event_bus_kafka.{broken.number}"] * broken.times
    assert all(broken.says in f"{one.msg} {one.hint}" for one in found)


def test_each_check_of_the_catalogue_has_a_mistake_that_triggers_it() -> None:
    databases = {"E010", "W004", "W006"}
    """
    The numbers of checks that other tests of this file cover. These checks need a database that is unreachable, empty,
    or of another vendor.
    """
    assert {one.number for one in BROKEN} | databases == set(CATALOGUE)


def test_c3_receivers_that_share_a_name_are_accepted_with_different_dispatch_uids() -> None:

    def made() -> Any:
        def receive(**_: Any) -> None: ...

        return receive

    both = [made(), made()]
    for one, uid in zip(both, [None, "second"], strict=True):
        CERTIFICATE_CREATED.connect(one, dispatch_uid=uid)
    found = messages()
    for one, uid in zip(both, [None, "second"], strict=True):
        CERTIFICATE_CREATED.disconnect(one, dispatch_uid=uid)
    assert found == []


@pytest.mark.parametrize("engine", ["sqlite3", "postgresql"])
def test_an_unreachable_database_is_reported_as_an_error_and_raises_no_exception(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, engine: str
) -> None:
    entry = {
        "sqlite3": {"NAME": str(tmp_path / "no" / "folder")},
        "postgresql": {"NAME": "lms", "HOST": "127.0.0.1", "PORT": "9"},
    }[engine]
    if engine == "postgresql":
        pytest.importorskip("psycopg")
    with django_db_blocker.unblock(), connected(entry | {"ENGINE": f"django.db.backends.{engine}"}, "away"):
        (error,) = check_tables(databases=["away"])
    assert error.id == "event_bus_kafka.E010"
    assert error.msg.startswith("Database 'away' cannot be queried for its tables: ")


def test_all_missing_tables_of_a_database_are_in_one_warning(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), connected(entry, "empty"):
        (warning,) = check_tables(databases=["empty"])
    assert warning.msg.startswith("Tables are missing in database 'empty': event_bus_kafka_")
    models = [model for model in apps.get_app_config("event_bus_kafka").get_models() if model._meta.managed]
    assert all(model._meta.db_table in warning.msg for model in models)


def test_the_migrate_command_does_not_warn_of_missing_tables(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), connected(entry, "empty"):
        found = []
        for command in ("migrate", "check"):
            monkeypatch.setattr("sys.argv", ["manage.py", command, "--database", "empty"])
            found.append([one.id for one in check_tables(databases=["empty"])])
    assert found == [[], ["event_bus_kafka.W004"]]


class Undecided:
    """A router that forbids all migrations, but nevertheless selects a database for rows."""

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "empty"

    def allow_migrate(self, *_: Any, **__: Any) -> bool:
        return False


def test_s5_a_database_that_stores_rows_needs_tables_even_if_its_router_forbids_migrations(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), connected(entry, "empty"), connected(entry, "other"):
        with override_settings(DATABASE_ROUTERS=["tests.unit.test_checks.Undecided"]):
            (warning,) = check_tables(databases=["empty", "other"])
    assert "'empty'" in warning.msg


def test_an_outbox_on_sqlite_and_the_relay_notify_setting_without_postgresql_cause_warnings() -> None:
    found = messages(EVENT_BUS_KAFKA_RELAY_NOTIFY=True, **sent(mode="outbox"))
    assert [number for number, _ in found] == ["W005", "W006"]


def test_a_topic_whose_name_starts_with_the_topic_prefix_yields_no_message() -> None:
    assert messages(EVENT_BUS_TOPIC_PREFIX="certificate") == []


def test_event_key_fields_are_not_checked_if_the_producer_setting_is_missing() -> None:
    found = messages(EVENT_BUS_PRODUCER=None, **sent(event_key_field="wrong"))
    assert [number for number, _ in found] == ["W014"]
    assert messages(EVENT_BUS_PRODUCER=None, **sent(event_key_field="wrong", enabled=False)) == []


def test_settings_are_not_checked_when_another_event_bus_is_configured() -> None:
    found = messages(
        EVENT_BUS_PRODUCER="django.utils.timezone.now",
        EVENT_BUS_CONSUMER="django.utils.timezone.now",
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="",
        EVENT_BUS_KAFKA_COMMIT_INTERVAL="often",
    )
    assert found == []


def test_zero_values_yield_no_messages_if_edx_event_bus_kafka_allows_them() -> None:
    zeros = ("EVENT_BUS_KAFKA_CONSUMER_POLL_FAILURE_SLEEP", "EVENT_BUS_KAFKA_CONSUMER_CONSECUTIVE_ERRORS_LIMIT")
    assert messages(**dict.fromkeys(zeros, 0)) == []


def test_a_missing_certificate_file_causes_only_a_warning(tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    options = {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem", "oauth_cb": lambda _: 1 / 0}
    found = messages(EVENT_BUS_KAFKA_CLIENT_OPTIONS=options | {"ssl.key.location": str(tmp_path / "key.pem")})
    assert [number for number, _ in found] == ["W008", "W008"]
    assert all("'ssl.ca.location' does not exist: /nowhere/ca.pem" in text for _, text in found)


OIDC = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.client.id": "id",
    "sasl.oauthbearer.client.secret": "secret",
}


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("CLIENT", {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}, "sasl.username"),
        ("CLIENT", {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAINTEXT"}, "Unsupported SASL mechanism"),
        ("CLIENT", {"security.protocol": "SSL", "ssl.ca.pem": "none"}, "ssl.ca.pem"),
        ("CLIENT", OIDC, "sasl.oauthbearer.token.endpoint.url"),
        ("PRODUCER", {"max.in.flight.requests.per.connection": 10}, "max.in.flight"),
        ("PRODUCER", {"linger.ms": 40_000}, "linger.ms"),
        ("PRODUCER", {"stats_cb": "no function"}, "stats_cb"),
        ("CONSUMER", {"session.timeout.ms": 400_000}, "session.timeout.ms"),
        ("CONSUMER", {"fetch.max.bytes": 1_000}, "fetch.max.bytes"),
    ],
)
def test_s19_an_error_is_reported_for_options_that_librdkafka_refuses(
    name: str, options: dict[str, Any], text: str
) -> None:
    found = messages(**{f"EVENT_BUS_KAFKA_{name}_OPTIONS": options})
    assert [number for number, _ in found] == ["E002"] * (2 if name == "CLIENT" else 1)
    assert all(text in message for _, message in found)


def test_an_error_is_reported_for_options_that_only_the_client_of_a_relay_refuses() -> None:
    patient = {"EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 60, "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": 40_000}}
    ((number, text),) = messages(**patient)
    assert number == "E002"
    assert "linger.ms" in text


def test_producer_options_are_checked_if_only_dead_letters_are_sent() -> None:
    options = {"linger.mss": 1}
    wrong = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": options, "EVENT_BUS_PRODUCER": None, "EVENT_BUS_PRODUCER_CONFIG": {}}
    assert messages(**wrong) == []
    ((number, text),) = messages(EVENT_BUS_KAFKA_DEAD_LETTERS="topic", **wrong)
    assert number == "E002"
    assert "linger.mss" in text


def test_checking_the_settings_connects_to_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        token = {"sasl.oauthbearer.token.endpoint.url": f"http://{address}/token"}
        settings = {
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": address,
            "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": f"http://{address}",
            "EVENT_BUS_KAFKA_CLIENT_OPTIONS": OIDC | token,
        }
        assert messages(**settings) == []
        sleep(0.2)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_disabled_topics_and_disabled_consumers_are_not_checked() -> None:
    disabled = sent(event_key_field="wrong", enabled=False)
    assert messages(EVENT_BUS_KAFKA_CONSUMERS_ENABLED=False, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=None, **disabled) == []
