"""Kinds of settings that are dicts with known fields: retries, circuits, topics."""

from __future__ import annotations

from typing import Any

from event_bus_kafka.conf.kinds import MAPPING, Kind, count, mapping_of, number


def _read_errors(value: Any) -> tuple[type[Exception] | str, ...]:
    if not isinstance(value, (list, tuple)) or not all(_is_error(item) for item in value):
        raise ValueError("final: a list of exception classes or dotted paths to them")
    return tuple(value)


def _is_error(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, type) and issubclass(item, Exception))


def _some_of(fields: dict[str, Kind[Any]]) -> Kind[dict[str, Any]]:
    """
    Return the kind that accepts dicts with any of the keys of ``fields``. For each key, the kind in ``fields`` must
    accept the value.
    """

    def read(value: Any) -> dict[str, Any]:
        given = MAPPING.read(value)
        for name, item in given.items():
            if name not in fields:
                raise ValueError(f"{name!r} is none of {', '.join(fields)}")
            try:
                fields[name].read(item)
            except ValueError:
                raise ValueError(f"{name!r} must be {fields[name].expects}") from None
        return given

    return Kind("a dict with any of " + ", ".join(fields), read)


def _completed(kind: Kind[dict[str, Any]], defaults: dict[str, Any]) -> Kind[dict[str, Any]]:
    return Kind(kind.expects, lambda value: defaults | kind.read(value))


SOME_OF_RETRY = _some_of(
    {
        "attempts": count(least=1, most=1_000),
        "first_delay": number(least=0, most=3_600),
        "factor": number(least=1, most=100),
        "max_delay": number(least=0, most=86_400),
        "jitter": number(least=0, most=1),
        "final": Kind("a list of exception classes or dotted paths to them", _read_errors),
    }
)
RETRY_DEFAULTS: dict[str, Any] = {
    "attempts": 5,
    "first_delay": 1,
    "factor": 3,
    "max_delay": 60,
    "jitter": 0.2,
    "final": (),
}
RETRY = _completed(SOME_OF_RETRY, RETRY_DEFAULTS)

CIRCUIT_DEFAULTS: dict[str, Any] = {"failures": 10, "keys": 3, "probe_every": 10}
CIRCUIT = _completed(
    _some_of(
        {
            "failures": count(least=1, most=1_000_000),
            "keys": count(least=1, most=10_000),
            "probe_every": number(least=0.1, most=3_600),
        }
    ),
    CIRCUIT_DEFAULTS,
)


def _read_option(value: Any) -> str:
    """Return the value of a topic option in Kafka's notation."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    if not isinstance(value, (str, int, float)):
        raise ValueError
    return str(value)


_OPTION = Kind("a str, a number, True or False, or a list of str", _read_option)
TOPIC_OPTIONS = mapping_of(_OPTION, "topic option → value")
TOPIC = _some_of(
    {
        "partitions": count(least=1, most=10_000),
        "replication": count(least=1, most=100),
        "options": TOPIC_OPTIONS,
    }
)
