"""
The encoder of a record: one function compiled for it and the records in it; and who is to blame for a misfit.

Avro writes a record as the bytes of its fields, one after the other, so that records in records leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, NoReturn

from event_bus_kafka.wire.binary import Encode
from event_bus_kafka.wire.types import AvroType, Field, Misfit, Record

EVENT_DATA = "event data"
"""The name, for people, of the record that an event is: a dict."""


def encoder(fields: tuple[Field, ...], getter: Callable[..., Any], name: str) -> Encode:
    """
    Return what encodes values with these fields, which ``getter`` (of the operator module) reads.

    It raises :class:`Misfit` with the path to the field, the reason, and no value.
    """
    if not fields:
        return _nothing(name)
    encode_all = _compiled(fields, getter)

    def encode(value: Any) -> bytes:
        try:
            return encode_all(value)
        except Exception:  # noqa: BLE001 attributes may be computed, and raise anything
            _blame(value, fields, getter, name)

    return encode


def _compiled(fields: tuple[Field, ...], getter: Callable[..., Any]) -> Encode:
    """Write the function that joins what the encoders of all fields return: half the time of a call per record."""
    names: dict[str, Any] = {"join": b"".join}
    records: list[str] = []
    items: list[str] = []

    def read(fields: tuple[Field, ...], source: str, access: str) -> None:
        for field in fields:
            value = source + access.format(field.name)
            if isinstance(field.type, Record) and field.type.fields:
                record = f"record_{len(records)}"
                records.append(f"    {record} = {value}")
                read(field.type.fields, record, ".{}")
            else:
                encode = f"encode_{len(items)}"
                names[encode] = field.type.encode
                items.append(f"{encode}({value})")

    read(fields, "value", "[{!r}]" if getter is itemgetter else ".{}")
    lines = ["def encode(value):", *records, f"    return join(({', '.join(items)},))"]
    exec("\n".join(lines), names)
    encode: Encode = names["encode"]
    return encode


def _nothing(name: str) -> Encode:
    """Classes without fields, and events without data, take no bytes."""
    expected = "dict" if name == EVENT_DATA else name

    def encode(value: Any) -> bytes:
        if type(value).__name__ != expected:
            raise TypeError("not of the class")
        return b""

    return encode


def _blame(value: Any, fields: tuple[Field, ...], getter: Callable[..., Any], name: str) -> NoReturn:
    """Find the field that does not fit. The reason names types only: the values are event data."""
    for field in fields:
        try:
            item = getter(field.name)(value)
        except (AttributeError, KeyError, TypeError):
            raise Misfit((field.name,), f"missing in {type(value).__name__}, expected {name}") from None
        except Exception as error:  # noqa: BLE001 see above
            raise Misfit((field.name,), f"reading it raised {type(error).__name__}") from None
        try:
            field.type.encode(item)
        except Misfit as misfit:
            raise Misfit((field.name, *misfit.path), misfit.reason) from None
        except Exception as error:  # noqa: BLE001 see above
            raise Misfit((field.name,), _why_misfit(field.type, item, error)) from None
    raise Misfit((), f"expected {name}, got {type(value).__name__}")


def _why_misfit(kind: AvroType, item: Any, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "its text holds half of a surrogate pair, which UTF-8 has no bytes for"
    if isinstance(error, OverflowError):
        return "it has more than 64 bits"
    return f"expected {kind.expects}, got {type(item).__name__}"
