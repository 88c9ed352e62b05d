"""Starts the periodic tasks of this process, according to the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from random import uniform
from typing import Any

import attrs
from django.apps import apps

from event_bus_kafka.assembly.own_tables import own_tables
from event_bus_kafka.conf.client_options import service_name
from event_bus_kafka.conf.routes import outbox_databases
from event_bus_kafka.conf.settings import settings
from event_bus_kafka.db_connections import names_of_databases
from event_bus_kafka.dispatching.cleanup import close_after_errors
from event_bus_kafka.housekeeping.housekeeper import Housekeeper, Turn
from event_bus_kafka.telemetry.guards import guarded
from event_bus_kafka.telemetry.prometheus import publish
from event_bus_kafka.telemetry.state import running
from event_bus_kafka.telemetry.tallies import tallies

_APP = "event_bus_kafka"
_HISTORY_EVERY, _TIDY_EVERY, _PUBLISH_EVERY = 60.0, 3_600.0, 10.0
_NEGLECTS_EVERY, _FIRST_NEGLECTS = 60.0, 15.0
_SOON = 300.0
"""Maximum number of seconds after which a worker deletes old rows for the first time."""
_LAST_TURN = 1.0
"""Maximum number of seconds for which an ending worker waits for the last run of a task, such as the last heartbeat."""

housekeeper = Housekeeper(close_after_errors)
watchman = Housekeeper(close_after_errors)
"""
The housekeeper that searches all outboxes for neglects. It has its own thread, so that a hanging database does not
delay the heartbeats in other databases.
"""
claim_keeper = Housekeeper(close_after_errors)
"""
The housekeeper that renews claims on replay requests. It has its own thread, because other housekeeping might delay a
renewal. After such a delay, the worker would lose its request.
"""


def periodically(
    at_end: ExitStack,
    period: float | Callable[[], float],
    name: str,
    turn: Turn,
    *,
    last: Callable[[], object] | None = None,
    first_in: float = 0.0,
    keeper: Housekeeper | None = None,
) -> None:
    """
    Run ``turn`` every ``period`` seconds until ``at_end`` closes; then run ``last``. For details, see
    :meth:`Housekeeper.every`. ``keeper``: the housekeeper whose thread runs the task; None: the housekeeper that most
    tasks share.
    """
    keeper = keeper or housekeeper
    task = keeper.every(period, name, turn, last=last, first_in=first_in)
    at_end.callback(keeper.end, [task], _LAST_TURN)


def keep_house_of_workers(at_end: ExitStack) -> None:
    """
    Start the periodic tasks of a worker or relay: write heartbeats (unless switched off), search for neglects, delete
    old heartbeats, merge and delete old history. The tasks end when ``at_end`` closes. Without the app, do nothing.
    """
    if not apps.is_installed(_APP):
        return
    heartbeats, history = _with_models("heartbeats"), _with_models("history")
    if settings.heartbeat:
        totals = partial(_with_models("counted").totals, tallies)
        about = {"service": service_name() or "", "version": import_module(_APP).__version__}
        beats = heartbeats.Heartbeats(running, totals, period=settings.heartbeat, **about)
        periodically(at_end, lambda: beats.beat_every, "A heartbeat was not written", beats.beat, last=beats.stop)
    _watch_neglects(at_end)
    soon = uniform(0, _SOON)  # workers start together after a deploy
    periodically(at_end, _TIDY_EVERY, "Old heartbeats were not deleted", heartbeats.purge, first_in=soon)
    tidy = partial(history.tidy, settings.history)
    periodically(at_end, _TIDY_EVERY, "Old history was not tidied up", tidy, first_in=soon)


def _watch_neglects(at_end: ExitStack) -> None:
    """
    Search for neglects periodically. The first search comes after a delay, so that other processes that start at the
    same time have written their first heartbeats.
    """
    watching = import_module("event_bus_kafka.operations.neglects.watch")
    watch = watching.NeglectWatch(running, outbox_databases, own_tables())
    name = "The search for neglects failed"
    periodically(at_end, _NEGLECTS_EVERY, name, watch.look, first_in=_FIRST_NEGLECTS, keeper=watchman)
    at_end.enter_context(watch)


def _begin_history() -> None:
    """
    Begin to write history. The models are not imported here but later, in the housekeeper's thread, because an event
    may be sent before all apps are loaded.
    """
    if settings.history and not (apps.ready and not apps.is_installed(_APP)):
        write = _History(names_of_databases())
        housekeeper.every(_HISTORY_EVERY, "History was not written", write, last=write, first_in=_HISTORY_EVERY)


@attrs.define
class _History:
    """Writes history at each call. A call does nothing before all apps are loaded, or if this app is not installed."""

    names: Mapping[str, str]
    _writer: Any = None

    def __call__(self) -> None:
        if apps.ready and apps.is_installed(_APP):
            if self._writer is None:
                read = partial(_with_models("counted").counted, tallies, service_name() or "")
                self._writer = _with_models("history").HistoryWriter(read, self.names)
            self._writer.write()


def _begin_to_publish() -> None:
    """
    Export metrics periodically if prometheus_client is installed. The housekeeper's thread imports prometheus_client,
    because the import is slow.
    """
    if find_spec("prometheus_client"):
        first = _PUBLISH_EVERY  # later than a server's forks, which must not happen during an import
        housekeeper.every(_PUBLISH_EVERY, "Metrics were not published", publish, last=publish, first_in=first)


def _begin() -> None:
    _begin_history()
    _begin_to_publish()


begin = guarded("the beginning of housekeeping", _begin)
"""Begin the periodic tasks of a process that sends or consumes. Never raises."""


def _with_models(name: str) -> Any:
    return import_module(f"event_bus_kafka.housekeeping.{name}")
