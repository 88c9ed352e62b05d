"""The logging observer: one line per lifecycle event worth one, with coordinates and without event data."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import singledispatchmethod
from time import monotonic
from traceback import format_tb

from event_bus_kafka.errors import ReceiversFailed
from event_bus_kafka.telemetry import events, outbox_logs
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import LifecycleEvent
from event_bus_kafka.trouble import Trouble

logger = logging.getLogger("event_bus_kafka")

_REMIND_AFTER = 60.0
"""Seconds after which trouble that lasts is logged again; librdkafka reports it several times a second."""


class LoggingObserver:
    """Logs under ``event_bus_kafka``. ``audit`` tells whether each sent and each processed event gets a line."""

    def __init__(self, audit: Callable[[], bool], clock: Callable[[], float] = monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._last_logged: dict[tuple[str, str], float] = {}
        self._lines: dict[type[LifecycleEvent], Callable[[LifecycleEvent], None]] = {}

    def __call__(self, event: LifecycleEvent) -> None:
        kind = type(event)
        if kind not in self._lines:  # singledispatchmethod takes longer to find a line than most take to be left out
            self._lines[kind] = vars(LoggingObserver)["_log"].dispatcher.dispatch(kind).__get__(self)
        self._lines[kind](event)

    def wants(self, kind: type[LifecycleEvent]) -> bool:
        """Whether events of a kind may get a line."""
        return kind is not events.RecordDelivered or self._audit()

    @singledispatchmethod
    def _log(self, event: LifecycleEvent) -> None:
        outbox_logs.log(event, self._is_news)

    @_log.register
    def _(self, event: events.EventRejected) -> None:
        logger.error(
            "Error delivering message to Kafka event bus. The event cannot be sent: %s (topic=%s, event_type=%s, "
            "message_id=%s)",
            error_text(event.error),
            event.topic,
            event.event_type,
            event.event_id,
        )

    @_log.register
    def _(self, event: events.EventUndelivered) -> None:
        logger.error(
            "Error delivering message to Kafka event bus. %s (topic=%s, event_type=%s, message_id=%s); it is lost: %s",
            error_text(event.error),
            event.topic,
            event.event_type,
            event.event_id,
            error_text(event.obstacle),
        )

    @_log.register
    def _(self, event: events.ThreadsDisabled) -> None:
        logger.warning(
            "uWSGI runs without threads: what Kafka does not confirm is noticed, and put into the outbox, only while "
            "requests run. Start it with enable-threads."
        )

    @_log.register
    def _(self, event: events.RecordDelivered) -> None:
        if self._audit():
            logger.info(
                "Message delivered to Kafka event bus: topic=%s, partition=%s, offset=%s, message_id=%s",
                event.topic,
                event.partition,
                event.offset,
                event.event_id,
            )

    @_log.register
    def _(self, event: events.RecordReceived) -> None:
        if self._audit():
            logger.info(
                "Message received from Kafka: topic=%s, partition=%s, offset=%s, message_id=%s, event_type=%s",
                event.topic,
                event.partition,
                event.offset,
                event.event_id,
                event.event_type,
            )

    @_log.register
    def _(self, event: events.RecordDone) -> None:
        if self._audit():
            logger.info(
                "Message from Kafka processed successfully: topic=%s, partition=%s, offset=%s",
                event.topic,
                event.partition,
                event.offset,
            )

    @_log.register
    def _(self, event: events.RecordSkipped) -> None:
        if event.reason == "unregistered type" and self._is_news("unregistered", event.event_type, for_ever=True):
            logger.warning(
                "Event type %s on topic %s is not registered in this service: its records are skipped. If it should "
                "be, import its signal before openedx_events' app is ready: from a models module, or an app listed "
                "earlier in INSTALLED_APPS.",
                event.event_type,
                event.topic,
            )
        elif event.reason == "no receiver" and self._is_news("no receiver", event.event_type, for_ever=True):
            logger.info(
                "Event type %s on topic %s has no receiver in this service: its records are skipped. If it should have "
                "one, import the receiver's module in ready() of its app.",
                event.event_type,
                event.topic,
            )

    @_log.register
    def _(self, event: events.AttemptFailed) -> None:
        if event.outcome == "hold" and not self._is_news("held", error_text(event.error)):
            return  # thousands of events may wait for one server
        logger.error(
            "Error consuming event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, attempt=%s); "
            "%s in %.1f s, its key waits%s",
            error_text(event.error),
            event.topic,
            event.partition,
            event.offset,
            event.event_type,
            event.attempt,
            event.outcome,
            event.delay,
            _frames(event.error),
        )

    @_log.register
    def _(self, event: events.DeadLetterStored) -> None:
        logger.error(
            "Error consuming event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, message_id=%s, "
            "attempts=%s); stored as a dead letter%s",
            error_text(event.error),
            event.topic,
            event.partition,
            event.offset,
            event.event_type,
            event.event_id,
            event.attempts,
            _frames(event.error),
        )

    @_log.register
    def _(self, event: events.ReplayFailed) -> None:
        logger.error(
            "Error replaying event from Kafka: %s (topic=%s, partition=%s, offset=%s, event_type=%s, message_id=%s)%s",
            error_text(event.error),
            event.topic,
            event.partition,
            event.offset,
            event.event_type,
            event.event_id,
            _frames(event.error),
        )

    @_log.register
    def _(self, event: events.CircuitOpened) -> None:
        logger.error(
            "Circuit of receiver %s is open: it failed %s times in a row. Its events are held, and one is tried every "
            "%g s; the first success lets them go on. Mend the receiver, or let others go on without it: "
            "manage.py event_bus_pause --receiver %s sends its events to the dead letters.",
            event.receiver,
            event.failures,
            event.probe_every,
            event.receiver,
        )

    @_log.register
    def _(self, event: events.CircuitClosed) -> None:
        logger.warning("Circuit of receiver %s is closed: its events go on", event.receiver)

    @_log.register
    def _(self, event: events.FloodHeld) -> None:
        logger.error(
            "%s[%s]: %s dead letters in a row, and no more are stored: records that fail for good are held. Look at "
            "them with manage.py event_dead_letters list. If they shall become dead letters, restart the workers with "
            "a higher EVENT_BUS_KAFKA_DEAD_LETTER_FLOOD; if they shall be passed over, stop the workers and use "
            "manage.py event_offsets reset.",
            event.topic,
            event.partition,
            event.dead_letters,
        )

    @_log.register
    def _(self, event: events.PausesChanged) -> None:
        paused = ", ".join(event.receivers)
        logger.warning(
            "Paused receivers: %s%s", paused or "none", "; their events become dead letters" if paused else ""
        )

    @_log.register
    def _(self, event: events.ReceiverUnfinished) -> None:
        logger.error(
            "Receiver %s still runs after %g s, at record %s, which will come again. It is in:\n%s",
            event.receiver,
            event.waited,
            event.record,
            event.stack,
        )

    @_log.register
    def _(self, event: events.DeadLettersPurged) -> None:
        if event.count:
            logger.info("Deleted %s dead letters older than EVENT_BUS_KAFKA_RETENTION", event.count)

    @_log.register
    def _(self, event: events.DuplicateSkipped) -> None:
        logger.debug("Receiver %s has had event %s before: not run", event.receiver, event.event_id)

    @_log.register
    def _(self, event: events.InboxMarksPurged) -> None:
        if event.count:
            logger.info("Deleted %s marks of the inbox older than EVENT_BUS_KAFKA_RETENTION", event.count)

    @_log.register
    def _(self, event: events.PartitionsAssigned) -> None:
        logger.info("Group %s: partitions assigned: %s", event.group, _named(event.partitions))

    @_log.register
    def _(self, event: events.PartitionsRevoked) -> None:
        log = logger.warning if event.lost or event.unfinished else logger.info
        log(
            "Group %s: partitions %s: %s%s",
            event.group,
            "lost" if event.lost else "revoked",
            _named(event.partitions),
            f"; {event.unfinished} receivers were still running, their events will come twice" * bool(event.unfinished),
        )

    @_log.register
    def _(self, event: events.EmittedEventsLost) -> None:
        logger.error(
            "Group %s: %s events that receivers emitted are neither in Kafka nor in the outbox. The last offsets of %s "
            "are not committed: their records come again. With the tables of this app migrated the events are kept.",
            event.group,
            event.count,
            _named(event.partitions),
        )

    @_log.register
    def _(self, event: events.OffsetsCommitted) -> None:
        logger.debug("Group %s: committed %s", event.group, event.offsets)

    @_log.register
    def _(self, event: events.CommitFailed) -> None:
        if not (event.lost or self._is_news(f"commits of {event.group}", error_text(event.error))):
            return
        logger.warning(
            "Group %s: offsets not committed: %s; %s (%s)",
            event.group,
            error_text(event.error),
            "given up, the events come again" if event.lost else "tried again while the partitions are here",
            _named(event.partitions),
        )

    @_log.register
    def _(self, event: events.ReadinessChanged) -> None:
        (logger.info if event.ready else logger.warning)(
            "%s", "Ready" if event.ready else f"Not ready: {'; '.join(event.reasons)}"
        )

    @_log.register
    def _(self, event: events.OffsetsMoved) -> None:
        where = ", ".join(f"{topic}[{number}] at {offset}" for topic, number, offset in sorted(event.offsets))
        logger.info("Group %s begins at the offsets of %s: %s", event.group, event.time, where)

    @_log.register
    def _(self, event: events.OffsetsLost) -> None:
        gone = f"offsets {event.offset} to {event.start - 1} were deleted before the group had read them"
        anew = f"offset {event.offset} is not there: the topic was made anew, or has lost its end"
        logger.error(
            "Group %s has lost records of %s[%s]: %s. The partition has offsets from %s, its end is %s; the group goes "
            "on from %s.",
            event.group,
            event.topic,
            event.partition,
            gone if event.offset < event.start else anew,
            event.start,
            event.end,
            event.to,
        )

    @_log.register
    def _(self, event: events.WorkerStarted) -> None:
        logger.info("Running %s", event.name)

    @_log.register
    def _(self, event: events.WorkerStopping) -> None:
        logger.info("Stopping %s: %s", event.name, event.reason)

    @_log.register
    def _(self, event: events.WorkerStopped) -> None:
        if event.exit_code == 0:
            logger.info("Stopped %s, exit code 0", event.name)
        else:
            logger.error("Stopped %s, exit code %s: %s", event.name, event.exit_code, event.reason)

    @_log.register
    def _(self, event: events.ClientErrorReported) -> None:
        by_topic = event.kind in (Trouble.MISSING, Trouble.FORBIDDEN)
        if self._is_news(event.client, error_text(event.error) if by_topic else f"{event.code} {event.kind}"):
            advice = "a new client is needed" if event.fatal else "the client goes on trying"
            logger.error("Kafka %s: %s; %s", event.client, error_text(event.error), advice)

    @_log.register
    def _(self, event: events.ConnectionChanged) -> None:
        if event.state == "connected":
            logger.info("Kafka %s: connected", event.client)
        else:
            logger.error("Kafka %s: %s, trying on: %s", event.client, event.state, event.reason)

    @_log.register
    def _(self, event: events.ProducerStatistics) -> None:
        logger.debug(
            "Kafka producer: %s records (%s bytes) wait, %s sent, %s of %s brokers up",
            event.queued,
            event.queued_bytes,
            event.sent,
            event.brokers_up,
            event.brokers,
        )

    @_log.register
    def _(self, event: events.RegistryFailed) -> None:
        if self._is_news("registry", error_text(event.error)):
            logger.error("Schema registry: %s", error_text(event.error))

    def _is_news(self, source: str, what: str, *, for_ever: bool = False) -> bool:
        now = self._clock()
        last = self._last_logged.get((source, what))
        if last is not None and (for_ever or now - last < _REMIND_AFTER):
            return False
        self._last_logged[source, what] = now
        return True


def _frames(error: Exception) -> str:
    """Return where receivers failed: places in the code only, since the texts of exceptions may quote event data."""
    causes = error.exceptions if isinstance(error, ReceiversFailed) else ()
    return "".join(
        f"\n{type(cause).__name__} in:\n{''.join(format_tb(cause.__traceback__)).rstrip()}" for cause in causes
    )


def _named(partitions: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{topic}[{number}]" for topic, number in sorted(partitions)) or "none"
