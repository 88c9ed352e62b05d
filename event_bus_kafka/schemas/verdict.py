"""
Decides, without a registry, whether a schema may follow earlier versions under a registry's compatibility level.

The package ``avro`` does the comparison; the extra ``schemas`` installs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.schemas.reasons import reasons

try:
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
    from avro.errors import AvroException
    from avro.schema import parse
except ImportError:  # the extra is not installed
    _CAN_JUDGE = False
else:
    _CAN_JUDGE = True

LEVELS = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)
Version = tuple[str, str]
"""The name of a version, and its schema as JSON text."""


def is_transitive(level: str) -> bool:
    """Return whether the level compares a schema with all earlier versions, and not only with the last version."""
    return level.endswith("_TRANSITIVE")


def require_avro() -> None:
    """Raise :class:`ConfigurationError` if the package ``avro`` is not installed."""
    if not _CAN_JUDGE:
        raise ConfigurationError(
            "Without a registry the package avro compares the schemas, but it is not installed: "
            "pip install 'openedx-event-bus-kafka[schemas]'."
        )


def refusals(level: str, schema: str, history: Sequence[Version]) -> list[str]:
    """
    Return one sentence per reason why a schema must not follow its ``history`` (oldest version first); an empty list if
    it may follow.

    Raises :class:`ConfigurationError` if the package ``avro`` is not installed.
    """
    if level == "NONE" or not history:
        return []
    require_avro()
    return [
        sentence
        for reader, writer, who in _pairs(level, schema, history)
        if (refused := _refused(reader, writer))
        for sentence in _sentences(reader, writer, who, refused)
    ]


def explanations(level: str, schema: str, history: Sequence[Version]) -> list[str]:
    """Return sentences that say why a registry with this level may have refused a schema after its ``history``."""
    pairs = _pairs(level, schema, history)
    return [f"{who}: {reason}" for reader, writer, who in pairs for reason in reasons(reader, writer)]


def _pairs(level: str, schema: str, history: Sequence[Version]) -> Iterator[tuple[str, str, str]]:
    """
    For each pair of schemas that must be compatible, yield the reader's schema, the writer's schema, and the sentence
    to report if the pair is incompatible.
    """
    for name, older in history if is_transitive(level) else history[-1:]:
        if level.startswith(("BACKWARD", "FULL")):
            yield schema, older, f"what was sent with {name} cannot be read with this schema"
        if level.startswith(("FORWARD", "FULL")):
            yield older, schema, f"what is sent with this schema cannot be read with {name}"


def _sentences(reader: str, writer: str, who: str, refused: str) -> list[str]:
    return [f"{who}: {reason}" for reason in reasons(reader, writer) or [refused]]


def _refused(reader: str, writer: str) -> str:
    """Return the reason of the package ``avro`` if a pair is incompatible; empty if it is compatible."""
    try:
        read, written = parse(reader), parse(writer)
    except AvroException as error:
        return f"not valid Avro: {error}"
    result = ReaderWriterCompatibilityChecker().get_compatibility(read, written)  # type: ignore[no-untyped-call]
    if result.compatibility is SchemaCompatibilityType.compatible:
        return ""
    return "; ".join(sorted(result.messages)) or "incompatible"
