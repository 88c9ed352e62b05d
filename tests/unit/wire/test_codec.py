"""Event data is encoded exactly as openedx-events encodes it. Decoding returns equal data."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import attr
import attrs
import fastavro
import pytest
from openedx_events.enterprise.signals import LEDGER_TRANSACTION_CREATED
from openedx_events.learning.data import UserData, UserPersonalData
from openedx_events.learning.signals import CERTIFICATE_CREATED, SESSION_LOGIN_COMPLETED
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import ConfigurationError, IncompatibleSchema, SerializationError, UnreadableValue
from event_bus_kafka.wire.codec import codec_for
from tests.support.examples_of import VARIANTS, certificate, data_of
from tests.support.openedx_avro import ENCODABLE, bytes_of_openedx


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("signal", ENCODABLE, ids=lambda signal: signal.event_type)
def test_every_signal_is_encoded_like_openedx_events_and_decoded_to_equal_data(
    signal: OpenEdxPublicSignal, variant: str
) -> None:
    values, absent = VARIANTS[variant]
    data = data_of(signal, values, absent=absent)
    codec = codec_for(signal)
    body = codec.encode(data)
    assert body == bytes_of_openedx(signal, data)
    assert codec.decoder(codec.schema)(body) == data


def test_falsy_values_are_not_replaced_by_defaults() -> None:
    @attrs.frozen
    class Defaults:
        flag: bool = True
        number: int = 5
        text: str = "default"
        maybe: str = None  # type: ignore[assignment]

    codec = codec_for(OpenEdxPublicSignal(event_type="test.defaults.v1", data={"d": Defaults}))
    falsy = Defaults(flag=False, number=0, text="", maybe="")
    assert codec.decoder(codec.schema)(codec.encode({"d": falsy})) == {"d": falsy}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"grade": None}, "certificate.grade", "expected str, got NoneType"),
        ({"grade": 0.9}, "certificate.grade", "expected str, got float"),
        ({"course": None}, "certificate.course.course_key", "expected CourseKey, got NoneType"),
        ({"user": UserData(pii=None, id=1, is_active=True)}, "certificate.user.pii.username", "missing in NoneType"),
        (
            {"user": UserData(pii=UserPersonalData(username="u", email="e", name="n"), id=2**63, is_active=True)},
            "certificate.user.id",
            "more than 64 bits",
        ),
        (
            {"user": UserData(pii=UserPersonalData(username="u", email="e", name="n"), id=1, is_active=None)},
            "certificate.user.is_active",
            "expected bool, got NoneType",
        ),
    ],
)
def test_an_invalid_value_is_reported_with_field_and_type(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(SerializationError) as caught:
        codec_for(CERTIFICATE_CREATED).encode({"certificate": certificate(**changes)})
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_serialization_errors_contain_no_event_data() -> None:
    secret = "learner@example.com"
    with pytest.raises(SerializationError) as caught:
        codec_for(CERTIFICATE_CREATED).encode({"certificate": certificate(grade=[secret])})  # type: ignore[arg-type]
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_missing_event_data_raises_an_error() -> None:
    with pytest.raises(SerializationError, match="certificate"):
        codec_for(CERTIFICATE_CREATED).encode({})


JSON_LOGIN = {"user": {"id": 5, "is_active": True, "pii": {"username": "u", "email": "e", "name": "n"}}}


def test_json_dicts_are_converted_to_objects() -> None:
    data = codec_for(SESSION_LOGIN_COMPLETED).with_objects(JSON_LOGIN)
    pii = UserPersonalData(username="u", email="e", name="n")
    assert data == {"user": UserData(id=5, is_active=True, pii=pii)}


def test_json_dicts_may_omit_fields_with_a_default() -> None:
    login = {"user": {**JSON_LOGIN["user"], "pii": {"username": "u", "email": "e"}}}
    data = codec_for(SESSION_LOGIN_COMPLETED).with_objects(login)
    assert data["user"].pii == UserPersonalData(username="u", email="e")


@pytest.mark.parametrize(
    ("user", "field"),
    [
        ({"id": 5, "is_active": True}, "user.pii"),
        ({"id": 5, "is_active": True, "pii": {"username": "u"}}, "user.pii.email"),
        ({"id": 5, "is_active": True, "pii": "text"}, "user"),
        ({"id": 5, "is_active": True, "pii": None}, "user"),
    ],
)
def test_json_dicts_of_the_wrong_shape_are_reported(user: dict[str, Any], field: str) -> None:
    codec = codec_for(SESSION_LOGIN_COMPLETED)
    with pytest.raises(SerializationError) as caught:
        codec.encode(codec.with_objects({"user": user}))
    assert caught.value.field.startswith(field)


# Keys


def test_the_schema_of_a_key_is_the_definition_of_the_key_field() -> None:
    key = codec_for(CERTIFICATE_CREATED).key("certificate.course.course_key")
    assert key.schema == '{"name": "course_key", "type": "string"}'
    assert key.avro_name == "string"
    body = codec_for(CERTIFICATE_CREATED).encode_key({"certificate": certificate()}, key)
    assert body == b"\x30course-v1:edX+DemoX+2026"


def test_a_key_that_is_an_int_is_encoded_as_an_avro_long() -> None:
    codec = codec_for(CERTIFICATE_CREATED)
    key = codec.key("certificate.user.id")
    assert (key.avro_name, codec.encode_key({"certificate": certificate(64)}, key)) == ("long", b"\x80\x01")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("certificate.course.nothing", "fails at 'nothing'"),
        ("certificate", "CertificateData cannot be a key"),
        ("certificate.course.start", "datetime or None cannot be a key"),
        ("certificate.grade.more", "str has no fields"),
        ("", "fails at ''"),
    ],
)
def test_a_field_path_that_cannot_be_a_key_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        codec_for(CERTIFICATE_CREATED).key(path)


def test_a_path_through_an_optional_record_cannot_be_a_key() -> None:
    with pytest.raises(ConfigurationError, match="or None has no fields"):
        codec_for(LEDGER_TRANSACTION_CREATED).key("ledger_transaction.reversal.uuid")


# Writer's and reader's schema


@attrs.frozen
class Reader:
    name: str
    count: int = 7
    maybe: str = None  # type: ignore[assignment]
    when: datetime = None  # type: ignore[assignment]
    names: list[str] = attr.ib(factory=list)
    price: float = 0.5
    prices: list[float] = attr.ib(factory=list)


READER = codec_for(OpenEdxPublicSignal(event_type="test.reader.v1", data={"d": Reader}))


def read(fields: list[dict[str, Any]], values: dict[str, Any]) -> Any:
    """Encode values with a schema that has these fields. Return what the reader decodes."""
    record = {"type": "record", "name": "Renamed", "fields": fields}
    schema = {"type": "record", "name": "CloudEvent", "namespace": "test", "fields": [{"name": "d", "type": record}]}
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), {"d": values})
    return READER.decoder(json.dumps(schema))(out.getvalue())["d"]


NAME = {"name": "name", "type": "string"}


def test_fields_are_matched_by_name_and_unknown_fields_are_ignored() -> None:
    fields = [{"name": "new", "type": "long"}, {"name": "count", "type": "int"}, NAME]
    assert read(fields, {"new": 1, "count": 2, "name": "n"}) == Reader("n", 2)


def test_a_field_gets_its_default_if_the_writers_schema_lacks_the_field() -> None:
    assert read([NAME], {"name": "n"}) == Reader("n")


def test_incompatible_schema_is_raised_if_the_writers_schema_lacks_a_required_field() -> None:
    with pytest.raises(IncompatibleSchema) as caught:
        read([{"name": "count", "type": "long"}], {"count": 1})
    assert caught.value.field == "d.name"


def test_a_field_that_is_optional_only_in_the_writers_schema_is_read() -> None:
    fields: list[dict[str, Any]] = [
        {"name": "name", "type": ["null", "string"]},
        {"name": "count", "type": ["long", "null"]},
    ]
    assert read(fields, {"name": "n", "count": 3}) == Reader("n", 3)
    assert read(fields, {"name": "n", "count": None}) == Reader("n", 7)


def test_incompatible_schema_is_raised_with_the_name_of_a_required_field_that_is_null() -> None:
    with pytest.raises(IncompatibleSchema) as caught:
        read([{"name": "name", "type": ["null", "string"]}], {"name": None})
    assert caught.value.field == "d.name"


def test_a_field_that_is_optional_only_in_the_readers_class_is_read() -> None:
    assert read([NAME, {"name": "maybe", "type": "string"}], {"name": "n", "maybe": ""}) == Reader("n", maybe="")


@pytest.mark.parametrize("kind", ["int", "long"])
def test_integers_are_converted_to_float_where_the_class_has_a_float(kind: str) -> None:
    fields: list[dict[str, Any]] = [
        NAME,
        {"name": "price", "type": kind},
        {"name": "prices", "type": {"type": "array", "items": kind}},
    ]
    got = read(fields, {"name": "n", "price": 3, "prices": [0, 4]})
    assert repr((got.price, got.prices)) == "(3.0, [0.0, 4.0])"


def test_logical_types_of_other_writers_do_not_change_values() -> None:
    when = {"type": "string", "logicalType": "iso-datetime"}
    fields: list[dict[str, Any]] = [NAME, {"name": "when", "type": ["null", when]}]
    got = read(fields, {"name": "n", "when": "2026-01-02T03:04:05+00:00"})
    assert got.when == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("long", 1),
        (["string", "long"], ""),
        ("null", None),
        ({"type": "array", "items": "string"}, []),
        ({"type": "map", "values": "string"}, {}),
    ],
)
def test_a_type_that_the_reader_cannot_read_raises_incompatible_schema(schema: Any, value: Any) -> None:
    with pytest.raises(IncompatibleSchema) as caught:
        read([{"name": "name", "type": schema}], {"name": value})
    assert caught.value.field == "d.name"


def test_containers_of_nullable_items_raise_incompatible_schema() -> None:
    names = {"name": "names", "type": {"type": "array", "items": ["null", "string"]}}
    with pytest.raises(IncompatibleSchema, match="nullable items"):
        read([NAME, names], {"name": "n", "names": [None]})


def test_an_invalid_date_is_unreadable_and_not_quoted_in_the_error() -> None:
    fields = [NAME, {"name": "when", "type": "string"}]
    with pytest.raises(UnreadableValue) as caught:
        read(fields, {"name": "n", "when": "secret"})
    assert caught.value.field == "d.when"
    assert "secret" not in str(caught.value)


def test_values_are_unreadable_if_a_validator_of_the_class_refuses_them() -> None:
    @attrs.frozen
    class Picky:
        text: str = attrs.field(validator=attrs.validators.min_len(3))

    codec = codec_for(OpenEdxPublicSignal(event_type="test.picky.v1", data={"d": Picky}))
    with pytest.raises(UnreadableValue, match="Picky refused its values: ValueError"):
        codec.decoder(codec.schema)(b"\x02x")


BODY = codec_for(CERTIFICATE_CREATED).encode({"certificate": certificate()})


@pytest.mark.parametrize("length", range(len(BODY)))
def test_truncated_values_are_unreadable(length: int) -> None:
    codec = codec_for(CERTIFICATE_CREATED)
    with pytest.raises(UnreadableValue):
        codec.decoder(codec.schema)(BODY[:length])


def test_a_value_with_trailing_bytes_is_unreadable() -> None:
    codec = codec_for(CERTIFICATE_CREATED)
    with pytest.raises(UnreadableValue, match="1 bytes after the end"):
        codec.decoder(codec.schema)(BODY + b"\x00")


@pytest.mark.parametrize("schema", ["", "no json", "{}", '{"type": "record"}', '"string"', "[]", "3", '{"type": "x"}'])
def test_a_malformed_schema_raises_incompatible_schema(schema: str) -> None:
    with pytest.raises(IncompatibleSchema):
        codec_for(CERTIFICATE_CREATED).decoder(schema)
