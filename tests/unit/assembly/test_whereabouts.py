"""A search for an event finds out where dead letters are stored even if a database router raises an exception."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from event_bus_kafka.assembly.whereabouts import _go_to_topic
from event_bus_kafka.operations.whereabouts.answer import Question


class Raising:
    """A router with a bug."""

    def db_for_write(self, *_: object, **__: Any) -> str:
        raise KeyError


@pytest.mark.django_db
@pytest.mark.parametrize(("choice", "go"), [("auto", False), ("database", False), ("topic", True)])
def test_the_destination_of_dead_letters_is_known_even_if_a_router_raises(choice: str, go: bool) -> None:
    with override_settings(DATABASE_ROUTERS=[Raising()], EVENT_BUS_KAFKA_DEAD_LETTERS=choice):
        assert _go_to_topic(Question(event_id=uuid4())) is go
