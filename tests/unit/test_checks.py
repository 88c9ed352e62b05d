"""What is configured wrongly is an error of ``manage.py check``."""

from __future__ import annotations

import socket
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.test import override_settings
from openedx_events.learning.signals import CERTIFICATE_CREATED
from pytest_django import DjangoDbBlocker

from event_bus_kafka import once
from event_bus_kafka.checks import check_tables
from event_bus_kafka.dispatching import inbox
from tests.support.databases import connected

CREATED = "org.openedx.learning.certificate.created.v1"
RIGHT: dict[str, Any] = {
    "EVENT_BUS_PRODUCER": "event_bus_kafka.create_producer",
    "EVENT_BUS_CONSUMER": "event_bus_kafka.KafkaEventConsumer",
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://registry",
    "EVENT_BUS_PRODUCER_CONFIG": {
        CREATED: {"certificates": {"event_key_field": "certificate.course.course_key", "enabled": True}}
    },
}


def messages(**changes: Any) -> list[tuple[str, str]]:
    """Return id and text of what the checks say of the right settings, changed; None leaves a setting out."""
    values = {name: value for name, value in (RIGHT | changes).items() if value is not None}
    unset = {name: None for name, value in changes.items() if value is None}
    with override_settings(**values, **unset):
        found = run_checks(tags=["event_bus_kafka"])
    return [((message.id or "").removeprefix("event_bus_kafka."), f"{message.msg} {message.hint}") for message in found]


def route(event_type: str = CREATED, **entry: Any) -> dict[str, Any]:
    values = {"event_key_field": "certificate.course.course_key", "enabled": True} | entry
    return {"EVENT_BUS_PRODUCER_CONFIG": {event_type: {"certificates": values}}}


def test_right_settings_pass() -> None:
    assert messages() == []


@pytest.mark.parametrize(
    ("changes", "number", "text"),
    [
        ({"EVENT_BUS_KAFKA_SEND_TIMEOUT": "2"}, "E001", "EVENT_BUS_KAFKA_SEND_TIMEOUT must be a number"),
        ({"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"acks": 1}}, "E002", "Producer: Option 'acks'"),
        ({"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"auto.offset.reset": "latest"}}, "E002", "Consumer: Option"),
        (
            {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.mss": 1}},
            "E002",
            'No such configuration property: "linger.mss"',
        ),
        ({"EVENT_BUS_KAFKA_CONSUMER_OPTIONS": {"session.timeout.ms": "long"}}, "E002", "Invalid value"),
        ({"EVENT_BUS_KAFKA_RETRY": {"final": ["no.such.Error"]}}, "E002", "no.such.Error"),
        ({"EVENT_BUS_PRODUCER": "event_bus_kafka.create_producr"}, "E003", "event_bus_kafka.create_producer"),
        ({"EVENT_BUS_CONSUMER": "event_bus_kafak.KafkaEventConsumer"}, "E003", "No module named"),
        ({"EVENT_BUS_CONSUMER": "event_bus_kafka.errors.__name__"}, "E003", "not callable"),
        ({"EVENT_BUS_PRODUCER": ".create_producer"}, "E003", "Empty module name"),
        ({"EVENT_BUS_PRODUCER": "event_bus_kafka.KafkaEventConsumer"}, "E003", "it is something else"),
        ({"EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS": float("inf")}, "E001", "a whole number"),
        ({"INSTALLED_APPS": ["event_bus_kafka"]}, "E007", "no event is sent"),
        (route("org.openedx.content_authoring.course.certificate_config.changed.v1"), "E004", "signatories.image"),
        (route(event_key_field="certificate.course"), "E005", "cannot be a key"),
        (route(mode="later"), "E006", "must be one of 'on-commit'"),
        (route(database="replica"), "E006", "no database 'replica'"),
        ({"EVENT_BUS_KAFKA_BOOTSTRAP_SERVER": "kafka:9092"}, "W001", "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS?"),
        ({"EVENT_BUS_KAFKA_API_KEY": "user"}, "W002", "EVENT_BUS_KAFKA_API_SECRET"),
        ({"EVENT_BUS_KAFKA_TOPIC_MODES": {"certs": "immediate"}}, "W003", "'certs'"),
        (route(mode="outbox"), "W005", "run one relay at a time"),
    ],
)
def test_each_mistake_is_found_and_explained(changes: dict[str, Any], number: str, text: str) -> None:
    (message,) = messages(**changes)
    assert message[0] == number
    assert text in message[1]


def test_a_database_of_once_that_is_not_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_aliases", {"default"})

    @once(using="reprots")
    def receive(**_: Any) -> None: ...

    assert messages() == [("E008", "once(using='reprots'): there is no such database. Name one of default, other.")]


def test_c3_receivers_of_one_name_are_found() -> None:
    def made() -> Any:
        def receive(**_: Any) -> None: ...

        return receive

    both = [made(), made()]
    for uids, found in (([None, None], 1), ([None, "second"], 0)):
        for one, uid in zip(both, uids, strict=True):
            CERTIFICATE_CREATED.connect(one, dispatch_uid=uid)
        told = [text for number, text in messages() if number == "W009"]
        for one, uid in zip(both, uids, strict=True):
            CERTIFICATE_CREATED.disconnect(one, dispatch_uid=uid)
        assert len(told) == found
        assert all(f"2 receivers of {CREATED} have the name {__name__}.test_c3" in text for text in told)


def test_all_tables_that_are_missing_are_one_warning(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), connected(entry, "empty"):
        (warning,) = check_tables(databases=["empty"])
    assert warning.msg.startswith("Tables are missing in database 'empty': event_bus_kafka_")
    assert all(model._meta.db_table in warning.msg for model in apps.get_app_config("event_bus_kafka").get_models())


class Undecided:
    """Lets no table be where it sends rows."""

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "empty"

    def allow_migrate(self, *_: Any, **__: Any) -> bool:
        return False


def test_a_database_that_will_be_used_needs_the_tables_whatever_a_router_says_of_migrations(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    """S5."""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), connected(entry, "empty"), connected(entry, "other"):
        with override_settings(DATABASE_ROUTERS=["tests.unit.test_checks.Undecided"]):
            (warning,) = check_tables(databases=["empty", "other"])
    assert "'empty'" in warning.msg


def test_notify_is_for_postgresql_alone() -> None:
    found = messages(EVENT_BUS_KAFKA_RELAY_NOTIFY=True, **route(mode="outbox"))
    assert [number for number, _ in found] == ["W005", "W006"]


def test_a_topic_with_the_prefix_would_get_it_twice() -> None:
    assert not messages(EVENT_BUS_TOPIC_PREFIX="certificate"), "another word that begins so is none"
    topics = {"stage-certificates": RIGHT["EVENT_BUS_PRODUCER_CONFIG"][CREATED]["certificates"]}
    ((number, text),) = messages(EVENT_BUS_TOPIC_PREFIX="stage", EVENT_BUS_PRODUCER_CONFIG={CREATED: topics})
    assert number == "W007"
    assert "go to 'stage-stage-certificates'" in text
    assert "write 'certificates'" in text


@pytest.mark.parametrize("name", ["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"])
def test_a_missing_address_is_missed_by_producer_and_consumer(name: str) -> None:
    found = messages(**{name: None})
    assert [number for number, _ in found] == ["E002", "E002"]
    assert all(name in text for _, text in found)


def test_a_service_that_only_consumes_needs_no_producer_settings() -> None:
    assert messages(EVENT_BUS_PRODUCER=None, **route(event_key_field="wrong")) == []


def test_a_service_with_another_event_bus_is_left_alone() -> None:
    found = messages(
        EVENT_BUS_PRODUCER="django.utils.timezone.now",
        EVENT_BUS_CONSUMER="django.utils.timezone.now",
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="",
        EVENT_BUS_KAFKA_COMMIT_INTERVAL="often",
    )
    assert found == []


def test_zeros_of_the_existing_package_pass() -> None:
    zeros = ("EVENT_BUS_KAFKA_CONSUMER_POLL_FAILURE_SLEEP", "EVENT_BUS_KAFKA_CONSUMER_CONSECUTIVE_ERRORS_LIMIT")
    assert messages(**dict.fromkeys(zeros, 0)) == []


def test_a_registry_without_a_scheme_is_found() -> None:
    found = messages(EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="registry:8081")
    assert [number for number, _ in found] == ["E002", "E002"]


def test_certificates_need_not_be_there_yet(tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    options = {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem", "oauth_cb": lambda _: 1 / 0}
    found = messages(EVENT_BUS_KAFKA_CLIENT_OPTIONS=options | {"ssl.key.location": str(tmp_path / "key.pem")})
    assert [number for number, _ in found] == ["W008", "W008"]
    assert all("'ssl.ca.location' is not there: /nowhere/ca.pem" in text for _, text in found)


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
def test_options_that_librdkafka_refuses_together_are_found(name: str, options: dict[str, Any], text: str) -> None:
    """S19."""
    found = messages(**{f"EVENT_BUS_KAFKA_{name}_OPTIONS": options})
    assert [number for number, _ in found] == ["E002"] * (2 if name == "CLIENT" else 1)
    assert all(text in message for _, message in found)


def test_what_only_a_relay_s_own_options_refuse_is_found() -> None:
    patient = {"EVENT_BUS_KAFKA_DELIVERY_TIMEOUT": 60, "EVENT_BUS_KAFKA_PRODUCER_OPTIONS": {"linger.ms": 40_000}}
    ((number, text),) = messages(**patient)
    assert number == "E002"
    assert "linger.ms" in text


def test_the_producer_of_a_topic_for_dead_letters_is_checked_where_nothing_else_is_sent() -> None:
    options = {"linger.mss": 1}
    wrong = {"EVENT_BUS_KAFKA_PRODUCER_OPTIONS": options, "EVENT_BUS_PRODUCER": None}
    assert messages(**wrong) == []
    ((number, text),) = messages(EVENT_BUS_KAFKA_DEAD_LETTERS="topic", **wrong)
    assert number == "E002"
    assert "linger.mss" in text


def test_a_check_contacts_nobody() -> None:
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
    disabled = route(event_key_field="wrong", enabled=False)
    assert messages(EVENT_BUS_KAFKA_CONSUMERS_ENABLED=False, EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=None, **disabled) == []
