"""A fixture: a relay on the sandbox. The database of the relay is a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.relaying.claims import make_shards
from event_bus_kafka.sandbox import Sandbox
from tests.support.relaying import Relaying
from tests.support.sqlite import on_sqlite


@pytest.fixture
def relaying(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Relaying]:
    with Sandbox() as sandbox, django_db_blocker.unblock(), on_sqlite(tmp_path, "default"):
        make_shards("default")
        relaying = Relaying(sandbox)
        for topic in ("a", "b"):
            sandbox.create_topic(topic, 1)
        relaying.relay.step()  # connects to the sandbox
        yield relaying
        relaying.relay.stop(timeout=1)
