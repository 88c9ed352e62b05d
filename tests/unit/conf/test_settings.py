"""Settings have valid defaults, and invalid values are refused. The client options are built from the settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from event_bus_kafka.conf.client_options import consumer_options, producer_options, schema_registry_options
from event_bus_kafka.conf.routes import full_topic, mode_of, retry_by_name, routes, short_topic
from event_bus_kafka.conf.settings import all_settings, settings
from event_bus_kafka.errors import ConfigurationError

SERVERS = {
    "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": "http://registry",
}


def test_every_setting_has_a_description_and_a_valid_default() -> None:
    for setting in all_settings():
        assert setting.sentence.endswith(".")
        with override_settings(**{setting.name: setting.default}):
            setting.value()


def test_names_of_settings_are_unique() -> None:
    names = [setting.name for setting in all_settings()]
    assert len(set(names)) == len(names)


def test_an_overridden_setting_applies_immediately() -> None:
    with override_settings(EVENT_BUS_KAFKA_SEND_TIMEOUT=7):
        assert settings.send_timeout == 7
    assert settings.send_timeout == 2


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EVENT_BUS_KAFKA_SEND_TIMEOUT", "2", "a number from 0.001 to 86400"),
        ("EVENT_BUS_KAFKA_SEND_TIMEOUT", True, "a number"),
        ("EVENT_BUS_KAFKA_SEND_TIMEOUT", -1, "a number"),
        ("EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS", 0, "a whole number from 1"),
        ("EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS", 1.5, "a whole number"),
        ("EVENT_BUS_KAFKA_CONSUMER_WINDOW_RECORDS", float("inf"), "a whole number"),
        ("EVENT_BUS_KAFKA_CONSUMERS_ENABLED", "False", "True or False"),
        ("EVENT_BUS_PRODUCER_MODE", "outbocks", "'on-commit'"),
        ("EVENT_BUS_KAFKA_CLIENT_OPTIONS", [], "a dict"),
        ("EVENT_BUS_KAFKA_TOPIC_MODES", {"topic": "never"}, "'topic' is not one of"),
        ("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS", ["kafka:9092"], "a str"),
        ("EVENT_BUS_KAFKA_RETRY", {"atempts": 3}, "'atempts' is none of attempts"),
        ("EVENT_BUS_KAFKA_RETRY", {"attempts": 0}, "'attempts' must be a whole number from 1"),
        ("EVENT_BUS_KAFKA_RETRY", {"final": "ValueError"}, "'final' must be a list"),
        ("EVENT_BUS_KAFKA_CIRCUIT", {"failure": 3}, "'failure' is none of failures, keys, probe_every"),
        ("EVENT_BUS_KAFKA_CIRCUIT", {"probe_every": 0}, "'probe_every' must be a number from 0.1"),
        ("EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD", 0, "a whole number from 1"),
        ("EVENT_BUS_KAFKA_ALLOW_UNSAFE_OPTIONS", "acks", "a list of str"),
    ],
)
def test_an_invalid_value_raises_an_error_with_the_setting_and_the_expected_value(
    name: str, value: Any, expected: str
) -> None:
    (setting,) = [setting for setting in all_settings() if setting.name == name]
    with override_settings(**{name: value}), pytest.raises(ConfigurationError) as caught:
        setting.value()
    assert name in str(caught.value)
    assert expected in str(caught.value)


def test_a_retry_setting_uses_the_defaults_of_omitted_keys() -> None:
    with override_settings(EVENT_BUS_KAFKA_RETRY={"attempts": 9}):
        assert settings.retry["attempts"] == 9
        assert settings.retry["max_delay"] == 60


# Client options


@override_settings(**SERVERS)
def test_producers_are_idempotent_and_require_acks_from_all() -> None:
    options = producer_options()
    assert options["bootstrap.servers"] == "kafka:9092"
    assert (options["acks"], options["enable.idempotence"], options["message.timeout.ms"]) == ("all", True, 30_000)


@override_settings(**SERVERS)
def test_consumers_start_at_the_earliest_record_and_do_not_commit_automatically() -> None:
    options = consumer_options("group")
    assert (options["group.id"], options["auto.offset.reset"], options["enable.auto.commit"]) == (
        "group",
        "earliest",
        False,
    )


@override_settings(**SERVERS, EVENT_BUS_KAFKA_API_KEY="user", EVENT_BUS_KAFKA_API_SECRET="word")
def test_api_key_and_secret_select_sasl_plain_over_tls() -> None:
    options = consumer_options("group")
    assert (options["security.protocol"], options["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
    assert (options["sasl.username"], options["sasl.password"]) == ("user", "word")


@override_settings(
    **SERVERS,
    EVENT_BUS_KAFKA_CLIENT_OPTIONS={"sasl.mechanism": "SCRAM-SHA-512", "linger.ms": 1},
    EVENT_BUS_KAFKA_PRODUCER_OPTIONS={"linger.ms": 2},
)
def test_configured_client_options_are_used_and_producer_options_override_them() -> None:
    assert producer_options()["sasl.mechanism"] == "SCRAM-SHA-512"
    assert producer_options()["linger.ms"] == 2


@pytest.mark.parametrize(
    "unsafe", [{"acks": 1}, {"acks": "0"}, {"request.required.acks": 1}, {"enable.idempotence": "false"}]
)
def test_unsafe_producer_options_are_refused_unless_a_setting_allows_them(unsafe: dict[str, Any]) -> None:
    with override_settings(**SERVERS, EVENT_BUS_KAFKA_PRODUCER_OPTIONS=unsafe):
        with pytest.raises(ConfigurationError, match="may lose events"):
            producer_options()
        with override_settings(EVENT_BUS_KAFKA_ALLOW_UNSAFE_OPTIONS=list(unsafe)):
            assert producer_options().items() >= unsafe.items()
    with override_settings(**SERVERS, EVENT_BUS_KAFKA_CLIENT_OPTIONS=unsafe):
        with pytest.raises(ConfigurationError, match="may lose events"):
            producer_options()


@pytest.mark.parametrize("unsafe", [{"auto.offset.reset": "latest"}, {"enable.auto.commit": True}])
def test_unsafe_consumer_options_are_refused(unsafe: dict[str, Any]) -> None:
    with override_settings(**SERVERS, EVENT_BUS_KAFKA_CLIENT_OPTIONS=unsafe):
        with pytest.raises(ConfigurationError, match="may lose events"):
            consumer_options("group")


@override_settings(
    **SERVERS,
    EVENT_BUS_KAFKA_PRODUCER_OPTIONS={"acks": "-1", "enable.idempotence": "true"},
    EVENT_BUS_KAFKA_CONSUMER_OPTIONS={"auto.offset.reset": "smallest"},
)
def test_synonyms_of_safe_option_values_are_accepted() -> None:
    producer_options()
    consumer_options("group")


def test_missing_address_settings_are_named_in_errors() -> None:
    with pytest.raises(ConfigurationError, match="EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set"):
        producer_options()
    with pytest.raises(ConfigurationError, match="EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL is not set"):
        schema_registry_options()


@override_settings(
    **SERVERS,
    EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY="user",
    EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_SECRET="word",
    EVENT_BUS_KAFKA_SCHEMA_REGISTRY_OPTIONS={"timeout": 9},
)
def test_the_client_options_of_the_registry_contain_credentials_and_configured_options() -> None:
    options = schema_registry_options()
    assert (options["basic.auth.user.info"], options["timeout"]) == ("user:word", 9)


# Routes

CONFIG = {
    "org.openedx.learning.certificate.created.v1": {
        "certificates": {"event_key_field": "certificate.course.course_key", "enabled": True, "mode": "immediate"},
        "other": {"event_key_field": "certificate.user.id", "enabled": False, "database": "replica"},
    }
}
CREATED = "org.openedx.learning.certificate.created.v1"


@override_settings(EVENT_BUS_PRODUCER_CONFIG=CONFIG, EVENT_BUS_KAFKA_TOPIC_MODES={"other": "immediate"})
def test_the_mode_in_the_producer_config_overrides_the_mode_of_the_topic() -> None:
    assert mode_of(CREATED, "certificates") == ("immediate", None)
    assert mode_of(CREATED, "other") == ("immediate", "replica")
    assert mode_of("unconfigured", "topic") == ("on-commit", None)
    with override_settings(EVENT_BUS_PRODUCER_MODE="immediate"):
        assert mode_of("unconfigured", "topic") == ("immediate", None)


@override_settings(EVENT_BUS_PRODUCER_CONFIG=CONFIG)
def test_each_topic_of_the_producer_config_has_a_route() -> None:
    assert [(route.topic, route.enabled) for route in routes()] == [("certificates", True), ("other", False)]


@pytest.mark.parametrize("entry", [{"enabled": True}, {"event_key_field": "x", "enabled": True, "mode": "soon"}])
def test_an_invalid_entry_of_the_producer_config_raises_an_error_that_names_its_topic(entry: dict[str, Any]) -> None:
    with override_settings(EVENT_BUS_PRODUCER_CONFIG={CREATED: {"certificates": entry}}):
        with pytest.raises(ConfigurationError, match="certificates"):
            routes()


@override_settings(EVENT_BUS_TOPIC_PREFIX="stage")
def test_the_function_full_topic_adds_the_topic_prefix_and_short_topic_removes_the_prefix() -> None:
    assert full_topic("certificates") == "stage-certificates"
    assert short_topic("stage-certificates") == "certificates"


def test_the_names_of_topics_do_not_change_without_a_prefix() -> None:
    assert full_topic("certificates") == short_topic("certificates") == "certificates"


@override_settings(EVENT_BUS_TOPIC_PREFIX="stage", EVENT_BUS_KAFKA_RETRY_BY={CREATED: {"attempts": 2}})
def test_retry_settings_of_an_event_type_apply_even_if_a_topic_prefix_is_set() -> None:
    assert retry_by_name()[CREATED] == {"attempts": 2}


@pytest.mark.parametrize("name", ["EVENT_BUS_KAFKA_STOP_TIMEOUT", "EVENT_BUS_KAFKA_REVOKE_TIMEOUT"])
def test_max_poll_interval_exceeds_the_stop_and_revoke_timeouts(name: str) -> None:
    with override_settings(**SERVERS, **{name: 1_000}):
        assert consumer_options("group")["max.poll.interval.ms"] > 1_000_000


class TestCredentialsInTheURL:
    """A registry URL may contain credentials (case S18)."""

    URL = "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"

    def options(self, url: str, **changes: Any) -> dict[str, Any]:
        with override_settings(**SERVERS | {self.URL: url} | changes):
            return schema_registry_options()

    @pytest.mark.parametrize(
        ("url", "bare", "user_info"),
        [
            ("http://user:p%40ss%2F@registry:8081/v7", "http://registry:8081/v7", "user:p@ss/"),
            ("https://user@registry", "https://registry", "user:"),
            ("https://u:p@one, https://u:p@two", "https://one,https://two", "u:p"),
            ("https://one,https://u:p@two", "https://one,https://two", "u:p"),
        ],
    )
    def test_credentials_in_the_registry_url_become_a_client_option(self, url: str, bare: str, user_info: str) -> None:
        options = self.options(url)
        assert (options["url"], options["basic.auth.user.info"]) == (bare, user_info)

    def test_credentials_in_the_url_among_the_registry_options_become_a_client_option(self) -> None:
        options = self.options(
            "http://other", EVENT_BUS_KAFKA_SCHEMA_REGISTRY_OPTIONS={"url": "http://user:word@registry"}
        )
        assert (options["url"], options["basic.auth.user.info"]) == ("http://registry", "user:word")

    @pytest.mark.parametrize(
        ("url", "changes"),
        [
            ("http://u:p@one,http://u:other@two", {}),
            ("http://u:p@one", {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_API_KEY": "u"}),
            ("http://u:p@one", {"EVENT_BUS_KAFKA_SCHEMA_REGISTRY_OPTIONS": {"basic.auth.user.info": "u:p"}}),
        ],
    )
    def test_credentials_of_the_registry_in_two_places_are_refused(self, url: str, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="remove one of the users"):
            self.options(url, **changes)

    @pytest.mark.parametrize("password", ["S3cret/1", "12/S3cret", "S3cret#1", "S3cret?1", "[S3cret"])
    def test_a_password_is_refused_and_not_shown_if_it_is_not_percent_encoded(self, password: str) -> None:
        with pytest.raises(ConfigurationError, match="percent-encoded") as refused:
            self.options(f"http://user:{password}@registry")
        assert "S3cret" not in str(refused.value)
        assert refused.value.__cause__ is None
