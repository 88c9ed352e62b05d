"""Schemas that other systems may have registered, and texts that are not schemas."""

from typing import Any

import attrs
from hypothesis import strategies as st
from openedx_events.tooling import OpenEdxPublicSignal

from tests.unit.wire.strategies import VALUES


@attrs.frozen
class Reader:
    text: str
    count: int = 7
    ratio: float = 0.5
    flag: bool = True
    raw: bytes = b"default"
    maybe: str = None  # type: ignore[assignment]
    names: list[str] = attrs.field(factory=list)
    numbers: dict[str, int] = attrs.field(factory=dict)


READER = OpenEdxPublicSignal(event_type="test.odd_writer.v1", data={"reader": Reader})
FIELDS = attrs.fields_dict(Reader)

SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": VALUES[bool],
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": VALUES[int],
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": st.text(),
    "bytes": st.binary(),
}


def values_of_schema(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([values_of_schema(branch) for branch in schema])
    match schema:
        case {"type": "enum", "symbols": symbols}:
            return st.sampled_from(symbols)
        case {"type": "fixed", "size": size}:
            return st.binary(min_size=size, max_size=size)
        case {"type": "array", "items": items}:
            return st.lists(values_of_schema(items), max_size=3)
        case {"type": "map", "values": values}:
            return st.dictionaries(st.text(), values_of_schema(values), max_size=3)
        case {"type": inner}:
            return values_of_schema(inner)
    return SIMPLE[schema]


ONE_TYPE = st.recursive(
    st.sampled_from(sorted(SIMPLE)).flatmap(lambda name: st.sampled_from([name, {"type": name}]))
    | st.sampled_from(
        [
            {"type": "enum", "name": "E", "symbols": ["A", "B"]},
            {"type": "fixed", "name": "F", "size": 2},
            {"type": "string", "logicalType": "uuid"},
            {"type": "long", "logicalType": "timestamp-millis"},
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        ]
    ),
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "map", "values": values}, inner)
    ),
    max_leaves=2,
)
TYPES = ONE_TYPE | ONE_TYPE.map(lambda one: ["null", one]) | st.lists(ONE_TYPE, min_size=1, max_size=3)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["record", "R", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "fields"]), inner),
)
_AVRO_KEYS = "type name namespace fields items values symbols size default aliases logicalType"
KEYS = st.sampled_from(f"{_AVRO_KEYS} __fastavro_parsed __named_schemas".split())
ODD_TYPES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(
        ["R", "W", "X", "string", "null", "long", "record", "error", "array", "enum", "fixed", "", 0, None]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda kind, rest: {"type": kind} | rest, inner, st.dictionaries(KEYS, inner, max_size=4))
        | st.builds(
            lambda name, types: {
                "type": "record",
                "name": name,
                "fields": [{"name": f, "type": t} for f, t in zip(FIELDS, types, strict=False)],
            },
            st.sampled_from("RWX"),
            st.lists(inner, max_size=4),
        )
    ),
    max_leaves=12,
)
