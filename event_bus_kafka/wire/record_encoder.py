"""
The encoder of an Avro record. It consists of a quick encoder, compiled for the record and its inner records, and a
careful encoder for values that the quick encoder refuses.

Avro writes a record as the bytes of its fields, one after the other. Therefore an inner record adds no bytes of its
own.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from event_bus_kafka.wire import binary
from event_bus_kafka.wire.binary import Encode
from event_bus_kafka.wire.types import AvroType, Field, Misfit, Optional, Record

EVENT_DATA = "event data"
"""The name that error messages use for the record that contains the whole event data."""


def encoder(fields: tuple[Field, ...], getter: Callable[..., Any], name: str) -> Encode:
    """
    Return the encoder of values with these fields. ``getter``: ``attrgetter`` or ``itemgetter``, to read a field by its
    name. ``name``: the value's class, or :data:`EVENT_DATA`, for error messages.

    The encoder raises :class:`Misfit` with the path to the field and the reason, but without the value.
    """
    if not fields:
        return _nothing(name)
    quickly = _compiled(fields, getter)

    def encode(value: Any) -> bytes:
        try:
            return quickly(value)
        except Exception:  # noqa: BLE001 attributes may be computed, and raise anything
            return _carefully(value, fields, getter, name)

    return encode


def _compiled(fields: tuple[Field, ...], getter: Callable[..., Any]) -> Encode:
    """
    Return the quick encoder: a compiled function that joins the bytes of all fields, without a call per record or text.

    The function looks like this::

        def encode(value):
            record_0 = value['enrollment']
            return join((lengths[len(text := record_0.mode.encode())], text, booleans[record_0.is_active], ))

    If a value does not fit, or is longer than the table of lengths, the function raises an exception of any class.
    """
    names: dict[str, Any] = {"join": b"".join, "lengths": binary.LENGTHS, "booleans": binary.BOOLEANS}
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
                items.append(_item(field.type, value, names))

    read(fields, "value", "[{!r}]" if getter is itemgetter else ".{}")
    lines = ["def encode(value):", *records, f"    return join(({', '.join(items)},))"]
    exec("\n".join(lines), names)
    encode: Encode = names["encode"]
    return encode


def _item(kind: AvroType, value: str, names: dict[str, Any]) -> str:
    """
    Return the source code for the bytes of the expression ``value``; add the functions that it calls to ``names``.
    """
    number = len(names)
    if kind.encode is binary.string:
        return f"lengths[len(text := {value}.encode())], text"
    if kind.encode is binary.boolean:
        return f"booleans[{value}]"
    if isinstance(kind, Optional):
        names[f"encode_{number}"] = kind.item.encode
        return f"b'\\0' if (item := {value}) is None else b'\\2' + encode_{number}(item)"
    names[f"encode_{number}"] = kind.encode
    return f"encode_{number}({value})"


def _nothing(name: str) -> Encode:
    """Return the encoder of a class without fields, or of an event without data. The encoder returns no bytes."""
    expected = "dict" if name == EVENT_DATA else name

    def encode(value: Any) -> bytes:
        if type(value).__name__ != expected:
            raise TypeError("not of the class")
        return b""

    return encode


def _carefully(value: Any, fields: tuple[Field, ...], getter: Callable[..., Any], name: str) -> bytes:
    """
    Encode field by field, to find the field that does not fit. The error names types but no values, because values are
    event data.
    """
    return b"".join([_field(value, field, getter(field.name), name) for field in fields])


def _field(value: Any, field: Field, get: Callable[[Any], Any], name: str) -> bytes:
    try:
        item = get(value)
    except (AttributeError, KeyError, TypeError):
        raise Misfit((field.name,), f"missing in {type(value).__name__}, expected {name}") from None
    except Exception as error:  # noqa: BLE001 see above
        raise Misfit((field.name,), f"reading it raised {type(error).__name__}") from None
    try:
        return field.type.encode(item)
    except Misfit as misfit:
        raise Misfit((field.name, *misfit.path), misfit.reason) from None
    except Exception as error:  # noqa: BLE001 see above
        raise Misfit((field.name,), _why_misfit(field.type, item, error)) from None


def _why_misfit(kind: AvroType, item: Any, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "its text contains half of a surrogate pair, which UTF-8 cannot encode"
    if isinstance(error, OverflowError):
        return "it has more than 64 bits"
    return f"expected {kind.expects}, got {type(item).__name__}"
