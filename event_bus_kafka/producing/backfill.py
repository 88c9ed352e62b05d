"""Backfill: sends events about data that is older than the events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Any, TypeVar

import attrs
from django.apps import apps
from django.db import Error, connections
from django.db.models import Model, QuerySet
from django.utils.module_loading import autodiscover_modules
from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.dispatching import cleanup
from event_bus_kafka.dispatching.outages import outage_of
from event_bus_kafka.errors import (
    BrokerError,
    ConfigurationError,
    DeliveryFailed,
    SchemaRegistryError,
    TransactionLeftOpen,
    WorkerFailed,
)
from event_bus_kafka.kafka.error_codes import RowOutcome, row_outcome
from event_bus_kafka.outbox.transactions import is_open
from event_bus_kafka.producing.producer import KafkaEventProducer
from event_bus_kafka.producing.routing import Route
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.error_text import error_text
from event_bus_kafka.telemetry.events import (
    EventAppended,
    EventRejected,
    EventSpilled,
    EventUndelivered,
    RecordDelivered,
)

Arguments = dict[str, Any]
Item = tuple[Any, Arguments | Callable[[], Arguments]]
"""
A pair: a token, and the keyword arguments for the signal's ``send_event`` or a function that returns these arguments.
"""
Items = Callable[[str | None], Iterable[Item]]
Row = TypeVar("Row", bound=Model)

_PAGE = 100
"""
Number of rows per query. It is small, because a row that changes between query and sending is sent with its old values.
"""
_LOOK_EVERY = 0.1
"""Seconds between two checks whether all unconfirmed events wait for the outbox."""
_registered: dict[tuple[str, str], Source] = {}


@attrs.frozen(kw_only=True)
class Source:
    """A registered source of a backfill's events."""

    signal: OpenEdxPublicSignal
    items: Items
    count: Callable[[str | None], int]
    """Returns the number of items after a token."""

    @property
    def name(self) -> str:
        """The name that commands use: ``app_label.function``, or ``module.function`` outside of an app."""
        module = self.items.__module__
        app = apps.get_containing_app_config(module)
        return f"{app.label if app else module}.{self.items.__name__}"


def backfill_source(signal: OpenEdxPublicSignal, *, count: Callable[[str | None], int]) -> Callable[[Items], Items]:
    """
    Register a source of events for ``manage.py backfill_events``, in the module ``backfill`` of an app.

    The decorated function gets the token of the last item that was sent, or None at the beginning. It yields the items
    after this token. Each item is a pair of a token and arguments. The token is kept as ``str(token)``. The arguments
    are the keyword arguments for ``signal.send_event``, or a function that returns them. If that function raises, only
    its item fails, unless a server is away. ``count`` also gets a token, and returns the number of items after this
    token. The items after a token must stay the same from call to call.
    """

    def register(items: Items) -> Items:
        source = Source(signal=signal, items=items, count=count)
        _registered[items.__module__, items.__qualname__] = source
        return items

    return register


@attrs.frozen
class RowsByPk:
    """
    The rows of a query in the order of their primary keys, which serve as tokens.

    The rows are read in pages of a hundred. This needs little memory on any database, and the rows are sent with recent
    values. A single query would still return, hours later, the values from the time at which it began.
    """

    rows: QuerySet[Any]

    def __call__(self, after: str | None) -> Iterator[Any]:
        """Yield the rows after a token."""
        last: Any = after
        while page := list(self._after(last).order_by("pk")[:_PAGE]):
            yield from page
            last = page[-1].pk

    def count(self, after: str | None) -> int:
        """Return the number of rows after the token ``after``; None: of all rows."""
        return self._after(after).count()

    def _after(self, last: Any) -> QuerySet[Any]:
        return self.rows.all() if last is None else self.rows.filter(pk__gt=last)


def sources() -> dict[str, Source]:
    """Return all sources by name. Raises :class:`ConfigurationError` if two sources have the same name."""
    autodiscover_modules("backfill")
    found: dict[str, Source] = {}
    for source in _registered.values():
        if (other := found.setdefault(source.name, source)) is not source:
            raise ConfigurationError(
                f"Two backfill sources are named {source.name}: in {other.items.__module__} and "
                f"{source.items.__module__}. Rename one."
            )
    return dict(sorted(found.items()))


@attrs.frozen
class Failed:
    """An item that cannot be sent, with the reason."""

    token: str
    error: Exception


@attrs.frozen
class _Built:
    token: str
    data: dict[str, Any]
    metadata: EventsMetadata

    @property
    def event_id(self) -> str:
        return str(self.metadata.id)


@attrs.frozen(kw_only=True)
class Backfill:
    """Sends items to the topics of their event type, in the same way as ``send_event``."""

    signal: OpenEdxPublicSignal
    routes: Sequence[Route]
    producer: KafkaEventProducer

    def send(self, items: Iterable[Item]) -> list[Failed]:
        """
        Send items; return the items that cannot be sent. All other items are confirmed by Kafka, or stored in the
        outbox.

        Raises :class:`WorkerFailed` if a transaction is open, a server is away, the settings are wrong, or Kafka did
        not confirm an item in time. In each of these cases, all items have to be sent again.
        """
        _refuse_open_transactions()
        built: list[_Built] = []
        failed: list[Failed] = []
        for token, arguments in items:
            try:
                built.append(self._built(str(token), _arguments_of(arguments)))
            except Exception as error:  # a failing item must not stop the others
                if away := outage_of(error):
                    raise WorkerFailed(f"the {away} is away: {error_text(error)}", exit_code=1) from error
                failed.append(Failed(str(token), error))
        _refuse_open_transactions()  # an item may be the first to use a database without autocommit
        for route in self.routes:
            failed += self._send(route, built)
        return failed

    def _built(self, token: str, arguments: Arguments) -> _Built:
        data = {name: value for name, value in arguments.items() if name != "time"}
        return _Built(token, data, self.signal.generate_signal_metadata(time=arguments.get("time")))

    def _send(self, route: Route, built: Sequence[_Built]) -> list[Failed]:
        ends = _Ends(left={one.event_id for one in built})
        observe(ends, *_Ends.KINDS)
        try:
            self.producer.send_many(
                signal=self.signal,
                topic=route.topic,
                event_key_field=route.key_field,
                events=((one.data, one.metadata) for one in built),
            )
            self._confirm(ends)
        finally:
            unobserve(ends)
        return [Failed(one.token, error) for one in built if (error := ends.failure_of(one.event_id))]

    def _confirm(self, ends: _Ends) -> None:
        """
        Wait until Kafka has confirmed the events, and then until the outbox has taken the unconfirmed events. After the
        time limits, give up the events that still wait for the outbox. Events of other threads are not affected.
        """
        until = monotonic() + self.producer.limits.delivery_timeout
        while (left := ends.wait(_LOOK_EVERY)) and monotonic() < until and not self.producer.spill.holds(left):
            pass
        if left and (left := ends.wait(self.producer.limits.shutdown_spill)):
            self.producer.spill.give_up(left)


@attrs.frozen(eq=False)
class _Ends:
    """An observer that collects the result of each sent event, by event id. Thread-safe."""

    KINDS = (RecordDelivered, EventAppended, EventSpilled, EventRejected, EventUndelivered)
    left: set[str]
    """Ids of the events without a result."""
    safe: set[str] = attrs.field(factory=set)
    errors: dict[str, Exception] = attrs.field(factory=dict)
    _changed: threading.Condition = attrs.field(factory=threading.Condition)

    def __call__(self, event: Any) -> None:
        with self._changed:
            if isinstance(event, (EventRejected, EventUndelivered)):
                self.errors[event.event_id] = event.error
            else:
                self.safe.add(event.event_id)
            self.left.discard(event.event_id)
            if not self.left:
                self._changed.notify_all()

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait at most ``seconds`` until each event has a result; return the ids of the events without a result."""
        with self._changed:
            self._changed.wait_for(lambda: not self.left, seconds)
            return frozenset(self.left)

    def failure_of(self, event_id: str) -> Exception | None:
        """
        Return the error of an event that cannot be sent; None: the event is in Kafka or in the outbox. Raises
        :class:`WorkerFailed` if there is no result yet, or if the error concerns other events, too.
        """
        if event_id in self.safe:
            return None
        error = self.errors.get(event_id)
        if error is None:
            raise WorkerFailed("Kafka did not confirm all events within EVENT_BUS_KAFKA_DELIVERY_TIMEOUT", exit_code=1)
        if not _is_its_own(error):
            raise WorkerFailed(error_text(error), exit_code=1) from error
        return error


def _arguments_of(arguments: Arguments | Callable[[], Arguments]) -> Arguments:
    """
    Return the arguments of an item. After a database error, call the item's function once more, with new connections.
    Otherwise all further items would fail after a restart of the server, which ends the old connections.

    Raises :class:`TransactionLeftOpen` if the function leaves a transaction open, because its events would wait for a
    commit that never comes.
    """
    if not callable(arguments):
        return arguments
    try:
        return _closed(arguments)
    except Exception as error:
        cleanup.close_after_errors()
        if not isinstance(error, Error):
            raise
    return _closed(arguments)  # after the block: its error must not count as the cause of a second one


def _closed(arguments: Callable[[], Arguments]) -> Arguments:
    try:
        found = arguments()
    finally:
        left = cleanup.roll_back_leftovers()
    if left:
        raise left
    return found


def _is_its_own(error: Exception) -> bool:
    """Return whether an error concerns a single event, not settings or servers."""
    if isinstance(error, DeliveryFailed):
        return row_outcome(error) is RowOutcome.PARK
    return not isinstance(error, (ConfigurationError, BrokerError, SchemaRegistryError))


def _refuse_open_transactions() -> None:
    """Raise :class:`WorkerFailed` if a transaction is open, because events would wait for its commit."""
    aliases = [connection.alias for connection in connections.all(initialized_only=True) if is_open(connection)]
    if aliases:
        raise WorkerFailed(
            f"a transaction is open on {', '.join(aliases)}: a source must not yield inside a transaction", exit_code=1
        ) from TransactionLeftOpen(aliases)
