"""
During an event, the context variables contain nothing from earlier events, except for the caches of the thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from threading import Thread
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings
from django.utils import translation

from event_bus_kafka.dispatching.event_context import event_context, keep_caches
from event_bus_kafka.dispatching.replay_context import is_replay, replay_context
from event_bus_kafka.telemetry.events import CallbackFailed
from tests.support.watching import watched

made: list[Cache] = []


class Cache(LocMemCache):
    """A cache that counts the calls of its method ``close``."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        self.closed = 0
        self.fails = False
        made.append(self)

    def close(self, **_: Any) -> None:
        self.closed += 1
        if self.fails:
            raise OSError


@pytest.fixture(autouse=True)
def settings_of_caches() -> Iterator[None]:
    path = f"{__name__}.Cache"
    with override_settings(CACHES={"default": {"BACKEND": path, "LOCATION": "a"}, "other": {"BACKEND": path}}):
        yield
    made.clear()


def run(*aliases: str) -> None:
    """Use the caches with these aliases in the context of an event, as receivers would."""
    context = event_context()
    context.run(lambda: [caches[alias].get("key") for alias in aliases])
    keep_caches(context)


def test_a_cache_is_created_once_per_thread_and_closed_after_each_event() -> None:
    for _ in range(3):
        run()
    assert made == []
    for _ in range(3):
        run("default")
    run("default", "other")
    run()
    default, other = made
    assert (default.closed, other.closed) == (5, 2)


def test_each_thread_has_separate_caches() -> None:
    threads = [Thread(target=run, args=("default",)) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    run("default")
    run("default")
    assert len(made) == 3


def test_a_replay_uses_the_caches_of_its_thread() -> None:
    run("default")
    context = replay_context()
    assert context.run(lambda: (caches["default"], is_replay())) == (made[0], True)
    keep_caches(context)
    assert not event_context().run(is_replay)


def test_an_error_on_closing_a_cache_is_reported_and_not_raised() -> None:
    context = event_context()
    context.run(lambda: caches["default"])
    made[0].fails = True
    with watched(CallbackFailed) as seen:
        keep_caches(context)
    (failed,) = seen
    assert type(failed.error) is OSError


def test_context_variables_and_language_of_an_event_do_not_reach_the_next_event() -> None:
    variable: ContextVar[int] = ContextVar("variable")

    def receive() -> None:
        caches["default"].get("key")
        variable.set(1)
        translation.activate("de")

    context = event_context()
    context.run(receive)
    keep_caches(context)
    left = event_context()
    assert variable not in left
    assert left.run(translation.get_language) != "de"


def test_caches_are_created_anew_after_the_caches_setting_changed() -> None:
    run("default")
    with override_settings(CACHES={"default": {"BACKEND": f"{__name__}.Cache"}}):
        run("default")
        run("default")
    assert len(made) == 2
