"""An event goes to the receivers of its signal, each on its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import attrs
from asgiref.sync import async_to_sync, iscoroutinefunction
from openedx_events.apps import general_signal_handler
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import ReceiversFailed
from event_bus_kafka.wire.records import Event


@attrs.frozen
class Receiver:
    """A receiver of a signal, and the name by which records know it: ``module.qualname``."""

    name: str
    call: Callable[..., Any] = attrs.field(repr=False)


def registered_signal(event_type: str) -> OpenEdxPublicSignal | None:
    """Return the signal of an event type, None where this service knows none."""
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        return None


def receivers_of(signal: OpenEdxPublicSignal) -> list[Receiver]:
    """
    Return who listens to a signal now, in the order of connection; async receivers last, as Django has it.

    openedx-events' own handler, which sends events to the bus, is left out: it declines what came from there.
    """
    found = signal._live_receivers(None)
    live = chain(*found) if isinstance(found, tuple) else found  # Django 5 has sync and async receivers apart
    return [Receiver(_name(receiver), receiver) for receiver in live if receiver is not general_signal_handler]


def is_enabled(signal: OpenEdxPublicSignal) -> bool:
    """Whether the signal may be sent here."""
    return bool(signal._allow_events)


def dispatch(event: Event, receivers: list[Receiver]) -> list[tuple[Receiver, Exception]]:
    """
    Call receivers with what openedx-events would give them; return those that raised, with their exceptions.

    Names and types of the data are right by construction: the codec has bound them to the signal's arguments. What is
    no Exception (SystemExit, KeyboardInterrupt, GeneratorExit) passes through.
    """
    failed = []
    for receiver in receivers:
        call = async_to_sync(receiver.call) if iscoroutinefunction(receiver.call) else receiver.call
        try:
            call(signal=event.signal, sender=None, metadata=event.metadata, from_event_bus=True, **event.data)
        except Exception as error:  # noqa: BLE001 one that fails must not keep the others from running
            failed.append((receiver, error))
    return failed


def failure_of(failed: list[tuple[Receiver, Exception]]) -> ReceiversFailed:
    """Return one error for all that failed."""
    return ReceiversFailed([receiver.name for receiver, _ in failed], [error for _, error in failed])


def _name(receiver: Callable[..., Any]) -> str:
    named = receiver if hasattr(receiver, "__qualname__") else getattr(receiver, "func", type(receiver))
    return f"{named.__module__}.{getattr(named, '__qualname__', type(named).__qualname__)}"
