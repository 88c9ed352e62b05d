"""Faults of what both flows stand on: settings, values and their bytes, the seam to Kafka, telemetry."""

from __future__ import annotations

from tests.mutants.fault import Fault

_CONF = ("unit/conf",)
_WIRE = ("unit/wire",)
_KAFKA = ("unit/kafka", "contract")
_TELEMETRY = ("unit/telemetry",)

FAULTS = (
    Fault(
        name="options of the settings are overridden",
        file="conf/client_options.py",
        scope="_merged",
        old="_connection() | own | shared | given",
        new="_connection() | shared | given | own",
        harm="what operators configure has no effect",
        tests=_CONF,
    ),
    Fault(
        name="unsafe options are accepted for all clients",
        file="conf/client_options.py",
        scope="_merged",
        old="_refuse_unsafe(shared | given, safe)",
        new="_refuse_unsafe(given, safe)",
        harm="acks=1 in EVENT_BUS_KAFKA_CLIENT_OPTIONS loses events",
        tests=_CONF,
    ),
    Fault(
        name="a stop may last longer than Kafka waits for a member",
        file="conf/client_options.py",
        scope="consumer_options",
        old="max(settings.revoke_timeout, settings.stop_timeout)",
        new="settings.revoke_timeout",
        harm="a worker that stops is shut out, and its events come twice",
        tests=_CONF,
    ),
    Fault(
        name="a topic without its prefix keeps the hyphen",
        file="conf/routes.py",
        scope="short_topic",
        old='topic.removeprefix(full_topic(""))',
        new='topic.removeprefix(settings.topic_prefix or "")',
        harm="receivers of deletions compare with the wrong name",
        tests=_CONF,
    ),
    Fault(
        name="a topic's retries replace those of an event type",
        file="conf/routes.py",
        scope="retry_by_name",
        old="{full_topic(name): changes for name, changes in given.items()} | given",
        new="{full_topic(name): changes for name, changes in given.items()}",
        harm="with a prefix, retries configured for an event type have no effect",
        tests=_CONF,
    ),
    Fault(
        name="the magic byte is not looked at",
        file="wire/serde.py",
        scope="_schema_id",
        old='if magic != 0:\n    raise UnreadableValue(f"starts with byte {magic & 0xFF}, not with 0")',
        new="pass",
        harm="JSON of others is read with any schema, as wrong data",
        tests=("unit/wire/test_malformed_input.py",),
    ),
    Fault(
        name="a header that stands twice is overwritten",
        file="wire/cloudevents.py",
        scope="to_metadata",
        old='if name in found:\n    raise InvalidHeaders(f"header {header} stands more than once")',
        new="pass",
        harm="an event has the id of another",
        tests=("unit/wire/test_cloudevents.py",),
    ),
    Fault(
        name="a header without a value comes back empty",
        file="wire/headers.py",
        scope="pack",
        old="-1 if value is None else len(value)",
        new="0 if value is None else len(value)",
        harm="an event from the outbox is not the same to the byte",
        tests=("unit/wire/test_headers.py",),
    ),
    Fault(
        name="a tombstone is sent with a value",
        file="wire/serde.py",
        scope="frame",
        old="None if body is None else _framed(body, destination.value, registry)",
        new='_framed(body or b"", destination.value, registry)',
        harm="what was deleted stays in compacted topics",
        tests=("unit/producing/test_tombstones.py",),
    ),
    Fault(
        name="a tombstone's id does not depend on its time",
        file="wire/serde.py",
        scope="metadata_of_tombstone",
        old='f"{record.coordinates}:{record.timestamp}"',
        new='f"{record.coordinates}"',
        harm="once() skips deletions of a topic that was made anew",
        tests=("unit/producing/test_tombstones.py",),
    ),
    Fault(
        name="what a class refuses is quoted",
        file="wire/resolution.py",
        scope="_refused",
        old='f"{reader.expects} refused its values: {type(error).__name__}"',
        new='f"{reader.expects} refused its values: {error}"',
        harm="personal data in logs and dead letters",
        tests=(
            "unit/wire/test_odd_classes.py",
            "unit/wire/test_malformed_input.py",
            "unit/wire/test_codec.py",
        ),
    ),
    Fault(
        name="partitions are forgotten before they are handed over",
        file="kafka/consumer.py",
        scope="ConsumerClient._on_revoke",
        old="self._listener.revoked(_partitions(partitions))\nself.positions.forget(_partitions(partitions))",
        new="self.positions.forget(_partitions(partitions))\nself._listener.revoked(_partitions(partitions))",
        harm="the last commit is refused: at each deploy events come again",
        tests=("contract/test_groups.py::test_what_is_committed_while_a_member_leaves_is_kept",),
    ),
    Fault(
        name="a refused question about offsets means that none are committed",
        file="kafka/offsets.py",
        scope="GroupOffsets.committed",
        old="if one.error is not None:\n    raise to_broker_error(one.error)",
        new="pass",
        harm="a group begins anew, and all events come again",
        tests=("unit/kafka/test_offsets.py",),
    ),
    Fault(
        name="a commit that is refused for a partition counts",
        file="kafka/offsets.py",
        scope="GroupOffsets.commit_each",
        old="one.error is not None",
        new="False",
        harm="events come again after the next restart",
        tests=("unit/kafka/test_offsets.py",),
    ),
    Fault(
        name="a 404 of a proxy is final",
        file="kafka/schema_registry.py",
        scope="_to_error",
        old="status == _NOT_FOUND and code in _UNKNOWN",
        new="status == _NOT_FOUND",
        harm="a wrong address makes dead letters of all events",
        tests=("contract/test_schema_registry.py",),
    ),
    Fault(
        name="a missing right parks rows",
        file="kafka/error_codes.py",
        old='Meaning("TOPIC_AUTHORIZATION_FAILED", Trouble.FORBIDDEN)',
        new='Meaning("TOPIC_AUTHORIZATION_FAILED", Trouble.FORBIDDEN, row_outcome=RowOutcome.PARK)',
        harm="a mistake in Kafka's rights sets thousands of events aside",
        tests=("unit/kafka/test_error_codes.py",),
    ),
    Fault(
        name="texts of foreign errors are told",
        file="telemetry/error_text.py",
        scope="error_text",
        old='f"{type(error).__name__}: {error}" if ours else type(error).__name__',
        new='f"{type(error).__name__}: {error}"',
        harm="personal data in logs",
        tests=_TELEMETRY,
    ),
    Fault(
        name="monitoring reports the error itself",
        file="telemetry/monitoring.py",
        scope="_record_error",
        old="raise EventBusError(error_text(error)) from None",
        new="raise EventBusError(error_text(error)) from error",
        harm="personal data at the monitoring service",
        tests=_TELEMETRY,
    ),
    Fault(
        name="an observer that fails stops the flow",
        file="telemetry/bus.py",
        scope="emit",
        old="""
try:
    observer(event)
except RAISED_BY_OTHERS as error:
    _note_failure(observer, event, error)
""",
        new="observer(event)",
        harm="a request fails because of a metric",
        tests=_TELEMETRY,
    ),
    Fault(
        name="obstacles of a kind end all others",
        file="telemetry/health.py",
        scope="Health.replace",
        old="kind is not obstacle",
        new="False",
        harm="a worker that can do nothing says that it is ready",
        tests=_TELEMETRY,
    ),
    Fault(
        name="user and password stay in the registry's URL",
        file="conf/client_options.py",
        scope="schema_registry_options",
        old="return _without_credentials_in_url(options | settings.schema_registry_options)",
        new="return options | settings.schema_registry_options",
        harm="the HTTP client logs a password",
        tests=("unit/conf",),
    ),
    Fault(
        name="the HTTP client logs requests to the registry",
        file="kafka/schema_registry.py",
        scope="_is_of_others",
        old="threading.current_thread().name != _THREAD",
        new="True",
        harm="a line at INFO for each request, with its URL",
        tests=("flows/test_secrets.py",),
    ),
    Fault(
        name="a callback of the service ends the poll",
        file="kafka/factory.py",
        scope="make_client",
        old='_make(client, {"log_level": 3} | options | safe, name)',
        new='_make(client, {"log_level": 3} | safe | options, name)',
        harm="a stats_cb that raises once ends the thread of delivery reports",
        tests=("unit/kafka/test_callbacks.py",),
    ),
    Fault(
        name="a thread ends with what nobody expects",
        file="telemetry/guards.py",
        scope="kept_alive",
        old="""
try:
    yield
except BaseException as error:
    stumbled(error)
""",
        new="yield",
        harm="nothing is spilled any more, and nobody hears of it",
        tests=("flows/test_threads.py",),
    ),
)
