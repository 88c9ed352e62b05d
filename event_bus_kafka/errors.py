"""
Every error that this package raises.

    EventBusError
      ConfigurationError            also Django's ImproperlyConfigured
        ManualTransaction
      SerializationError            an event that cannot become a record
      DeserializationError          a record that cannot become an event; no retry helps
        InvalidHeaders
        UnreadableValue
        IncompatibleSchema
        UnknownEventType
      ReceiversFailed               an ExceptionGroup: one exception per failed receiver
      ReceiverMismatch              a receiver that cannot be called with an event; also a TypeError
      ReceiverNotRun                a receiver returned a generator or coroutine instead of running
      ReceiverInterrupted           a receiver raised a BaseException that is not an Exception
      EmittedEventRejected          an event that a receiver emitted could not be sent
      TransactionLeftOpen           a receiver returned inside a transaction of its own
      CircuitOpen                   the reason for holding an event without an attempt
      ReceiverPaused                the reason for a dead letter without an attempt
      PausesUnknown                 the reason for holding an event until the paused receivers are known
      DeadLetterStoreFailed         a dead letter could not be stored
      CannotRestore                 omitted parts of a dead letter are no longer in Kafka
      CannotTake                    an operator cannot quarantine a record
      CannotReset                   an operator cannot reset the offsets of a group
      NotThere                      the brokers do not have this topic, partition or group
      AppendFailed                  an event could not be put into the outbox
        OutboxMissing
      ClaimLost                     a relay's claim ended while its records were in flight
      RowsStay                      a database silently kept rows of a relay; also Django's DatabaseError
      BrokerError                   an error of Kafka or its client
        DeliveryFailed
        AssignmentLost
      SchemaRegistryError           the schema registry failed or did not answer
      WorkerFailed                  the reason why a worker must stop

Messages never contain event data, only coordinates, types and fields.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import DatabaseError

from event_bus_kafka.shown import shown
from event_bus_kafka.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

E = TypeVar("E", bound=BaseException)


class EventBusError(Exception):
    """Base of all errors of this package. Error texts are safe to show: see :mod:`event_bus_kafka.shown`."""

    def __str__(self) -> str:
        return shown(super().__str__())


class ConfigurationError(EventBusError, ImproperlyConfigured):
    """A setting is missing or wrong. The message names the setting and says how to correct the mistake."""


class ManualTransaction(ConfigurationError):
    """An event was emitted while autocommit was switched off; in this state Django has no hook for a commit."""


class SerializationError(EventBusError):
    """
    An event, or every event of a type, cannot be encoded.

    ``field`` is the dotted path from the event data to the wrong field; empty if the event as a whole is wrong.
    """

    def __init__(self, event_type: str, field: str, reason: str) -> None:
        super().__init__(f"{event_type}: field {field}: {reason}" if field else f"{event_type}: {reason}")
        self.event_type = event_type
        self.field = field
        self.reason = reason


class DeserializationError(EventBusError):
    """A record cannot be decoded. Each further attempt would fail, too."""

    def __init__(self, reason: str, *, field: str = "") -> None:
        super().__init__(f"field {field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class InvalidHeaders(DeserializationError):
    """The CloudEvents headers are missing, repeated or malformed."""


class UnreadableValue(DeserializationError):
    """The value does not match its schema: it has a wrong frame, is truncated, has trailing bytes, or wrong types."""


class IncompatibleSchema(DeserializationError):
    """Avro cannot resolve the writer's schema to the schema of this service's event class."""


class UnknownEventType(DeserializationError):
    """No signal in this service has the event type."""

    def __init__(self, event_type: str) -> None:
        hint = "import its signal before openedx_events' app is ready"
        super().__init__(f"event type {event_type} is not registered in this service: {hint}")


class ReceiversFailed(EventBusError, ExceptionGroup[Exception]):
    """One or more receivers raised. ``receivers`` has the names of these receivers in the order of ``exceptions``."""

    receivers: tuple[str, ...]

    def __new__(cls, receivers: Sequence[str], exceptions: Sequence[Exception]) -> ReceiversFailed:
        error = super().__new__(cls, f"failed receivers: {', '.join(receivers)}", exceptions)
        error.receivers = tuple(receivers)
        return error

    def __init__(self, receivers: Sequence[str], exceptions: Sequence[Exception]) -> None:
        super().__init__(self.message, exceptions)

    def derive(self, exceptions: Sequence[Any]) -> ExceptionGroup[Any]:
        return ExceptionGroup(self.message, exceptions)


class ReceiverMismatch(EventBusError, TypeError):
    """A receiver's signature does not accept the arguments with which an event is sent."""

    def __init__(self, reason: str, data: Sequence[str]) -> None:
        super().__init__(
            f"{reason}; the event comes with {', '.join(data)}, and with signal, sender, metadata, from_event_bus: "
            "give the receiver parameters with these names, and **kwargs"
        )


class ReceiverNotRun(EventBusError):
    """A receiver returned a generator or, under ``once()``, a coroutine. So the code of the receiver did not run."""

    def __init__(self, result: str) -> None:
        super().__init__(f"it returned a {result}, which nobody runs: remove the yield or async from its function")


class ReceiverInterrupted(EventBusError):
    """A receiver raised a BaseException that is no Exception, such as ``asyncio.CancelledError``: see ``__cause__``."""

    @classmethod
    def by(cls, error: BaseException) -> ReceiverInterrupted:
        """Return the error for a receiver that raised ``error``, with the traceback of ``error``."""
        interrupted = cls(f"it raised {type(error).__name__}, which is no Exception")
        interrupted.__cause__ = error
        return interrupted.with_traceback(error.__traceback__)


class EmittedEventRejected(EventBusError):
    """An event that a receiver emitted could not be sent. ``__cause__`` is the reason."""

    def __init__(self, event_type: str, reason: str) -> None:
        super().__init__(f"it emitted an event of type {event_type} that was rejected: {reason}")


class TransactionLeftOpen(EventBusError):
    """A receiver, or code that a backfill has called, left transactions open."""

    def __init__(self, aliases: Sequence[str]) -> None:
        super().__init__(f"transaction left open on {', '.join(aliases)}: it was rolled back; use transaction.atomic()")
        self.aliases = tuple(aliases)


class CircuitOpen(EventBusError):
    """The circuits of ``receivers`` are open. So these receivers were not called, and their events are held."""

    def __init__(self, receivers: Sequence[str]) -> None:
        super().__init__(f"circuit open: {', '.join(receivers)}")
        self.receivers = tuple(receivers)


class ReceiverPaused(EventBusError):
    """An operator has paused the receiver. So the receiver was not called."""

    def __init__(self) -> None:
        super().__init__("paused by event_bus_pause, not run")


class PausesUnknown(EventBusError):
    """The worker has not read the table of paused receivers yet. Until its first read, no receiver is called."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"the paused receivers are not known yet: {reason or 'their table was not read'}")


class DeadLetterStoreFailed(EventBusError):
    """A dead letter could not be stored. So the letter's record is held."""


class CannotRestore(EventBusError):
    """A replay needs parts of a record that the dead letter omits, and Kafka no longer has the record."""


class CannotTake(EventBusError):
    """A record cannot be quarantined, for example because it does not exist or is already processed."""


class CannotReset(EventBusError):
    """A group's offsets cannot be reset, for example because the group has members."""


class NotThere(EventBusError):
    """The brokers do not have the requested topic, partition or group."""


class AppendFailed(EventBusError):
    """An event could not be put into the outbox. ``doomed``: the surrounding transaction can only be rolled back."""

    def __init__(self, reason: str, *, doomed: bool = False) -> None:
        super().__init__(reason)
        self.doomed = doomed


class OutboxMissing(AppendFailed):
    """There is no outbox in a database, for example because its table is missing."""


class ClaimLost(EventBusError):
    """The database closed the connection that held a relay's claim, while records were in flight."""

    def __init__(self) -> None:
        super().__init__("the database has closed the connection with the claim")


class RowsStay(EventBusError, DatabaseError):
    """A relay removed or parked rows without a database error, but the rows are still in the outbox."""

    def __init__(self, count: int, done: str) -> None:
        super().__init__(f"{count} rows are not {done}, without a database error: look for triggers and row security")


class BrokerError(EventBusError):
    """
    Kafka or its client library reported an error.

    ``code`` is the error's name in Kafka or librdkafka. ``retriable``: the same request may succeed later. ``fatal``:
    only a new client can help. ``kind``: the kind of trouble between client and Kafka.
    """

    def __init__(
        self, code: str, reason: str, *, retriable: bool = False, fatal: bool = False, kind: Trouble = Trouble.OTHER
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.retriable = retriable
        self.fatal = fatal
        self.kind = kind


class DeliveryFailed(BrokerError):
    """Kafka did not confirm a record."""


class AssignmentLost(BrokerError):
    """The partitions are no longer assigned to this member of the group, so it cannot commit their offsets."""


class SchemaRegistryError(EventBusError):
    """
    The schema registry refused a request or did not answer.

    ``status`` is the HTTP status, None if there was no answer. ``retriable``: a repetition may succeed. ``final``: each
    repetition would fail. For a 404 (unknown schema) both are False, because a repetition succeeds only if another node
    of the registry knows the schema.
    """

    def __init__(self, reason: str, *, status: int | None = None, retriable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retriable = retriable
        self.final = not retriable and status != HTTPStatus.NOT_FOUND


class WorkerFailed(EventBusError):
    """A worker, or a command such as ``backfill_events``, must stop. ``exit_code``: the exit code for its process."""

    def __init__(self, reason: str, *, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


def without_traceback(error: E) -> E:
    """Return ``error`` without its traceback and causes, whose frames would keep requests and event data in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
